"""Checks of data, against corpora with planted faults, and their removal from training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PROPOSITIONS

from helpers.corpora import ListCorpus, prepared
from nlp_rnn import paths, stages
from nlp_rnn.cli import main
from nlp_rnn.config import Reason
from nlp_rnn.corpora.removal import without_faults
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.quality.check import check_data
from nlp_rnn.quality.copies import copies, near_duplicates
from nlp_rnn.quality.drift import label_drift, length_drift
from nlp_rnn.quality.examples import all_examples
from nlp_rnn.quality.label_errors import confident_classes

GOOD = ["lovely", "great", "fine", "superb", "charming"]
GOOD += ["warm", "clever", "bright", "funny", "moving"]
BAD = ["dull", "awful", "poor", "weak", "boring", "cold", "stupid", "grim", "flat", "dreadful"]
NOUNS = ["film", "plot", "cast", "music", "story", "scene", "ending", "actor", "role", "camera"]


def reviews(count: int, first: int = 0) -> list[Example]:
    """Different reviews, whose adjectives decide the label, alternately good and bad."""
    drawn = np.random.default_rng(first).permutation(2000)
    return [_review(int(drawn[i]), i % 2) for i in range(count)]


def _review(number: int, bad: int) -> Example:
    words = BAD if bad else GOOD
    a, b, c = number % 10, number // 10 % 10, number // 100 % 10
    text = (
        f"the {NOUNS[a]} was {words[b]} and {words[c]} , number {number} said {words[a]} "
        f"of its {NOUNS[b]} , item {number * 7} on page {number * 3} closed {NOUNS[c]}"
    )
    return Example(text=text, label="bad" if bad else "good")


def found(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = (folder / "checks/list/findings.jsonl").read_text("utf-8").splitlines()
    return [each for each in map(json.loads, lines) if each["finding"] == kind]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Reviews with one fault of each kind, and the summary of their check."""
    train, test = reviews(120), reviews(40, first=1)
    own = {example.text for example in train}
    test = [example for example in test if example.text not in own]
    train.append(Example(text=train[0].text.replace(" ", "  "), label=train[0].label))  # 121
    train.append(Example(text=train[1].text, label="good"))  # 122, contradicts 2
    train[10] = Example(text=train[10].text, label="bad")  # 11, a wrong label
    test[3] = Example(text=train[4].text, label=train[4].label)  # 4, leaks from 5
    test[5] = Example(text=train[6].text.upper() + " !", label=train[6].label)  # 6, nearly 7
    test[7] = Example(text=test[7].text + " 映画 \ufffd", label=test[7].label)  # 8
    folder = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        corpus = ListCorpus("labelled", train=train, validation=reviews(20, first=2), test=test)
        yield folder, check_data(prepared(paths.prepared("list"), corpus))


