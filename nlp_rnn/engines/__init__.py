"""Batch prediction by engines that spread work over many processes or machines.

:mod:`~nlp_rnn.engines.job` checks the arguments, :mod:`~nlp_rnn.engines.partition` is what a worker
does with a batch, and a module for each engine connects both with its readers and writers.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from nlp_rnn.extras import require
from nlp_rnn.inference.predictor import DEFAULT, Options
from nlp_rnn.inference.reading import AS_TRAINED, Reading
from nlp_rnn.process import log, terminable

Engine = Literal["spark", "ray"]


def predict_files(
    engine: Engine,
    bundle_folder: Path,
    input: str,
    output: str,
    reading: Reading = AS_TRAINED,
    options: Options = DEFAULT,
    format: str | None = None,
    id_column: str | None = None,
) -> None:
    """Predict for every row of one file or many, and write a folder of files, whole or not at all.

    Rows that the model cannot read go to ``OUTPUT/_rejected``, each with its id and the reason.

    Args:
        engine: what runs the workers.
        bundle_folder: a model bundle.
        input: a file, or a pattern such as ``part-*.parquet``, on this machine or at an address.
        output: a folder or an address where nothing is.
        reading: how to read ``input``.
        options: the prediction options.
        format: ``parquet`` or ``jsonl``; None is Parquet for Parquet, and JSON Lines otherwise.
        id_column: the column that names a row; None numbers the rows.

    Raises:
        UserError: an argument or a file is at fault, or the engine fails.
    """
    require("pyarrow", "parquet", f"--engine {engine}")
    if engine == "spark":
        require("pyspark", "spark", "--engine spark")

        from nlp_rnn.engines.spark import run
    else:
        require("ray", "ray", "--engine ray")

        from nlp_rnn.engines.ray import run

    from nlp_rnn.engines.job import open_job

    job = open_job(bundle_folder, input, output, reading, options, format, id_column)
    started = time.perf_counter()
    with terminable():
        rows, rejected = run(job)
    seconds = time.perf_counter() - started
    log(f"{rows:,} rows in {seconds:.1f} s, {rows / seconds:,.0f} rows/s; rejected {rejected:,}")
