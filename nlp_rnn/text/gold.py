"""The targets of pairs as a model would write them."""

from __future__ import annotations

from typing import Any

from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.vocabulary import SEPARATOR
from nlp_rnn.text.writing import rewritten

Record = dict[str, Any]


def gold_targets(dataset: PreparedDataset, split: str) -> list[str]:
    """The targets of a split as outputs are written, so that case and spaces that no output can
    have make no difference."""
    tokenizer = dataset.target_tokenizer
    return [rewritten(record["target"], tokenizer) for record in dataset.split(split).records()]


def holds_trees(dataset: PreparedDataset) -> bool:
    """Whether the targets of a data set are bracketed trees."""
    return bool(dataset.card.get("trees"))


def gold_rows(dataset: PreparedDataset, split: str) -> list[Record]:
    """What would be right for each pair of a split, for the rows of a file of predictions.

    ``text`` is the source; ``gold`` is the target as outputs are written, and ``reference`` as it
    is in the data; ``lowercase`` says whether outputs have no capitals. ``also`` are further right
    outputs, where the data card says that all targets of a source are right.
    """
    tokenizer = dataset.target_tokenizer
    of_all = {
        "lowercase": dataset.target_tokenizer_parameters.lowercase,
        "trees": holds_trees(dataset),
    }
    rows = [
        {
            "text": source_text(record),
            "gold": rewritten(record["target"], tokenizer),
            "reference": record["target"],
            **of_all,
        }
        for record in dataset.split(split).records()
    ]
    if dataset.card.get("several_right"):
        right: dict[str, list[str]] = {}
        for row in rows:
            right.setdefault(row["text"], []).append(row["gold"])
        for row in rows:
            row["also"] = [target for target in right[row["text"]] if target != row["gold"]]
    return rows


def source_text(record: Record) -> str:
    """The texts of the source of a pair as one, with separators between."""
    return f" {SEPARATOR} ".join([*record.get("context", ()), record["text"]])
