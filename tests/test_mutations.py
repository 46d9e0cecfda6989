"""Damaged files: a reader takes a file or names its fault in one line, and leaves nothing behind.

Every file is a valid one with a few seeded mutations: bytes changed, removed, repeated or inserted,
lines swapped, the end cut off. All mutations of a kind run in one process.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_rnn.cli import main
from nlp_rnn.config import load
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.vectors import read_captions, with_vectors
from nlp_rnn.embeddings.reading import load_vectors
from nlp_rnn.errors import UserError
from nlp_rnn.ngrams.arpa import read_arpa
from nlp_rnn.runtime.bundle import DESCRIPTION, describe
from nlp_rnn.text.annotated import with_tags
from nlp_rnn.text.prepared import prepare
from nlp_rnn.text.vocabulary import Vocabulary

pytestmark = pytest.mark.slow

FRAGMENTS = [
    *(b'"', b"'", b",", b";", b"|", b"\t", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"#", b"\\", b"/"),
    *(b"{", b"}", b"[", b"]", b"[" * 3000, b":", b"- ", b"&a", b"*a", b"<<: ", b"!!python/x", b"%"),
    *(b"null", b"true", b"NaN", b"-1", b"0", b"1e999", b"9" * 30, b"1.5", b"text", b"label", b"_"),
    *(b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc2\xa0", b"\xe2\x80\x8d", b"\x1b[2J"),
    *(b"-DOCSTART-", b"B-", b"I-PER", b"O", b"<br />", b"&#39;", "Ä".encode(), "👍🏽".encode()),
]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """``data`` with one to four mutations."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        length = rng.choice([1, 1, 2, 8, 64])
        match rng.randrange(6):
            case 0:
                data = data[:at] + rng.randbytes(length) + data[at + length :]
            case 1:
                data = data[:at] + data[at + length :]
            case 2:
                data = data[:at] + data[at : at + length] * rng.randint(2, 3) + data[at:]
            case 3 | 4:
                data = data[:at] + rng.choice(FRAGMENTS) + data[at:]
            case _:
                lines = data.split(b"\n")
                i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
                lines[i], lines[j] = lines[j], lines[i]
                data = b"\n".join(lines)
    return data[: rng.randrange(len(data) + 1)] if rng.random() < 0.1 else data


def mutations(file: Path, count: int, seed: int) -> Iterator[int]:
    """Write ``count`` mutations of ``file`` into its place, one after the other."""
    whole = file.read_bytes()
    rng = random.Random(seed)
    for number in range(count):
        file.write_bytes(mutated(whole, rng))
        yield number


def taken_or_refused(read: Callable[[], object]) -> bool:
    """Whether a file was taken; where it was not, its fault is one line that a person can read."""
    try:
        read()
    except UserError as error:
        message = str(error)
        assert message
        assert len(message.splitlines()) == 1, message
        return False
    return True


INPUTS = {
    ".txt": "Ann lives in Rome\n\nnot bad , at all\n",
    ".csv": 'id,text\n1,"Ann, in ""Rome"""\n2,not bad\n3,\n',
    ".tsv": 'id\ttext\n1\tAnn "lives in Rome\n2\tnot bad\n',
    ".jsonl": '{"text": "Ann lives \\u0069n Rome", "id": 1}\n{"text": "", "more": [1, {"a": 2}]}\n',
    ".conll": "# id = 1\nAnn\tNNP\tB-PER\nlives\tVBZ\tO\n\nRome\tNNP\tB-LOC\n",
    ".conllu": (
        "# sent_id = 1\n1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_\n"
        "1\tAnn\tAnn\tPROPN\tNNP\t_\t2\tnsubj\t_\t_\n2\tlives\tlive\tVERB\tVBZ\t_\t0\troot\t_\t_\n\n"
    ),
    ".json": '[{"data": {"text": "Ann lives in Rome", "n": 1}},\n {"data": {"text": ""}}]\n',
}


