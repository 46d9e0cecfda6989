"""Bundles of networks that were never trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from helpers.corpora import prepared, same_everywhere
from helpers.experiments import with_units
from nlp_rnn.config import parse
from nlp_rnn.example import TAGGED_KINDS, Example, Kind
from nlp_rnn.text.prepared import PreparedDataset

FORMATS = {
    "labelled": "csv",
    "tagged": "conll",
    "text": "text",
    "pairs": "parallel",
    "roles": "propbank",
    "joint": "parallel",
}
"""A format of each kind of data."""

BESIDE = {"pairs": ["target"], "joint": ["tags", "labels"]}
"""What the files beside the texts hold."""

SHORT = {"beam": 3, "longest_ratio": 0.1, "longest_extra": 6}
"""How networks that were never trained decode, because most of their outputs never end."""


def write_untrained(
    folder: Path,
    task: str,
    kind: Kind,
    examples: list[Example],
    model: dict[str, Any] | None = None,
    scale: float | None = None,
    contextual: dict[str, Any] | None = None,
) -> Path:
    """A bundle of a small network with random weights; ``model`` adds to its parameters.

    Args:
        scale: draw all weights, biases and a CRF's transitions too, from a normal distribution of
            this standard deviation.
        contextual: the parameters of contextual word vectors, if the network reads any.
    """
    from nlp_rnn.models.network import build_network

    dataset = prepared(folder / "data", same_everywhere(kind, examples))
    experiment = parse(
        {
            "datasets": {
                "list": {
                    "source": "files",
                    "train": "x",
                    "format": FORMATS[kind],
                    **{f"train_{side}": side for side in BESIDE.get(kind, [])},
                }
            },
            "experiments": {
                "mine": {
                    "task": task,
                    "dataset": "list",
                    "embeddings": {
                        "kind": "learned",
                        "dimension": 8,
                        "scale": 1.0,
                        "contextual": contextual,
                    },
                    "model": with_units(model or {}, 8),
                    "training": {},
                    **({"decoding": SHORT} if kind == "pairs" else {}),
                }
            },
        },
        Path("params.yaml"),
    ).experiment("mine")
    characters = dataset.characters.types if kind in TAGGED_KINDS else ()
    built = build_network(
        experiment,
        len(dataset.vocabulary),
        dataset.labels,
        characters,
        pairs=dataset.pair_sizes,
        intents=dataset.intents,
    )
    if scale is not None:
        rng = np.random.default_rng(3)
        for weight in built.trainable_variables:
            weight.assign(rng.normal(0, scale, weight.shape))
    write_network(folder / task, experiment, built, dataset)
    return folder / task


def write_network(
    folder: Path,
    experiment: Any,
    network: Any,
    dataset: PreparedDataset,
    figures: dict[str, Any] | None = None,
) -> None:
    """A bundle of a network that a test has built."""
    from nlp_rnn.runtime.bundle import write_bundle

    write_bundle(
        folder,
        name="mine",
        experiment=experiment,
        model=network,
        dataset=dataset,
        provenance={"backend": None},
        figures=figures or {},
    )


def parquet_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file, with mappings, which Arrow gives as pairs, as they are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    maps = [field.name for field in table.schema if pa.types.is_map(field.type)]
    return [row | {name: dict(row[name]) for name in maps} for row in table.to_pylist()]
