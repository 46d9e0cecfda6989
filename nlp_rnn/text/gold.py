"""The targets of pairs as a model would write them."""

from __future__ import annotations

from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.rules import Tokenizer
from nlp_rnn.text.tokenizers import TARGET, make_tokenizer
from nlp_rnn.text.writing import rewritten


def target_tokenizer(dataset: PreparedDataset) -> Tokenizer:
    """The tokenizer of the targets of a data set, with what it learned."""
    tokenizer = make_tokenizer(dataset.target_tokenizer_parameters)
    tokenizer.load(dataset.folder, TARGET)
    return tokenizer


def gold_targets(dataset: PreparedDataset, split: str) -> list[str]:
    """The targets of a split as outputs are written, so that case and spaces that no output can
    have make no difference."""
    tokenizer = target_tokenizer(dataset)
    return [rewritten(record["target"], tokenizer) for record in dataset.split(split).records()]


def holds_trees(dataset: PreparedDataset) -> bool:
    """Whether the targets of a data set are bracketed trees."""
    return bool(dataset.card.get("trees"))
