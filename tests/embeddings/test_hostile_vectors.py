"""Files of vectors whose header or lines promise more than any memory holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlp_rnn.embeddings import reading
from nlp_rnn.embeddings.reading import load_vectors
from nlp_rnn.errors import UserError


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"3 999999999999\na 1 2 3\n", "line 1: 999,999,999,999 numbers"),
        (b"3 99999999\na " + bytes(400), "line 1: 99,999,999 numbers"),
        (b"3 70\na 1 2 3\n", "line 2: 3 numbers after the word, expected 70"),
        (b"999999999999 3\na 1 2 3\n", "ends after line 2"),
        (b"1" * 5000 + b" 3\na 1 2 3\n", "line 2"),
        (b"1.5 " * 100_000, "line 1: 99,999 numbers"),
        (b"2 3\na 1 2 3\n" + b"b" * 20_000, "line 3: has more than 10,192 bytes"),
    ],
)
def test_the_fault_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "vectors.txt"
    file.write_bytes(content)
    with pytest.raises(UserError) as error:
        load_vectors(str(file))
    assert words in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_the_largest_dimension_is_read(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    numbers = ["0.123456789"] * reading.MOST_NUMBERS
    file.write_text(f"1 {len(numbers)}\nword {' '.join(numbers)}\n")
    assert load_vectors(str(file)).vectors.matrix.shape == (1, reading.MOST_NUMBERS)
