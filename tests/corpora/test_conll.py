"""Tagged sentences: schemes, CoNLL columns, CoNLL-U, and what each fault says."""

from pathlib import Path

import pytest

from nlp_rnn.config import FilesDataset
from nlp_rnn.corpora import data_folder, open_corpus
from nlp_rnn.corpora.schemes import to_bio
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example


def read(folder: Path, content: str, **parameters: object) -> list[Example]:
    (folder / "train").write_bytes(content.encode())
    dataset = {"source": "files", "train": "train", "format": "conll", **parameters}
    return list(open_corpus("mine", FilesDataset.model_validate(dataset), folder).read("train"))


def fault(folder: Path, content: str, **parameters: object) -> str:
    with pytest.raises(UserError) as caught:
        read(folder, content, **parameters)
    assert str(folder / "train") in str(caught.value)
    return str(caught.value)


def sentence(words: str, tags: str) -> Example:
    return Example(tokens=tuple(words.split()), tags=tuple(tags.split()))


# --- schemes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "given", "expected"),
    [
        ("BIO", "B-X I-X O B-Y", "B-X I-X O B-Y"),
        ("BIO", "O I-X I-X", "O B-X I-X"),
        ("BIO", "B-X I-Y I-Y", "B-X B-Y I-Y"),
        ("BIO", "B-X B-X I-X", "B-X B-X I-X"),
        ("IOB1", "I-X I-X O I-Y", "B-X I-X O B-Y"),
        ("IOB1", "I-X B-X I-X", "B-X B-X I-X"),
        ("IOB1", "I-X I-Y", "B-X B-Y"),
        ("BIOES", "S-X B-X E-X O B-Y I-Y E-Y", "B-X B-X I-X O B-Y I-Y I-Y"),
        ("BIOES", "B-X E-X E-X", "B-X I-X B-X"),
        ("BIOES", "S-X I-X", "B-X B-X"),
        ("BIOES", "B-X E-Y", "B-X B-Y"),
        ("BIO", "B-a-b I-a-b", "B-a-b I-a-b"),
    ],
)
def test_tags_become_bio_as_conlleval_reads_them(scheme: str, given: str, expected: str) -> None:
    assert to_bio(given.split(), scheme) == tuple(expected.split())  # type: ignore[arg-type]


def test_bio_is_kept() -> None:
    tags = ("B-X", "I-X", "O", "B-Y", "B-Y")
    assert to_bio(tags, "BIO") == tags == to_bio(to_bio(tags, "BIO"), "IOB1")


@pytest.mark.parametrize("tag", ["B", "B-", "b-PER", "PER", "X-PER", "-PER", "BI-PER", "", "o"])
def test_ill_formed_tag_names_line(tmp_path: Path, tag: str) -> None:
    message = fault(tmp_path, f"a\tO\n\nb\tO\nc\t{tag}\n", scheme="BIO")
    assert "line 4" in message
    if tag:
        assert f"'{tag}'" in message and "B-TYPE" in message


def test_bioes_tag_under_bio_names_the_scheme(tmp_path: Path) -> None:
    assert "scheme BIO" in fault(tmp_path, "a S-X\n", scheme="BIO")


# --- CoNLL --------------------------------------------------------------------------

CONLL_2003 = """-DOCSTART- -X- -X- O

EU NNP B-NP I-ORG
rejects VBZ B-VP O

Peter NNP B-NP I-PER
Blackburn NNP I-NP I-PER
"""


def test_conll_2003(tmp_path: Path) -> None:
    assert read(tmp_path, CONLL_2003, scheme="IOB1") == [
        sentence("EU rejects", "B-ORG O"),
        sentence("Peter Blackburn", "B-PER I-PER"),
    ]
    assert read(tmp_path, CONLL_2003, tag_column=1)[0] == sentence("EU rejects", "NNP VBZ")


def test_document_start_before_a_sentence_loses_no_word(tmp_path: Path) -> None:
    content = "-DOCSTART- O\nEU B-ORG\n"
    assert read(tmp_path, content) == [sentence("EU", "B-ORG")]


def test_lines_end_in_crlf_and_blank_ones_may_hold_white_space(tmp_path: Path) -> None:
    content = "a\tX\r\n\r\nb\tY\r\n\t\r\n \nc\tZ"
    assert read(tmp_path, content) == [sentence("a", "X"), sentence("b", "Y"), sentence("c", "Z")]


