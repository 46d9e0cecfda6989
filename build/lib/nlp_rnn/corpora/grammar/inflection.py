"""Regular English inflection, for stems chosen so that these rules suffice."""

import re

_DOUBLES = re.compile(r"(?:[^aeiou]+|[^aeiou]*qu)[aeiou][bdgklmnprt]")  # "plan", "stop", "trim"
_HISSES = ("s", "x", "z", "sh", "ch")


def plural(noun: str) -> str:
    """The plural of a regular noun; also the third person singular of a regular verb."""
    if noun.endswith(_HISSES):
        return noun + "es"
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + "s"


def past(verb: str) -> str:
    """The past tense and the past participle of a regular verb."""
    if verb.endswith("e"):
        return verb + "d"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ied"
    return _doubled(verb) + "ed"


def participle(verb: str) -> str:
    """The present participle of a regular verb."""
    if re.search(r"[^e]e$", verb):
        return verb[:-1] + "ing"
    return _doubled(verb) + "ing"


def _doubled(verb: str) -> str:
    return verb + verb[-1] if _DOUBLES.fullmatch(verb) else verb
