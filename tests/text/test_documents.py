"""Documents cut into sentences: their places, their tags, the splits that they go to."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_rnn.config import FilesDataset, SplitParameters, TokenizerParameters, parse
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.annotations import AnnotatedText, Span, webanno
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.splits import with_all_splits
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS
from nlp_rnn.text.annotated import OF_DOCUMENTS, SpanTagger, with_tags
from nlp_rnn.text.documents import LONGEST, sentence_splitter
from nlp_rnn.text.entities import entity_spans
from nlp_rnn.text.tokenizers import make_tokenizer

CUT = make_tokenizer(TokenizerParameters()).spans
ENGLISH = sentence_splitter("en")
DOCUMENT = "Dr. Lee met 🙂 Ann Lee. She\nlives in Rome!\n\n  Bo left at 3.15. Really? "
SENTENCES = ["Dr. Lee met 🙂 Ann Lee.", "She\nlives in Rome!", "Bo left at 3.15.", "Really?"]


def texts(document: str, language: str = "en") -> list[str]:
    return [document[start:end] for start, end in sentence_splitter(language)(document)]


def test_sentences_have_their_places_in_the_document() -> None:
    assert texts(DOCUMENT) == SENTENCES
    assert texts("これは文です。次の文です。", "ja") == ["これは文です。", "次の文です。"]
    assert texts("A word. One \ud800 half. End.") == ["A word.", "One \ud800 half.", "End."]
    assert texts("") == texts(" \n\n\t ") == []


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='ab A.!?"()\n\t\r🙂\u0301。1,\ud800', max_size=120))
def test_sentences_hold_every_visible_character_once(document: str) -> None:
    places = ENGLISH(document)
    assert all(start < end for start, end in places)
    assert all(before[1] <= after[0] for before, after in pairwise(places))
    inside = "".join(document[start:end] for start, end in places)
    assert "".join(inside.split()) == "".join(document.split())


def test_no_sentence_is_too_long_and_the_length_of_a_document_changes_none() -> None:
    long = ENGLISH("word " * LONGEST)
    assert max(end - start for start, end in long) <= LONGEST
    assert sum(end - start + 1 for start, end in long) == 5 * LONGEST
    assert max(end - start for start, end in ENGLISH("x" * 3 * LONGEST)) == LONGEST
    many = "She met Ann in Rome at noon. Nobody else was there, I am told! " * 500
    assert texts(many) == texts(many[:63]) * 500


# --- as tagged sentences --------------------------------------------------------------


def tagged(text: str, *spans: Span, policy: Any = "error") -> Any:
    tagger = SpanTagger(CUT, policy, ENGLISH)
    found = list(tagger.examples(AnnotatedText(text, spans, "f.jsonl, line 1")))
    entities = [[(" ".join(e.tokens[a:b]), t) for t, a, b in entity_spans(e.tags)] for e in found]
    return [len(e.tokens) for e in found], entities, tagger.counts


def test_entities_go_to_their_sentences() -> None:
    lengths, entities, counts = tagged(DOCUMENT, Span("PER", 14, 21), Span("LOC", 36, 40))
    assert lengths == [len(CUT(sentence)) for sentence in SENTENCES]
    assert entities == [[("Ann Lee", "PER")], [("Rome", "LOC")], [], []]
    assert [counts[kind] for kind in OF_DOCUMENTS] == [1, 4, 0]


def test_sentences_that_an_entity_crosses_are_joined() -> None:
    text = "We like Hello World. Inc of Rome. It is big. So what."
    lengths, entities, counts = tagged(text, Span("ORG", 8, 24), Span("LOC", 28, 32))
    assert lengths == [9, 4, 3]
    assert entities[0] == [("Hello World . Inc", "ORG"), ("Rome", "LOC")]
    assert [counts[kind] for kind in OF_DOCUMENTS] == [1, 3, 1]
    whole = tagged(text, Span("A", 0, len(text)), Span("ORG", 8, 24), policy="drop")
    assert (whole[0], whole[2]["joined"], whole[2]["dropped"]) == ([16], 3, 1)


def test_a_span_that_is_left_out_joins_nothing() -> None:
    text = "Ann met Bo. Then Cy left. The end."
    in_parts = Span("PER", 0, 19, pieces=((0, 3), (17, 19)))
    assert tagged(text, in_parts, policy="drop")[0] == [4, 4, 3]
    assert tagged(text, in_parts, policy="widen")[1] == [[("Ann met Bo . Then Cy", "PER")], []]
    with pytest.raises(UserError, match=r"line 1: the span 'The e' from 26 to 31 \(X\) cuts"):
        tagged(text, Span("X", 26, 31))


def test_adjacent_entities_at_a_border_stay_apart() -> None:
    assert tagged("I see Ann. Bo left.", Span("PER", 6, 10), Span("PER", 11, 13))[1] == [
        [("Ann .", "PER")],
        [("Bo", "PER")],
    ]


def documents(folder: Path, rows: list[tuple[str, list[Any]]], **keys: Any) -> Corpus:
    file = folder / "documents.jsonl"
    file.write_text("".join(json.dumps({"text": t, "label": s}) + "\n" for t, s in rows))
    section = {"source": "files", "format": "doccano", "train": str(file), **keys}
    dataset = FilesDataset.model_validate({"unit": "document", **section})
    return with_tags(open_corpus("mine", dataset, folder), dataset)


def test_a_document_stays_in_one_split_and_the_card_counts_it(tmp_path: Path) -> None:
    rows = [(f"Ann saw Rome{i}. Bo left it. Nobody did{i}.", [[0, 3, "PER"]]) for i in range(20)]
    corpus = documents(tmp_path, [*rows, rows[0], ("  ", [])], language="de")
    whole = with_all_splits(corpus, SplitParameters(validation=0.2, test=0.2), seed=3)
    found = {
        split: {
            word
            for example in whole.read(split)
            for word in example.tokens
            if word[-1:] in "0123456789"
        }
        for split in SPLITS
    }
    numbers = {split: {word.lstrip("Romedi") for word in words} for split, words in found.items()}
    assert [len(numbers[split]) for split in SPLITS] == [12, 4, 4]
    assert not numbers["train"] & numbers["test"] | numbers["train"] & numbers["validation"]
    assert len(list(whole.read("train"))) + len(list(whole.read("test"))) == 3 * (
        21 - 4 - ("0" in numbers["validation"])
    )
    assert corpus.findings()["documents"] == {
        "language": "de",
        "splits": {"train": {"documents": 22, "sentences": 63, "joined": 0}},
    }
    assert "documents drawn with seed 3" in whole.provenance()["taken_from_train"]["test"]
    with pytest.raises(UserError, match="2 different documents are too few to take a"):
        list(with_all_splits(documents(tmp_path, rows[:2]), SplitParameters(), 1).read("train"))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"format": "csv", "unit": "document"}, "unit needs format prodigy, .* not csv; leave"),
        ({"format": "brat", "language": "de"}, "language needs unit: document; add it"),
        ({"format": "brat", "unit": "document", "language": "German"}, "language"),
        ({"format": "brat", "unit": "sentence"}, "unit"),
    ],
)
def test_keys_must_fit(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        parse({"datasets": {"mine": {"source": "files", "train": "x", **keys}}}, Path("p.yaml"))


def test_sentences_for_inception_stand_where_they_do_in_the_document() -> None:
    document = webanno.Document()
    lines = []
    for text in ("  Ann 🙂. Bo left.\n", "Rome. "):
        sentences = ENGLISH(text)
        spans = (Span("PER", 9, 11),) if "Bo" in text else (Span("LOC", 0, 4),)
        annotated = AnnotatedText(text, spans, sentences=tuple(sentences))
        lines += document.lines(annotated, [(a, b) for _, a, b in CUT(text)])
    assert [line for line in lines if line] == [
        "#Text=Ann 🙂.",
        "1-1\t2-5\tAnn\t_\t",
        "1-2\t6-8\t🙂\t_\t",
        "1-3\t8-9\t.\t_\t",
        "#Text=Bo left.",
        "2-1\t10-12\tBo\tPER[1]\t",
        "2-2\t13-17\tleft\t_\t",
        "2-3\t17-18\t.\t_\t",
        "#Text=Rome.",
        "3-1\t20-24\tRome\tLOC[2]\t",
        "3-2\t24-25\t.\t_\t",
    ]
