"""Batch prediction by Ray Data: its readers, ``map_batches``, and a sink of its own.

See https://docs.ray.io/en/latest/data/api/doc/ray.data.Dataset.map_batches.html.
"""

from __future__ import annotations

import csv
import io
import logging
import posixpath
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_rnn.corpora.dialects import Dialect
from nlp_rnn.corpora.lines import without_bom
from nlp_rnn.engines.job import ANY, SAMPLE, Job, is_remote, keys_of_lines
from nlp_rnn.engines.partition import (
    LINE,
    NUMBER,
    REJECTED,
    WRONG_FIELDS,
    Format,
    Work,
    predict_batch,
    split,
    worker_predictor,
)
from nlp_rnn.errors import UserError
from nlp_rnn.files import whole_folder
from nlp_rnn.inference.items import CHUNK
from nlp_rnn.limits import TEXT_BYTES

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.fs import FileSystem
    from ray.data import Dataset

TASK_ROWS = 16 * CHUNK
"""The number of rows of a task, and so of a file that it writes. Ray reads several small files as
one block, which would be one task."""

SUCCESS = "_SUCCESS"
"""The empty file that is written last, as Spark and Hadoop do."""


def run(job: Job) -> tuple[int, int]:
    """Predict on the cluster at ``RAY_ADDRESS``, or on the cores of this machine.

    Returns:
        The number of rows, and of those that were rejected.
    """
    with _explained(), _cluster(job.bundle) as bundle:
        rows = _read(job)
        work = job.work(_names(rows, job))
        if job.id_column is None:
            from ray.data.expressions import monotonically_increasing_id

            rows = rows.with_column(NUMBER, monotonically_increasing_id())
        parts = rows.repartition(target_num_rows_per_block=TASK_ROWS)
        found = parts.map_batches(
            partial(_predict, work=work, bundle=bundle, run=secrets.token_hex(8)),
            batch_format="pyarrow",
            batch_size=CHUNK,
        )
        with _target(job.output) as (store, folder):
            return _write(found, job, store, folder)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn an error of Ray, or of a worker, into one line."""
    import pyarrow as pa
    from ray.exceptions import RayError

    try:
        yield
    except (RayError, pa.ArrowException, OSError) as error:  # of a worker's UserError, the first
        raise UserError(f"Ray: {_reason(str(error))}; its log says more") from None


def _reason(message: str) -> str:
    """The last line of an error that says what went wrong, other than in Ray.

    >>> _reason("Traceback:\\nKeyError: 'a'\\n\\nray.exceptions.UserCodeException: UDF failed.")
    "KeyError: 'a'"
    """
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"(?!ray\.)[\w.]+(Error|Exception)\b", line)]
    return re.sub(r"^[\w.]*UserError: ", "", (named or lines or ["failed"])[-1])


@contextmanager
def _cluster(bundle: Path) -> Iterator[Path]:
    """The folder of the bundle as workers see it.

    Ray gives every machine a copy of it as the workers' folder. Where a program has started Ray
    itself, as a notebook does, the workers must see the bundle under its own path.
    """
    import ray
    from ray.data import DataContext

    DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if ray.is_initialized():
        yield bundle
        return
    environment = {"working_dir": str(bundle)}
    ray.init(runtime_env=environment, logging_level=logging.ERROR, log_to_driver=False)
    try:
        yield Path()
    finally:
        ray.shutdown()


# --- reading --------------------------------------------------------------------------


def _read(job: Job) -> Dataset:
    """The rows: with the columns of the input, or its lines."""
    import ray

    store, files = _matching(job)
    if job.suffix == ".parquet":
        return ray.data.read_parquet(files, filesystem=store, partitioning=None)
    # Ray's own readers of text and CSV end the job at a bad line, and U+2028 ends a line for them.
    rows = _lines if job.dialect is None else partial(_table, dialect=job.dialect)
    whole = ray.data.read_binary_files(files, filesystem=store)
    return whole.map_batches(rows, batch_format="pyarrow", batch_size=1)


def _lines(files: pa.Table) -> pa.Table:
    """The lines of files that are not blank; only a line feed ends one."""
    import pyarrow as pa

    contents = map(without_bom, files.column("bytes").to_pylist())
    lines = [line for content in contents for line in content.split(b"\n") if line.strip()]
    return pa.table({LINE: pa.array(lines, pa.binary())})


def _table(files: pa.Table, dialect: Dialect) -> pa.Table:
    """The rows of a file of CSV or TSV; one with other fields than the header is marked."""
    import pyarrow as pa

    (content,) = files.column("bytes").to_pylist()
    csv.field_size_limit(TEXT_BYTES.most)
    rows = csv.reader(
        io.StringIO(without_bom(content).decode("utf-8", "replace"), newline=""),
        delimiter=dialect.delimiter,
        quoting=csv.QUOTE_MINIMAL if dialect.quoting == "double" else csv.QUOTE_NONE,
    )
    header = next(rows, [])
    filled = [row for row in rows if row]
    wrong = [None if len(row) == len(header) else dialect.delimiter.join(row) for row in filled]
    cells = [(row + [""] * len(header))[: len(header)] for row in filled]
    columns = {
        name: pa.array([row[i] for row in cells], pa.string()) for i, name in enumerate(header)
    }
    return pa.table(columns | {WRONG_FIELDS: pa.array(wrong, pa.string())})


def _store(name: str) -> tuple[FileSystem, str]:
    """Where a file or address lies, and its path there."""
    from pyarrow.fs import FileSystem, LocalFileSystem

    return FileSystem.from_uri(name) if is_remote(name) else (LocalFileSystem(), name)


def _matching(job: Job) -> tuple[FileSystem, list[str]]:
    """The files, and where they lie; Ray Data itself takes no patterns."""
    from pyarrow.fs import FileSelector, FileType

    store, pattern = _store(job.files[0])
    if not is_remote(job.input) or not set(ANY) & set(pattern):
        return store, [_store(file)[1] for file in job.files]
    folder = pattern[: min(pattern.find(c) for c in ANY if c in pattern)].rpartition("/")[0]
    there = store.get_file_info(FileSelector(folder, recursive=True))
    found = [
        info.path
        for info in there
        if info.type == FileType.File
        and info.path.count("/") == pattern.count("/")
        and fnmatchcase(info.path, pattern)
    ]
    if not found:
        raise UserError(f"{job.input}: matches no file; check the pattern, and put it in quotes")
    return store, sorted(found)


def _names(rows: Dataset, job: Job) -> list[str]:
    """The columns of the input; of JSON Lines, those of the first lines."""
    if job.suffix == ".jsonl":
        return keys_of_lines(row[LINE] for row in rows.take(SAMPLE))
    found = rows.schema()
    return [] if found is None else [name for name in found.names if name != WRONG_FIELDS]


# --- predicting -----------------------------------------------------------------------


def _predict(rows: pa.Table, work: Work, bundle: Path, run: str) -> Iterator[pa.Table]:
    """What a worker does with a batch."""
    import pyarrow as pa

    predictor = worker_predictor(bundle.absolute(), work.options, run)
    for batch in rows.combine_chunks().to_batches():
        found = list(predict_batch(predictor, work, batch))
        yield pa.Table.from_batches(found)


# --- writing --------------------------------------------------------------------------


@contextmanager
def _target(output: str) -> Iterator[tuple[FileSystem, str]]:
    """Where to write: a new folder beside the output, or in an object store itself.

    There, a rename copies everything, and ``_SUCCESS`` says that all is there.
    """
    from pyarrow.fs import FileType

    if not is_remote(output):
        with whole_folder(Path(output).absolute()) as partial:
            yield _store(str(partial))
        return
    store, folder = _store(output)
    if store.get_file_info(folder).type != FileType.NotFound:
        raise UserError(f"{output}: exists; name a new folder, which will hold the predictions")
    try:
        yield store, folder
    except BaseException:
        store.delete_dir_contents(folder, missing_dir_ok=True)
        raise


def _write(found: Dataset, job: Job, store: FileSystem, folder: str) -> tuple[int, int]:
    """Write a file for each task, and ``_SUCCESS`` last."""
    sink = _sink(store, folder, job.format)
    found.write_datasink(sink)
    rows, rejected = sink.counts
    if not rows:
        raise UserError(f"{job.input}: holds no texts; expected one or more")
    store.open_output_stream(posixpath.join(folder, SUCCESS)).close()
    return rows, rejected


def _sink(store: FileSystem, folder: str, format: Format) -> Any:
    """What writes the results of a task: its predictions, and its rejected rows beside them.

    A task that runs again, because its worker died, writes files of the same names.
    """
    from ray.data import Datasink

    class Sink(Datasink[tuple[int, int]]):
        counts = (0, 0)

        def write(self, blocks: Iterable[pa.Table], ctx: Any) -> tuple[int, int]:
            return _write_task(blocks, store, folder, f"part-{ctx.task_idx:06}", format)

        def on_write_complete(self, write_result: Any) -> None:
            counts = write_result.write_returns
            self.counts = sum(rows for rows, _ in counts), sum(rejected for _, rejected in counts)

    return Sink()


def _write_task(
    blocks: Iterable[pa.Table], store: FileSystem, folder: str, name: str, format: Format
) -> tuple[int, int]:
    """Write the results of a task; returns the number of rows, and of rejected ones."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    results = list(map(split, blocks))
    if not results:
        return 0, 0
    table = pa.concat_tables([kept for kept, _ in results])
    reasons = [line for _, lines in results for line in lines]
    if table.num_rows and format == "parquet":
        store.create_dir(folder)
        pq.write_table(table, posixpath.join(folder, f"{name}.parquet"), filesystem=store)
    elif table.num_rows:
        _write_lines(store, folder, name, table.column("line").to_pylist())
    if reasons:
        _write_lines(store, posixpath.join(folder, REJECTED), name, reasons)
    return table.num_rows + len(reasons), len(reasons)


def _write_lines(store: FileSystem, folder: str, name: str, lines: Iterable[str]) -> None:
    store.create_dir(folder)
    with store.open_output_stream(posixpath.join(folder, f"{name}.jsonl")) as stream:
        for line in lines:
            stream.write(f"{line}\n".encode("utf-8", "backslashreplace"))
