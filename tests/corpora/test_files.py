"""Files of every format: what is read, and what each fault of a user's file says."""

import bz2
import gzip
import io
import json
import lzma
import os
import sys
import tarfile
import tracemalloc
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from nlp_rnn.config import FilesDataset, GrammarDataset
from nlp_rnn.corpora import data_folder, open_corpus
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.lines import fingerprint
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

REVIEWS = [
    Example(text='Good, "really" good\nand long', label="pos"),
    Example(text="naïve 😀 film", label="neg"),
    Example(text="", label="neg"),
]


def opened(folder: Path, **parameters: object) -> Corpus:
    return open_corpus(
        "mine", FilesDataset.model_validate({"source": "files", **parameters}), folder
    )


def read(folder: Path, content: bytes | str, **parameters: object) -> list[Example]:
    """Write ``content`` as the training file and read it."""
    raw = content.encode() if isinstance(content, str) else content
    (folder / "train.txt").write_bytes(raw)
    return list(opened(folder, train="train.txt", **parameters).read("train"))


def fault(folder: Path, content: bytes | str, **parameters: object) -> str:
    """The message of the UserError that reading ``content`` raises; always one line."""
    with pytest.raises(UserError) as caught:
        read(folder, content, **parameters)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder / "train.txt") in message
    return message


# --- tables -------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_tables_round_trip_with_quotes_and_line_ends(
    tmp_path: Path, format: str, delimiter: str
) -> None:
    import csv

    rows = io.StringIO(newline="")
    writer = csv.writer(rows, delimiter=delimiter)
    writer.writerow(["id", "label", "text"])
    for number, review in enumerate(REVIEWS):
        writer.writerow([number, review.label, review.text])
    assert read(tmp_path, rows.getvalue(), format=format, quoting="double") == REVIEWS


def test_jsonl_round_trip(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(review.record("labelled")) for review in REVIEWS)
    assert read(tmp_path, lines, format="jsonl") == REVIEWS


