"""What cells track: features on tokens of every unit, and the ranking of cells."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from nlp_rnn.config import TokenizerParameters
from nlp_rnn.inspection.features import FEATURES
from nlp_rnn.inspection.ranking import aucs, correlations, ranking, write_ranking
from nlp_rnn.inspection.reading import Reading, read
from nlp_rnn.inspection.state import State
from nlp_rnn.text.rules import Tokenizer
from nlp_rnn.text.tokenizers import make_tokenizer
from nlp_rnn.text.vocabulary import Vocabulary

TEXT = 'He said: "No (not now)."\n\n  At 3 o\'clock “yes”\n'


def units(unit: str) -> Tokenizer:
    return make_tokenizer(TokenizerParameters(unit=unit, lowercase=False))  # type: ignore[arg-type]


def reading(unit: str, of_lines: bool = False, most: int = 1000, text: str = TEXT) -> Reading:
    end = "\n" if unit == "character" else "<eos>"
    vocabulary = Vocabulary(["<pad>", "<unk>", end, "a", "He"], [0] * 5, end)
    return read(text.splitlines(), units(unit), vocabulary, of_lines, most)


def marked(name: str, text: str) -> str:
    """The characters at which a feature of 0 and 1 is on."""
    return "".join(c for c, on in zip(text, FEATURES[name].values(text), strict=True) if on)


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("text", [TEXT, "", "\n", '"'])
def test_a_feature_has_a_number_a_character(name: str, text: str) -> None:
    values = FEATURES[name].values(text)
    assert len(values) == len(text)
    if FEATURES[name].binary:
        assert set(values) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("name", "on"),
    [
        ("quotes", '"No (not now).“yes'),
        ("brackets", "(not now"),
        ("capitalised", "HeNoAt"),
        ("number", "3"),
        ("punctuation", ':"()."\'“”'),
    ],
)
def test_a_feature_is_on_where_it_says(name: str, on: str) -> None:
    assert marked(name, TEXT) == on


@pytest.mark.parametrize("style", ["`` a '' b", '"a" b', "„a“ b", "«a» b", "“a” b"])
def test_quotation_marks_of_every_style_open_and_close(style: str) -> None:
    values = FEATURES["quotes"].values(style)
    assert values[style.index("a")] == 1
    assert values[style.index("b")] == 0


def test_a_sentence_ends_before_white_space_only() -> None:
    values = FEATURES["sentence_position"].values("Pi is 3.14. Yes")
    assert values[-4:] == [0, 1, 2, 3]
    assert values[8] == 9


@pytest.mark.parametrize("unit", ["word", "whitespace", "character"])
def test_a_token_has_the_largest_value_of_its_characters(unit: str) -> None:
    read_text = reading(unit)
    values = read_text.of_tokens(FEATURES["quotes"].values(read_text.text))
    inside = "".join(
        read_text.text[start:end]
        for (_, start, end), on in zip(read_text.spans, values, strict=True)
        if on
    )
    expected = {
        "word": '"No(notnow).“yes',
        "whitespace": '"No(notnow)."“yes”',
        "character": '"No (not now).“yes',
    }
    assert inside == expected[unit]


def test_subwords_have_offsets_too(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    subwords = units("subword")
    subwords.fit([TEXT] * 5, 40)
    vocabulary = Vocabulary(["<pad>", "<unk>", "<eos>"], [0] * 3, "<eos>")
    read_text = read(TEXT.splitlines(), subwords, vocabulary, False, 1000)
    line_position = read_text.of_tokens(FEATURES["line_position"].values(read_text.text))
    ends = [end for _, _, end in read_text.spans]
    assert ends[-1] == len(TEXT)
    assert line_position[-1] == 0
    assert line_position[-2] == len(TEXT.splitlines()[-1])


def test_a_word_that_the_model_does_not_know_is_shown_as_such() -> None:
    read_text = reading("word", text="He is a\n")
    assert read_text.spans == [("He", 0, 2), ("<unk>", 3, 5), ("a", 6, 7), ("<eos>", 7, 8)]
    assert read_text.inputs.tolist() == [2, 4, 1, 3, 2]


def test_a_text_is_read_as_the_model_was_trained_to() -> None:
    whole, lines = reading("character"), reading("character", of_lines=True)
    assert len(whole) == len(TEXT)
    assert whole.inputs[0] == 2
    assert (whole.inputs[1:] == 2).sum() == TEXT.count("\n")
    assert whole.starts.sum() == 1
    assert (lines.starts == (lines.inputs == 2)).all()


@pytest.mark.parametrize("most", [1, 5, 25, len(TEXT) - 1, len(TEXT)])
def test_a_text_is_cut_after_so_many_tokens(most: int) -> None:
    cut = reading("character", most=most)
    assert len(cut) == most == len(cut.inputs) - 1 == len(cut.starts) - 1
    assert cut.complete == (most == len(TEXT))


def tracks(seed: int = 0) -> tuple[dict[State, np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    features = {
        "quotes": np.repeat([0.0, 1.0], 30)[rng.permutation(60)],
        "words": rng.normal(size=60),
    }
    states = {State(0, "h"): rng.normal(size=(60, 5)), State(1, "c"): rng.normal(size=(60, 7))}
    return states, features


def test_a_cell_that_is_the_feature_is_ranked_first() -> None:
    states, features = tracks()
    states[State(1, "c")][:, 3] = -2 * features["quotes"] + 0.5
    states[State(0, "h")][:, 2] = features["words"]
    ranked = ranking(states, features, ["quotes"])
    best = ranked["quotes"][0]
    assert (best.rank, best.layer, best.state, best.cell) == (1, 1, "c", 3)
    assert best.correlation == pytest.approx(-1)
    assert best.auc == 0
    assert ranked["quotes"][1].correlation ** 2 < 1
    assert ranked["words"][0].cell == 2
    assert ranked["words"][0].auc is None
    assert [track.rank for track in ranked["words"]] == list(range(1, 13))


def test_correlations_and_areas_are_those_of_numpy_and_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    states, features = tracks()
    values = np.round(states[State(0, "h")], 1).astype(np.float32)  # with ties
    (areas,) = aucs(values, [features["quotes"]])
    for cell, column in enumerate(values.T):
        for feature in features.values():
            expected = np.corrcoef(column, feature)[0, 1]
            assert correlations(values, feature)[cell] == pytest.approx(expected)
        assert areas[cell] == pytest.approx(roc_auc_score(features["quotes"], column))


def test_the_halves_of_the_text_are_told_apart() -> None:
    states, features = tracks()
    states[State(0, "h")][:30, 1] = features["words"][:30]
    track = next(t for t in ranking(states, features, [])["words"] if (t.layer, t.cell) == (0, 1))
    assert track.first_half == pytest.approx(1)
    assert abs(track.second_half) < 0.9


def test_a_cell_that_never_changes_is_not_ranked() -> None:
    states, features = tracks()
    states[State(0, "h")][:, 4] = 0.1
    ranked = ranking(states, features, ["quotes"])
    assert not [t for t in ranked["quotes"] if (t.layer, t.cell) == (0, 4)]
    assert len(ranked["quotes"]) == 11


def test_the_table_has_a_row_a_cell(tmp_path: Path) -> None:
    states, features = tracks()
    features["words"][:30] = 1.0  # no correlation in that half
    found = ranking(states, features, ["quotes"])
    write_ranking(tmp_path / "cells.csv", [*found["quotes"], *found["words"]])
    with (tmp_path / "cells.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 24
    assert rows[0]["feature"] == "quotes" and rows[0]["rank"] == "1"
    assert float(rows[0]["auc"]) == pytest.approx(found["quotes"][0].auc, abs=1e-4)
    assert rows[-1]["auc"] == "" and rows[-1]["first_half"] == ""
