"""Files of word vectors: every format in one reader, filtered, every fault named by its line."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from helpers.real import real_data
from nlp_rnn.embeddings.reading import BLOCK, VectorFile, load_vectors, read_vectors
from nlp_rnn.errors import UserError

WORDS = ["the", "cat", "zebu", "ça", "1984"]
MATRIX = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)


def read(
    content: bytes, wanted: set[str] | None = None, dimension: int | None = None
) -> VectorFile:
    return read_vectors(io.BufferedReader(io.BytesIO(content)), "g.txt", wanted, dimension)  # type: ignore[arg-type]


def text(words: list[str], matrix: np.ndarray, end: str = "\n", number: str = "%.9g") -> bytes:
    """GloVe's format, written number by number."""
    lines = [
        " ".join([word, *(number % x for x in row)])
        for word, row in zip(words, matrix, strict=True)
    ]
    return "".join(line + end for line in lines).encode()


def binary(words: list[str], matrix: np.ndarray, end: bytes) -> bytes:
    """word2vec's binary format: the tool itself ends each vector with a newline, others do not."""
    rows = [
        word.encode() + b" " + row.astype("<f4").tobytes() + end
        for word, row in zip(words, matrix, strict=True)
    ]
    return f"{len(words)} {matrix.shape[1]}\n".encode() + b"".join(rows)


GLOVE = text(WORDS, MATRIX)
FORMATS = {
    "glove": GLOVE,
    "glove, Windows": text(WORDS, MATRIX, "\r\n"),
    "glove, byte order mark": b"\xef\xbb\xbf" + GLOVE,
    "glove, no last newline": GLOVE[:-1],
    "word2vec text": b"5 7\n" + GLOVE,
    "fastText": b"5 7\n" + text(WORDS, MATRIX, " \n"),
    "exponents": text(WORDS, MATRIX, number="%.8e"),
    "word2vec binary": binary(WORDS, MATRIX, b"\n"),
    "word2vec binary, no newlines": binary(WORDS, MATRIX, b""),
}


