"""Reading semantic roles in columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlp_rnn.corpora.propositions import read_propositions
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

FILE = """\
# doc = one
The	DT	-	(ARG0*	*
cat	NN	-	*)	(ARG1*)
gave	VBD	give.01	(V*	*
up	RP	-	*)	*
and	CC	-	*	*
slept	VBD	sleep.01	*	(V*)

Hello	UH	-
"""


def read(path: Path, text: str) -> list[Example]:
    path.write_text(text, encoding="utf-8")
    return list(read_propositions(path, 0, 2, "error"))


def test_a_sentence_gives_its_predicates_then_the_roles_of_each(tmp_path: Path) -> None:
    words = ("The", "cat", "gave", "up", "and", "slept")
    assert read(tmp_path / "roles.conll", FILE) == [
        Example(tokens=words, tags=("O", "O", "B-V", "O", "O", "B-V")),
        Example(
            tokens=words,
            tags=("B-ARG0", "I-ARG0", "B-V", "I-V", "O", "O"),
            predicate=2,
            frame="give.01",
        ),
        Example(
            tokens=words,
            tags=("O", "B-ARG1", "O", "O", "O", "B-V"),
            predicate=5,
            frame="sleep.01",
        ),
        Example(tokens=("Hello",), tags=("O",)),
    ]


def test_columns_may_be_parted_by_spaces(tmp_path: Path) -> None:
    found = read(tmp_path / "roles.conll", "It  PRP  -       (ARG0*)\nsees VBZ see.01 (V*)\n")
    assert [example.tags for example in found] == [("O", "B-V"), ("B-ARG0", "B-V")]


@pytest.mark.parametrize(
    ("line", "new", "message"),
    [
        (3, "cat\tNN\t-\t*", "line 3: expected 5 columns .* found 4"),
        (3, "cat\tNN\t-\t(ARG1*)\t(ARG1*)", r"line 3: found '\(ARG1\*\)' in column 3.*overlap"),
        (2, "The\tDT\t-\t*\t*", r"line 3: found '\*\)' in column 3"),
        (5, "up\tRP\t-\t*\t*", r"line 7: the argument \(V\* in column 3 never ends"),
        (2, "The\tDT\t-\tARG0\t*", r"line 2: found 'ARG0' in column 3"),
        (6, "and\tCC\tand.01\t*\t*", r"line 2: expected a frame .* predicates \(3\); found 2"),
    ],
)
def test_faults_name_their_line(tmp_path: Path, line: int, new: str, message: str) -> None:
    lines = FILE.split("\n")
    lines[line - 1] = new
    with pytest.raises(UserError, match=message):
        read(tmp_path / "roles.conll", "\n".join(lines))
