"""What a worker of an engine does with a batch, without an engine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlp_rnn.cli import main
from nlp_rnn.engines.partition import (
    LINE,
    NUMBER,
    REJECTED,
    WRONG_FIELDS,
    Format,
    Work,
    output_schema,
    predict_batch,
    split,
    worker_predictor,
)
from nlp_rnn.inference.predictor import DEFAULT, Predictor

TASKS = ("classification", "tagging", "language_modelling", "sequence_to_sequence")
TEXTS = [
    "not bad at all",
    "",
    "good",
    "Ann Lee lives in Rome and the dog barks at the cat",
    "𝔸 film",
]


def work(id_column: str | None = "id", format: Format = "parquet", **changed: Any) -> Work:
    return Work(
        **{
            "text_column": "text",
            "id_column": id_column,
            "format": format,
            "options": DEFAULT,
            "bad_bytes": "error",
            **changed,
        }
    )


def table(texts: Sequence[Any], **more: Any) -> pa.RecordBatch:
    ids = [f"r{i}" for i in range(len(texts))]
    return pa.RecordBatch.from_pydict({"id": ids, "text": pa.array(texts, pa.string()), **more})


def lines(*lines: bytes) -> pa.RecordBatch:
    numbers = [7 * i for i in range(len(lines))]
    return pa.RecordBatch.from_pydict({NUMBER: numbers, LINE: pa.array(lines, pa.binary())})


def outcome(
    predictor: Predictor, work: Work, batch: pa.RecordBatch
) -> tuple[pa.Table, list[dict[str, Any]]]:
    """The predictions of a batch, and its rejected rows."""
    found = pa.Table.from_batches(predict_batch(predictor, work, batch))
    assert found.schema == output_schema(predictor, work, batch.schema)
    kept, reasons = split(found)
    return kept, [json.loads(reason) for reason in reasons]


def records(table: pa.Table) -> list[dict[str, Any]]:
    return [json.loads(line) for line in table.column("line").to_pylist()]


@pytest.fixture(scope="module")
def predictors(bundles: dict[str, Path]) -> dict[str, Predictor]:
    return {task: worker_predictor(bundles[task], DEFAULT) for task in TASKS}


@pytest.mark.parametrize("task", TASKS)
def test_columns_equal_those_of_predict(
    task: str, bundles: dict[str, Path], predictors: dict[str, Predictor], tmp_path: Path
) -> None:
    batch = table(TEXTS, label=pa.array(range(5)))
    pq.write_table(pa.Table.from_batches([batch]), tmp_path / "in.parquet")
    files = [str(tmp_path / name) for name in ("in.parquet", "out.parquet")]
    assert main(["predict", str(bundles[task]), *files]) == 0
    kept, rejected = outcome(predictors[task], work(), batch)
    assert kept.equals(pq.read_table(files[1])), "names, types, order and values"
    assert not rejected


@pytest.mark.parametrize("task", TASKS)
def test_lines_equal_those_of_predict(
    task: str, bundles: dict[str, Path], predictors: dict[str, Predictor], tmp_path: Path
) -> None:
    given = [json.dumps({"text": text, "n": [i]}) for i, text in enumerate(TEXTS)]
    (tmp_path / "in.jsonl").write_text("\n".join(given), encoding="utf-8")
    files = [str(tmp_path / name) for name in ("in.jsonl", "out.jsonl")]
    assert main(["predict", str(bundles[task]), *files]) == 0
    expected = [json.loads(line) for line in Path(files[1]).read_text("utf-8").splitlines()]
    batch = lines(*(line.encode() for line in given))
    kept, _ = outcome(predictors[task], work(None, "jsonl"), batch)
    found = records(kept)
    assert [record.pop("row_id") for record in found] == [0, 7, 14, 21, 28]
    assert found == expected


def test_one_text_alone_gets_what_it_gets_among_many(predictors: dict[str, Predictor]) -> None:
    predictor = predictors["classification"]
    together, _ = outcome(predictor, work(), table(TEXTS))
    for position in range(len(TEXTS)):
        alone, _ = outcome(predictor, work(), table(TEXTS).slice(position, 1))
        (one,), expected = alone.to_pylist(), together.to_pylist()[position]
        assert one["id"] == expected["id"]
        assert dict(one["probabilities"]) == pytest.approx(dict(expected["probabilities"]))


def test_rows_that_cannot_be_read_are_rejected_with_their_reason(
    predictors: dict[str, Predictor],
) -> None:
    batch = lines(
        b'{"id": 1, "text": "good"}',
        b'{"id": 2, "text": null}',
        b'{"id": 3, "text": 5}',
        b'{"id": 4}',
        b"{broken",
        b"[1]",
        b'{"text": "no id"}',
        b'{"id": 5, "text": "\xff"}',
        b'{"id": 6, "text": "\\ud800"}',
        '{"id": 7, "text": "a\u2028b"}'.encode(),
    )
    kept, rejected = outcome(predictors["classification"], work("id", "jsonl"), batch)
    assert [record["id"] for record in records(kept)] == [1, 7]
    reasons = [
        (2, "found null"), (3, "found int 5"), (4, "no key 'text'"), (None, "not valid JSON"),
        (None, "expected a JSON object"), (None, "no key 'id'"), (None, "UTF-8"),
        (6, "invalid escape"),
    ]  # fmt: skip
    assert [row["id"] for row in rejected] == [id for id, _ in reasons]
    for row, (_, reason) in zip(rejected, reasons, strict=True):
        assert reason in row["reason"]
        assert row["input"]


def test_rejected_rows_of_a_table(
    predictors: dict[str, Predictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLP_RNN_TEXT_TOKENS", "3")
    wrong = pa.array([None, None, None, "one,two,three"], pa.string())
    texts = ["good", None, "a bad film . " * 5, None]
    batch = table(texts, **{WRONG_FIELDS: wrong})
    kept, rejected = outcome(predictors["classification"], work(), batch)
    assert kept.column_names[:3] == ["id", "text", "label"]
    assert kept.column("id").to_pylist() == ["r0"]
    assert [row["id"] for row in rejected] == ["r1", "r2", "r3"]
    assert "found null" in rejected[0]["reason"]
    assert "more than 3 tokens" in rejected[1]["reason"]
    assert "as many fields" in rejected[2]["reason"]
    assert rejected[2]["input"] == "one,two,three"


def test_a_text_that_fails_in_the_network_takes_no_other_with_it(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nlp_rnn.errors import UserError

    predictor = Predictor.load(bundles["classification"])
    usual = predictor.predict

    def fails(items: list[str]) -> Any:
        if "bad" in items:
            raise UserError("the graph cannot be computed")
        return usual(items)

    monkeypatch.setattr(predictor, "predict", fails)
    kept, rejected = outcome(predictor, work(), table(["good", "bad", "film"]))
    assert kept.column("id").to_pylist() == ["r0", "r2"]
    assert [(row["id"], row["reason"]) for row in rejected] == [
        ("r1", "the graph cannot be computed")
    ]


def test_a_batch_without_rows_and_one_of_rejected_rows_have_the_columns(
    predictors: dict[str, Predictor],
) -> None:
    predictor = predictors["tagging"]
    kept, rejected = outcome(predictor, work(), table([]))
    assert kept.num_rows == 0 and not rejected
    kept, rejected = outcome(predictor, work(), table([None, None]))
    assert kept.num_rows == 0 and len(rejected) == 2
    assert REJECTED not in kept.column_names
    assert "entities" in kept.column_names


def test_words_of_sentences_stay_lists(predictors: dict[str, Predictor]) -> None:
    words = pa.array([["Ann", "Lee"], ["Rome"]])
    batch = pa.RecordBatch.from_pydict({"id": ["a", "b"], "text": words})
    kept, _ = outcome(predictors["tagging"], work(), batch)
    assert kept.column("text").to_pylist() == kept.column("tokens").to_pylist() == words.to_pylist()


def test_parquet_from_lines_keeps_the_text_and_the_whole_line(
    predictors: dict[str, Predictor],
) -> None:
    batch = lines(b'{"id": 3, "text": "good", "stars": {"n": 5}}')
    kept, _ = outcome(predictors["classification"], work("id"), batch)
    (row,) = kept.to_pylist()
    assert (row["id"], row["text"]) == ("3", "good")
    assert json.loads(row["record"]) == {"id": 3, "text": "good", "stars": {"n": 5}}


def test_a_worker_uses_one_thread(bundles: dict[str, Path]) -> None:
    network: Any = worker_predictor(bundles["classification"], DEFAULT).network
    assert network._threads._max_workers == 1
