"""Parallel files: sentences in the lines of one, their tags and labels in those of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers.corpora import prepared, same_everywhere
from helpers.real import real_data
from nlp_rnn import stages
from nlp_rnn.config import FilesDataset, parse
from nlp_rnn.corpora.files import FilesCorpus
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.text.prepared import PreparedDataset

WORDS = "to New York\ncall  Ann Lee \nRome\n"
TAGS = "O B-LOC I-LOC\nO B-PER I-PER\nB-LOC\n"
LABELS = "trip\ncall\ntrip\n"


def corpus(folder: Path, *sides: str, **changes: Any) -> FilesCorpus:
    """The corpus of a training split, with ``sides`` beside its sentences."""
    for name, content in (("words", WORDS), ("tags", TAGS), ("labels", LABELS)):
        (folder / name).write_text(changes.pop(name, content), encoding="utf-8")
    beside = {f"train_{side}": side for side in sides}
    section = {"source": "files", "format": "parallel", "train": "words", **beside, **changes}
    file = Path("params.yaml")
    dataset = parse({"datasets": {"mine": section}, "experiments": {}}, file).dataset("mine")
    assert isinstance(dataset, FilesDataset)
    return FilesCorpus("mine", dataset, folder)


def test_the_files_beside_decide_what_a_sentence_has(tmp_path: Path) -> None:
    joint, tagged, labelled = (
        corpus(tmp_path, *sides) for sides in (("tags", "labels"), ("tags",), ("labels",))
    )
    assert [each.kind for each in (joint, tagged, labelled)] == ["joint", "tagged", "labelled"]
    assert list(joint.read("train"))[1] == Example(
        label="call", tokens=("call", "Ann", "Lee"), tags=("O", "B-PER", "I-PER")
    )
    assert list(tagged.read("train"))[2] == Example(tokens=("Rome",), tags=("B-LOC",))
    assert next(labelled.read("train")) == Example(text="to New York", label="trip")
    assert joint.findings() == {"entities": True, "scheme": "BIO", "scheme_recognised": True}
    assert {*joint.provenance()["files"]} == {"words", "tags", "labels"}


def test_tags_of_other_schemes_become_bio(tmp_path: Path) -> None:
    tags = "O B-LOC E-LOC\nO B-PER E-PER\nS-LOC\n"
    found = list(corpus(tmp_path, "tags", "labels", tags=tags).read("train"))
    assert [each.tags for each in found] == [tuple(line.split()) for line in TAGS.splitlines()]
    classes = corpus(tmp_path, "tags", tags=tags, scheme=None)
    assert list(classes.read("train"))[2].tags == ("S-LOC",)
    assert classes.findings()["entities"] is False


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tags": TAGS.replace("I-LOC", "")}, ["tags, line 1: 2 tags", "words has 3 words"]),
        ({"tags": "O B-LOC I-LOC\n"}, ["tags: ends after line 1, but ", "words has more lines"]),
        ({"labels": LABELS + "trip\n"}, ["words: ends after line 3, but ", "labels has more"]),
        ({"labels": "trip\n \ntrip\n"}, ["labels, line 2: has no label", "give it one"]),
        ({"words": "to New York\n\nRome\n"}, ["words, line 2: has no words", "from all files"]),
        ({"tags": TAGS.replace("B-PER", "I-PER")}, ["tags, line 2, word 2", "set scheme: BIO"]),
    ],
)
def test_a_faulty_file_is_named_with_the_line(
    tmp_path: Path, changes: dict[str, str], told: list[str]
) -> None:
    with pytest.raises(UserError) as error:
        list(corpus(tmp_path, "tags", "labels", **changes).read("train"))
    assert all(part in str(error.value) for part in told), error.value


@pytest.mark.parametrize(
    ("sides", "changes", "told"),
    [
        (("tags", "labels"), {"test": "words"}, "test names 1 files and test_tags 0"),
        (("tags",), {"train_target": "labels"}, "train_target is of pairs, and train_tags is not"),
        (("tags",), {"test": "x", "test_tags": "y", "test_labels": "z"}, "needs train_labels too"),
        (("tags",), {"format": "text"}, "train_tags needs format parallel, not text"),
        (("labels",), {"scheme": "BIO"}, "parallel with train_tags"),
        ((), {}, "needs a file of targets for each file of sentences"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    tmp_path: Path, sides: tuple[str, ...], changes: dict[str, str], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        corpus(tmp_path, *sides, **changes)


@pytest.fixture
def unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose test split has a label and a tag that training lacks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NLP_RNN_DATA", str(tmp_path))
    for split, content in (
        ("train", (WORDS, TAGS, LABELS)),
        ("test", ("Oslo\n", "B-X\n", "ask\n")),
    ):
        for name, text in zip(("words", "tags", "labels"), content, strict=True):
            (tmp_path / f"{split}.{name}").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("sides", "missing"), [(("tags", "labels"), "B-X"), (("tags",), "B-X"), (("labels",), "ask")]
)
def test_a_label_that_training_lacks_is_an_error_or_kept(
    unseen: Path, sides: tuple[str, ...], missing: str
) -> None:
    files = {f"{split}_{side}": f"{split}.{side}" for split in ("train", "test") for side in sides}
    section = {"source": "files", "format": "parallel", "train": "train.words", **files}
    section |= {"test": "test.words", "split": {"validation": 0.34}}

    def prepare(**more: str) -> Any:
        data = {"datasets": {"mine": section | more}, "experiments": {}}
        (unseen / "params.yaml").write_text(str(data), encoding="utf-8")
        stages.prepare("mine")
        return PreparedDataset(Path("data/prepared/mine"))

    with pytest.raises(UserError, match=f"test, example 1: label '{missing}' never occurs"):
        prepare()
    dataset = prepare(unseen_labels="keep")
    assert dataset.labels[-1] == missing
    assert dataset.intents[-1:] == (["ask"] if len(sides) == 2 else [])
    assert dataset.card["splits"]["train"]["labels"][missing] == 0


def test_atis_is_read_as_it_lies_on_disk() -> None:
    folder = real_data("atis/train.seq.in").parent
    names = {"train": "seq.in", "train_tags": "seq.out", "train_labels": "label"}
    files = {key: f"train.{name}" for key, name in names.items()}
    data = {"datasets": {"atis": {"source": "files", "format": "parallel", **files}}}
    dataset = parse(data | {"experiments": {}}, Path("params.yaml")).dataset("atis")
    assert isinstance(dataset, FilesDataset)
    read = FilesCorpus("atis", dataset, folder)
    examples = list(read.read("train"))
    assert len(examples) == 4478
    assert sum(len(each.tokens) for each in examples) == 50_497
    assert len({each.label for each in examples}) == 21
    assert read.findings()["scheme"] == "BIO"


def test_each_side_of_a_joint_data_set_is_that_side_alone(tmp_path: Path) -> None:
    def made(name: str, *sides: str) -> PreparedDataset:
        (tmp_path / name).mkdir()
        read = corpus(tmp_path / name, *sides)
        return prepared(
            tmp_path / name / "data", same_everywhere(read.kind, list(read.read("train")))
        )

    joint = made("both", "tags", "labels")
    for side, alone in (
        (joint.labelled, made("one", "labels")),
        (joint.tagged, made("two", "tags")),
    ):
        assert side.kind == alone.kind
        assert side.labels == alone.labels
        assert side.vocabulary.types == alone.vocabulary.types
        ours, theirs = side.split("test"), alone.split("test")
        for name in ("ids", "offsets", "labels"):
            assert getattr(ours, name).tolist() == getattr(theirs, name).tolist()
        key = "text" if side.kind == "labelled" else "tokens"
        cut = [str.split, list][key == "tokens"]
        assert [cut(row[key]) for row in ours.records()] == [
            cut(row[key]) for row in theirs.records()
        ]
