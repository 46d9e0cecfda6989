"""ARPA files against a reader that is nothing but the format's definition."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nlp_rnn.errors import UserError
from nlp_rnn.ngrams import (
    NGramModel,
    add_k,
    count_ngrams,
    katz,
    kneser_ney,
    modified_kneser_ney,
    read_arpa,
    write_arpa,
)
from nlp_rnn.text.vocabulary import Vocabulary

TYPES = ["<pad>", "<unk>", "<eos>", "the", "tree", "ärgert", "\\end\\", "never"]
VOCABULARY = Vocabulary(TYPES, [0] * len(TYPES), "<eos>")
END = VOCABULARY.end_index


def toy_text(tokens: int, seed: int) -> np.ndarray:
    types = np.array([3, END, 4, 5, 1, 6])
    return np.random.default_rng(seed).choice(types, tokens, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.1])


TRAINING, TEST = toy_text(300, 0), np.append(toy_text(100, 1), [7, 3, END])


def model(estimate: Callable[..., NGramModel] = modified_kneser_ney, order: int = 3) -> NGramModel:
    return estimate(count_ngrams(TRAINING, order, len(TYPES), END))


class Definition:
    """log10 P of words by the rule that the format's manuals give."""

    def __init__(self, file: Path) -> None:
        self.log: dict[tuple[str, ...], float] = {}
        self.weight: dict[tuple[str, ...], float] = {}
        sections = file.read_text(encoding="utf-8").split("\n\n")
        assert sections[0].startswith("\\data\\\n") and sections[-1] == "\\end\\\n"
        header = [line.split("=") for line in sections[0].split("\n")[1:]]
        self.order = len(header)
        for n, section in enumerate(sections[1:-1], 1):
            title, *lines = section.split("\n")
            assert title == f"\\{n}-grams:"
            assert header[n - 1] == [f"ngram {n}", str(len(lines))]
            for line in lines:
                fields = line.split("\t")
                words = tuple(fields[1].split(" "))
                assert len(words) == n and words not in self.log
                self.log[words] = float(fields[0])
                if len(fields) == 3:
                    self.weight[words] = float(fields[2])

    def __call__(self, words: tuple[str, ...]) -> float:
        words = words[-self.order :]
        if words in self.log:
            return self.log[words]
        return self.weight.get(words[:-1], 0.0) + self(words[1:])

    def of_text(self, ids: np.ndarray) -> list[float]:
        logs, sentence = [], ["<s>"]
        for word in VOCABULARY.decode(ids):
            sentence.append("</s>" if word == "<eos>" else word)
            logs.append(self(tuple(sentence)))
            if word == "<eos>":
                sentence = ["<s>"]
        return logs


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("estimate", [add_k, katz, kneser_ney, modified_kneser_ney])
def test_every_reader_finds_the_same_probabilities(
    estimate: Callable[..., NGramModel], order: int, tmp_path: Path
) -> None:
    written = model(estimate, order)
    write_arpa(written, VOCABULARY, tmp_path / "model.arpa")
    logs = np.log10(written.probabilities(TEST))
    np.testing.assert_allclose(Definition(tmp_path / "model.arpa").of_text(TEST), logs, atol=1e-6)
    again = read_arpa(tmp_path / "model.arpa", VOCABULARY)
    assert again.order == order
    np.testing.assert_allclose(np.log10(again.probabilities(TEST)), logs, atol=1e-6)
    for context in ([], [END], [3], [END, 3, 4], [3, 4, 3, 4], [7, 7]):
        expected, found = (m.distribution(np.array(context, np.int32)) for m in (written, again))
        np.testing.assert_allclose(found, expected, rtol=3e-6)


def test_what_is_read_is_written_alike(tmp_path: Path) -> None:
    write_arpa(model(), VOCABULARY, tmp_path / "1.arpa")
    write_arpa(read_arpa(tmp_path / "1.arpa", VOCABULARY), VOCABULARY, tmp_path / "2.arpa")
    assert (tmp_path / "1.arpa").read_bytes() == (tmp_path / "2.arpa").read_bytes()


def test_words_that_the_format_cannot_hold_are_refused(tmp_path: Path) -> None:
    for word in ("a b", " ", "\t", "", "x\n", "<s>", "</s>"):
        types = ["<pad>", "<unk>", "<eos>", word]
        counted = count_ngrams(np.array([3, END]), 2, len(types), END)
        with pytest.raises(UserError, match=r"model\.arpa: the type .* cannot be a word"):
            write_arpa(
                kneser_ney(counted), Vocabulary(types, [0] * 4, "<eos>"), tmp_path / "model.arpa"
            )
    assert not list(tmp_path.iterdir())


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    for types, end in (([*TYPES, "more"], "<eos>"), (TYPES, "the")):
        other = Vocabulary(types, [0] * len(types), end)
        with pytest.raises(ValueError, match="received a vocabulary"):
            write_arpa(model(), other, tmp_path / "model.arpa")


def test_an_end_symbol_that_is_white_space_is_written_as_one(tmp_path: Path) -> None:
    characters = Vocabulary(["<pad>", "<unk>", "\n", "a"], [0] * 4, "\n")
    written = kneser_ney(count_ngrams(np.array([3, 3, END]), 2, 4, END))
    write_arpa(written, characters, tmp_path / "model.arpa")
    again = read_arpa(tmp_path / "model.arpa", characters)
    context = np.array([END, 3])
    np.testing.assert_allclose(
        again.distribution(context), written.distribution(context), rtol=1e-6
    )


