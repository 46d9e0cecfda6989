"""The words and entities that a tagger can know from training."""

from __future__ import annotations

from collections import Counter

from nlp_rnn.text.entities import entity_spans
from nlp_rnn.text.prepared import PreparedDataset


def words_and_entities(dataset: PreparedDataset) -> tuple[Counter[str], set[str]]:
    """The count of each word in the training split, however rare, and all entities.

    Words are normalised by the data set's tokenizer; entities are as in the text, with their words
    joined by spaces.
    """
    normalised = dataset.tokenizer.words
    counts: Counter[str] = Counter()
    entities: set[str] = set()
    for record in dataset.split("train").records():
        if record.get("predicate") is not None:
            continue  # the same sentence once more
        words = record["tokens"]
        counts.update(normalised(words))
        entities.update(
            " ".join(words[start:end]) for _, start, end in entity_spans(record["tags"])
        )
    return counts, entities
