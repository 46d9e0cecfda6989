"""Batch prediction by Apache Spark: its readers, ``mapInArrow``, its writers.

See https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/api/
pyspark.sql.DataFrame.mapInArrow.html.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_rnn.engines.job import SAMPLE, Job, is_remote, keys_of_lines
from nlp_rnn.engines.partition import (
    LINE,
    NUMBER,
    REJECTED,
    WRONG_FIELDS,
    Work,
    output_schema,
    predict_batch,
    worker_predictor,
)
from nlp_rnn.errors import UserError
from nlp_rnn.files import whole_folder
from nlp_rnn.inference.items import CHUNK

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession


def run(job: Job) -> tuple[int, int]:
    """Predict on the cluster that Spark is configured for, by default the cores of this machine.

    Returns:
        The number of rows, and of those that were rejected.
    """
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        raise UserError("--engine spark: needs Java 17 or later; install it, or set JAVA_HOME")
    from pyspark import StorageLevel

    with _explained(), _session() as spark:
        rows = _read(spark, job)
        found = _predicted(rows, job, _ship(spark, job.bundle)).persist(StorageLevel.DISK_ONLY)
        try:
            with _target(spark, job.output) as target:
                return _write(found, job, target)
        finally:
            found.unpersist()


@contextmanager
def _explained() -> Iterator[None]:
    """Turn an error of Spark, or of a worker, into one line."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException) as error:
        raise UserError(f"Spark: {_reason(str(error))}; its log says more") from None


def _reason(message: str) -> str:
    """The line of an error that says what went wrong: that of Python, or else the first."""
    raised = re.findall(r"^(?:\w+\.)*UserError: (.+)|^(?:Caused by: )(.+)", message, re.M)
    named = next(("".join(match) for match in raised), None)
    return named or next((line.strip() for line in message.splitlines() if line.strip()), "failed")


@contextmanager
def _session() -> Iterator[SparkSession]:
    """The session of a running program, such as a notebook, or a new one that is stopped."""
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    spark = active or SparkSession.builder.appName("nlp-rnn predict").getOrCreate()
    context = spark.sparkContext
    if context.master.startswith("local") and "PYSPARK_PYTHON" not in os.environ:
        context.pythonExec = sys.executable  # otherwise any `python3`, without this package
    try:
        yield spark
    finally:
        if active is None:
            spark.stop()


def _ship(spark: SparkSession, bundle: Path) -> str:
    """Give every worker the bundle, once; returns its name among the files of a worker.

    Spark ships folders as archives only, and takes ours from its own folder, which it removes when
    the session ends: workers that start late fetch it too.
    """
    from pyspark import SparkFiles

    name = f"nlp_rnn-{secrets.token_hex(8)}"
    folder = Path(SparkFiles.getRootDirectory()) / "archives"
    archive = shutil.make_archive(str(folder / name), "zip", bundle)
    spark.sparkContext.addArchive(f"{archive}#{name}")
    return name


# --- reading --------------------------------------------------------------------------


def _read(spark: SparkSession, job: Job) -> DataFrame:
    """The rows: with the columns of the input, or its lines, and a number without an id column."""
    from pyspark.sql import functions

    files = [_address(file) for file in job.files]
    if job.suffix == ".parquet":
        rows = spark.read.parquet(*files)
    elif job.suffix == ".jsonl":
        lines = spark.read.text(files)
        filled = functions.length(functions.trim("value")) > 0
        rows = lines.where(filled).select(functions.col("value").cast("binary").alias(LINE))
    else:
        rows = _read_table(spark, job, files)
    if job.id_column is None:
        rows = rows.withColumn(NUMBER, functions.monotonically_increasing_id())
    cores = spark.sparkContext.defaultParallelism
    return rows if rows.rdd.getNumPartitions() >= cores else rows.repartition(cores)


