"""Which baselines pairs get, and what those of words and trees write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from nlp_rnn.baselines.pairs import pair_outputs
from nlp_rnn.baselines.suite import fit_all, judged
from nlp_rnn.config import FilesDataset
from nlp_rnn.corpora.files import FilesCorpus
from nlp_rnn.evaluation.predictions import figures, read_predictions, write_predictions
from nlp_rnn.text.gold import gold_rows
from nlp_rnn.text.prepared import PreparedDataset, prepare


class Repeated(FilesCorpus):
    """A corpus whose splits may be the same."""

    def _check_distinct(self) -> None:
        pass


def dataset_of(folder: Path, train: str, test: str, **parameters: Any) -> PreparedDataset:
    """A prepared data set, whose validation split is its test split."""
    files = {"train.txt": train, "validation.txt": test, "test.txt": test}
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    splits = {name.removesuffix(".txt"): name for name in files}
    dataset = FilesDataset.model_validate({"source": "files", **splits, **parameters})
    corpus = Repeated("mine", dataset, folder)
    prepare("mine", corpus, dataset.tokenizer, dataset.vocabulary, folder / "prepared")
    return PreparedDataset(folder / "prepared")


def test_inflection_has_rules_of_affixes(tmp_path: Path) -> None:
    train = "sagen\tsagte\tV;PST\nfragen\tfragte\tV;PST\nlegen\tlegte\tV;PST\n"
    dataset = dataset_of(tmp_path, train, "wagen\twagte\tV;PST\n", format="sigmorphon")
    outputs = dict(pair_outputs(dataset))
    assert list(outputs) == ["most_frequent", "copy", "nearest_neighbour", "affix_rules"]
    assert outputs["affix_rules"] == ["w a g t e"] and outputs["nearest_neighbour"] == ["s a g t e"]


def test_trees_have_a_grammar(tmp_path: Path) -> None:
    train = "(S (NP (D the) (N cat)) (VP (V sat)))\n(S (NP (D the) (N dog)) (VP (V ran)))\n" * 2
    test = "(S (NP (D the) (N dog)) (VP (V sat)))\n"
    dataset = dataset_of(tmp_path, train, test, format="trees")
    found = {fitted.name: judged(dataset, fitted)[0] for fitted in fit_all(dataset)}
    assert list(found) == ["most_frequent", "copy", "nearest_neighbour", "pcfg"]
    assert found["pcfg"]["bracket_f1"] == 1 and found["copy"]["malformed"] == 1


def test_every_pronunciation_of_a_word_is_right(tmp_path: Path) -> None:
    test = "READ  R EH1 D\nREAD(2)  R IY1 D\nCAT  K AE1 T\n"
    dataset = dataset_of(tmp_path, "RED  R EH1 D\n", test, format="cmudict")
    assert [row["also"] for row in gold_rows(dataset, "test")] == [["R IY1 D"], ["R EH1 D"], []]
    frequent = next(fitted for fitted in fit_all(dataset) if fitted.name == "most_frequent")
    metrics, rows = judged(dataset, frequent)
    assert metrics["exact_match"] == pytest.approx(2 / 3)
    write_predictions(tmp_path / "rows.jsonl", rows)
    again = figures(read_predictions(tmp_path / "rows.jsonl"), [])
    del metrics["signature"]
    assert {name: figure.value for name, figure in again.items()} == pytest.approx(metrics)


def test_only_the_caption_of_a_picture_is_right_for_it(tmp_path: Path) -> None:
    """Pictures have no text, so that their captions must not count for each other."""
    np.save(tmp_path / "v.npy", np.eye(3))
    lines = "a cat on a mat\na dog in a park\na bird\n"
    vectors = {f"{split}_features": "v.npy" for split in ("train", "validation", "test")}
    dataset = dataset_of(tmp_path, lines, lines, format="captions", **vectors)
    found = {fitted.name: judged(dataset, fitted)[0] for fitted in fit_all(dataset)}
    assert list(found) == ["most_frequent", "nearest_neighbour"]
    assert found["most_frequent"]["exact_match"] == pytest.approx(1 / 3)
    assert found["nearest_neighbour"]["exact_match"] == 1


def test_words_are_translated_and_names_are_copied(tmp_path: Path) -> None:
    train, test = "a dog\na cat\nthe dog\nthe cat\n", "the dog Rex\n"
    (tmp_path / "train.de").write_text("ein hund\neine katze\nder hund\ndie katze\n")
    (tmp_path / "test.de").write_text("der hund rex\n")
    beside = {f"{split}_target": "test.de" for split in ("validation", "test")}
    beside["train_target"] = "train.de"
    dataset = dataset_of(tmp_path, train, test, format="parallel", **beside)
    [output] = dict(pair_outputs(dataset))["ibm_model_1"]
    assert output.split()[1:] == ["hund", "rex"]


def test_bleu_is_that_of_the_references_in_the_data(tmp_path: Path) -> None:
    """The outputs have lower case and spaces around hyphens, the references have not."""
    sources, targets = "one\ntwo\n", "Ein Mann im T-Shirt geht.\nZwei Hunde laufen schnell herum.\n"
    (tmp_path / "target.txt").write_text(targets, encoding="utf-8")
    beside = {f"{split}_target": "target.txt" for split in ("train", "validation", "test")}
    dataset = dataset_of(tmp_path, sources, sources, format="parallel", **beside)
    nearest = next(fitted for fitted in fit_all(dataset) if fitted.name == "nearest_neighbour")
    metrics, _ = judged(dataset, nearest)
    expected = BLEU(lowercase=True).corpus_score(nearest.predicted, [targets.splitlines()])
    assert metrics["exact_match"] == 1 and metrics["chrf"] == pytest.approx(100)
    assert metrics["bleu"] == pytest.approx(expected.score) and expected.score < 100
    assert "case:lc" in metrics["signature"]["bleu"]
