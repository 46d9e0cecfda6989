"""CoNLL and CoNLL-U files through prediction: what is read, and what is written reads back."""

from __future__ import annotations

import json
import shutil
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.bundles import write_untrained
from nlp_rnn.cli import main
from nlp_rnn.config import FilesDataset
from nlp_rnn.corpora import open_corpus
from nlp_rnn.example import Example
from nlp_rnn.files import sha256
from nlp_rnn.inference.inputs import TextChunk, open_source
from nlp_rnn.inference.outputs import open_writer
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.runtime.bundle import DATA_CARD, DESCRIPTION, Bundle

steady = settings(deadline=None, max_examples=80, derandomize=True)

TAGS = ("O", "B-PER", "I-PER", "B-LOC")
TAGGED = {"tokens": list[str], "tags": list[str]}


def tag_file(source: Path, target: Path, word_column: int = 0) -> list[Example]:
    """Tag every word of a file in turn with one of ``TAGS``; returns what was predicted."""
    tags, predicted = cycle(TAGS), []
    with open_writer(str(target), target.suffix, {}, TAGGED) as writer:
        for chunk in open_source(str(source), "text", "error", word_column=word_column).chunks():
            examples = [
                Example(tokens=tuple(words), tags=tuple(next(tags) for _ in words))
                for words in chunk.items
            ]
            writer.write(chunk, (each.record("tagged") for each in examples))
            predicted += examples
    return predicted


def read(file: Path, **parameters: object) -> list[Example]:
    section = {"source": "files", "train": file.name, "format": file.suffix[1:], **parameters}
    corpus = open_corpus("mine", FilesDataset.model_validate(section), file.parent)
    return list(corpus.read("train"))


# --- what is written reads back --------------------------------------------------------------

a_word = st.text("aZ9é#-.\u00a0\u200d’_", min_size=1, max_size=5).filter(
    lambda word: not word.startswith("-DOCSTART-")
)
comments = st.sampled_from(
    ["# text = a b", "#\thttp://example.org [2009]", "#begin document (x/y); part 000", "# a b c d"]
)
between = st.sampled_from(["", "\n", "-DOCSTART-\tO\tO\n\n", "#end document\n\n", " \n\t\n"])


@st.composite
def conll(draw: st.DrawFn) -> str:
    """A file whose words, in the second of three columns, may be empty or have blanks around."""
    lines = ["0\tfirst\tx", ""]
    for _ in range(draw(st.integers(0, 4))):
        lines += draw(between).split("\n")[:-1]
        lines += draw(st.lists(comments, max_size=2))
        blank = draw(st.sampled_from(["", " "]))
        for number, word in enumerate(draw(st.lists(a_word | st.just(""), min_size=1)), 1):
            lines.append(f"{number}\t{blank}{word}{blank}\tx")
        lines.append("")
    return "\n".join(lines) + "\n"


