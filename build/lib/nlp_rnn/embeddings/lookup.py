"""The forms under which a word is looked up among word vectors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nlp_rnn.config import LookupStep


def forms(word: str, steps: Sequence[LookupStep]) -> Iterator[tuple[str, str]]:
    """The forms of a word in lookup order, each with its step.

    A step changes the forms of all steps before it. ``digits_zeroed`` replaces each digit by 0, as
    required by vectors learned from normalised text (Collobert et al. 2011, "Natural Language
    Processing (Almost) from Scratch", replace numbers similarly).

    >>> list(forms("WW2", ["lowercase", "digits_zeroed"]))
    [('as_is', 'WW2'), ('lowercase', 'ww2'), ('digits_zeroed', 'WW0'), ('digits_zeroed', 'ww0')]
    >>> list(forms("the", ["lowercase", "digits_zeroed"]))
    [('as_is', 'the')]
    """
    tried = [word]
    yield "as_is", word
    for step in steps:
        changed = (x.lower() if step == "lowercase" else re.sub("[0-9]", "0", x) for x in tried)
        new = [x for x in dict.fromkeys(changed) if x not in tried]
        yield from ((step, x) for x in new)
        tried += new
