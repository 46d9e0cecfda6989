"""Whether raw text is cut into the words that a tagged corpus gives, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers.corpora import ListCorpus, same_everywhere
from nlp_rnn.config import TokenizerParameters, VocabularyParameters
from nlp_rnn.corpora.conll import read_conllu
from nlp_rnn.example import Example
from nlp_rnn.text.prepared import PreparedDataset, prepare
from nlp_rnn.text.segmentation import compared, raw_text, spaces, warning
from nlp_rnn.text.tokenizers import make_tokenizer


def sentences(*texts: str) -> ListCorpus:
    """Sentences of words with spaces between, tagged by whether a word begins in upper case."""
    return same_everywhere(
        "tagged",
        [
            Example(tokens=(*words,), tags=tuple("N" if w[0].isupper() else "O" for w in words))
            for words in map(str.split, texts)
        ],
    )


ATTACHED = sentences("We met in Vienna.", "Ann (a nurse) can't come, sadly.", "Is it Rome?")
PENN = sentences("We do n't live in Vienna .", "Ann 's `` house '' , ( in Rome ) is big !")


def prepared(folder: Path, corpus: ListCorpus, **tokenizer: Any) -> PreparedDataset:
    prepare("d", corpus, TokenizerParameters(**tokenizer), VocabularyParameters(), folder)
    return PreparedDataset(folder)


@pytest.mark.parametrize(
    ("corpus", "unit", "raw", "words"),
    [
        (ATTACHED, "whitespace", "In Vienna.", ["in", "vienna."]),
        (PENN, "word", "In Vienna.", ["in", "vienna", "."]),
    ],
    ids=["attached", "penn"],
)
def test_raw_text_is_cut_as_the_corpus_cuts(
    tmp_path: Path, corpus: ListCorpus, unit: str, raw: str, words: list[str]
) -> None:
    dataset = prepared(tmp_path / "d", corpus)
    assert dataset.card["segmentation"]["unit"] == unit
    assert dataset.card["tokenizer"]["unit"] == dataset.tokenizer_parameters.unit == unit
    assert make_tokenizer(dataset.tokenizer_parameters).tokens(raw) == words


def test_the_card_counts_words_that_are_cut_otherwise(tmp_path: Path) -> None:
    found = prepared(tmp_path / "d", ATTACHED).card["segmentation"]
    assert (found["sentences"], found["words"], found["spaces"]) == (3, 13, "guessed")
    # Vienna. | (a nurse) come, sadly. | Rome?
    assert found["otherwise"] == {
        "word": {"words": 6, "sentences": 3},
        "whitespace": {"words": 0, "sentences": 0},
    }


def test_a_unit_that_cuts_otherwise_is_warned_of_and_the_remedy_helps(tmp_path: Path) -> None:
    caution = warning(prepared(tmp_path / "d", ATTACHED, unit="word").card["segmentation"])
    assert caution is not None and "46.2%" in caution
    assert caution.endswith("set tokenizer: {unit: whitespace}")
    remedied = prepared(tmp_path / "e", ATTACHED, unit="whitespace")
    assert warning(remedied.card["segmentation"]) is None


def test_where_no_unit_fits_the_warning_says_what_to_predict(tmp_path: Path) -> None:
    unspaced = [Example(tokens=("他", "住", "在", "罗马"), tags=("N", "O", "O", "N"),
                        space_after=(False, False, False, False))]  # fmt: skip
    card = prepared(tmp_path / "d", same_everywhere("tagged", unspaced)).card
    assert "CoNLL columns" in (warning(card["segmentation"]) or "")


def test_only_tagged_data_are_measured(tmp_path: Path) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("text", [Example(text="a b, c")]))
    assert "segmentation" not in dataset.card
    assert dataset.tokenizer_parameters.unit == "word"


def test_conllu_says_where_the_spaces_are(tmp_path: Path) -> None:
    def row(number: str, word: str, misc: str) -> str:
        upos = "_" if "-" in number else "X"
        return "\t".join([number, word, "_", upos, *"_____", misc]) + "\n"

    file = tmp_path / "a.conllu"
    file.write_text(
        "# text = I don't, ok!\n"
        + row("1", "I", "_") + row("2-3", "don't", "Note=x|SpaceAfter=No") + row("2", "do", "_")
        + row("3", "n't", "_") + row("4", ",", "_") + row("5", "ok", "SpaceAfter=No")
        + row("6", "!", "_") + "\n"
    )  # fmt: skip
    (example,) = read_conllu(file, "upos", "error", "error")
    text, places = raw_text(example)
    assert text.strip() == "I don't, ok!"
    assert [text[start:end] for start, end in places] == list(example.tokens)


def test_words_that_are_left_out_change_no_space_after_them(tmp_path: Path) -> None:
    rows = [
        *("1\tgo", "2\t", "3\tout", "4-5\tdel", "4\tde", "5\tel", "6\tmar"),
    ]
    lines = [f"{row}\t_\t{'_' if '-' in row else 'X'}\t_\t_\t_\t_\t_\t_\n" for row in rows]
    file = tmp_path / "a.conllu"
    file.write_text("".join(lines) + "\n")
    (example,) = read_conllu(file, "upos", "skip", "error")
    spaces = dict(zip(example.tokens, example.space_after, strict=True))
    assert spaces == {"go": True, "out": True, "de": False, "el": True, "mar": True}


def test_spaces_are_guessed_as_english_is_written() -> None:
    words = [
        "She",
        "said",
        ":",
        '"',
        "I",
        "ca",
        "n't",
        "(",
        "yet",
        ")",
        "pay",
        "$",
        "5",
        ",",
        "Ann",
        "'s",
        "fee",
        ".",
        '"',
    ]
    followed = spaces(words)
    text = "".join(w + " " * s for w, s in zip(words, followed, strict=True))
    assert text.strip() == "She said: \"I can't (yet) pay $5, Ann's fee.\""


def test_the_built_in_corpora_are_cut_as_their_grammar_writes_them() -> None:
    """Every word has a space after it, so no warning is due."""
    from nlp_rnn.corpora.grammar import generate

    found = compared(generate("entities", 50, 1, "train"), TokenizerParameters(unit="whitespace"))
    assert found["otherwise"]["whitespace"] == {"words": 0, "sentences": 0}
    assert warning(found) is None