def test_odd_white_space_is_part_of_words(tmp_path: Path) -> None:
    words = ("a\u00a0b", "\u2028", "c\x0bd", "\u3000", "e f")
    content = "".join(f"{word}\tO\n" for word in words)
    assert read(tmp_path, content) == [Example(tokens=words, tags=("O",) * 5)]
    spaces = "a\u00a0b   X\n\x85 Y\n"
    assert read(tmp_path, spaces) == [Example(tokens=("a\u00a0b", "\x85"), tags=("X", "Y"))]


def test_columns_are_chosen(tmp_path: Path) -> None:
    content = "1\tEU\tNNP\tORG\n"
    assert read(tmp_path, content, word_column=1, tag_column=-2) == [sentence("EU", "NNP")]


def test_comments_and_the_word_that_looks_like_one(tmp_path: Path) -> None:
    content = "# text = He paid # 5\n# an id\nHe\tA\npaid\tB\n#\tC\n5\tD\n"
    assert read(tmp_path, content) == [sentence("He paid # 5", "A B C D")]
    pounds = "# # B-NP\n5 CD I-NP\n\n# sent_id = x\na b O\n"
    assert read(tmp_path, pounds) == [sentence("# 5", "B-NP I-NP"), sentence("a", "O")]


GERMEVAL = "#\thttp://example.org/0 [2009-10-17]\n1\tAnna\tB-PER\tO\n2\tsingt\tO\tO\n"

CONLL_2012 = """#begin document (a/b); part 000
a/b  0  0  In    IN   O
a/b  0  1  Rome  NNP  B-LOC
#end document

#begin document (a/c); part 000
a/c  0  0  It  PRP  O

#end document
"""


@pytest.mark.parametrize(
    ("content", "word_column", "tag_column", "expected"),
    [
        (GERMEVAL, 1, 2, [sentence("Anna singt", "B-PER O")]),
        (CONLL_2012, 3, -1, [sentence("In Rome", "O B-LOC"), sentence("It", "O")]),
        ("-DOCSTART- O\n# of no words\na\tO\nb\tB-X\n", 0, -1, [sentence("a b", "O B-X")]),
        ("1\t-DOCSTART-\tO\n2\ta\tO\n", 1, -1, [sentence("a", "O")]),
        ("# two words\n\na\tO\nb\tB-X\n", 0, -1, [sentence("a b", "O B-X")]),
        (
            "#win\tO\n@ann\tB-X\n\n#\tO\n1\tO\n",
            0,
            -1,
            [sentence("#win @ann", "O B-X"), sentence("# 1", "O O")],
        ),
        ("a\tO\n\n#one\tO\n#\tB-X\n", 0, -1, [sentence("a", "O"), sentence("#one #", "O B-X")]),
    ],
)
def test_comments_are_written_otherwise_than_words(
    tmp_path: Path, content: str, word_column: int, tag_column: int, expected: list[Example]
) -> None:
    assert read(tmp_path, content, word_column=word_column, tag_column=tag_column) == expected


def test_a_word_with_blanks_in_front_of_a_tab_is_no_comment(tmp_path: Path) -> None:
    [found] = read(tmp_path, "# 5\tO\nthe\tO\n")
    assert found == Example(tokens=("# 5", "the"), tags=("O", "O"))


def test_blanks_around_columns_are_no_part_of_them(tmp_path: Path) -> None:
    content = "the\tDET\ndog \tNOUN \n cat\tNOUN\u00a0\n"
    assert read(tmp_path, content) == [sentence("the dog cat", "DET NOUN NOUN")]
    ends_in_tabs = "Ann\tB-PER\t\nsings\tO\t\n\nBob\tB-PER\t\nruns\tO\n"
    assert read(tmp_path, ends_in_tabs) == [
        sentence("Ann sings", "B-PER O"),
        sentence("Bob runs", "B-PER O"),
    ]
    no_break = Example(tokens=("\u00a0", "a"), tags=("X", "Y"))
    assert read(tmp_path, "\u00a0\tX\na\tY\n") == [no_break]


def test_lines_without_a_word_follow_the_policy(tmp_path: Path) -> None:
    content = "good\tO\n\tO\nOslo\tB-LOC\n\n \t\n\n \tO\n\nbye\tO\n"
    message = fault(tmp_path, content)
    assert "line 2" in message and "empty_words: skip" in message
    kept = [sentence("good Oslo", "O B-LOC"), sentence("bye", "O")]
    assert read(tmp_path, content, empty_words="skip") == kept
    dataset = {"source": "files", "train": "train", "format": "conll", "empty_words": "skip"}
    corpus = open_corpus("mine", FilesDataset.model_validate(dataset), tmp_path)
    assert corpus.findings()["empty_words_skipped"] == {"train": 2}