def test_copies_are_exactly_those_planted(planted: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = planted
    assert [(each["number"], each["first"]) for each in found(folder, "duplicate")] == [(121, 1)]
    (contradiction,) = found(folder, "contradiction")
    assert [(e["number"], e["label"]) for e in contradiction["examples"]] == [
        (2, "bad"),
        (122, "good"),
    ]
    leaks = [each for each in found(folder, "leakage") if each["split"] == "test"]
    assert [(each["number"], each["training"]["number"]) for each in leaks] == [(4, 5)]
    assert summary["duplicates"] == {"train": 1}
    assert summary["leakage"]["test"] == 1
    assert summary["contradictions"] == {"texts": 1, "examples": 2}


def test_near_duplicates_are_exactly_those_planted(planted: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = planted
    (group,) = found(folder, "near_duplicates")
    assert [(e["split"], e["number"]) for e in group["examples"]] == [("train", 7), ("test", 6)]
    assert group["similarity"] == 1.0 and group["across_splits"]
    assert summary["near_duplicates"]["groups_across_splits"] == 1


def test_wrong_labels_are_those_planted(planted: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = planted
    errors = found(folder, "label_error")
    assert (errors[0]["split"], errors[0]["number"]) == ("train", 11)
    assert (errors[0]["label"], errors[0]["suggested"]) == ("bad", "good")
    assert errors[0]["probability"] > 0.5 > errors[0]["probability_of_label"]
    # The copy whose label contradicts the other is wrong too; nothing else is.
    assert {each["number"] for each in errors} <= {11, 122}
    assert summary["label_errors"]["found"] == {"train": len(errors)}


def test_strange_characters_are_named(planted: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = planted
    strange = [e for e in found(folder, "characters") if "broken" in e]
    assert [(e["split"], e["number"]) for e in strange] == [("test", 8)]
    assert strange[0]["broken"] == ["\ufffd"] and {*"映画"} <= {*strange[0]["unknown"]}
    assert "script" not in strange[0]  # most of its letters are Latin


def test_near_duplicates_are_those_of_all_pairs() -> None:
    """MinHash finds the groups that a comparison of all pairs of sets of shingles finds."""
    draw = np.random.default_rng(3)
    texts = [[str(word) for word in draw.integers(0, 40, 25)] for _ in range(40)]
    for i in range(0, 40, 2):
        changed = [*texts[i]]
        for place in draw.integers(0, 25, i // 8):
            changed[place] = "other"
        texts.append(changed)

    def shingles(words: Sequence[str]) -> set[tuple[str, ...]]:
        return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}

    def similarity(i: int, j: int) -> float:
        a, b = shingles(texts[i]), shingles(texts[j])
        return len(a & b) / len(a | b)

    pairs = [(i, j) for i, j in combinations(range(len(texts)), 2) if similarity(i, j) >= 0.7]
    groups = near_duplicates(texts, 0.7)
    assert 5 < len(pairs) < 20  # some changed texts are near enough and some are not
    assert [tuple(group) for group, _ in groups] == pairs
    assert [least for _, least in groups] == [similarity(*pair) for pair in pairs]


def test_texts_without_words_are_no_near_duplicates() -> None:
    assert near_duplicates([[], ["a"], [], ["a"]], 0.7) == [([1, 3], 1.0)]


def test_the_confident_joint_counts_as_the_paper_says() -> None:
    """Thresholds are (0.9 + 0.6 + 0.3) / 3 = 0.6 and (0.5 + 0.9) / 2 = 0.7, by hand."""
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.5, 0.5], [0.1, 0.9]])
    labels = np.array([0, 0, 0, 1, 1])
    assert confident_classes(probabilities, labels).tolist() == [0, 0, 1, -1, 1]


def test_drift_of_labels_and_lengths() -> None:
    found = label_drift({"a": 50, "b": 50}, {"a": 30, "b": 10}, independent=True)
    assert found["total_variation"] == pytest.approx(0.25)
    # chi-square of [[50, 50], [30, 10]]: 140 (50 * 10 - 50 * 30)^2 / (100 * 40 * 80 * 60)
    statistic = 140 * 1000**2 / (100 * 40 * 80 * 60)
    from scipy.stats import chi2

    assert found["p"] == pytest.approx(chi2.sf(statistic, 1))
    assert "p" not in label_drift({"a": 1, "b": 1}, {"a": 2}, independent=False)
    lengths = length_drift(np.array([1, 2, 3, 4]), np.array([3, 4, 5, 6]))
    assert (lengths["median_in_training"], lengths["median"]) == (2.5, 4.5)
    assert lengths["distance"] == 0.5


def test_tagged_sentences_contradict_by_their_tags(tmp_path: Path) -> None:
    sentences = [
        Example(tokens=("Paris", "sleeps"), tags=tags) for tags in (("B-PER", "O"), ("B-LOC", "O"))
    ]
    corpus = ListCorpus("tagged", train=sentences, validation=sentences[:1], test=sentences[1:])
    examples = all_examples(prepared(tmp_path / "list", corpus))
    seen = copies(examples, 0.7)
    assert not seen.duplicates and not seen.near
    assert [len(group) for group in seen.contradictions] == [4]
    assert [example.split for example, _ in seen.leaked] == ["validation", "test"]


def test_the_predicates_of_a_sentence_are_different_questions(tmp_path: Path) -> None:
    examples = [*PROPOSITIONS, PROPOSITIONS[1]]
    corpus = ListCorpus("roles", train=examples, validation=examples[:1], test=PROPOSITIONS)
    seen = copies(all_examples(prepared(tmp_path / "list", corpus)), 0.7)
    assert not seen.contradictions
    assert [(one.split, one.number, first.number) for one, first in seen.duplicates] == [
        ("train", 4, 2)
    ]
    for remove in (["duplicates"], ["leakage", "contradictions"]):
        with pytest.raises(UserError, match="remove nothing but leakage"):
            without_faults(corpus, remove)  # type: ignore[arg-type]
    corpus = ListCorpus("roles", train=examples, validation=[], test=[])
    assert [*without_faults(corpus, ["leakage"]).read("train")] == examples


def faulty() -> ListCorpus:
    train = [
        Example(text=text, label=label)
        for text, label in ("aP", "aP", "bP", "bN", "cN", "dP", "dP", "eN")
    ]
    held_out = [Example(text="c", label="P")], [Example(text="d", label="P")]
    return ListCorpus("labelled", train=train, validation=held_out[0], test=held_out[1])


@pytest.mark.parametrize(
    ("remove", "left", "counts"),
    [
        (["duplicates"], "abbcde", {"duplicates": 2}),
        (["contradictions"], "aacdde", {"contradictions": 2}),
        (["leakage"], "aabbe", {"leakage": 3}),
        (
            ["duplicates", "contradictions", "leakage"],
            "ae",
            {"contradictions": 2, "leakage": 3, "duplicates": 1},
        ),
    ],
)
def test_faults_are_removed_from_training(
    remove: list[Reason], left: str, counts: dict[str, int]
) -> None:
    corpus = without_faults(faulty(), remove)
    assert "".join(example.text for example in corpus.read("train")) == left
    assert corpus.findings() == {"removed_from_training": counts}
    assert [example.text for example in corpus.read("test")] == ["d"]


def test_removal_that_cannot_be_says_so() -> None:
    text = ListCorpus("text", train=[Example(text="a")])
    with pytest.raises(UserError, match="omit remove"):
        without_faults(text, ["duplicates"])
    example = [Example(text="a", label="P")]
    everything = ListCorpus("labelled", train=example, validation=example, test=example)
    with pytest.raises(UserError, match="leaves no training example"):
        [*without_faults(everything, ["leakage"]).read("train")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose only data set was prepared from a file with a text twice."""
    folder = tmp_path_factory.mktemp("project")
    rows = [f"{each.text.replace(',', '')},{each.label}" for each in reviews(60)]
    (folder / "reviews.csv").write_text("\n".join(["text,label", *rows, rows[0]]) + "\n")
    (folder / "params.yaml").write_text(
        "datasets:\n  reviews: {source: files, format: csv, train: ./reviews.csv, "
        "remove: [duplicates], split: {duplicates: together}}\n"
        "  others: {source: files, format: csv, train: ./others.csv}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        stages.prepare("reviews")
    return folder


def test_the_command_checks_and_compares_with_a_file(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    (project / "new.txt").write_text("фильм\nthe plot was fine\n", encoding="utf-8")
    assert main(["check", "--data", "reviews", "--against", "new.txt"]) == 0
    shown = capsys.readouterr().out
    assert "new.txt against training: median length" in shown
    assert "texts in a script that training lacks: 1 in new.txt" in shown
    summary = json.loads((project / "checks/reviews/summary.json").read_text("utf-8"))
    assert summary["drift"]["new.txt"]["examples"] == 2
    card = json.loads((project / "data/prepared/reviews/card.json").read_text("utf-8"))
    assert sum(card["removed_from_training"].values()) <= 1  # or both are in another split
    assert main(["check", "--data"]) == 0
    assert "others: not checked, because it is not prepared" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "others"], "others"),
        (["--data", "review"], "reviews"),
        (["--against", "new.txt"], "add --data"),
        (["--data", "reviews", "others", "--against", "new.txt"], "name one after --data"),
        (["--data", "reviews", "--against", "missing.txt"], "missing.txt"),
    ],
)
def test_mistakes_are_one_line(
    project: Path,
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(project)
    assert main(["check", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_the_report_shows_what_was_found_in_these_very_data(
    planted: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nlp_rnn.reporting.found import _card
    from nlp_rnn.reporting.sections import card

    shutil.copytree(planted[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    shown = str(card(_card("list")))
    assert "<dt>duplicates</dt><dd>train: 1</dd>" in shown
    assert "<dt>contradictions</dt><dd>texts: 1</dd>" in shown
    other = _card("list") | {"data_sha256": "of other data"}
    del other["checked"]
    (tmp_path / "data/prepared/list/card.json").write_text(json.dumps(other))
    assert "contradictions" not in str(card(_card("list")))