# --- files by other hands -----------------------------------------------------------

BY_HAND = """\
A model of two words.

\\data\\
ngram 1= 4
ngram 2= 3
ngram 3=1

\\1-grams:
-0.6 tree -0.2
-99\t<s>\t-0.1
-0.4 </s>
-0.5 the -0.3

\\2-grams:
-0.25 the tree
-0.125 <s> the -0.0625
-0.75 the </s>

\\3-grams:
-0.03125 <s> the tree

\\end\\
and what follows
"""


def read(content: str, folder: Path) -> NGramModel:
    file = folder / "model.arpa"
    file.write_bytes(content.encode("utf-8"))
    return read_arpa(file, VOCABULARY)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_files_of_other_tools_are_read(line_end: str, tmp_path: Path) -> None:
    arpa = read(BY_HAND.replace("\n", line_end), tmp_path)
    the, tree = VOCABULARY.encode(["the", "tree"])
    # the tree </s> tree the </s>
    logs = [
        -0.125,
        -0.03125,
        -0.2 + -0.4,  # the context "the tree" has no weight
        -0.1 + -0.6,
        -0.2 + -0.5,
        -0.75,
    ]
    text = np.array([the, tree, END, tree, the, END])
    np.testing.assert_allclose(np.log10(arpa.probabilities(text)), logs)
    # the the: the weights of "<s> the" and of "the"
    after = np.log10(arpa.probabilities(np.array([the, the]))[1])
    np.testing.assert_allclose(after, -0.0625 - 0.3 - 0.5)


def test_a_word_without_unigram_is_impossible(tmp_path: Path) -> None:
    arpa = read(BY_HAND, tmp_path)
    assert arpa.probabilities(np.array(VOCABULARY.encode(["never"])))[0] == 0
    assert arpa.perplexity(np.array(VOCABULARY.encode(["never"]))) == np.inf


@pytest.mark.parametrize(
    ("right", "wrong", "parts"),
    [
        ("\\data\\", "data", ("line 22", "ends before \\data\\")),
        ("ngram 1= 4", "ngrams 1= 4", ("line 4", "'ngram 1='", "found ngrams 1= 4")),
        ("ngram 2= 3", "ngram 3= 3", ("line 5", "'ngram 2='")),
        ("ngram 2= 3", "ngram 2= many", ("line 5", "'ngram 2='")),
        ("\\1-grams:", "\\2-grams:", ("line 8", "expected \\1-grams:, found \\2-grams:")),
        ("ngram 1= 4", "ngram 1= 5", ("line 14", "4 1-grams end here", "header announces 5")),
        ("ngram 3=1", "ngram 3=0", ("line 22", "1 3-grams end here", "header announces 0")),
        ("\\end\\\n", "", ("line 21", "ends before \\data\\ or \\end\\")),
        ("\\end\\\n", "\\4-grams:\n", ("line 22", "expected \\end\\, found \\4-grams:")),
        ("-0.25 the tree", "-0.25 the", ("line 15", "2 words", "found -0.25 the")),
        ("-0.25 the tree", "-0.25 the tree 0 0", ("line 15", "2 words and at most")),
        ("-0.03125 <s> the tree", "-0.03125 <s> the tree 0", ("line 20", "3 words, found")),
        ("-0.25 the tree", "x the tree", ("line 15", "not a number: x")),
        ("-0.3\n", "weight\n", ("line 12", "not a number: -0.5 weight")),
        ("-0.25 the", "nan the", ("line 15", "not a log-probability")),
        ("-0.25 the", "0.25 the", ("line 15", "not a log-probability")),
        ("-0.0625", "inf", ("line 16", "not a log-probability")),
        ("-0.25 the tree", "-0.25 the house", ("line 15", "'house' is not in the vocabulary")),
        ("-0.25 the tree", "-0.25 the <pad>", ("line 15", "'<pad>' is not in the vocabulary")),
        ("-0.25 the tree", "-0.25 the <eos>", ("line 15", "'<eos>' is not in the vocabulary")),
        ("-0.25 the tree", "-0.25 the <s>", ("line 15", "<s> may only be the first word")),
        ("-0.25 the tree", "-0.25 </s> tree", ("line 15", "</s> may only be the last word")),
        ("-0.25 the tree", "-0.25 the </s>", ("line 17", "occurs twice")),
        ("-0.6 tree", "-0.6 the", ("line 12", "occurs twice")),
        ("<s> the tree", "tree the tree", ("line 20", "the context", "not among the 2-grams")),
    ],
)
def test_the_message_about_a_broken_file_names_the_line(
    right: str, wrong: str, parts: tuple[str, ...], tmp_path: Path
) -> None:
    assert right in BY_HAND
    content = BY_HAND.replace(right, wrong, 1).replace("and what follows\n", "")
    with pytest.raises(UserError) as error:
        read(content, tmp_path)
    assert str(error.value).startswith(str(tmp_path / "model.arpa"))
    assert "\n" not in str(error.value)
    assert all(part in str(error.value) for part in parts), error.value


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no\.arpa: no such ARPA file"):
        read_arpa(tmp_path / "no.arpa", VOCABULARY)
    with pytest.raises(UserError, match="cannot be read"):
        read_arpa(tmp_path, VOCABULARY)


def test_what_is_no_text_is_no_arpa_file(tmp_path: Path) -> None:
    (tmp_path / "model.arpa").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(UserError, match="ends before"):
        read_arpa(tmp_path / "model.arpa", VOCABULARY)
