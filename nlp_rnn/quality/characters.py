"""Characters and scripts that training lacks, and remnants of a wrong encoding."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any

from nlp_rnn.text.characters import CONTROLS, scripts

LEAST_SHARE = 0.01
"""The share of the letters of training that a script needs to be a usual one."""

_BROKEN = re.compile(f"[\ufffd{CONTROLS}]")


class Known:
    """The characters of the training texts.

    Args:
        texts: all of them.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        self._characters = frozenset(counts)
        letters: Counter[str] = Counter()
        for character, count in counts.items():
            letters.update(dict.fromkeys(scripts(character), count))
        self.scripts = {s: n / letters.total() for s, n in letters.most_common()}

    def strange(self, text: str) -> dict[str, Any]:
        """What is strange about a text; empty if nothing is.

        Returns:
            ``broken``: U+FFFD, control characters and those without a meaning in Unicode;
            ``unknown``: other characters that training lacks; ``script``: that of most letters, if
            it is not a usual one of training.
        """
        found: dict[str, Any] = {}
        broken = {*_BROKEN.findall(text)}
        if not text.isascii():
            broken |= {c for c in set(text) if unicodedata.category(c) in ("Co", "Cn")}
        if broken:
            found["broken"] = sorted(broken)
        if unknown := {c for c in text if not c.isspace()} - self._characters - broken:
            found["unknown"] = sorted(unknown)
        script = "LATIN" if text.isascii() else _most(scripts(text))
        if any(map(str.isalpha, text)) and self.scripts.get(script, 0.0) < LEAST_SHARE:
            found["script"] = script
        return found


def _most(names: Iterable[str]) -> str:
    return next((name for name, _ in Counter(names).most_common(1)), "")
