"""Hugging Face datasets: folders laid out as on the hub, and a hub on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nlp_rnn.config import HuggingFaceDataset
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.files import sha256

pytestmark = pytest.mark.slow

datasets = pytest.importorskip(
    "datasets", reason="needs the extra huggingface: pip install -e '.[huggingface]'"
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"

CARD = """---
license: [cc-by-4.0, mit]
configs:
- config_name: en
  data_files:
  - {split: train, path: data/train-*}
  - {split: test, path: data/test-*}
- config_name: de
  data_files: data/test-*
---
# Reviews

### Citation Information

```bibtex
@article{Reviews}
```
"""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub has no address, on whatever machine the tests run."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.create_connection", refuse)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    datasets.disable_progress_bars()


def parameters(kind: str = "labelled", **given: object) -> HuggingFaceDataset:
    section = {"source": "huggingface", "kind": kind, **given}
    return HuggingFaceDataset.model_validate(section)


def opened(folder: Path, kind: str = "labelled", path: str = "it", **given: object) -> Corpus:
    return open_corpus("mine", parameters(kind, path=path, **given), folder)


def fault(folder: Path, kind: str = "labelled", **given: object) -> str:
    with pytest.raises(UserError) as caught:
        list(opened(folder, kind, **given).read("train"))
    message = str(caught.value)
    assert "\n" not in message
    return message


def reviews(texts: list[Any], labels: list[Any], names: tuple[str, ...] = ("neg", "pos")) -> Any:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=list(names))}
    )
    return datasets.Dataset.from_dict({"text": texts, "label": labels}, features=features)


def sentences(words: list[list[str]], tags: list[list[Any]], names: list[str] | None) -> Any:
    tag = datasets.ClassLabel(names=names) if names else datasets.Value("string")
    features = datasets.Features(
        {"tokens": datasets.List(datasets.Value("string")), "tags": datasets.List(tag)}
    )
    return datasets.Dataset.from_dict({"tokens": words, "tags": tags}, features=features)


def lay_out(folder: Path, **splits: Any) -> None:
    """Parquet files of splits, as on the hub."""
    (folder / "data").mkdir(parents=True)
    for split, records in splits.items():
        records.to_parquet(folder / f"data/{split}-00000-of-00001.parquet")


TRAIN = [Example(text="good", label="pos"), Example(text="bad", label="neg")]
TEST = [Example(text="fine", label="pos")]


def as_dataset(examples: list[Example]) -> Any:
    return reviews([e.text for e in examples], [("neg", "pos").index(e.label) for e in examples])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lay_out(tmp_path / "it", train=as_dataset(TRAIN), test=as_dataset(TEST))
    (tmp_path / "it/README.md").write_text(CARD)
    return tmp_path


def test_a_list_of_classes_is_any_number_of_labels(tmp_path: Path) -> None:
    tag = datasets.List(datasets.ClassLabel(names=["joy", "fear"]))
    features = datasets.Features({"text": datasets.Value("string"), "label": tag})
    records = {"text": ["a", "b"], "label": [[1, 0], []]}
    lay_out(tmp_path / "it", train=datasets.Dataset.from_dict(records, features=features))
    found = [example.labels for example in opened(tmp_path).read("train")]
    assert found == [("fear", "joy"), ()]


def test_a_folder_laid_out_as_on_the_hub(folder: Path) -> None:
    corpus = opened(folder, configuration="en", test="test")
    assert corpus.splits() == ("train", "test")
    assert list(corpus.read("train")) == list(corpus.read("train")) == TRAIN
    assert list(corpus.read("test")) == TEST
    found = corpus.provenance()
    assert found["source"] == "Hugging Face it" and found["configuration"] == "en"
    assert found["licence"] == "cc-by-4.0, mit" and found["citation"] == "@article{Reviews}"
    names = [f"it/data/{split}-00000-of-00001.parquet" for split in ("train", "test")]
    assert list(found["files"]) == [*names, "it/README.md"]
    for name, file in found["files"].items():
        assert (folder / name).stat().st_size == file["bytes"] and len(file["sha256"]) == 64
    mine = opened(folder, configuration="en", licence="mine", citation="me").provenance()
    assert (mine["licence"], mine["citation"]) == ("mine", "me")
    assert "revision" not in found and "test" not in mine["splits"]


def test_without_a_card_files_are_found_by_their_names(folder: Path) -> None:
    (folder / "it/README.md").unlink()
    corpus = opened(folder, test="test")
    assert list(corpus.read("test")) == TEST
    assert corpus.provenance()["licence"] == "not stated"


@pytest.mark.parametrize("several", [True, False])
def test_what_save_to_disk_wrote(tmp_path: Path, several: bool) -> None:
    train = as_dataset(TRAIN)
    saved = datasets.DatasetDict({"train": train}) if several else train
    saved.save_to_disk(tmp_path / "it")
    corpus = opened(tmp_path)
    assert list(corpus.read("train")) == TRAIN
    [name] = corpus.provenance()["files"]
    assert name == f"it/{'train/' if several else ''}data-00000-of-00001.arrow"
    assert "leave configuration of data set 'mine' out" in fault(tmp_path, configuration="en")


def test_json_lines_whose_labels_are_text_or_numbers(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    rows = [{"text": "a b", "label": 3, "other": None}, {"text": "c", "label": 4, "other": None}]
    (tmp_path / "it/train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert list(opened(tmp_path).read("train")) == [
        Example(text="a b", label="3"),
        Example(text="c", label="4"),
    ]
    assert "no column 'txt' (text_column); did you mean 'text'?" in fault(
        tmp_path, text_column="txt"
    )


@pytest.mark.parametrize("names", [["O", "B-PER", "I-PER"], None])
def test_tags_are_named_and_their_scheme_recognised(
    tmp_path: Path, names: list[str] | None
) -> None:
    tags = [[0, 1, 2], []] if names else [["O", "B-PER", "I-PER"], []]
    lay_out(tmp_path / "it", train=sentences([["by", "Ann", "Lee"], []], tags, names))
    corpus = opened(tmp_path, "tagged")
    assert list(corpus.read("train")) == [
        Example(tokens=("by", "Ann", "Lee"), tags=("O", "B-PER", "I-PER"))
    ]
    assert corpus.findings() == {"entities": True, "scheme": "BIO", "scheme_recognised": True}
    classes = opened(tmp_path, "tagged", scheme=None)
    assert classes.findings()["entities"] is False


def test_lines_of_running_text(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it/train.txt").write_text("First line\n\nsecond line\n")
    texts = [example.text for example in opened(tmp_path, "text").read("train")]
    assert texts == ["First line", "", "second line"]


def test_bad_records_are_named(tmp_path: Path) -> None:
    lay_out(tmp_path / "it", train=reviews(["a", None, "b"], [0, 1, -1]))
    assert "split train, example 2: column 'text': expected text, found null" in fault(tmp_path)
    lay_out(tmp_path / "unlabelled", train=reviews(["a"], [-1]))
    assert "example 1: column 'label': has no label (-1)" in fault(tmp_path, path="unlabelled")
    lay_out(tmp_path / "tagged", train=sentences([["a", "b"]], [["O"]], None))
    assert "example 1: has 2 tokens and 1 tags" in fault(tmp_path, "tagged", path="tagged")
    message = fault(tmp_path, "tagged", tokens_column="text", tags_column="label")
    assert "example 1: column 'text': expected a list, found str" in message


def test_wrong_names(folder: Path) -> None:
    assert "no configuration 'eng'; did you mean 'en'?" in fault(folder, configuration="eng")
    assert "several configurations (en, de); name one, e.g. configuration: en" in fault(folder)
    message = fault(folder, configuration="en", test="tset")
    assert "no split 'tset' (test); did you mean 'test'?" in message
    message = fault(folder, configuration="en", label_column="lable")
    assert "no column 'lable' (label_column); did you mean 'label'?" in message
    message = fault(folder, configuration="en", test="train")
    assert "train 'train' and test 'train'" in message and "share examples" in message
    assert "no such folder (parameter path of data set 'mine')" in fault(folder, path="gone")


def test_damaged_and_other_files(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    assert "data set 'mine'" in fault(tmp_path)
    (tmp_path / "it/train.parquet").write_bytes(b"no Parquet")
    assert "cannot be read" in fault(tmp_path)
    (tmp_path / "code").mkdir()
    (tmp_path / "code/code.py").write_text("raise SystemExit('this was run')")
    assert "data set 'mine'" in fault(tmp_path, path="code")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/train.xml").write_text("<a/>")
    assert "the reader 'xml'; only those of arrow, csv, json" in fault(tmp_path, path="images")


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"name": "org/it"}, "https://huggingface.co/datasets/org/it/commits/main lists"),
        ({"name": "org/it", "revision": "main"}, "revision must pin the data"),
        ({"name": "../it", "revision": "v1"}, "'organisation/name' as on the hub, not '../it'"),
        ({}, "give either name"),
        ({"name": "org/it", "path": "it"}, "give either name"),
        ({"path": "it", "revision": "v1"}, "revision needs name"),
        ({"path": "it", "streaming": True}, "streaming needs name"),
        ({"path": "it", "label_column": "text"}, "are the same column"),
    ],
)
def test_impossible_parameters(given: dict[str, object], part: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parameters(**given)
    assert part in str(caught.value)


@pytest.mark.parametrize("streaming", [True, False])
def test_without_a_network_the_answer_is_quick(tmp_path: Path, streaming: bool) -> None:
    dataset = parameters(name="org/it", revision="v1", streaming=streaming)
    start = time.monotonic()
    with pytest.raises(UserError) as caught:
        open_corpus("mine", dataset, tmp_path)
    assert time.monotonic() - start < 5
    message = str(caught.value)
    remedy = (
        "set streaming: false" if streaming else str(tmp_path / "huggingface/org/it/v1/default")
    )
    assert "cannot be reached" in message and remedy in message
    assert list(tmp_path.iterdir()) == []


# --- a hub on this machine ----------------------------------------------------------

TAG, BRANCH = "v1.0", "work"


class FakeHub(BaseHTTPRequestHandler):
    """What the hub answers about the data set ``org/it``, whose files lie in ``root``."""

    root: Path

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urllib.parse.unquote(self.path.partition("?")[0])
        repository = "/api/datasets/org/it"
        if path == f"{repository}/refs":
            self.say(
                {
                    "branches": [{"name": BRANCH, "ref": "refs/work", "targetCommit": COMMIT}],
                    "converts": [],
                    "tags": [{"name": TAG, "ref": "refs/tags/v1.0", "targetCommit": COMMIT}],
                }
            )
        elif path in (f"{repository}/revision/{TAG}", f"{repository}/revision/{COMMIT}"):
            siblings = [{"rfilename": name} for name in self.names()]
            self.say({"id": "org/it", "sha": COMMIT, "siblings": siblings})
        elif path.startswith(f"{repository}/revision/"):
            self.say({}, 404, "RevisionNotFound")
        elif path.startswith(f"{repository}/tree/{COMMIT}"):
            inside = self.root / path.removeprefix(f"{repository}/tree/{COMMIT}").strip("/")
            self.say([self.described(file) for file in sorted(inside.iterdir())])
        elif path.startswith(f"/datasets/org/it/resolve/{COMMIT}/"):
            self.send_file(path.removeprefix(f"/datasets/org/it/resolve/{COMMIT}/"))
        else:
            self.say({}, 404, "RepoNotFound")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            paths = json.loads(body)["paths"]
        except ValueError:
            paths = urllib.parse.parse_qs(body.decode())["paths"]
        self.say([self.described(self.root / name) for name in self.names() if name in paths])

    def names(self) -> list[str]:
        files = (file for file in sorted(self.root.rglob("*")) if file.is_file())
        return [file.relative_to(self.root).as_posix() for file in files]

    def described(self, file: Path) -> dict[str, object]:
        name = file.relative_to(self.root).as_posix()
        if file.is_dir():
            return {"type": "directory", "path": name, "oid": "1" * 40}
        size = file.stat().st_size
        lfs = {"oid": sha256(file), "size": size, "pointerSize": 130}
        return {"type": "file", "path": name, "size": size, "oid": "1" * 40, "lfs": lfs}

    def send_file(self, name: str) -> None:
        file = self.root / name
        if not file.is_file():
            self.say({}, 404, "EntryNotFound")
            return
        content, status = file.read_bytes(), 200
        if (part := self.headers.get("Range")) is not None:
            first, _, last = part.removeprefix("bytes=").partition("-")
            content, status = content[int(first) : int(last or len(content)) + 1], 206
        self.answer(status, content, {"ETag": '"1"', "X-Repo-Commit": COMMIT})

    def say(self, value: object, status: int = 200, fault: str = "") -> None:
        self.answer(status, json.dumps(value).encode(), {"X-Error-Code": fault} if fault else {})

    def answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@pytest.fixture
def hub(folder: Path) -> Iterator[str]:
    handler = type("Handler", (FakeHub,), {"root": folder / "it"})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    thread.join()
    http.server_close()


READ = """
import json, sys
from pathlib import Path
from nlp_rnn.config import HuggingFaceDataset
from nlp_rnn.corpora import open_corpus
from nlp_rnn.errors import UserError
try:
    dataset = HuggingFaceDataset.model_validate(json.loads(sys.argv[1]))
    corpus = open_corpus("mine", dataset, Path(sys.argv[2]))
    texts = {split: [example.text for example in corpus.read(split)] for split in corpus.splits()}
    print(json.dumps([texts, corpus.provenance()]))
