"""The metrics of semantic roles, against a transcription of the official scorer, and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nlp_rnn.evaluation.role_page import write_role_page
from nlp_rnn.evaluation.roles import arguments, predicates_of, role_figures, role_metrics, role_rows


def official(gold: list[str], predicted: list[str]) -> tuple[int, int, int]:
    """Right, excess and missed arguments of a proposition, as srl-eval.pl counts them.

    It reads phrases by start and end, joins continuations to the latest argument of their type, and
    compares the outer span first, then the type, then each phrase.
    """

    def phrases(tags: list[str]) -> list[list]:
        found, current = [], None
        for i, tag in enumerate([*tags, "O"]):
            if current is not None and tag != f"I-{current[2]}":
                found.append([current[0], i - 1, current[2]])
                current = None
            if tag != "O" and current is None:
                current = [i, None, tag.split("-", 1)[1]]
        return found

    def loaded(tags: list[str]) -> list[dict]:
        args, latest = [], {}
        for start, end, kind in phrases(tags):
            if kind.startswith("C-") and kind[2:] in latest:
                arg = latest[kind[2:]]
                if not arg["phrases"]:
                    arg["phrases"].append((arg["start"], arg["end"]))
                arg["phrases"].append((start, end))
                arg["end"] = end
                continue
            kind = kind[2:] if kind.startswith("C-") else kind
            arg = {"start": start, "end": end, "type": kind, "phrases": []}
            args.append(arg)
            latest[kind] = arg
        return args

    there = {(arg["start"], arg["end"]): arg for arg in loaded(gold)}
    right = excess = 0
    for arg in loaded(predicted):
        other = there.get((arg["start"], arg["end"]))
        same = (
            other is not None
            and bool(other["phrases"]) == bool(arg["phrases"])
            and other["type"] == arg["type"]
            and sorted(other["phrases"]) == sorted(arg["phrases"])
        )
        if same:
            del there[arg["start"], arg["end"]]
        if arg["type"] != "V":
            right, excess = right + same, excess + (not same)
    return right, excess, sum(arg["type"] != "V" for arg in there.values())


HARD = (
    "B-ARG1 B-V B-C-ARG1 I-C-ARG1 O",
    "B-ARG1 B-V O B-C-ARG1 O",
    "B-C-ARG1 I-C-ARG1 B-V B-ARG1 O",  # a continuation of nothing begins an argument
    "B-ARG1 B-ARG1 B-V B-C-ARG1 B-C-ARG1",  # the latest is continued, twice
    "B-R-ARG0 B-V B-ARG0 B-C-V O",
    "I-ARG0 B-V I-ARG1 I-ARG2 O",
    "B-ARG1 I-ARG1 I-ARG1 I-ARG1 I-ARG1",
    "B-V I-V B-C-ARGM-TMP B-ARGM-TMP B-C-ARGM-TMP",
    "O O O O O",
)


def rows_of(gold: list[str], predicted: list[str]) -> list[dict]:
    return [{"gold": [[1, gold]], "predicted": [[1, predicted]], "found": [[1, predicted]]}]


@pytest.mark.parametrize("gold", HARD)
@pytest.mark.parametrize("predicted", HARD)
def test_arguments_count_as_in_the_official_scorer(gold: str, predicted: str) -> None:
    right, excess, missed = official(gold.split(), predicted.split())
    found = role_metrics(rows_of(gold.split(), predicted.split()))
    total = 2 * right + excess + missed
    assert found["f1"] == pytest.approx(2 * right / total if total else 0)
    assert found["precision"] == pytest.approx(right / max(right + excess, 1))
    assert found["recall"] == pytest.approx(right / max(right + missed, 1))
    assert found["perfect"] == (excess == missed == 0)


def test_random_tags_count_as_in_the_official_scorer() -> None:
    rng = np.random.default_rng(0)
    roles = ("ARG0", "ARG1", "C-ARG0", "C-ARG1", "R-ARG1", "V", "C-V")
    tags = ["O", *(f"{prefix}-{role}" for role in roles for prefix in "BI")]
    right = both = 0
    rows = []
    for _ in range(400):
        gold = [tags[i] for i in rng.integers(0, len(tags), 7)]
        predicted = [t if rng.random() < 0.7 else tags[rng.integers(len(tags))] for t in gold]
        counts = official(gold, predicted)
        right, both = right + counts[0], both + 2 * counts[0] + counts[1] + counts[2]
        rows += rows_of(gold, predicted)
    assert role_metrics(rows)["f1"] == pytest.approx(2 * right / both)
    assert role_figures(rows)["f1"].value == pytest.approx(2 * right / both)


def test_a_discontinuous_argument_is_right_only_as_a_whole() -> None:
    assert arguments(["B-ARG1", "B-V", "B-C-ARG1", "O", "B-C-ARG1"]) == [
        ("ARG1", ((0, 1), (2, 3), (4, 5)))
    ]
    found = role_metrics(rows_of(["B-ARG1", "B-V", "B-C-ARG1"], ["B-ARG1", "B-V", "B-ARG1"]))
    assert (found["f1"], found["precision"], found["recall"]) == (0, 0, 0)


LABELS = ["O", "B-V", "B-ARG0", "B-ARG1"]
NO, V, A0, A1 = range(4)


@pytest.fixture
def rows() -> list[dict]:
    """Two sentences of three words. The first has the predicate 1, found as 1 and 2; the second has
    the predicates 0 and 2, of which 0 is found."""
    predicates = np.array([-1, 1, -1, 0, 2])
    gold = [[NO, V, NO], [A0, V, A1], [V, NO, V], [V, A1, NO], [A0, NO, V]]
    best = [[NO, V, V], [A0, V, NO], [V, NO, NO], [V, A1, NO], [A0, NO, V]]

    def others(wanted: list[tuple[int, int]]) -> list[np.ndarray]:
        assert wanted == [(0, 2)]
        return [np.array([A0, NO, V])]

    arrays = ([np.array(tags) for tags in side] for side in (gold, best))
    return role_rows(LABELS, predicates, *arrays, others)


def test_predicates_and_their_arguments_end_to_end(rows: list[dict]) -> None:
    found = role_metrics(rows)
    assert (found["predicate_precision"], found["predicate_recall"]) == (2 / 3, 2 / 3)
    # Of four gold arguments three are tagged where predicates are given.
    assert (found["precision"], found["recall"]) == (1, 3 / 4)
    # End to end the wrong predicate has an argument too many, and the missed one has missed one.
    assert (found["end_to_end_precision"], found["end_to_end_recall"]) == (2 / 3, 2 / 4)
    assert found["perfect"] == pytest.approx(2 / 3)
    assert found["per_class"]["ARG1"] == {
        "f1": pytest.approx(2 / 3), "precision": 1, "recall": 0.5, "support": 2
    }  # fmt: skip


def test_figures_are_the_metrics(rows: list[dict]) -> None:
    figures = {name: figure.value for name, figure in role_figures(rows).items()}
    metrics = role_metrics(rows)
    assert figures == {name: pytest.approx(metrics[name]) for name in figures}
    assert list(figures) == ["predicate_f1", "end_to_end_f1", "f1"]


def test_predicates_begin_where_tags_say() -> None:
    assert predicates_of(["B-V", "I-V", "O", "B-V"]) == [0, 3]


def test_the_page_shows_each_argument_over_its_words(tmp_path: Path) -> None:
    sentence = {
        "words": ["The", "<cat>", "sees"],
        "gold": [[2, ["B-ARG0", "I-ARG0", "B-V"]]],
        "found": [[0, ["B-V", "O", "B-C-ARG1"]]],
    }
    write_role_page(tmp_path / "roles.html", [sentence], "roles & more")
    page = (tmp_path / "roles.html").read_text(encoding="utf-8")
    assert "roles &amp; more" in page and "&lt;cat&gt;" in page and "<cat>" not in page
    assert '<td class="ARG0" colspan="2">ARG0</td><td class="V" colspan="1">V</td>' in page
    assert '<td class="ARG1" colspan="1">C-ARG1</td>' in page
    assert page.count("no predicate") == 2