@pytest.mark.parametrize("large", [False, True])
def test_parquet_round_trip(tmp_path: Path, large: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.large_string() if large else pa.string()
    table = pa.table(
        {
            "text": pa.array([review.text for review in REVIEWS], kind),
            "label": pa.array([review.label for review in REVIEWS]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "train.parquet")
    assert list(opened(tmp_path, format="parquet", train="train.parquet").read("train")) == REVIEWS


def test_columns_by_name_and_labels_as_whole_numbers(tmp_path: Path) -> None:
    csv = "stars,body\n1,bad\n5,good\n"
    expected = [Example(text="bad", label="1"), Example(text="good", label="5")]
    parameters = {"text_column": "body", "label_column": "stars"}
    assert read(tmp_path, csv, format="csv", **parameters) == expected
    jsonl = '{"body": "bad", "stars": 1}\n\n{"body": "good", "stars": 5}'
    assert read(tmp_path, jsonl, format="jsonl", **parameters) == expected


def test_byte_order_mark_and_crlf_are_no_part_of_the_data(tmp_path: Path) -> None:
    expected = [Example(text="bad", label="neg")]
    assert read(tmp_path, b"\xef\xbb\xbftext,label\r\nbad,neg\r\n", format="csv") == expected
    line = b'\xef\xbb\xbf{"text": "bad", "label": "neg"}\r\n'
    assert read(tmp_path, line, format="jsonl") == expected


def test_long_field_is_read(tmp_path: Path) -> None:
    text = "word " * 200_000
    assert read(tmp_path, f"text,label\n{text},neg\n", format="csv")[0].text == text


def test_unknown_column_names_the_nearest(tmp_path: Path) -> None:
    message = fault(tmp_path, "texts,label\na,b\n", format="csv")
    assert "line 1" in message and "text_column" in message and "'texts'" in message
    message = fault(tmp_path, '{"texts": "a", "label": "b"}', format="jsonl")
    assert "line 1" in message and "text_column" in message and "'texts'" in message


def test_row_of_other_length(tmp_path: Path) -> None:
    message = fault(tmp_path, 'text,label\n"a\nb",pos\ngood, bad,neg\n', format="csv")
    assert "line 4" in message and "expected 2 columns" in message and "found 3" in message


@pytest.mark.parametrize("row", [',""', ",", ", "])
def test_empty_label(tmp_path: Path, row: str) -> None:
    message = fault(tmp_path, f"text,label\na,pos\nb{row}\n", format="csv")
    assert "line 3" in message and "'label'" in message and "expected a label" in message


@pytest.mark.parametrize("label", ["null", '""', "1.5", "[null]", "[[1]]", '{"a": 1}'])
def test_wrong_label_in_json(tmp_path: Path, label: str) -> None:
    message = fault(tmp_path, f'{{"text": "a", "label": {label}}}', format="jsonl")
    assert "line 1" in message and "expected a label" in message


def test_text_that_is_none(tmp_path: Path) -> None:
    message = fault(tmp_path, '{"text": null, "label": "a"}', format="jsonl")
    assert "line 1" in message and "expected text, found null" in message


def test_quote_never_closed_names_where_it_opens(tmp_path: Path) -> None:
    message = fault(tmp_path, 'text,label\na,pos\n"b,neg\nc,pos\n', format="csv")
    assert "line 3" in message and "quot" in message


@pytest.mark.parametrize("line", ["{", "{'text': 1}", "[" * 100_000, "9" * 5000])
def test_malformed_json(tmp_path: Path, line: str) -> None:
    good = '{"text": "a", "label": "b"}\n'
    message = fault(tmp_path, good + line, format="jsonl")
    assert "line 2" in message and "JSON" in message
    assert len(message) < 500


def test_json_that_is_no_object(tmp_path: Path) -> None:
    assert "expected a JSON object, found list" in fault(tmp_path, "[1]", format="jsonl")


def test_escapes_that_are_no_character(tmp_path: Path) -> None:
    lines = '{"text": "a\\ud800b", "label": "x"}\n{"text": "a\\u0000b", "label": "x"}'
    assert "line 1" in fault(tmp_path, lines, format="jsonl")
    replace = {"bad_bytes": "replace"}
    texts = [each.text for each in read(tmp_path, lines, format="jsonl", tokenizer=replace)]
    assert texts[1] == "a\ufffdb"
    assert texts[0].encode().decode() == texts[0]


def test_blanks_around_a_label_make_no_other_class(tmp_path: Path) -> None:
    rows = "text,label\na,pos\nb,pos \nc, pos\n"
    assert {each.label for each in read(tmp_path, rows, format="csv")} == {"pos"}


@pytest.mark.parametrize("prefix", ["", "__label__"])
def test_lines_that_begin_with_their_label(tmp_path: Path, prefix: str) -> None:
    lines = f"{prefix}2 who is it ?\n\n{prefix}__x\ta b \n{prefix}empty\n"
    found = [(each.label, each.text) for each in read(tmp_path, lines, format="fasttext")]
    assert found == [("2", "who is it ?"), ("__x", "a b"), ("empty", "")]


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ("__label__a x\nb y\n", "line 2: begins without __label__"),
        ("a x\n__label__b y\n", "line 2: begins with __label__"),
        ("__label__a __label__b x\n", "line 1: has several labels"),
        ("__label__a x\n__label__ y\n", "line 2: has no label after __label__"),
    ],
)
def test_faults_of_labels_name_file_and_line(tmp_path: Path, lines: str, wrong: str) -> None:
    assert wrong in fault(tmp_path, lines, format="fasttext")


def test_parquet_faults_name_file_and_row(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def message(table: object) -> str:
        pq.write_table(table, tmp_path / "train.txt")
        return fault(tmp_path, (tmp_path / "train.txt").read_bytes(), format="parquet")

    null = pa.table({"text": ["a"] * 1500, "label": ["x"] * 1499 + [None]})
    assert "row 1500" in message(null)
    assert "'label'" in message(pa.table({"text": ["a"], "labels": ["x"]}))
    assert "expected text" in message(pa.table({"text": [1], "label": ["x"]}))
    bad = pa.array([b"ok", b"\xff"]).view(pa.string())
    assert "row 2" in message(pa.table({"text": bad, "label": ["x", "y"]}))
    assert "Parquet" in fault(tmp_path, "text,label\n", format="parquet")


# --- labelled folders and archives --------------------------------------------------

LAYOUT = {
    "aclImdb/train/pos/0_9.txt": "good film<br />",
    "aclImdb/train/neg/1_1.txt": "bad film",
    "aclImdb/train/unsup/2_0.txt": "unlabelled",
    "aclImdb/train/urls_pos.txt": "http://nowhere",
    "aclImdb/train/labeled.feat": "0:1",
    "aclImdb/train/pos/._0_9.txt": "a trace of macOS",
    "aclImdb/train/pos/deep/3.txt": "too deep",
    "aclImdb/test/pos/4_8.txt": "fine film",
}
TRAIN = {
    Example(text="good film<br />", label="pos"),
    Example(text="bad film", label="neg"),
}


def write_folder(folder: Path) -> None:
    for name, text in LAYOUT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def add(archive: tarfile.TarFile, name: str, text: str = "", **attributes: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(text)
    for attribute, value in attributes.items():
        setattr(member, attribute, value)
    archive.addfile(member, io.BytesIO(text.encode()))


def write_archive(path: Path, **extra: str) -> None:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in LAYOUT.items():
                archive.writestr(name, text)
        return
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, text in {**LAYOUT, **extra}.items():
            add(tar, name, text)


def test_folder_of_labels(tmp_path: Path) -> None:
    write_folder(tmp_path)
    corpus = opened(tmp_path, format="folders", train="aclImdb/train", test="aclImdb/test")
    assert corpus.splits() == ("train", "test")
    examples = list(corpus.read("train"))
    assert set(examples) == TRAIN
    assert [each.label for each in examples] == ["neg", "pos"]
    assert list(corpus.read("train")) == examples


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tar.xz", "a.zip"])
def test_archive_of_labels_is_read_without_unpacking(tmp_path: Path, name: str) -> None:
    write_archive(tmp_path / name)
    train, test = f"{name}!aclImdb/train", f"{name}!./aclImdb/test/"
    corpus = opened(tmp_path, format="folders", train=train, test=test)
    assert set(corpus.read("train")) == TRAIN
    assert [each.text for each in corpus.read("test")] == ["fine film"]
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert list(corpus.provenance()["files"]) == [name]


def test_labels_at_the_top_of_an_archive(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "./pos/1.txt", "good")
    corpus = opened(tmp_path, format="folders", train="a.tar")
    assert list(corpus.read("train")) == [Example(text="good", label="pos")]


def test_members_that_lead_out_are_never_written(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    with tarfile.open(inner / "a.tar", "w") as archive:
        add(archive, "../evil.txt", "evil")
        add(archive, "/tmp/evil/evil.txt", "evil")
        add(archive, "train/pos/1.txt", "good")
    corpus = opened(inner, format="folders", train="a.tar!train")
    assert [each.text for each in corpus.read("train")] == ["good"]
    assert not (tmp_path / "evil.txt").exists()
    with tarfile.open(inner / "b.tar", "w") as archive:
        add(archive, "train/../evil.txt", "evil")
    with pytest.raises(UserError, match=r"b\.tar!train/\.\./evil\.txt: leads out"):
        list(opened(inner, format="folders", train="b.tar!train").read("train"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_not_followed(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "train/pos/1.txt", "good")
        add(archive, "train/pos/2.txt", type=kind, linkname="/etc/passwd")
    with pytest.raises(UserError, match=r"a\.tar!train/pos/2\.txt: .*not a regular file"):
        list(opened(tmp_path, format="folders", train="a.tar!train").read("train"))


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz", "a.zip"])
def test_truncated_archive_at_any_length(tmp_path: Path, name: str) -> None:
    write_archive(tmp_path / name)
    raw = (tmp_path / name).read_bytes()
    # Whole blocks of a tar as well: cut between two members, it looks like a shorter one.
    cuts = range(512, 512 * 16, 512) if name == "a.tar" else range(1, len(raw) - 1, len(raw) // 9)
    for cut in cuts:
        (tmp_path / name).write_bytes(raw[:cut])
        with pytest.raises(UserError, match="broken or truncated archive") as caught:
            list(opened(tmp_path, format="folders", train=f"{name}!aclImdb/train").read("train"))
        assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_archive_that_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<html>404 not found</html>" * 100)
    with pytest.raises(UserError, match="broken or truncated archive"):
        list(opened(tmp_path, format="folders", train=name).read("train"))


def test_empty_folder_and_wrong_folder_in_archive(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    write_archive(tmp_path / "a.tar")
    for train in ("train", "a.tar!aclImdb/trian"):
        with pytest.raises(UserError, match=f"{train}: has no examples; split train of data set"):
            list(opened(tmp_path, format="folders", train=train).read("train"))


def test_bad_bytes_in_a_folder_name_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "train/pos").mkdir(parents=True)
    (tmp_path / "train/pos/1.txt").write_bytes(b"fine\ncaf\xe9\n")
    with pytest.raises(UserError, match=r"pos/1\.txt, line 2: byte 0xe9"):
        list(opened(tmp_path, format="folders", train="train").read("train"))


# --- running text -------------------------------------------------------------------


def test_lines_of_text_keep_blanks_and_odd_white_space(tmp_path: Path) -> None:
    text = "\n = Title = \n\none\u2028line\x0bstill\x85\r\nlast"
    lines = [each.text for each in read(tmp_path, text, format="text")]
    assert lines == ["", " = Title = ", "", "one\u2028line\x0bstill\x85", "last"]


@pytest.mark.parametrize(
    ("format", "head"),
    [("text", ""), ("csv", "text,label\n"), ("jsonl", "\n"), ("conll", "a\tb\n"), ("tsv", "\n")],
)
@pytest.mark.parametrize("byte", [0xFF, 0x00, 0xE9])
def test_undecodable_byte_names_file_line_byte_and_mend(
    tmp_path: Path, format: str, head: str, byte: int
) -> None:
    content = head.encode() + b"caf" + bytes([byte]) + b"\tx\n"
    message = fault(tmp_path, content, format=format)
    assert f"line {1 + head.count(chr(10))}:" in message
    assert f"0x{byte:02x}" in message and "tokenizer.bad_bytes: replace" in message


def test_undecodable_bytes_are_replaced_when_asked(tmp_path: Path) -> None:
    replace = {"bad_bytes": "replace"}
    lines = [
        each.text for each in read(tmp_path, b"a\xffb\nc\0d", format="text", tokenizer=replace)
    ]
    assert lines == ["a\ufffdb", "c\ufffdd"]


# --- places -------------------------------------------------------------------------


def test_missing_file_names_path_parameter_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        opened(tmp_path, format="text", train="no/such.txt")
    message = str(caught.value)
    for part in (str(tmp_path / "no/such.txt"), "parameter train", "'mine'", "NLP_RNN_DATA"):
        assert part in message


def test_missing_validation_is_found_before_reading(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a\n")
    with pytest.raises(UserError, match="parameter validation"):
        opened(tmp_path, format="text", train="train.txt", validation="valid.txt")


def test_folder_where_a_file_is_expected_and_conversely(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("a")
    with pytest.raises(UserError, match=r"folder: is a folder .*format csv is one file"):
        opened(tmp_path, format="csv", train="folder")
    with pytest.raises(UserError, match=r"file: is a file .*format folders needs a folder or an"):
        opened(tmp_path, format="folders", train="file")


@pytest.mark.parametrize("format", ["text", "csv", "conll", "conllu", "parquet"])
def test_empty_file(tmp_path: Path, format: str) -> None:
    assert "is empty (parameter train of data set 'mine')" in fault(tmp_path, "", format=format)


@pytest.mark.parametrize(
    ("format", "content"),
    [("csv", "text,label\n"), ("jsonl", "\n\n"), ("conll", "\n"), ("conllu", "# c\n\n")],
)
def test_file_without_examples(tmp_path: Path, format: str, content: str) -> None:
    message = fault(tmp_path, content, format=format)
    assert "no example" in message and "train" in message and "'mine'" in message


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.txt").write_text("a\n")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    # The tests may run as root, whom no mode keeps out.
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=r"train\.txt: permission denied; make it readable"):
        opened(tmp_path, format="text", train="train.txt")


def test_name_with_nul(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        opened(tmp_path, format="text", train="a\0b")


@pytest.mark.parametrize("other", ["same", "dotted", "symbolic", "hard", "copy"])
def test_one_file_for_two_splits(tmp_path: Path, other: str) -> None:
    file = tmp_path / "train.txt"
    file.write_text("a\n")
    names = {"same": "train.txt", "dotted": "sub/../train.txt"}
    (tmp_path / "sub").mkdir()
    (tmp_path / "symbolic").symlink_to(file)
    os.link(file, tmp_path / "hard")
    (tmp_path / "copy").write_text("a\n")
    with pytest.raises(UserError, match="is used for both train and test of data set 'mine'"):
        opened(tmp_path, format="text", train="train.txt", test=names.get(other, other))


def test_validation_that_is_the_test_set(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.tar")
    test, validation = "a.tar!aclImdb/test", "a.tar!aclImdb/./test/"
    train = "a.tar!aclImdb/train"
    with pytest.raises(UserError, match="is used for both validation and test"):
        opened(tmp_path, format="folders", train=train, validation=validation, test=test)


def test_data_folder_is_an_environment_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NLP_RNN_DATA", raising=False)
    assert data_folder() == Path("data/raw")
    monkeypatch.setenv("NLP_RNN_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    (tmp_path / "a.txt").write_text("one\n")
    dataset = FilesDataset(source="files", format="text", train="a.txt")
    assert [each.text for each in open_corpus("mine", dataset).read("train")] == ["one"]


def test_provenance_hashes_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc")
    corpus = opened(tmp_path, format="text", train="a.txt", licence="CC0", citation="me 2026")
    assert corpus.provenance() == {
        "source": "files (text)",
        "files": {
            "a.txt": {
                # Of "abc", from FIPS 180-2, appendix B.1.
                "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "bytes": 3,
            }
        },
        "licence": "CC0",
        "citation": "me 2026",
    }
    write_folder(tmp_path / "x")
    write_folder(tmp_path / "y")
    assert fingerprint(tmp_path / "x") == fingerprint(tmp_path / "y")
    (tmp_path / "y/aclImdb/train/pos/0_9.txt").write_text("changed")
    assert fingerprint(tmp_path / "x")["sha256"] != fingerprint(tmp_path / "y")["sha256"]


# --- memory and the built-in corpora ------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", "folders", "conll", "text"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, format: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    count, text = 20_000, "word " * 200
    path = tmp_path / ("train.tar" if format == "folders" else "train.txt")
    if format == "parquet":
        table = pa.table({"text": [text] * count, "label": ["x"] * count})
        pq.write_table(table, path, use_dictionary=False, compression="none", row_group_size=2000)
        del table
    elif format == "folders":
        with tarfile.open(path, "w") as archive:
            for number in range(count):
                add(archive, f"pos/{number}.txt", text)
    else:
        record = json.dumps({"text": text, "label": "x"})
        line = {
            "csv": f"{text},x\n",
            "jsonl": f"{record}\n",
            "conll": f"{'word' * 25}\tO\n" * 9 + "\n",
            "text": f"{text}\n",
        }[format]
        path.write_text(("text,label\n" if format == "csv" else "") + line * count)
    assert path.stat().st_size > 18e6
    corpus = opened(tmp_path, format=format, train=path.name)
    # Tracing slows the words of CoNLL tenfold: part of the file shows as much.
    enough = count // 4 if format == "conll" else count
    next(iter(corpus.read("train")))

    def peak() -> int:
        tracemalloc.start()
        try:
            assert sum(1 for _ in zip(range(enough), corpus.read("train"), strict=False)) == enough
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    most = 4e6 if format != "parquet" else 8e6
    assert peak() < most or peak() < most  # threads of other tests may allocate during one of them


def test_compressed_streams_are_known_by_their_content(tmp_path: Path) -> None:
    write_archive(tmp_path / "plain.tar")
    raw = (tmp_path / "plain.tar").read_bytes()
    for compress in (gzip.compress, bz2.compress, lzma.compress):
        (tmp_path / "a.tar").write_bytes(compress(raw))
        corpus = opened(tmp_path, format="folders", train="a.tar!aclImdb/train")
        assert set(corpus.read("train")) == TRAIN


def test_grammar_corpora_have_all_splits() -> None:
    sizes = {"train": 5, "validation": 3, "test": 2}
    dataset = GrammarDataset.model_validate(
        {"source": "grammar", "corpus": "reviews", "sizes": sizes}
    )
    corpus = open_corpus("reviews", dataset)
    assert corpus.kind == "labelled" and corpus.splits() == ("train", "validation", "test")
    for split, size in sizes.items():
        examples = list(corpus.read(split))
        assert len(examples) == size and all(each.label for each in examples)
        assert list(corpus.read(split)) == examples
    assert corpus.provenance()["sizes"] == sizes


@pytest.mark.slow
def test_opening_the_package_imports_nothing_heavy() -> None:
    import subprocess

    code = (
        "import sys, nlp_rnn.corpora.files; "
        "print([m for m in ('tensorflow', 'keras', 'pyarrow', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_real_reviews_are_read_inside_their_archive() -> None:
    archive = data_folder() / "imdb/aclImdb_v1.tar.gz"
    if not archive.exists():
        pytest.skip("no imdb/aclImdb_v1.tar.gz in the folder that NLP_RNN_DATA names")
    train, test = (f"imdb/aclImdb_v1.tar.gz!aclImdb/{split}" for split in ("train", "test"))
    corpus = opened(data_folder(), format="folders", train=train, test=test)
    for split in corpus.splits():
        assert Counter(each.label for each in corpus.read(split)) == {"neg": 12500, "pos": 12500}