except UserError as error:
    print(json.dumps(str(error)))
"""


def from_hub(folder: Path, endpoint: str, offline: bool = False, **given: object) -> Any:
    """What a process of its own reads, as the library looks for its hub when it is imported."""
    section = {"source": "huggingface", "kind": "labelled", "name": "org/it", **given}
    section = {"configuration": "en", "revision": TAG, "test": "test", **section}
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(folder / "home"),
        "HF_HUB_OFFLINE": str(int(offline)),
    }
    done = subprocess.run(
        [sys.executable, "-c", READ, json.dumps(section), str(folder / "raw")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_a_copy_of_the_hub_is_whole_pinned_and_enough(hub: str, folder: Path) -> None:
    texts, found = from_hub(folder, hub)
    assert texts == {"train": ["good", "bad"], "test": ["fine"]}
    assert (found["revision"], found["commit"]) == (TAG, COMMIT)
    assert found["licence"] == "cc-by-4.0, mit"
    copy = folder / "raw/huggingface/org/it/v1.0/en"
    whole = folder / "it/data/train-00000-of-00001.parquet"
    assert (copy / "data" / whole.name).read_bytes() == whole.read_bytes()
    assert sorted(file.name for file in copy.iterdir()) == [".commit", "README.md", "data"]
    for offline, endpoint in ((True, hub), (False, "http://127.0.0.1:9")):
        assert from_hub(folder, endpoint, offline) == [texts, found]
    message = from_hub(folder, hub, offline=True, revision="v2")
    assert "HF_HUB_OFFLINE forbids to fetch it" in message
    # Carried to a machine without a hub, the copy is a folder like any other.
    assert list(opened(copy.parent, path="en").read("train")) == TRAIN


def test_streaming_keeps_no_copy(hub: str, folder: Path) -> None:
    texts, found = from_hub(folder, hub, streaming=True)
    assert texts == {"train": ["good", "bad"], "test": ["fine"]}
    name = "data/train-00000-of-00001.parquet"
    assert found["files"][name]["sha256"] == sha256(folder / "it" / name)
    assert found["commit"] == COMMIT and not (folder / "raw").exists()


def test_what_the_hub_has_not(hub: str, folder: Path) -> None:
    message = from_hub(folder, hub, revision=BRANCH)
    assert "is a branch, which moves" in message and f"set revision: {COMMIT}" in message
    message = from_hub(folder, hub, revision="v1.1")
    assert "no revision 'v1.1'; did you mean 'v1.0'?" in message
    message = from_hub(folder, hub, configuration="fr")
    assert "no configuration 'fr'" in message
    assert "no data set org/that that you may read" in from_hub(folder, hub, name="org/that")
    assert not list((folder / "raw").rglob("*.parquet"))
