"""What of a test split a tagger can know from training."""

from __future__ import annotations

from collections import Counter

from nlp_rnn.text.entities import entity_spans
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.tokenizers import make_tokenizer


def words_and_entities(dataset: PreparedDataset) -> tuple[Counter[str], set[str]]:
    """How often the training split has each word, be it too rare for the vocabulary, and every
    entity, its words joined by spaces.

    Words are as the data set's tokenizer writes them, entities as the text does.
    """
    normalised = make_tokenizer(dataset.tokenizer_parameters).words
    counts: Counter[str] = Counter()
    entities: set[str] = set()
    for record in dataset.split("train").records():
        words = record["tokens"]
        counts.update(normalised(words))
        entities.update(
            " ".join(words[start:end]) for _, start, end in entity_spans(record["tags"])
        )
    return counts, entities
