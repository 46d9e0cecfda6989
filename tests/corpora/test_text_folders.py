"""Folders of texts read without their labels, and splits that are several files."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from nlp_rnn.config import FilesDataset, SplitParameters
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.splits import with_all_splits
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, Example


def opened(folder: Path, **parameters: object) -> Corpus:
    section = {"source": "files", "format": "folders", **parameters}
    return open_corpus("mine", FilesDataset.model_validate(section), folder)


def write_archive(file: Path, members: dict[str, str]) -> None:
    with tarfile.open(file, "w:gz") as archive:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))


def write_folder(folder: Path, labels: dict[str, int]) -> None:
    for label, count in labels.items():
        (folder / label).mkdir(parents=True)
        for i in range(count):
            (folder / label / f"{i:03}.txt").write_text(f"{label} {i}")


def test_texts_are_read_without_labels_and_the_unlabelled_ones_too(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"pos": 2, "neg": 1, "unsup": 2, ".hidden": 1})
    corpus = opened(tmp_path, kind="text", train="train")
    assert corpus.kind == "text"
    assert list(corpus.read("train")) == [
        Example(text=text) for text in ("neg 0", "pos 0", "pos 1", "unsup 0", "unsup 1")
    ]
    labelled = opened(tmp_path, train="train")
    assert [(each.text, each.label) for each in labelled.read("train")] == [
        ("neg 0", "neg"),
        ("pos 0", "pos"),
        ("pos 1", "pos"),
    ]


def test_a_split_may_be_several_archives_and_folders(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.tar.gz", {"d/train/pos/1.txt": "one", "d/test/pos/1.txt": "x"})
    write_archive(tmp_path / "b.tar.gz", {"d/train/unsup/1.txt": "two"})
    write_folder(tmp_path / "more", {"neg": 1})
    train = ["a.tar.gz!d/train", "b.tar.gz!d/train", "more"]
    corpus = opened(tmp_path, kind="text", train=train, test="a.tar.gz!d/test")
    assert [each.text for each in corpus.read("train")] == ["one", "two", "neg 0"]
    assert set(corpus.provenance()["files"]) == {"a.tar.gz", "b.tar.gz", "more"}
    with pytest.raises(UserError, match=r"b\.tar\.gz!d/none: has no examples"):
        list(opened(tmp_path, kind="text", train=["b.tar.gz!d/none"]).read("train"))
    with pytest.raises(UserError, match="is listed twice in train"):
        opened(tmp_path, train=["more", "more"])
    with pytest.raises(UserError, match="is used for both train and test"):
        opened(tmp_path, train=["more", "a.tar.gz!d/test"], test="a.tar.gz!d/test")


def test_tables_may_be_several_files_too(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(f"text,label\n{name},x\n")
    corpus = opened(tmp_path, format="csv", train=["a.csv", "b.csv"])
    assert [each.text for each in corpus.read("train")] == ["a", "b"]


def test_texts_that_stand_alone_are_drawn_for_the_splits(tmp_path: Path) -> None:
    """Cut in order, the validation split would be of one folder."""
    write_folder(tmp_path / "train", {"neg": 50, "unsup": 50})
    corpus = opened(tmp_path, kind="text", train="train")
    ratios = SplitParameters(validation=0.2, test=0.2)
    split = with_all_splits(corpus, ratios, seed=1)
    parts = {name: [each.text for each in split.read(name)] for name in SPLITS}
    assert [len(parts[name]) for name in SPLITS] == [60, 20, 20]
    together = [text for texts in parts.values() for text in texts]
    assert sorted(together) == sorted(each.text for each in corpus.read("train"))
    for texts in parts.values():
        assert {text.split()[0] for text in texts} == {"neg", "unsup"}
    assert "drawn with seed 1" in split.provenance()["taken_from_train"]["validation"]


def test_a_kind_that_the_format_does_not_hold_is_refused() -> None:
    for format, kind in (("csv", "text"), ("folders", "tagged"), ("text", "labelled")):
        with pytest.raises(ValidationError, match=f"kind of format {format} is"):
            FilesDataset(source="files", format=format, kind=kind, train="x")  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="each name one file"):
        FilesDataset(source="files", format="text", train=[])


NAMES = ["a/1", "a/2.TXT", "a/3.txt", "b/60151", "b/.DS_Store", "b/4.md", "b/deep/5", "README"]
READ = {("a", "a/1"), ("a", "a/2.TXT"), ("a", "a/3.txt"), ("b", "b/60151")}


def lay_out(place: Path, names: list[str]) -> str:
    """Files that hold their names, in a folder or archive; returns what ``train`` names it."""
    if place.suffix == ".zip":
        with zipfile.ZipFile(place, "w") as archive:
            for name in names:
                archive.writestr(f"top/{name}", name)
    elif place.suffix == ".gz":
        write_archive(place, {f"top/{name}": name for name in names})
    else:
        for name in names:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(name)
        return place.name
    return f"{place.name}!top"


@pytest.mark.parametrize("where", ["folder", "a.tar.gz", "a.zip"])
def test_files_without_suffix_are_texts_and_the_rest_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    corpus = opened(tmp_path, train=lay_out(tmp_path / where, NAMES))
    for _ in range(2):  # said once
        assert {(each.label, each.text) for each in corpus.read("train")} == READ
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "files left out: " in said
    for words in (
        "1 hidden (first b/.DS_Store)",
        "1 of a suffix other than .txt (first b/4.md)",
        "1 in deeper folders (first b/deep/5)",
        "1 not in a label folder (first README)",
    ):
        assert words in said


@pytest.mark.parametrize("where", ["folder", "a.tar.gz", "a.zip"])
def test_a_folder_of_other_suffixes_says_what_to_set(tmp_path: Path, where: str) -> None:
    train = lay_out(tmp_path / where, ["a/1.MD", "b/2.md", "b/3.7c53"])
    with pytest.raises(UserError, match=r"left out: 3 of a suffix .* set suffix to") as caught:
        list(opened(tmp_path, train=train).read("train"))
    assert "\n" not in str(caught.value)
    for suffix, count in ((".md", 2), ("", 3)):
        assert len(list(opened(tmp_path, train=train, suffix=suffix).read("train"))) == count