@pytest.mark.parametrize(
    ("content", "parameters", "parts"),
    [
        ("a b O\nc O\nd O\n", {}, ("line 1", "expected 2 columns", "found 3")),
        ("#tag\na\tO\nb\tO\n", {}, ("line 1", "found 1", "begin a comment with '# '")),
        ("a\tO\nb\t\n", {}, ("line 2", "empty column", "tag of 'b'")),
        ("a O\nb\n", {}, ("line 2", "at least 2 columns", "found 1")),
        ("a O\n", {"tag_column": 3}, ("line 1", "at least 4 columns", "found 2")),
        ("a O\n", {"word_column": -3}, ("line 1", "at least 3 columns", "found 2")),
        ("a O\nNew York O\n", {}, ("line 2", "expected 2 columns", "found 3")),
        ("a\tO\n\n\tO\n", {}, ("line 3", "empty column")),
    ],
)
def test_wrong_columns(
    tmp_path: Path, content: str, parameters: dict[str, object], parts: tuple[str, ...]
) -> None:
    message = fault(tmp_path, content, **parameters)
    assert all(part in message for part in parts), message


# --- CoNLL-U ------------------------------------------------------------------------


def row(identifier: str, form: str, upos: str, xpos: str = "_") -> str:
    return f"{identifier}\t{form}\t_\t{upos}\t{xpos}\t_\t_\t_\t_\t_\n"


DU = (
    "# text = im Haus\n"
    + row("1-2", "im", "_")
    + row("1", "in", "ADP", "APPR")
    + row("2", "dem", "DET", "ART")
    + row("2.1", "leer", "VERB", "V")
    + row("3", "New York", "PROPN", "NE")
)


def test_conllu_reads_syntactic_words(tmp_path: Path) -> None:
    expected = Example(tokens=("in", "dem", "New York"), tags=("ADP", "DET", "PROPN"))
    assert read(tmp_path, DU, format="conllu") == [expected]
    both = read(tmp_path, DU + "\n" + DU.replace("\n", "\r\n"), format="conllu", tag_column="xpos")
    assert [each.tags for each in both] == [("APPR", "ART", "NE")] * 2


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("1\tin\tADP\n", ("line 1", "expected 10 columns", "found 3")),
        (row("1", "in", "_"), ("line 1", "'in' has no UPOS")),
        (row("1", "in", "ADP") + row("1", "a", "DET"), ("line 2", "id 2, found '1'", "blank line")),
        (row("x", "in", "ADP"), ("line 1", "id 1, found 'x'")),
        (row("1", "", "ADP"), ("line 1", "expected a word", "empty_words: skip")),
    ],
)
def test_conllu_faults(tmp_path: Path, content: str, parts: tuple[str, ...]) -> None:
    message = fault(tmp_path, content, format="conllu")
    assert all(part in message for part in parts), message


def test_conllu_without_a_word_follows_the_policy(tmp_path: Path) -> None:
    content = row("1", "in", "ADP") + row("2", "", "X") + row("3", "Rom", "PROPN")
    found = read(tmp_path, content, format="conllu", empty_words="skip")
    assert found == [sentence("in Rom", "ADP PROPN")]


# --- real files ---------------------------------------------------------------------


def real(name: str, **parameters: object) -> list[Example]:
    if not (data_folder() / name).exists():
        pytest.skip(f"no {name} in the folder that NLP_RNN_DATA names")
    dataset = FilesDataset.model_validate({"source": "files", "train": name, **parameters})
    return list(open_corpus("real", dataset, data_folder()).read("train"))


@pytest.mark.slow
def test_emerging_entities() -> None:
    sentences = real("wnut17/wnut17train.conll", format="conll", scheme="BIO")
    assert len(sentences) == 3394
    assert sum(len(each.tokens) for each in sentences) == 62730
    assert sum(tag.startswith("B-") for each in sentences for tag in each.tags) == 1975


@pytest.mark.slow
def test_english_web_treebank() -> None:
    sentences = real("ewt/en_ewt-ud-dev.conllu", format="conllu")
    assert len(sentences) == 2001
    assert sum(len(each.tokens) for each in sentences) == 25147
    assert len({tag for each in sentences for tag in each.tags}) == 17
