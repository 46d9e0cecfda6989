"""How a tagged corpus splits text into words, and whether a tokenizer splits it the same way.

A tagger learns from the words of its corpus, but a tokenizer splits the raw text that it tags
later. If the two differ, predictions on raw text are worse than any test metric shows. The training
sentences are therefore written as raw text, split again, and compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Literal

from nlp_rnn.config import TokenizerParameters
from nlp_rnn.example import Example
from nlp_rnn.text.tokenizers import make_tokenizer

MEASURED = 20_000
"""The number of training sentences compared, from the first on."""

TOLERATED = 0.05
"""The share of words split differently above which :func:`warning` warns."""

_UNITS: tuple[Literal["word", "whitespace"], ...] = ("word", "whitespace")
"""The candidate units. If two split equally well the first is chosen, because it also splits off
punctuation never seen."""

_CLOSES = re.compile(r"[.,;:!?%)\]}»”’…]|\.\.\.|''|n['’]t|['’][A-Za-z]+", re.IGNORECASE)
_OPENS = re.compile(r"[(\[{«“‘$£€#]|``")


def spaces(words: Sequence[str]) -> list[bool]:
    """Guess whether a space follows each word in ordinary writing.

    Closing punctuation and English clitics follow the word before them directly, the word after
    opening punctuation follows it; straight quotation marks open and close in turn.

    >>> spaces(["I", "do", "n't", "(", "yet", ")", "."])
    [True, False, True, False, False, False, True]
    """
    opens, closes, quoted = [], [], False
    for word in words:
        quote = word == '"'
        opens.append((quote and not quoted) or _OPENS.fullmatch(word) is not None)
        closes.append((quote and quoted) or _CLOSES.fullmatch(word) is not None)
        quoted ^= quote
    before_closing = [*closes, False][1:] if words else []
    return [
        not (opening or closing) for opening, closing in zip(opens, before_closing, strict=True)
    ]


def raw_text(example: Example) -> tuple[str, list[tuple[int, int]]]:
    """A tagged sentence as raw text, and the start and end of each word in it."""
    places, parts, end = [], [], 0
    followed = example.space_after or spaces(example.tokens)
    for word, space in zip(example.tokens, followed, strict=True):
        places.append((end, end + len(word)))
        parts += [word, " " if space else ""]
        end += len(word) + space
    return "".join(parts), places


def compared(sentences: Iterable[Example], parameters: TokenizerParameters) -> dict[str, Any]:
    """How tokenizers split sentences, for the data card.

    Returns:
        The numbers of ``sentences`` and ``words`` compared; ``spaces``, given by the corpus or
        guessed; ``unit``, that of ``parameters``, or if they leave it open the one that splits the
        fewest words differently; ``otherwise``, for each unit the number of ``words`` that are not
        a token of the raw text, and of ``sentences`` with such a word.
    """
    cutters = {
        unit: make_tokenizer(parameters.model_copy(update={"unit": unit})).spans for unit in _UNITS
    }
    otherwise = {unit: {"words": 0, "sentences": 0} for unit in _UNITS}
    sentence_count = words = given = 0
    for example in islice(sentences, MEASURED):
        text, places = raw_text(example)
        sentence_count += 1
        words += len(places)
        given += bool(example.space_after)
        for unit, spans in cutters.items():
            tokens = {(start, end) for _, start, end in spans(text)}
            wrong = len(places) - len(tokens.intersection(places))
            otherwise[unit]["words"] += wrong
            otherwise[unit]["sentences"] += wrong > 0
    best = min(_UNITS, key=lambda unit: otherwise[unit]["words"])
    return {
        "sentences": sentence_count,
        "words": words,
        "spaces": "given" if given == sentence_count else "guessed",
        "unit": best if parameters.unit == "auto" else parameters.unit,
        "otherwise": otherwise,
    }


def warning(found: dict[str, Any]) -> str | None:
    """A warning about the result of :func:`compared`; None if the units agree well enough."""

    def share(unit: str) -> float:
        return float(found["otherwise"][unit]["words"] / max(found["words"], 1))

    unit = found["unit"]
    other = next(known for known in _UNITS if known != unit)
    if share(unit) <= TOLERATED:
        return None
    problem = (
        f"tokenizer.unit '{unit}' splits {share(unit):.1%} of the training words differently "
        "from the corpus, so predictions on raw text will be worse than the test metrics; "
    )
    if share(other) < share(unit):
        return problem + (
            f"'{other}' splits {share(other):.1%} differently: set tokenizer: {{unit: {other}}}"
        )
    return problem + (
        "no other unit does better: give predict sentences that are split into words already, in "
        "CoNLL columns"
    )