@pytest.mark.parametrize("suffix", [*INPUTS, ".parquet"])
def test_inputs_of_predictions(
    bundles: dict[str, Path], tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command itself: its exit status, its one line, and no output after an error."""
    source, target = tmp_path / f"in{suffix}", tmp_path / "out.jsonl"
    if suffix == ".parquet":
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table({"text": ["Ann lives in Rome", "not bad"], "n": [1, 2]}), source)
    else:
        source.write_text(INPUTS[suffix], encoding="utf-8")
    assert main(["predict", str(bundles["tagging"]), str(source), str(target)]) == 0
    capsys.readouterr()
    for _ in mutations(source, 120, seed=1):
        target.unlink(missing_ok=True)
        status = main(["predict", str(bundles["tagging"]), str(source), str(target)])
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1, said
        assert status == (2 if said[0].startswith("error: ") else 0)
        assert target.exists() == (status == 0)
        assert {file.name for file in tmp_path.iterdir()} <= {source.name, target.name}
        if status == 0:
            for line in target.read_text(encoding="utf-8").splitlines():
                json.loads(line)


PARAMETERS = """
seed: 1
backend: auto
datasets:
  mine:
    source: files
    format: csv
    train: [a.csv, 'b.csv']
    tokenizer: {unit: word, lowercase: true}
    vocabulary: {size: 100}
experiments:
  first:
    task: classification
    dataset: mine
    embeddings: {kind: learned, dimension: 10}
    model: {cell: lstm, units: 8, pooling: max}
    training: {learning_rate: 0.001, clip_norm: 1.0, epochs: 2, batch_size: 8}
"""


def test_parameters(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(PARAMETERS, encoding="utf-8")
    assert taken_or_refused(lambda: load(file))
    for _ in mutations(file, 300, seed=2):
        taken_or_refused(lambda: load(file))


DATASETS: dict[str, dict[str, Any]] = {
    "csv": {"text": 'text,label\n"Ann, in Rome",good\nnot bad,bad\nfine,good\n'},
    "tsv": {"text": 'text\tlabel\nAnn "in Rome\tgood\nnot bad\tbad\n'},
    "jsonl": {"text": '{"text": "Ann", "label": "good"}\n{"text": "no", "label": 2}\n'},
    "conll": {"text": "Ann B-PER\nlives O\n\nRome B-LOC\n\nYork I-LOC\n", "scheme": "BIO"},
    "conllu": {"text": INPUTS[".conllu"]},
    "prodigy": {
        "text": '{"text": "Bo saw the", "spans": [{"start": 0, "end": 2, "label": "PER"}]}\n'
        '{"text": "in Rome", "spans": [{"start": 3, "end": 7, "label": "LOC"}]}\n'
    },
    "label-studio": {
        "text": '[{"data": {"text": "Bo saw the"}, "annotations": [{"result": [{"type": "labels", '
        '"value": {"start": 0, "end": 2, "text": "Bo", "labels": ["PER"]}}]}]},\n{"data": '
        '{"text": "in Rome"}, "annotations": [{"result": []}]}]\n'
    },
    "text": {"text": "the cat sleeps\nthe dog barks\n"},
    "babi": {"text": "1 Ann went home.\n2 Where is Ann?\thome\t1\n1 Bo sat.\n2 Who?\tBo\n"},
    "sigmorphon": {"text": "Ann\tAnns\tN;PL\nringen\tring um\tV;IMP\n"},
    "cmudict": {"text": ";;; words\nAnn  AE1 N\nAnn(2)  AE1 N AH0 # a name\nBO 1 B OW1\n"},
    "trees": {"text": "(TOP (S (NP-SBJ (N Ann)) (VP (V sat))))\n( (FRAG\n  (UH oh) (-NONE- *)))\n"},
    "parquet": {"text": None},
}


@pytest.mark.parametrize("format", DATASETS)
def test_data_sets(tmp_path: Path, format: str) -> None:
    """Each is prepared from its files, or refused without a prepared folder."""
    file, target = tmp_path / f"train.{format}", tmp_path / "prepared"
    text = DATASETS[format]["text"]
    if text is None:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table({"text": ["Ann", "no"], "label": ["good", "bad"]}), file)
    else:
        file.write_text(text, encoding="utf-8")
    for split in ("validation", "test"):
        part = tmp_path / f"{split}.{format}"
        if text is None:
            pq.write_table(pa.table({"text": ["Eve", split], "label": ["good", "bad"]}), part)
        else:
            part.write_text(text.replace("Ann", split).replace("the", split), encoding="utf-8")
    settings = {"source": "files", "format": format, "train": file.name}
    settings |= {split: f"{split}.{format}" for split in ("validation", "test")}
    settings |= {key: value for key, value in DATASETS[format].items() if key != "text"}
    params = tmp_path / "params.yaml"
    params.write_text(json.dumps({"datasets": {"mine": settings}}), encoding="utf-8")
    dataset = load(params).dataset("mine")

    def prepared() -> None:
        corpus = with_tags(open_corpus("mine", dataset, tmp_path), dataset)
        prepare("mine", corpus, dataset.tokenizer, dataset.vocabulary, target)

    assert taken_or_refused(prepared)
    for _ in mutations(file, 100, seed=3):
        shutil.rmtree(target, ignore_errors=True)
        assert taken_or_refused(prepared) == target.exists()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet"])
def test_vectors_beside_texts(tmp_path: Path, suffix: str) -> None:
    texts, file = tmp_path / "texts.txt", tmp_path / f"vectors{suffix}"
    texts.write_text("a cat\na dog\n", encoding="utf-8")
    rows = np.arange(6.0).reshape(2, 3)
    if suffix == ".npy":
        np.save(file, rows)
    elif suffix == ".npz":
        np.savez(file, rows)
    else:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table({"v": list(rows)}), file)

    def read() -> None:
        list(with_vectors(read_captions(texts, "error"), file))

    assert taken_or_refused(read)
    for _ in mutations(file, 200, seed=7):
        taken_or_refused(read)


@pytest.mark.parametrize("binary", [False, True])
def test_word_vectors(tmp_path: Path, binary: bool) -> None:
    file = tmp_path / ("vectors.bin" if binary else "vectors.txt")
    words, matrix = ["the", "cat", "Ärger", "2001"], np.arange(12, dtype=np.float32).reshape(4, 3)
    if binary:
        rows = [
            w.encode() + b" " + row.tobytes() + b"\n" for w, row in zip(words, matrix, strict=True)
        ]
        file.write_bytes(b"4 3\n" + b"".join(rows))
    else:
        rows = (
            f"{w} {' '.join(map(str, row))}\n".encode()
            for w, row in zip(words, matrix, strict=True)
        )
        file.write_bytes(b"4 3\n" + b"".join(rows))
    assert taken_or_refused(lambda: load_vectors(file.name, tmp_path))
    for _ in mutations(file, 200, seed=4):
        taken_or_refused(lambda: load_vectors(file.name, tmp_path))


ARPA = """
\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-1.0\t<unk>
-0.5\tthe\t-0.3
-0.7\tcat\t-0.2
-0.4\t</s>

\\2-grams:
-0.1\tthe cat
-0.2\tcat </s>

\\end\\
"""


def test_ngram_models(tmp_path: Path) -> None:
    file = tmp_path / "model.arpa"
    file.write_text(ARPA, encoding="utf-8")
    vocabulary = Vocabulary(["<pad>", "<unk>", "<eos>", "the", "cat"], [0, 1, 2, 3, 4], "<eos>")
    assert taken_or_refused(lambda: read_arpa(file, vocabulary))
    for _ in mutations(file, 300, seed=5):
        taken_or_refused(lambda: read_arpa(file, vocabulary))


@pytest.mark.parametrize("task", ["classification", "tagging", "language_modelling"])
def test_bundles_with_right_checksums(
    bundles: dict[str, Path], tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bundle that somebody edited by hand and described anew predicts, or says what is wrong."""
    folder, texts = tmp_path / "bundle", tmp_path / "in.txt"
    texts.write_text("Ann lives in Rome\nnot bad\n", encoding="utf-8")
    shutil.copytree(bundles[task], folder)
    for file in sorted(folder.glob("*.json")):
        for _ in mutations(file, 30, seed=6):
            if file.name != DESCRIPTION:
                whole = json.loads((bundles[task] / DESCRIPTION).read_text())
                (folder / DESCRIPTION).unlink(missing_ok=True)
                kept = {k: v for k, v in whole.items() if k not in ("format", "sha256")}
                describe(folder, **kept)
            status = main(["predict", str(folder), str(texts), str(tmp_path / "out.jsonl")])
            said = capsys.readouterr().err.splitlines()
            assert status == (2 if said[-1].startswith("error: ") else 0), said
            assert len(said) == 1, said
        shutil.copyfile(bundles[task] / file.name, file)
        shutil.copyfile(bundles[task] / DESCRIPTION, folder / DESCRIPTION)
