"""What annotation tools export: read, written, read again; and what each fault says."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nlp_rnn.config import FilesDataset, TokenizerParameters, parse
from nlp_rnn.config.data import CHOICE_FORMATS
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.annotations import (
    AnnotatedText,
    Offsets,
    Span,
    Unit,
    brat,
    choices,
    doccano,
    label_studio,
    prodigy,
    webanno,
)
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.text.annotated import COUNTED, SpanTagger, with_tags
from nlp_rnn.text.entities import entity_spans
from nlp_rnn.text.tokenizers import make_tokenizer

CUT = make_tokenizer(TokenizerParameters()).spans
Words = Sequence[tuple[int, int]]
FORMATS = ("prodigy", "doccano", "label-studio", "brat", "webanno")


def words_of(text: str) -> list[tuple[int, int]]:
    return [(start, end) for _, start, end in CUT(text)]


TEXTS = [
    AnnotatedText("Ann Lee met 🙂 Bo", (Span("PER", 0, 7), Span("PER", 14, 16))),
    AnnotatedText("👩‍👩‍👧 in São Paulo 🙂", (Span("LOC", 9, 18),)),
    AnnotatedText("Zoe\u0308 naps\r\nin New\r\nYork", (Span("PER", 0, 4), Span("LOC", 14, 23))),
    AnnotatedText("one\ttab \\ back [x] a|b _ -> ; *", (Span("X_Y", 15, 18),)),
    AnnotatedText("no entity here", ()),
    AnnotatedText("Rome", (Span("LOC", 0, 4, 0.25),)),
]
EMPTY = AnnotatedText("", ())


def plain(texts: Sequence[AnnotatedText]) -> list[tuple[str, list[tuple[str, int, int]]]]:
    """What tools must keep: no place in a file, no probability."""
    return [(t.text, [(s.type, s.start, s.end) for s in t.spans]) for t in texts]


def write(folder: Path, format: str, texts: Sequence[AnnotatedText], unit: Unit) -> Path:
    """The texts in the form that a tool imports."""
    file = folder / format
    if format == "brat":
        file.mkdir()
        for number, text in enumerate(texts):
            (file / f"{number}.txt").write_bytes(text.text.encode())
            lines = "".join(line + "\n" for line in brat.lines(text, unit))
            (file / f"{number}.ann").write_text(lines, encoding="utf-8")
        return file
    if format == "label-studio":
        tasks = [label_studio.record(text, {}, "mine", unit) for text in texts]
        for task in tasks:  # what a person who accepts a prediction makes of it
            task["annotations"] = [{"result": task["predictions"][0]["result"]}]
        file.write_text(json.dumps(tasks), encoding="utf-8")
        return file
    if format == "webanno":
        document = webanno.Document(unit)
        lines = [*webanno.HEADER]
        for text in texts:
            lines += document.lines(text, words_of(text.text))
        file.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
        return file
    record: Callable[[AnnotatedText], Any] = {
        "prodigy": lambda text: prodigy.record(text, words_of(text.text), {}, unit),
        "doccano": lambda text: doccano.record(text, {}, unit),
    }[format]
    file.write_text("".join(json.dumps(record(text)) + "\n" for text in texts), encoding="utf-8")
    return file


READ = {
    "prodigy": prodigy.read,
    "doccano": doccano.read,
    "label-studio": label_studio.read,
    "brat": brat.read,
    "webanno": webanno.read,
}


@pytest.mark.parametrize("unit", ["characters", "utf16"])
@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_read_back(tmp_path: Path, format: str, unit: Unit) -> None:
    texts = TEXTS if format == "webanno" else [*TEXTS, EMPTY]  # a sentence of it has words
    file = write(tmp_path, format, texts, unit)
    assert plain(list(READ[format](file, "error", unit=unit))) == plain(texts)


SPANS = st.tuples(st.sampled_from(["A", "B-C", "x_y"]), st.integers(0, 40), st.integers(1, 12))
ALPHABET = "ab 🙂é\u0301\r\n\t\\[]|_*;->#"


@given(st.text(ALPHABET, max_size=30), st.lists(SPANS, max_size=4), st.sampled_from(FORMATS))
@settings(max_examples=60, deadline=None)
def test_any_text_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, text: str, spans: Any, format: str
) -> None:
    text = text.replace("\r", " ") if format == "webanno" else text
    words = words_of(text)
    if format == "webanno":
        text = text[words[0][0] : words[-1][1]] if words else "a"
        words = words_of(text)
    found = []
    for type_, first, length in spans:  # of whole words, as a tagger predicts them
        if words:
            first %= len(words)
            last = min(first + length, len(words))
            found.append(Span(type_, words[first][0], words[last - 1][1]))
    found = sorted({(s.start, s.end, s.type): s for s in found}.values(), key=lambda s: s.start)
    annotated = AnnotatedText(text, tuple(found))
    file = write(tmp_path_factory.mktemp("a"), format, [annotated], "utf16")
    (again,) = READ[format](file, "error", unit="utf16")
    assert again.text == text
    assert sorted(plain([again])[0][1]) == sorted(plain([annotated])[0][1])


@given(st.text(ALPHABET, max_size=20))
@settings(max_examples=30, deadline=None)
def test_utf16_offsets_are_those_of_the_encoding(text: str) -> None:
    offsets = Offsets(text, "utf16")
    before = [len(text[:i].encode("utf-16-le", "surrogatepass")) // 2 for i in range(len(text) + 1)]
    assert [offsets.unit(i) for i in range(len(text) + 1)] == before
    assert [offsets.character(unit) for unit in before] == list(range(len(text) + 1))
    assert offsets.length == before[-1]


def test_prodigy_shows_spans_on_tokens_and_leaves_out_what_was_rejected(tmp_path: Path) -> None:
    text = AnnotatedText("Ann Lee, 🙂", (Span("PER", 0, 7, 0.5),))
    record = prodigy.record(text, words_of(text.text), {"meta": {"a": 1}, "spans": [], "id": 3})
    assert record["spans"] == [
        {"start": 0, "end": 7, "token_start": 0, "token_end": 1, "label": "PER", "score": 0.5}
    ]
    assert [token["text"] for token in record["tokens"]] == ["Ann", "Lee", ",", "🙂"]
    assert [token["ws"] for token in record["tokens"]] == [True, False, True, False]
    assert (record["meta"], record["id"]) == ({"a": 1}, 3)
    lines = [
        {"text": "no", "spans": [], "answer": "reject"},
        {"text": "yes", "answer": "accept"},  # Prodigy leaves out spans where nothing is marked
        {"text": "skip", "answer": "ignore", "spans": []},
    ]
    file = tmp_path / "p.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert plain(list(prodigy.read(file, "error"))) == [("yes", [])]


@pytest.mark.parametrize(
    "record",
    [
        {"text": "Ann 🙂", "label": [[0, 3, "PER"]]},
        {"text": "Ann 🙂", "labels": [[0, 3, "PER"]]},
        {"text": "Ann 🙂", "entities": [[0, 3, "PER"]]},
        {
            "text": "Ann 🙂",
            "entities": [{"id": 1, "label": "PER", "start_offset": 0, "end_offset": 3}],
            "relations": [],
        },
    ],
)
def test_every_export_of_doccano_is_read(tmp_path: Path, record: Any) -> None:
    file = tmp_path / "d.jsonl"
    file.write_text(json.dumps(record) + "\n")
    assert plain(list(doccano.read(file, "error"))) == [("Ann 🙂", [("PER", 0, 3)])]


def task(*annotations: Any, text: str = "Ann sleeps") -> dict[str, Any]:
    return {"id": 7, "data": {"text": text}, "annotations": list(annotations)}


def region(start: Any, end: Any, *labels: str, **value: Any) -> dict[str, Any]:
    place = {"start": start, "end": end, "labels": list(labels), **value}
    return {"type": "labels", "from_name": "label", "to_name": "text", "value": place}


def test_label_studio_counts_the_annotation_that_is_true(tmp_path: Path) -> None:
    file = tmp_path / "l.json"
    skipped = {"was_cancelled": True, "result": []}
    relation = {"type": "relation", "from_id": "a", "to_id": "b"}
    first, true = ({"result": [region(0, end, "PER"), relation]} for end in (3, 10))
    tasks = [
        task(skipped, first),
        task(first, {**true, "ground_truth": True}),
        task(skipped),  # nobody labelled it
    ]
    file.write_text(json.dumps(tasks))
    found = plain(list(label_studio.read(file, "error")))
    assert found == [("Ann sleeps", [("PER", 0, 3)]), ("Ann sleeps", [("PER", 0, 10)])]


def test_a_prediction_of_label_studio_has_scores() -> None:
    text = AnnotatedText("Ann met Bo", (Span("PER", 0, 3, 0.9), Span("PER", 8, 10, 0.4)))
    (prediction,) = label_studio.record(text, {"id": "a"}, "tagger")["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("tagger", 0.4)
    assert [each["score"] for each in prediction["result"]] == [0.9, 0.4]
    assert [each["value"]["text"] for each in prediction["result"]] == ["Ann", "Bo"]


def test_types_of_brat_have_no_blanks(tmp_path: Path) -> None:
    annotated = AnnotatedText("Ann fell", (Span("Side Effect", 4, 8),))
    (tmp_path / "a.txt").write_text(annotated.text)
    (tmp_path / "a.ann").write_text("".join(line + "\n" for line in brat.lines(annotated)))
    (found,) = brat.read(tmp_path, "error")
    assert found.spans == (Span("Side_Effect", 4, 8),)


def test_brat_has_parts_and_notes(tmp_path: Path) -> None:
    text = "left and right arm\nof\r\nAnn"
    annotations = (
        "T1\tBODY 0 4;15 18\tleft arm\n"
        "T2\tBODY 9 18\tright arm\nR1\tof Arg1:T1 Arg2:T2\n"
        "T3\tPART 15 18;19 21;23 26\tarm of Ann\n#1\tAnnotatorNotes T2\tsee T1\n"
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_bytes(text.encode())
    (tmp_path / "sub" / "a.ann").write_text(annotations)
    (found,) = brat.read(tmp_path, "error")
    assert (found.text, found.name) == (text, "sub/a")
    assert found.spans == (
        Span("BODY", 0, 18, pieces=((0, 4), (15, 18))),
        Span("BODY", 9, 18),
        Span("PART", 15, 26),  # only white space parts it
    )
    spans = (Span("PART", 15, 26, 0.87654),)
    assert list(brat.lines(AnnotatedText(text, spans))) == [
        "T1\tPART 15 18;19 21;23 26\tarm of Ann",
        "#1\tAnnotatorNotes T1\tprobability 0.8765",
    ]


WEBANNO = """\
#FORMAT=WebAnno TSV 3.3
#T_SP=de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS|PosValue
#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value
#T_RL=webanno.custom.Rel|kind|BT_de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity


#Text=Ms. Haag 😊 plays
#Text=a\\\\b.
1-1\t0-3\tMs.\tNNP\t*[1]|*[2]\tPER[1]|PERpart[2]\t_\t_\t
1-2\t4-8\tHaag\tNNP\t*[1]\tPER[1]\t_\t_\t
1-3\t9-11\t😊\tSYM\t_\t_\t_\t_\t
1-4\t12-17\tplays\tVBD\t_\t_\t_\t_\t
1-4.1\t12-16\tplay\t_\t*\tX\\_Y\t_\t_\t
1-5\t18-22\ta\\\\b.\tNN\t_\t_\t_\t_\t

#Sentence.id=s2
#Text=Rome
2-1\t23-27\tRome\tNNP\tQ220\tLOC\t_\t_\t
"""


def test_webanno_stacks_annotations_and_counts_utf16(tmp_path: Path) -> None:
    file = tmp_path / "w.tsv"
    file.write_text(WEBANNO.replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert plain(list(webanno.read(file, "error"))) == [
        ("Ms. Haag 😊 plays\na\\b.", [("PER", 0, 8), ("PERpart", 0, 3), ("X_Y", 11, 15)]),
        ("Rome", [("LOC", 0, 4)]),
    ]
    pos = list(webanno.read(file, "error", layer=POS))
    assert [span.type for span in pos[1].spans] == ["NNP"]
    assert list(webanno.texts(file, "error")) == ["Ms. Haag 😊 plays\na\\b.", "Rome"]


POS = "de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS|PosValue"


def test_what_is_written_for_inception_is_as_its_guide_says(tmp_path: Path) -> None:
    document = webanno.Document()
    texts = [
        AnnotatedText("Ms. Haag 🙂.", (Span("PER", 0, 8), Span("P|Q", 0, 3))),
        AnnotatedText("  in\nRome ", (Span("LOC", 5, 9),)),
    ]
    words = [[(0, 3), (4, 8), (9, 10), (10, 11)], [(2, 4), (5, 9)]]
    lines = [line for t, w in zip(texts, words, strict=True) for line in document.lines(t, w)]
    assert lines == [
        "",
        "#Text=Ms. Haag 🙂.",
        "1-1\t0-3\tMs.\tPER[1]|P\\|Q[2]\t",
        "1-2\t4-8\tHaag\tPER[1]\t",
        "1-3\t9-11\t🙂\t_\t",
        "1-4\t11-12\t.\t_\t",
        "",
        "#Text=in",
        "#Text=Rome",
        "2-1\t13-15\tin\t_\t",
        "2-2\t16-20\tRome\tLOC[3]\t",
    ]


# --- as tagged sentences --------------------------------------------------------------


def tagged(policy: Any, *spans: Span, text: str = "Ann Lee lives in New York.") -> Any:
    tagger = SpanTagger(CUT, policy)
    example = tagger.example(AnnotatedText(text, spans, "f.jsonl, line 1"))
    counts = {kind: tagger.counts[kind] for kind in COUNTED if tagger.counts[kind]}
    entities = [(" ".join(example.tokens[a:b]), t) for t, a, b in entity_spans(example.tags)]
    return entities, counts


ANN, YORK = Span("PER", 0, 7), Span("LOC", 17, 25)
CASES: dict[str, tuple[tuple[Span, ...], list[tuple[str, str]], list[tuple[str, str]], Any]] = {
    "cuts words": (
        (Span("PER", 1, 6), YORK),
        [("Ann Lee", "PER"), ("New York", "LOC")],
        [("New York", "LOC")],
        {"misaligned": 1},
    ),
    "no word": ((Span("X", 3, 4), ANN), [("Ann Lee", "PER")], [("Ann Lee", "PER")], None),
    "nested": (
        (Span("FIRST", 0, 3), ANN, YORK),
        [("Ann Lee", "PER"), ("New York", "LOC")],
        [("Ann Lee", "PER"), ("New York", "LOC")],
        {"overlapping": 1},
    ),
    "overlapping": (
        (Span("A", 0, 13), Span("B", 4, 16)),
        [("Ann Lee lives", "A")],
        [("Ann Lee lives", "A")],
        {"overlapping": 1},
    ),
    "in parts": (
        (Span("A", 0, 13, pieces=((0, 3), (8, 13))), YORK),
        [("Ann Lee lives", "A"), ("New York", "LOC")],
        [("New York", "LOC")],
        {"discontinuous": 1},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_policy_says_what_happens_to_spans_that_tags_cannot_express(case: str) -> None:
    spans, widened, dropped, kinds = CASES[case]
    for policy, expected in (("widen", widened), ("drop", dropped)):
        entities, counts = tagged(policy, *spans)
        assert entities == expected
        assert counts["spans"] == len(spans)
        assert counts.get("dropped", 0) == len(spans) - len(expected)
        assert kinds is None or kinds.items() <= counts.items()
    with pytest.raises(UserError, match=r"f.jsonl, line 1: the span .* set spans: widen .* drop"):
        tagged("error", *spans)


def test_white_space_at_the_ends_and_repetitions_are_no_fault() -> None:
    entities, counts = tagged("error", Span("PER", 0, 8), Span("LOC", 16, 25), YORK, YORK)
    assert entities == [("Ann Lee", "PER"), ("New York", "LOC")]
    assert counts == {"spans": 4, "repeated": 2, "dropped": 2}


def test_adjacent_entities_stay_apart() -> None:
    entities, _ = tagged("error", Span("PER", 0, 3), Span("PER", 4, 7))
    assert entities == [("Ann", "PER"), ("Lee", "PER")]


def corpus(folder: Path, format: str, file: Path, **keys: Any) -> Any:
    section = {"source": "files", "format": format, "train": f"./{file.name}", **keys}
    section["train"] = str(file)
    dataset = FilesDataset.model_validate(section)
    return with_tags(open_corpus("mine", dataset, folder), dataset)


@pytest.mark.parametrize("format", FORMATS)
def test_training_reads_every_format(tmp_path: Path, format: str) -> None:
    unit: Unit = "utf16" if format == "webanno" else "characters"
    file = write(tmp_path, format, TEXTS, unit)
    found = corpus(tmp_path, format, file)
    examples = list(found.read("train"))
    assert examples[0] == Example(
        tokens=("Ann", "Lee", "met", "🙂", "Bo"), tags=("B-PER", "I-PER", "O", "O", "B-PER")
    )
    assert [len(list(entity_spans(example.tags))) for example in examples] == [2, 1, 2, 1, 0, 1]
    card = found.findings()
    assert (card["entities"], card["scheme"]) == (True, "BIO")
    assert card["spans"]["train"] == dict.fromkeys(COUNTED, 0) | {"spans": 7}
    assert found.provenance()["files"][str(file)]["bytes"] > 0


def test_words_may_be_characters(tmp_path: Path) -> None:
    file = write(tmp_path, "doccano", [AnnotatedText("我住在北京", (Span("LOC", 3, 5),))], "utf16")
    (example,) = corpus(tmp_path, "doccano", file, tokenizer={"unit": "character"}).read("train")
    assert example.tags == ("O", "O", "O", "B-LOC", "I-LOC")


# --- labels of whole texts ------------------------------------------------------------


def chosen(format: str, text: str, labels: list[str]) -> dict[str, Any]:
    """A text with its labels as a tool exports it, each with something that does not count."""
    if format == "prodigy":
        options = [{"id": "good", "text": "Good"}, {"id": "bad", "text": "Bad"}]
        return {"text": text, "options": options, "accept": labels, "answer": "accept"}
    if format == "doccano":
        return {"id": 1, "text": text, "label": labels, "Comments": []}
    choice = {"type": "choices", "from_name": "sentiment", "value": {"choices": labels}}
    return task({"result": [{"type": "rating", "value": {"rating": 3}}, choice]}, text=text)


def write_chosen(folder: Path, format: str, texts: dict[str, list[str]]) -> Path:
    records = [chosen(format, text, labels) for text, labels in texts.items()]
    if format == "prodigy":
        records.append(chosen(format, "unclear", []) | {"answer": "ignore"})
    if format == "label-studio":
        skipped = {"was_cancelled": True, "result": []}
        records.append({"data": {"text": "unclear"}, "annotations": [skipped]})
    file = folder / "labelled"
    lines = [json.dumps(record) + "\n" for record in records]
    file.write_text(json.dumps(records) if format == "label-studio" else "".join(lines))
    return file


@pytest.mark.parametrize("format", CHOICE_FORMATS)
def test_labels_of_whole_texts_are_read(tmp_path: Path, format: str) -> None:
    file = write_chosen(tmp_path, format, {"a film": ["good"], "no film": ["bad"]})
    found = corpus(tmp_path, format, file, kind="labelled")
    assert found.kind == "labelled"
    assert list(found.read("train")) == [
        Example(text="a film", label="good"),
        Example(text="no film", label="bad"),
    ]
    several = write_chosen(tmp_path, format, {"a": ["good"], "b": [], "c": ["good", "bad"]})
    examples = corpus(tmp_path, format, several, kind="labelled").read("train")
    assert [example.labels for example in examples] == [("good",), (), ("good", "bad")]


@pytest.mark.parametrize("format", CHOICE_FORMATS)
def test_a_text_without_its_label_is_named(tmp_path: Path, format: str) -> None:
    file = write_chosen(tmp_path, format, {"a film": ["good"], "no film": []})
    with pytest.raises(UserError, match=r"(line|task) 2: has 0 labels.* give it one label"):
        list(corpus(tmp_path, format, file, kind="labelled").read("train"))


def test_choices_of_one_question_are_read(tmp_path: Path) -> None:
    """Whatever the order in which they were made; choices for a part of the text do not count."""

    def choice(name: str, label: str, **place: int) -> dict[str, Any]:
        return {"type": "choices", "from_name": name, "value": {"choices": [label], **place}}

    part = choice("part", "x", start=0, end=1)
    one, other = choice("sentiment", "good"), choice("topic", "film")
    file = tmp_path / "labelled"
    file.write_text(json.dumps([task({"result": [part, one]}), task({"result": [one]})]))
    read = corpus(tmp_path, "label-studio", file, kind="labelled").read("train")
    assert [example.label for example in read] == ["good", "good"]
    both = [task({"result": [one, other]}), task({"result": [other, one]})]
    file.write_text(json.dumps(both))
    with pytest.raises(UserError, match=r"'sentiment' and 'topic'.*set label_column: topic"):
        list(corpus(tmp_path, "label-studio", file, kind="labelled").read("train"))
    asked = corpus(tmp_path, "label-studio", file, kind="labelled", label_column="topic")
    assert [example.label for example in asked.read("train")] == ["film", "film"]


def test_labels_are_text_as_in_tables(tmp_path: Path) -> None:
    file = write_chosen(tmp_path, "prodigy", {"a": [" good "], "b": [1]})  # type: ignore[list-item]
    read = corpus(tmp_path, "prodigy", file, kind="labelled").read("train")
    assert [example.label for example in read] == ["good", "1"]


def test_what_was_rejected_does_not_say_what_is_marked(tmp_path: Path) -> None:
    rejected = {"text": "a", "spans": [{"start": 0, "end": 1, "label": "X"}], "answer": "reject"}
    file = tmp_path / "labelled"
    records = [rejected, chosen("prodigy", "b", ["good"])]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert choices.are_marked("prodigy", file, "error") == {"texts"}


def test_keys_of_spans_are_not_for_whole_texts(tmp_path: Path) -> None:
    file = write_chosen(tmp_path, "doccano", {"a film": ["good"]})
    with pytest.raises(ValidationError, match="spans is for spans, not for kind: labelled"):
        corpus(tmp_path, "doccano", file, kind="labelled", spans="drop")
    with pytest.raises(ValidationError, match="kind of format brat is 'tagged', not 'labelled'"):
        corpus(tmp_path, "brat", tmp_path, kind="labelled")


# --- faults ---------------------------------------------------------------------------

LINE = '{"text": "Ann", "spans": [%s]}'
FAULTS: list[tuple[str, str, str]] = [
    ("prodigy", LINE % '{"start": 0, "end": 9, "label": "A"}', "line 1: a span from 0 to 9 goes"),
    ("prodigy", LINE % '{"start": 2, "end": 1, "label": "A"}', "line 1: a span from 2 to 1"),
    ("prodigy", LINE % '{"start": -1, "end": 1, "label": "A"}', "line 1: a span from -1 to 1"),
    ("prodigy", LINE % '{"start": 0, "end": 1}', "line 1: a span needs a label"),
    ("prodigy", LINE % '{"start": 0, "end": 1, "label": " "}', "line 1: a span needs a label"),
    ("prodigy", LINE % '{"start": 0, "end": 1, "label": "a\\nb"}', "line 1: the label .*rename"),
    ("prodigy", LINE % '{"start": 0, "end": 1, "label": "\\ud800"}', "line 1: the label .*rename"),
    ("prodigy", LINE % '{"start": "0", "end": 1, "label": "A"}', "line 1: a span's start and end"),
    ("prodigy", LINE % '{"end": 1, "label": "A"}', "found None and 1"),
    ("prodigy", '{"text": "Ann"}', "line 1: expected a key 'spans'"),
    ("prodigy", '{"txt": "Ann", "spans": []}', "no key 'text' .*did you mean 'txt'"),
    ("prodigy", '{"text": "Ann", "spans": [', "line 1, column .*not valid JSON"),
    ("doccano", '{"text": "Ann"}', "line 1: expected a key 'label', 'labels' or 'entities'"),
    ("doccano", '{"text": "Ann", "label": "A"}', "line 1: expected a key 'label'"),
    ("doccano", '{"text": "Ann", "label": [[0, 1]]}', r"line 1: expected a span \[start, end"),
    ("doccano", '{"text": "Ann", "label": [[0, 4, "A"]]}', "goes beyond its text"),
    ("label-studio", '{"data": {"text": "Ann"}}', "expected a list of tasks"),
    ("label-studio", '[{"text": "Ann"}]', "task 1: expected an object with a key 'data'"),
    ("label-studio", json.dumps([task()]), "task 1: has no annotation"),
    ("label-studio", json.dumps([task({"result": [region(0, 99, "A")]})]), "task 1: a span from 0"),
    (
        "label-studio",
        json.dumps([task({"result": [region(0, 3)]})]),
        "task 1: a span needs a label",
    ),
    (
        "label-studio",
        json.dumps([task({"result": [region(1, 4, "A", text="Ann")]})]),
        "covers 'nn ', but is said to be 'Ann'; .* set offsets: utf16",
    ),
    ("label-studio", "[\n{]", "line 2, column 2: not valid JSON"),
    ("webanno", "1-1\t0-3\tAnn", "line 1: expected #FORMAT=WebAnno TSV 3"),
    ("webanno", WEBANNO.replace("0-3\tMs.", "0-x\tMs."), "line 9: expected a token"),
    ("webanno", WEBANNO.replace("#Text=Ms. Haag 😊", "#Text=Ms. Haag :)"), "set offsets: "),
    ("webanno", WEBANNO.replace("23-27", "23-29"), "line 18: a span from 0 to 6 goes beyond"),
    ("webanno", WEBANNO.replace("LOC", "*"), "line 18: a span needs a label"),
    (
        "webanno",
        WEBANNO.replace("ner.type.NamedEntity", "ner.type.Other"),
        "Its layers of spans are .*POS.PosValue, .*Other.identifier.*; set layer to one",
    ),
]


@pytest.mark.parametrize(("format", "content", "says"), FAULTS)
def test_a_fault_names_file_and_line(tmp_path: Path, format: str, content: str, says: str) -> None:
    file = tmp_path / "file"
    file.write_text(content + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=says) as error:
        list(corpus(tmp_path, format, file, spans="drop").read("train"))
    assert str(file) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("format", FORMATS)
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path: Path, format: str) -> None:
    place = write(tmp_path, format, TEXTS, "utf16")
    file = place / "0.ann" if format == "brat" else place
    raw, rng = file.read_bytes(), random.Random(1)
    refused: list[str] = []
    for _ in range(60):
        damaged = bytearray(raw)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(raw))] = rng.choice(b'0"\t\n[]{}|_\\-9\xff')
        file.write_bytes(damaged[: rng.randrange(len(raw))] if rng.random() < 0.2 else damaged)
        try:
            list(corpus(tmp_path, format, place, spans="widen", offsets="utf16").read("train"))
        except UserError as error:
            refused.append(str(error))
    assert 0 < len(refused) < 60
    assert all(len(message.splitlines()) == 1 for message in refused)


@pytest.mark.parametrize(
    ("annotations", "says"),
    [
        ("T1\tPER 0 9\tAnn\n", "a.ann, line 1: a span from 0 to 9 goes beyond"),
        ("T1\tPER\tAnn\n", "a.ann, line 1: expected an entity"),
        ("#1\tx\nT1\tPER 1 3\tAnn\n", "a.ann, line 2: .*covers 'nn', but is said to be 'Ann'"),
        (None, "a.txt: has no a.ann beside it"),
    ],
)
def test_a_fault_of_brat_names_file_and_line(
    tmp_path: Path, annotations: str | None, says: str
) -> None:
    (tmp_path / "a.txt").write_text("Ann")
    if annotations is not None:
        (tmp_path / "a.ann").write_text(annotations)
    with pytest.raises(UserError, match=says):
        list(corpus(tmp_path, "brat", tmp_path).read("train"))


def test_a_folder_is_needed_for_brat_and_a_file_for_others(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Ann")
    with pytest.raises(UserError, match="format brat needs a folder"):
        corpus(tmp_path, "brat", tmp_path / "a.txt")
    with pytest.raises(UserError, match=r"is a folder .*format prodigy is one file"):
        corpus(tmp_path, "prodigy", tmp_path)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"format": "conll", "spans": "drop"}, "spans needs format prodigy"),
        ({"format": "brat", "layer": "a|b"}, "layer needs format webanno"),
        ({"format": "brat", "tokenizer": {"unit": "subword"}}, "spans are of words"),
        ({"format": "brat", "spans": "keep"}, "spans"),
        ({"format": "brats"}, "format"),
    ],
)
def test_keys_must_fit(keys: dict[str, Any], says: str) -> None:
    section = {"source": "files", "train": "x", **keys}
    with pytest.raises(UserError, match=says):
        parse({"datasets": {"mine": section}}, Path("params.yaml"))
