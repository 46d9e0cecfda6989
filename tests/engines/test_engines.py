"""Prediction by Spark and by Ray: every row once, whatever dies; and what is refused before."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlp_rnn.cli import main

ROWS = 240
TEXTS = ["not bad at all" + " , good" * (i % 7) for i in range(ROWS)]


def missing(engine: str) -> str | None:
    """Why an engine cannot run here."""
    if importlib.util.find_spec("pyspark" if engine == "spark" else "ray") is None:
        return f"{engine} is not installed: its extra is large, and dev leaves it out"
    if engine == "spark" and not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        return "Spark needs Java"
    return None


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """A cluster of two worker processes on this machine, with a core each."""
    if reason := missing("spark"):
        pytest.skip(reason)
    import sys

    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local-cluster[2,1,1024]")
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.pyspark.python": sys.executable,
        "spark.executorEnv.PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "spark.executorEnv.SPARK_LOCAL_IP": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        for name, value in settings.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        yield session
        session.stop()


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """A cluster of two workers on this machine."""
    if reason := missing("ray"):
        pytest.skip(reason)
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four files of Parquet with an id, a text and a number; every sixtieth text is null."""
    folder = tmp_path_factory.mktemp("parts")
    for part in range(4):
        rows = range(part * ROWS // 4, (part + 1) * ROWS // 4)
        columns = {
            "id": [f"r{i}" for i in rows],
            "text": [None if i % 60 == 7 else TEXTS[i] for i in rows],
            "stars": list(rows),
        }
        pq.write_table(pa.table(columns), folder / f"part-{part}.parquet", row_group_size=15)
    return folder


def predictions(folder: Path) -> pa.Table:
    """All rows of an output, by their id."""
    return pq.read_table(folder).sort_by("id")


def rejected(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "_rejected").glob("part-*"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def check_every_row_once(output: Path, parts: Path, bundle: Path, tmp_path: Path) -> None:
    """The rows with a text have the predictions of the command for one file."""
    assert (output / "_SUCCESS").exists()
    null = {f"r{i}" for i in range(ROWS) if i % 60 == 7}
    assert sorted(row["id"] for row in rejected(output)) == sorted(null)
    whole = pq.read_table(sorted(parts.glob("*.parquet")))
    pq.write_table(whole.filter(whole["text"].is_valid()), tmp_path / "all.parquet")
    files = [str(tmp_path / name) for name in ("all.parquet", "local.parquet")]
    assert main(["predict", str(bundle), *files]) == 0
    expected = predictions(tmp_path / "local.parquet")
    found = predictions(output)
    assert found.column_names == expected.column_names
    for name in ("id", "text", "stars", "label"):
        assert found[name].to_pylist() == expected[name].to_pylist()
    for one, other in zip(found["probabilities"], expected["probabilities"], strict=True):
        assert dict(one.as_py()) == pytest.approx(dict(other.as_py()), abs=1e-6)
    assert [file.name for file in output.parent.iterdir() if ".partial" in file.name] == []


@pytest.mark.slow
def test_spark_gives_every_row_once_though_a_worker_is_killed(
    spark: Any,
    bundles: dict[str, Path],
    parts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The Java process of a worker is killed, and with it all results that it holds."""
    from nlp_rnn.engines import partition
    from nlp_rnn.engines import spark as engine

    died = tmp_path / "died"

    def dies_once(predictor: Any, work: Any, batch: Any) -> Iterator[Any]:
        if "r200" in batch.column("id").to_pylist() and not died.exists():
            died.touch()
            parent = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1]
            os.kill(int(parent), signal.SIGKILL)
        yield from partition.predict_batch(predictor, work, batch)

    monkeypatch.setattr(engine, "predict_batch", dies_once)
    bundle, output = bundles["classification"], tmp_path / "out"
    arguments = ["predict", str(bundle), str(parts / "part-*.parquet"), str(output)]
    assert main([*arguments, "--engine", "spark", "--id-column", "id"]) == 0
    assert died.exists()
    check_every_row_once(output, parts, bundle, tmp_path)


@pytest.mark.slow
def test_ray_gives_every_row_once_though_a_worker_is_killed(
    ray: Any,
    bundles: dict[str, Path],
    parts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from nlp_rnn.engines import ray as engine

    died, usual = tmp_path / "died", engine._predict

    def dies_once(rows: pa.Table, **given: Any) -> Iterator[pa.Table]:
        if "r200" in rows.column("id").to_pylist() and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield from usual(rows, **given)

    monkeypatch.setattr(engine, "_predict", dies_once)
    for size in ("TASK_ROWS", "CHUNK"):  # small, for several tasks
        monkeypatch.setattr(engine, size, ROWS // 4)
    bundle, output = bundles["classification"], tmp_path / "out"
    arguments = ["predict", str(bundle), str(parts / "part-*.parquet"), str(output)]
    assert main([*arguments, "--engine", "ray", "--id-column", "id"]) == 0
    assert died.exists()
    assert len(list(output.glob("*.parquet"))) > 1, "several tasks"
    check_every_row_once(output, parts, bundle, tmp_path)


LINES = [
    '{"text": "good", "n": 1}',
    "{broken",
    "",
    '{"text": "a\u2028bad film", "n": [2]}',
    '{"text": 5}',
]
TABLE = 'n,text\n1,good\n2,"a\nbad film"\n3\n4,\n'


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["spark", "ray"])
def test_lines_and_tables_keep_their_columns(
    engine: str, bundles: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(engine)
    (tmp_path / "in.jsonl").write_text("\n".join(LINES), encoding="utf-8")
    (tmp_path / "in.csv").write_text(TABLE, encoding="utf-8")
    bundle = str(bundles["tagging"])
    places = {
        str(tmp_path / "in.jsonl"): str(tmp_path / "in.jsonl.out"),
        f"file://{tmp_path}/i*.csv": f"file://{tmp_path}/in.csv.out",  # as in an object store
    }
    for place in places.items():
        assert main(["predict", bundle, *place, "--engine", engine]) == 0
    assert main(["predict", bundle, *place, "--engine", engine]) == 2, "it exists"

    def records(name: str) -> list[dict[str, Any]]:
        files = (tmp_path / f"{name}.out").glob("part-*")
        lines = [line for file in files for line in file.read_bytes().split(b"\n") if line]
        found = [json.loads(line) for line in lines]
        assert len({record["row_id"] for record in found}) == len(found)
        return sorted(found, key=lambda record: str(record["n"]))

    one, two = records("in.jsonl")
    assert (one["text"], one["n"], one["tokens"]) == ("good", 1, ["good"])
    assert (two["text"], two["n"]) == ("a\u2028bad film", [2])
    assert len(rejected(tmp_path / "in.jsonl.out")) == 2
    of_table = records("in.csv")
    assert [row["text"] for row in of_table] == ["good", "a\nbad film", ""]
    assert [row["n"] for row in of_table] == ["1", "2", "4"]
    (fault,) = rejected(tmp_path / "in.csv.out")
    assert "as many fields" in fault["reason"]


# --- what is refused --------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"input": "none-*.parquet"}, "matches no file"),
        ({"input": "none.parquet"}, "no such file"),
        ({"input": "."}, "is a folder"),
        ({"input": "*"}, "several formats"),
        ({"input": "a.txt"}, "engines read"),
        ({"output": "a.txt"}, "exists"),
        ({"output": "a.txt/inner"}, "cannot be written"),
        ({"model": "nowhere"}, "nowhere"),
        ({"--id-column": "key"}, "no column 'key' (--id-column)"),
        ({"--text-column": "body"}, "body"),
        ({"--format": "csv"}, "engines write parquet or jsonl"),
        ({"--offsets": "utf16"}, "omit it"),
        ({"--word-column": "1"}, "omit it"),
        ({"--n-best": "3"}, "--n-best"),
    ],
)
@pytest.mark.parametrize("engine", ["spark", "ray"])
def test_a_mistake_is_one_line_before_an_engine_starts(
    engine: str,
    changed: dict[str, str],
    message: str,
    bundles: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("nlp_rnn.engines.require", lambda *names: None)
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table({"text": ["good"]}), "a.parquet")
    Path("a.txt").write_text("good\n")
    values = {"model": str(bundles["classification"]), "input": "a.parquet", "output": "out"}
    values |= changed
    options = [part for name in values if name[0] == "-" for part in (name, values[name])]
    places = [values[name] for name in ("model", "input", "output")]
    assert main(["predict", *places, "--engine", engine, *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.parquet", "a.txt"]


@pytest.mark.parametrize(("engine", "module"), [("spark", "pyspark"), ("ray", "ray")])
def test_an_engine_that_is_not_installed_is_named_with_its_extra(
    engine: str,
    module: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    usual = importlib.util.find_spec
    absent = lambda name, *more: None if name == module else usual(name, *more)  # noqa: E731
    monkeypatch.setattr("nlp_rnn.extras.importlib.util.find_spec", absent)
    places = [str(tmp_path / name) for name in ("model", "in.parquet", "out")]
    assert main(["predict", *places, "--engine", engine]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"needs {module}" in line and f"[{engine}]" in line


def test_an_unknown_engine_and_an_id_without_an_engine(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["predict", "model", "in.parquet", "out", "--engine", "flink"])
    assert stopped.value.code == 2
    assert "spark" in capsys.readouterr().err
    assert main(["predict", "model", "in.parquet", "out", "--id-column", "id"]) == 2
    assert "--id-column: is for --engine" in capsys.readouterr().err
