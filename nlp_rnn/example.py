"""What every corpus yields, whatever file or generator it comes from."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["labelled", "tagged", "text", "pairs", "roles", "joint"]

TAGGED_KINDS: tuple[Kind, ...] = ("tagged", "roles", "joint")
"""Kinds of examples that have a tag for each word."""

Scheme = Literal["BIO", "IOB1", "BIOES", "BILOU", "BMES", "BMEWO"]
"""How the tags of words mark entities of several words."""

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Example:
    """One unit of a corpus: a labelled text, a tagged sentence, one that also has a label (of a
    ``joint`` data set), a line of running text, a pair, or a sentence with the semantic roles of
    one of its predicates.

    The examples of a sentence with ``roles`` follow one another. The first has no predicate, and
    its tags say which words are one (``B-V``); then comes one for each of these predicates, in
    order.

    Attributes:
        text: raw text of a ``labelled`` example, one line (without its newline) of ``text``, or the
            source of a pair.
        label: the class of a ``labelled`` or ``joint`` example.
        labels: the classes of a ``labelled`` example that may have any number of them; None for one
            that has a ``label``.
        tokens: the words of a sentence that is ``tagged`` or ``joint`` or has ``roles``, as the
            corpus segments them.
        tags: one tag for each of ``tokens``; or the parts of speech of a pair's source, which only
            baselines read.
        space_after: whether a space follows each of ``tokens`` in the raw text; empty where the
            corpus does not say. Not compared: it is about the file, not the sentence.
        target: the raw text that a pair asks for.
        context: further texts that are read before ``text``, in order, such as a story before a
            question.
        features: a vector that is read beside the texts of a pair, or instead of them.
        predicate: the place of the predicate among ``tokens``, counted from 0, to which the
            ``roles`` in ``tags`` belong; None where there is none.
        frame: the sense of that predicate, such as ``kill.01``.
        document: what tells the document that a sentence was cut from apart from others; None
            where sentences are given. Not compared: it is about the file, not the sentence.
        group: what the example has in common with others that stay in one split with it, such as
            its author; only where the data set asks for groups. Not compared.
    """

    text: str = ""
    label: str = ""
    labels: tuple[str, ...] | None = None
    tokens: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    space_after: tuple[bool, ...] = field(default=(), compare=False)
    target: str = ""
    context: tuple[str, ...] = ()
    features: tuple[float, ...] = ()
    predicate: int | None = None
    frame: str = ""
    document: int | None = field(default=None, compare=False)
    group: str = field(default="", compare=False)

    @property
    def label_set(self) -> tuple[str, ...]:
        """Every label of a ``labelled`` example: its one ``label``, or all its ``labels``."""
        return (self.label,) if self.labels is None else self.labels

    def record(self, kind: Kind) -> dict[str, object]:
        """The example as a JSON object, with the fields that its kind has."""
        if kind in TAGGED_KINDS:
            words: dict[str, object] = {"tokens": list(self.tokens), "tags": list(self.tags)}
            more: dict[Kind, dict[str, object]] = {
                "roles": {"predicate": self.predicate, "frame": self.frame},
                "joint": {"label": self.label},
            }
            return words | more.get(kind, {})
        if kind == "labelled":
            if self.labels is not None:
                return {"text": self.text, "labels": list(self.labels)}
            return {"text": self.text, "label": self.label}
        if kind == "pairs":
            return {"text": self.text, "target": self.target} | self._more_inputs()
        return {"text": self.text}

    def _more_inputs(self) -> dict[str, object]:
        """What a pair has beside its text and target, where it has any."""
        more = {name: list(getattr(self, name)) for name in ("context", "features", "tags")}
        return {name: values for name, values in more.items() if values}