@pytest.mark.parametrize("dimension", [None, 7])
@pytest.mark.parametrize("content", FORMATS.values(), ids=FORMATS)
def test_every_format_gives_the_same_words_and_vectors(
    content: bytes, dimension: int | None
) -> None:
    file = read(content, dimension=dimension)
    assert file.vectors.words == WORDS
    np.testing.assert_array_equal(file.vectors.matrix, MATRIX)
    np.testing.assert_allclose(file.mean, MATRIX.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(file.deviation, MATRIX.std(axis=0), rtol=1e-5)
    assert (file.words, file.duplicates) == (5, 0)


@pytest.mark.parametrize("content", FORMATS.values(), ids=FORMATS)
def test_a_filter_keeps_the_wanted_words_and_the_spread_of_all(content: bytes) -> None:
    file = read(content, {"ça", "cat", "absent"})
    assert file.vectors.words == ["cat", "ça"]
    np.testing.assert_array_equal(file.vectors.matrix, MATRIX[[1, 3]])
    np.testing.assert_allclose(file.mean, MATRIX.mean(axis=0), rtol=1e-5)
    assert file.words == 5


@pytest.mark.parametrize("dimension", [2, 3])
def test_binary_files_of_few_dimensions_are_told_from_text(dimension: int) -> None:
    for seed in range(50):
        matrix = np.random.default_rng(seed).normal(size=(5, dimension)).astype(np.float32)
        for content in (
            binary(WORDS, matrix, b""),
            f"5 {dimension}\n".encode() + text(WORDS, matrix),
        ):
            np.testing.assert_array_equal(read(content).vectors.matrix, matrix)


def test_plain_gzip_and_zip_read_alike(tmp_path: Path) -> None:
    for suffix, content in {"txt": GLOVE, "bin": FORMATS["word2vec binary"]}.items():
        plain = tmp_path / f"v.{suffix}"
        plain.write_bytes(content)
        (tmp_path / f"v.{suffix}.gz").write_bytes(gzip.compress(content))
        with zipfile.ZipFile(tmp_path / f"{suffix}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(plain, "inside/v")
        for name in (plain.name, plain.name + ".gz", f"{suffix}.zip!inside/v", f"{suffix}.zip"):
            np.testing.assert_array_equal(load_vectors(name, tmp_path).vectors.matrix, MATRIX)


def test_a_member_of_a_zip_must_be_named_among_several(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("a.txt", GLOVE)
        archive.writestr("b.txt", GLOVE)
    with pytest.raises(UserError, match=r"g\.zip: name one member .*; it holds a\.txt, b\.txt"):
        load_vectors("g.zip", tmp_path)
    with pytest.raises(UserError, match=r"no member 'c\.txt'; it holds a\.txt, b\.txt"):
        load_vectors("g.zip!c.txt", tmp_path)


@pytest.mark.parametrize(
    "name", ["missing.txt", "missing.zip!a.txt", "folder", "broken.zip!a.txt", "cut.gz", "empty"]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 no archive")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(GLOVE)[:-40])
    with pytest.raises(UserError, match=name.partition("!")[0]):
        load_vectors(name, tmp_path)


NUMBERS = [
    "0",
    "1",
    "-1",
    "0.0",
    "-0.0",
    ".5",
    "5.",
    "-.5",
    "-5.",
    "1e-05",
    "-1E+3",
    "+2.5",
    "0.00000001",
    "123456789012.345",
    "3.4028235e38",
    "1e-46",
    "0.1234567890123456",
    "0.12345678901234567",
    "0.123456789012345678901234567890",
    "16777217.0",
    "999999999999999999.0",
    "00.10",
    "0.000000000000000001",
]


def test_numbers_are_what_python_reads_wherever_they_stand() -> None:
    rng = np.random.default_rng(2)
    drawn = [f"{x:.5f}" for x in rng.normal(size=3 * BLOCK)] + NUMBERS * 3
    for share in (0.0, 0.002, 0.1):
        rows = [[str(x) for x in rng.choice(drawn[: 3 * BLOCK], 5)] for _ in range(3 * BLOCK)]
        for row in rows:
            for i in range(5):
                if rng.random() < share:
                    row[i] = str(rng.choice(drawn))
        rows += [["1.5"] * 2 + [number] + ["2.5"] * 2 for number in NUMBERS] if share else []
        content = "".join(f"w{i} {' '.join(row)}\n" for i, row in enumerate(rows)).encode()
        expected = np.array([[float(x) for x in row] for row in rows]).astype(np.float32)
        np.testing.assert_array_equal(read(content).vectors.matrix, expected)


def test_the_first_of_equal_words_counts_and_the_others_are_counted() -> None:
    file = read(b"the 1 2\ncat 5 6\nthe 3 4\ncat 7 8\nthe 3 4\n", {"the"})
    assert file.vectors["the"].tolist() == [1.0, 2.0]
    assert (file.words, file.duplicates) == (5, 2)
    assert read(b"the 1 2\ncat 5 6\nthe 3 4\ncat 7 8\nthe 3 4\n").duplicates == 3


def test_words_with_spaces_odd_bytes_and_numbers_are_whole() -> None:
    content = (
        b". . . 0.1 0.2\nat name@domain.com 0.3 0.4\n\xff\xfe 5 5\n\xff\xfd 6 6\n1 7 7\n"
        b"x\xc2\xa0y\xe2\x80\xa8z 8 8\n<unk> 9 9\n"
    )
    for dimension in (None, 2):
        file = read(b"the 0.0 0.1\n" + content, dimension=dimension)
        odd = [". . .", "at name@domain.com", "\\xff\\xfe", "\\xff\\xfd", "1", "x\xa0y\u2028z"]
        assert file.vectors.words == ["the", *odd, "<unk>"]
        assert file.vectors["at name@domain.com"].tolist() == [np.float32(0.3), np.float32(0.4)]
    assert read(content).vectors.words[0] == ". . ."


BAD_LINES = [
    (b"cat 1.0 2.0 3.0\n", ["3 numbers", "expected 2"]),
    (b"cat 1.0\n", ["1 numbers", "expected 2"]),
    (b"cat 1.0 x\n", ["not all of its 2 fields are numbers"]),
    (b"cat 1.0 1.2.3\n", ["not all of its 2 fields are numbers"]),
    (b"cat 1.0 1-2.\n", ["not all of its 2 fields are numbers"]),
    (b"cat 1.0 -.\n", ["not all of its 2 fields are numbers"]),
    (b"cat 1.0 1_0.0\n", ["not all of its 2 fields are numbers"]),
    (b"cat 1.0  2.0\n", ["3 numbers"]),
    (b"cat 1.0\t2.0\n", ["1 numbers"]),
    (b"cat  1.0\n", ["not all of its 2 fields are numbers"]),
    (b"cat 1.0 nan\n", ["not finite"]),
    (b"cat 1.0 1e39\n", ["not finite"]),
    (b"\n", ["0 numbers"]),
]


@pytest.mark.parametrize(("bad", "words"), BAD_LINES)
@pytest.mark.parametrize("before", [1, BLOCK + 3])
@pytest.mark.parametrize("header", [b"", b"%d 2\n"])
def test_a_wrong_line_is_named(bad: bytes, words: list[str], before: int, header: bytes) -> None:
    top = header % (before + 6) if header else b""
    # The line after it makes up for the width of the wrong one, and one more fault comes later.
    after = b"v 3.0 4.0\n" * 3 + b"u 1.0 2.0 3.0\n" + b"v 1e-05 0\n"
    with pytest.raises(UserError) as error:
        read(top + b"w 1.0 2.0\n" * before + bad + after, {"cat"})
    for word in [f"g.txt, line {before + 1 + bool(header)}", *words]:
        assert word in str(error.value)


def test_a_number_or_point_too_many_and_one_too_few_do_not_make_up_for_each_other() -> None:
    widths = (b"a 1.0 2.0 3.0\nb 4.0\n", b"a 1.0\nb 2.0 3.0 4.0\n")
    points = (b"a 1.0.0 20\nb 1.0 2.0\n", b"a 10 2.0.0\nb 1.0 2.0\n")
    for pair in (*widths, *points):
        with pytest.raises(UserError, match="line 2"):
            read(b"w 1.0 2.0\n" + pair)


def test_a_file_that_ends_too_early_is_an_error_where_the_header_tells() -> None:
    for cut in (FORMATS["word2vec text"].rsplit(b"\n", 2)[0] + b"\n", b"5 7\n"):
        with pytest.raises(UserError, match=r"g\.txt: ends after line [51], .* says 5 words"):
            read(cut)
    whole = FORMATS["word2vec binary, no newlines"]
    with pytest.raises(UserError, match="word 5 of 5: the file ends within its vector"):
        read(whole[:-1])
    with pytest.raises(UserError, match="word 5 of 5: no word"):
        read(whole[: -4 * 7 - 5])


def test_a_binary_vector_that_is_not_finite_is_named() -> None:
    matrix = MATRIX.copy()
    matrix[3, 2] = np.inf
    with pytest.raises(UserError, match=r"g\.txt, word 4 of 5: a number is not finite"):
        read(binary(WORDS, matrix, b"\n"))


@pytest.mark.parametrize("content", FORMATS.values(), ids=FORMATS)
def test_a_dimension_that_contradicts_the_file_is_an_error(content: bytes) -> None:
    with pytest.raises(UserError, match=r"line 1: 7 numbers.*expected 50.*embeddings\.dimension"):
        read(content, dimension=50)


def test_a_file_without_vectors_is_an_error() -> None:
    with pytest.raises(UserError, match=r"g\.txt: empty"):
        read(b"")
    with pytest.raises(UserError, match=r"g\.txt, line 1: no numbers"):
        read(b"the cat sat\n")


def test_a_real_glove_file_has_the_neighbours_it_is_known_for() -> None:
    file = real_data("glove/glove.6B.50d.merged.txt")
    read_all = load_vectors(file.name, file.parent)
    vectors = read_all.vectors
    assert read_all.words == 9_068
    assert vectors.matrix.shape == (9_068 - read_all.duplicates, 50)
    assert vectors.similarity("man", "woman") > 0.8 > vectors.similarity("man", "the")
    assert "queen" in dict(vectors.analogy("man", "king", "woman"))
