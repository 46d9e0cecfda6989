"""Rules of affixes, by hand and on SIGMORPHON's data, beside the shared task's own program."""

from __future__ import annotations

import csv
from itertools import combinations
from pathlib import Path

import pytest

from nlp_rnn.baselines.affixes import GAP, AffixRules, aligned
from nlp_rnn.corpora import data_folder


@pytest.mark.parametrize("pair", combinations(["", "a", "gehen", "ging", "gegangen", "Gang"], 2))
def test_alignments_spell_both_words_with_the_fewest_edits(pair: tuple[str, str]) -> None:
    found = aligned(*pair)
    for side, word in enumerate(pair):
        assert "".join(both[side] for both in found) == word
    assert (GAP, GAP) not in found
    # Aligning again from the back changes which edits are chosen, never how many.
    backwards = aligned(*(word[::-1] for word in pair))
    assert sum(a != b for a, b in found) == sum(a != b for a, b in backwards)


def test_the_longest_ending_and_the_prefix_change() -> None:
    rules = AffixRules(
        [
            ("sagen", "PTCP", "gesagt"),
            ("fragen", "PTCP", "gefragt"),
            ("reden", "PTCP", "geredet"),
            ("laden", "PTCP", "geladen"),
        ]
    )
    assert rules.inflect("tragen", "PTCP") == "getragt"  # as fragen, which is the longest rule
    assert rules.inflect("beten", "PTCP") == "gebett"  # only the shortest ending fits
    assert rules.inflect("tragen", "INF") == "tragen"


def test_a_stem_may_change() -> None:
    rules = AffixRules(
        [("Haus", "PL", "Häuser"), ("Maus", "PL", "Mäuse"), ("Kraut", "PL", "Kräuter")]
    )
    assert rules.inflect("Bauernhaus", "PL") == "Bauernhäuser"  # of equally frequent, the longest
    assert rules.inflect("Kraut", "PL") == "Kräuter"


@pytest.mark.slow
@pytest.mark.parametrize(("language", "program"), [("english", 0.947), ("german", 0.824)])
def test_accuracies_are_those_of_the_shared_tasks_program(language: str, program: float) -> None:
    folder: Path = data_folder() / "inflection"
    if not folder.is_dir():
        pytest.skip("NLP_RNN_DATA has no inflection/")
    train, test = (
        list(csv.reader((folder / f"{language}-{split}.tsv").open(encoding="utf-8"), "excel-tab"))
        for split in ("train-high", "test")
    )
    rules = AffixRules((lemma, features, form) for lemma, form, features in train)
    right = sum(rules.inflect(lemma, features) == form for lemma, form, features in test)
    assert right / len(test) == pytest.approx(program, abs=0.001)