def _read_table(spark: SparkSession, job: Job, files: list[str]) -> DataFrame:
    """CSV or TSV with texts in all columns; a line with other fields than the header is kept."""
    from pyspark.sql.types import StringType, StructField, StructType

    assert job.dialect is not None
    quoted = job.dialect.quoting == "double"
    reader = spark.read.options(
        header=True,
        sep=job.dialect.delimiter,
        quote='"' if quoted else "",
        escape='"' if quoted else "",
        multiLine=quoted,
        enforceSchema=False,
        columnNameOfCorruptRecord=WRONG_FIELDS,
    )
    names = reader.csv(files[0]).columns
    fields = [StructField(name, StringType()) for name in (*names, WRONG_FIELDS)]
    return reader.schema(StructType(fields)).csv(files).fillna("", names)


def _address(file: str) -> str:
    """A file as Spark takes it: with a scheme, and without characters of a pattern in its name."""
    if is_remote(file):
        return re.sub("^s3://", "s3a://", file)
    return "file://" + re.sub(r"([][{}*?\\])", r"\\\1", file)


# --- predicting -----------------------------------------------------------------------


def _predicted(rows: DataFrame, job: Job, bundle: str) -> DataFrame:
    """Each row with its prediction, or the reason why there is none.

    Args:
        bundle: its name among the files of a worker.
    """
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    work = job.work(_names(rows, job))
    columns = output_schema(job.predictor, work, to_arrow_schema(rows.schema))
    rows.sparkSession.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(CHUNK))
    return rows.mapInArrow(_worker(work, bundle), from_arrow_schema(columns))


def _names(rows: DataFrame, job: Job) -> list[str]:
    """The columns of the input; of JSON Lines, those of the first lines."""
    if job.suffix == ".jsonl":
        return keys_of_lines(bytes(row[LINE]) for row in rows.take(SAMPLE))
    return [name for name in rows.columns if name not in (NUMBER, WRONG_FIELDS)]


def _worker(
    work: Work, bundle: str
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def predict(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import SparkFiles

        predictor = worker_predictor(Path(SparkFiles.get(bundle)), work.options)
        for batch in batches:
            yield from predict_batch(predictor, work, batch)

    return predict


# --- writing --------------------------------------------------------------------------


def _write(found: DataFrame, job: Job, folder: str) -> tuple[int, int]:
    """Write the reasons, then the predictions, whose file ``_SUCCESS`` comes last."""
    from pyspark.sql import functions

    rows, rejected = found.select(functions.count("*"), functions.count(REJECTED)).first() or (0, 0)
    if not rows:
        raise UserError(f"{job.input}: holds no texts; expected one or more")
    reasons = found.select(REJECTED).where(functions.col(REJECTED).isNotNull())
    if rejected:
        reasons.write.text(f"{folder}/{REJECTED}")
    predictions = found.where(functions.col(REJECTED).isNull()).drop(REJECTED)
    writer = predictions.write.mode("append")
    if job.format == "parquet":
        writer.parquet(folder)
    else:
        writer.text(folder)
    return rows, rejected


@contextmanager
def _target(spark: SparkSession, output: str) -> Iterator[str]:
    """The address to write to: a new folder beside the output, or in an object store itself.

    There, a rename copies everything, and ``_SUCCESS`` says that all is there.
    """
    if not is_remote(output):
        with whole_folder(Path(output).absolute()) as partial:
            yield f"file://{partial}"
            _tidy(partial)
        return
    address = _address(output)
    path = spark._jvm.org.apache.hadoop.fs.Path(address)
    store = path.getFileSystem(spark._jsc.hadoopConfiguration())
    if store.exists(path):
        raise UserError(f"{output}: exists; name a new folder, which will hold the predictions")
    try:
        yield address
    except BaseException:
        store.delete(path, True)
        raise


def _tidy(folder: Path) -> None:
    """Name Spark's lines of text after what they are, and remove its hidden checksums."""
    for file in folder.rglob("*"):
        if file.suffix == ".crc":
            file.unlink()
        elif file.suffix == ".txt":
            file.rename(file.with_suffix(".jsonl"))
