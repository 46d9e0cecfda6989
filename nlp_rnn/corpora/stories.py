"""Questions about stories in the format of bAbI (Weston et al. 2015)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nlp_rnn.corpora.lines import BadBytes, numbered_lines
from nlp_rnn.corpora.pairs import pair
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

_NUMBERED = re.compile(r"(\d+) (.*)")


def read_babi(path: Path, bad_bytes: BadBytes) -> Iterator[Example]:
    """Stream the questions of a file; the sentences of the story so far are one ``context``.

    A line is ``NUMBER SENTENCE``, or ``NUMBER QUESTION tab ANSWER`` with another tab and the
    numbers of the supporting sentences, which are not read. The number 1 begins a new story.

    Raises:
        UserError: a line has no number or the wrong one, or a question has no answer; the message
            names file and line.
    """
    story: list[str] = []
    last = 0
    for number, line in numbered_lines(path, bad_bytes):
        where = f"{path}, line {number}"
        if not (found := _NUMBERED.fullmatch(line.strip())):
            raise UserError(f"{where}: expected a number and a sentence, as '1 Mary went home.'")
        given, rest = int(found[1]), found[2]
        if given not in (1, last + 1):
            raise UserError(
                f"{where}: number {given} after {last}; the lines of a story are counted from 1"
            )
        story, last = [] if given == 1 else story, given
        if "\t" not in rest:
            story.append(rest.strip())
            continue
        question, answer, *_ = rest.split("\t")
        context = (" ".join(story),) if story else ()
        yield pair(where, question.strip(), answer.strip(), context)
