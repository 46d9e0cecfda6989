"""What each task is, told once: a new task adds a row here, and its own code in ``tasks/``."""

from __future__ import annotations

from dataclasses import dataclass

from nlp_rnn.example import TAGGED_KINDS, Kind


@dataclass(frozen=True, kw_only=True)
class TaskKind:
    """What the rest of the package must know of a task.

    Attributes:
        data: the kind of examples that it is trained on.
        gives: what its network predicts, as the README of an exported model says it.
        labels: whether it predicts one of a fixed set of labels, which the bundle lists.
        characters: whether its network may read how words are spelt, so that the bundle holds a
            vocabulary of characters.
        same: the fields of a row of test predictions on which two models agree if they were tested
            on the same data.
    """

    data: Kind
    gives: str
    labels: bool
    characters: bool = False
    same: tuple[str, ...]

    @property
    def tagged(self) -> bool:
        """Whether it predicts for the words of a text, rather than for a text."""
        return self.data in TAGGED_KINDS


TASK_KINDS = {
    "classification": TaskKind(
        data="labelled",
        gives="the label of a text",
        labels=True,
        same=("gold",),
    ),
    "tagging": TaskKind(
        data="tagged",
        gives="a tag for each word of a sentence",
        labels=True,
        characters=True,
        same=("gold",),
    ),
    "intents_and_slots": TaskKind(
        data="joint",
        gives="the label of a text and a tag for each of its words",
        labels=True,
        characters=True,
        same=("gold", "gold_label"),
    ),
    "language_modelling": TaskKind(
        data="text",
        gives="the probability of each next token of a text",
        labels=False,
        same=("characters", "tokens", "unknown"),
    ),
    "sequence_to_sequence": TaskKind(
        data="pairs",
        gives="the target of a source",
        labels=False,
        same=("gold",),
    ),
    "semantic_roles": TaskKind(
        data="roles",
        gives="the predicates of a sentence and their arguments",
        labels=True,
        characters=True,
        same=("gold",),
    ),
}
