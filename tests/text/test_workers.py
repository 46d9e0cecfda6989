"""Preparation by several processes: the files of one, byte for byte, in order, or one line."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers.corpora import ListCorpus
from nlp_rnn.config import TokenizerParameters, VocabularyParameters
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example, Kind
from nlp_rnn.text import workers
from nlp_rnn.text.prepared import prepare
from nlp_rnn.text.workers import mapped


def examples(kind: Kind) -> list[Example]:
    """Each with a word that no other has."""
    draw = random.Random(1)
    words = [f"w{round(draw.expovariate(0.01))}" for _ in range(20_000)]
    made = []
    for i in range(650):
        some = [*draw.choices(words, k=draw.randrange(9)), f"only{i}"]
        if kind == "tagged":
            made.append(Example(tokens=tuple(some), tags=tuple("OX"[len(w) % 2] for w in some)))
        elif kind == "pairs":
            made.append(Example(text=" ".join(some), target=" ".join(some[::-1])))
        else:
            made.append(Example(text=" ".join(some), label="ab"[i % 2]))
    return made


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "unit"), [("labelled", "subword"), ("tagged", "auto")])
def test_several_processes_write_the_same_files(
    kind: Kind, unit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = examples(kind)
    corpus = ListCorpus(kind, train=made, validation=made[:20], test=made[20:40])
    tokenizer = TokenizerParameters.model_validate({"unit": unit})
    monkeypatch.setattr(workers, "CHUNK", 100)
    for processors in (1, 2):
        monkeypatch.setattr(workers, "processors", lambda n=processors: n)
        monkeypatch.setattr(workers, "ALONE", 3000)  # passed by training alone
        prepare("d", corpus, tokenizer, VocabularyParameters(size=300), tmp_path / f"{processors}")
    one, two = (
        {file.name: file.read_bytes() for file in (tmp_path / folder).iterdir()}
        for folder in ("1", "2")
    )
    assert one == two


def _texts(chunk: Sequence[Example]) -> list[str]:
    return [example.text for example in chunk]


@dataclass
class Killed:
    """Ends every process but that of the test."""

    parent: int

    def __call__(self, chunk: Sequence[Example]) -> None:
        if os.getpid() != self.parent:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_results_keep_the_order_and_belong_to_their_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "ALONE", 0)
    monkeypatch.setattr(workers, "CHUNK", 3)
    made = [Example(text=f"{i}") for i in range(100)]
    found = list(mapped(_texts, iter(made)))
    assert [example for chunk, _ in found for example in chunk] == made
    assert all(texts == _texts(chunk) for chunk, texts in found)
    assert list(mapped(_texts, [])) == []


def test_a_chunk_of_long_texts_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CHUNK_CHARACTERS", 10)
    made = [Example(text="x" * 4) for _ in range(7)]
    assert [len(chunk) for chunk, _ in mapped(_texts, made)] == [3, 3, 1]


@pytest.mark.slow
def test_a_worker_that_is_killed_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "ALONE", 0)
    monkeypatch.setattr(workers, "CHUNK", 1)
    monkeypatch.setattr(workers, "processors", lambda: 2)
    with pytest.raises(UserError, match="a worker process was ended from outside"):
        list(mapped(Killed(os.getpid()), [Example(text="a"), Example(text="b"), Example(text="c")]))
