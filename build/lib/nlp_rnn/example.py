"""What every corpus yields, whatever file or generator it comes from."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["labelled", "tagged", "text"]

Scheme = Literal["BIO", "IOB1", "BIOES", "BILOU", "BMES", "BMEWO"]
"""How the tags of words mark entities of several words."""

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Example:
    """One unit of a corpus: a labelled text, a tagged sentence, or a line of running text.

    Attributes:
        text: raw text of a ``labelled`` example, or one line (without its newline) of ``text``.
        label: the class of a ``labelled`` example.
        tokens: the words of a ``tagged`` sentence, as the corpus segments them.
        tags: one tag for each of ``tokens``.
        space_after: whether a space follows each of ``tokens`` in the raw text; empty where the
            corpus does not say. Not compared: it is about the file, not the sentence.
    """

    text: str = ""
    label: str = ""
    tokens: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    space_after: tuple[bool, ...] = field(default=(), compare=False)

    def record(self, kind: Kind) -> dict[str, object]:
        """The example as a JSON object, with the fields that its kind has."""
        if kind == "tagged":
            return {"tokens": list(self.tokens), "tags": list(self.tags)}
        if kind == "labelled":
            return {"text": self.text, "label": self.label}
        return {"text": self.text}