@pytest.mark.slow
@steady
@given(content=conll())
def test_conll_output_reads_back_and_keeps_every_line(
    content: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("conll")
    (folder / "in.conll").write_text(content, encoding="utf-8")
    predicted = tag_file(folder / "in.conll", folder / "out.conll", word_column=1)
    written = (folder / "out.conll").read_text(encoding="utf-8")
    kept = zip(written.split("\n"), content.split("\n"), strict=True)
    assert all(line.startswith(original) for line, original in kept)
    back = read(folder / "out.conll", word_column=1, scheme=None, empty_words="skip")
    assert back == predicted


@st.composite
def conllu(draw: st.DrawFn) -> str:
    lines = []
    for _ in range(draw(st.integers(1, 4))):
        lines += draw(st.lists(st.sampled_from(["# text = x", "#", "# a\tb"]), max_size=2))
        for number, word in enumerate(draw(st.lists(a_word, min_size=1, max_size=4)), 1):
            extra = draw(st.sampled_from(["", f"{number}-{number + 1}", f"{number}.1"]))
            row = [str(number), word, "_", "NOUN", "NN", "A=b", "0", "root", "_", "X=y z"]
            if "-" in extra:
                lines.append("\t".join([extra, *row[1:]]))
            lines.append("\t".join(row))
            if "." in extra:
                lines.append("\t".join([extra, *row[1:]]))
        lines.append("")
    return "\n".join(lines) + "\n"


@pytest.mark.slow
@steady
@given(content=conllu())
def test_conllu_output_reads_back_and_keeps_all_else(
    content: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("conllu")
    (folder / "in.conllu").write_text(content, encoding="utf-8")
    predicted = tag_file(folder / "in.conllu", folder / "out.conllu")
    written = (folder / "out.conllu").read_text(encoding="utf-8").split("\n")
    for line, original in zip(written, content.split("\n"), strict=True):
        columns, before = line.split("\t"), original.split("\t")
        if before[0].isdigit():
            assert columns[3] in TAGS
            columns[3] = "NOUN"
        assert columns == before
    assert read(folder / "out.conllu") == predicted


@pytest.mark.slow
@steady
@given(
    sentences=st.lists(st.lists(a_word | st.sampled_from(["#", "a b", "# 5"]), min_size=1)),
    suffix=st.sampled_from([".conll", ".conllu"]),
)
def test_tokens_of_texts_read_back(
    sentences: list[list[str]], suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of a text that was no file of columns: a word a line, whatever it looks like."""
    file = tmp_path_factory.mktemp("new") / f"out{suffix}"
    sentences = [["first"], *sentences]
    tagged = [Example(tokens=tuple(words), tags=("NOUN",) * len(words)) for words in sentences]
    chunk = TextChunk([" ".join(words) for words in sentences], "text")
    with open_writer(str(file), suffix, {}, TAGGED) as writer:
        writer.write(chunk, (each.record("tagged") for each in tagged))
    assert read(file) == tagged


# --- words that are empty, columns that are others -----------------------------------------


def test_a_line_without_a_word_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "in.conll").write_text("good\tx\n\tx\nday\tx\n\n \tx\n\nOslo\tx\n")
    predicted = tag_file(tmp_path / "in.conll", tmp_path / "out.conll")
    assert [each.tokens for each in predicted] == [("good", "day"), ("Oslo",)]
    assert (tmp_path / "out.conll").read_text() == (
        "good\tx\tO\n\tx\t_\nday\tx\tB-PER\n\n \tx\t_\n\nOslo\tx\tI-PER\n"
    )


def with_card(bundle: Path, folder: Path, **said: object) -> Path:
    """A copy of a bundle whose data card says something else."""
    copy = shutil.copytree(bundle, folder / "copy")
    card = json.loads((copy / DATA_CARD).read_text()) | said
    (copy / DATA_CARD).write_text(json.dumps(card))
    description = json.loads((copy / DESCRIPTION).read_text())
    description["sha256"][DATA_CARD] = sha256(copy / DATA_CARD)
    (copy / DESCRIPTION).write_text(json.dumps(description))
    return copy


def tokens_of(bundle: Path, file: Path, *options: str) -> list[str]:
    output = file.parent / "out.jsonl"
    assert main(["predict", str(bundle), str(file), str(output), *options]) == 0
    return [word for line in output.read_text().splitlines() for word in json.loads(line)["tokens"]]


def test_the_word_column_is_that_of_training(bundles: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "in.conll"
    file.write_text("1\tAnn\t_\n2\tsleeps\t_\n")
    reading = {"format": "conll", "word_column": 1}
    trained = with_card(bundles["tagging"], tmp_path, reading=reading)
    assert tokens_of(trained, file) == ["Ann", "sleeps"]
    assert tokens_of(trained, file, "--word-column", "0") == ["1", "2"]
    assert tokens_of(trained, file, "--word-column", "-2") == ["Ann", "sleeps"]
    assert tokens_of(bundles["tagging"], file) == ["1", "2"]  # a bundle that does not say
    assert tokens_of(bundles["tagging"], file, "--word-column", "1") == ["Ann", "sleeps"]


@pytest.mark.parametrize(
    ("name", "content", "options", "parts"),
    [
        ("in.conll", "Ann\n", ["--word-column", "1"], ["line 1", "--word-column 1", "found 1"]),
        ("in.txt", "Ann\n", ["--word-column", "1"], ["--word-column", ".conll"]),
        ("in.conll", "1\t\n2\t\n", ["--word-column", "1"], ["line 1", "column 1", "--word-column"]),
    ],
)
def test_a_wrong_word_column_is_one_line(
    bundles: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str,
    options: list[str],
    parts: list[str],
) -> None:
    (tmp_path / name).write_text(content)
    output = tmp_path / "out.jsonl"
    assert (
        main(["predict", str(bundles["tagging"]), str(tmp_path / name), str(output), *options]) == 2
    )
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert all(part in message for part in parts), message
    assert not output.exists()


def test_help_says_where_words_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "--word-column" in said and "model was trained on" in said


# --- the kind of tags is known from the data set --------------------------------------------

CLASSES = [
    Example(tokens=("a", "film", "runs"), tags=("DET", "B-movie", "VERB")),
    Example(tokens=("films", "run"), tags=("B-movie", "VERB")),
]


@pytest.fixture(scope="module")
def tagger_of_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classes")
    bundle = write_untrained(folder, "tagging", "tagged", CLASSES, {"output": "crf"})
    return with_card(bundle, folder, entities=False)


def test_classes_that_look_like_entities_predict_none(tagger_of_classes: Path) -> None:
    bundle = Bundle.open(tagger_of_classes)
    assert not bundle.entities
    [prediction] = Predictor.of(bundle).predict(["a film"])
    assert "entities" not in prediction
    assert set(prediction["tags"]) <= set(bundle.labels)


def test_bundles_that_do_not_say_go_by_the_names_of_tags(bundles: dict[str, Path]) -> None:
    assert Bundle.open(bundles["tagging"]).entities
    assert not Bundle.open(bundles["classification"]).entities
