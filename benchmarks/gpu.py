"""What a GPU gains: one run of about four minutes on a machine that is lent for a moment.

Install what it compares, where a driver for CUDA 12 is::

    pip install -e '.[train,benchmarks]' 'jax[cuda12]' torch

It measures training on JAX and PyTorch beside plain PyTorch, as a share of the device's peak and of
its bandwidth, whether the fused recurrent kernels run and ignore no mask, the epochs a minute of
``ptb-lstm-medium``, and prediction. Without a GPU, it does all of this in miniature, which shows
only that it runs to its end.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Report, Result, Row, Worker, call, number, race, ratio
from benchmarks.works import (
    GATES,
    SEED,
    SENTIMENT,
    TAGGER,
    Work,
    language_model,
    prepared,
    training_flops,
)
from nlp_rnn.config import AnyExperiment, EncoderParameters
from nlp_rnn.process import log
from nlp_rnn.text.prepared import PreparedDataset

REFERENCE = "PyTorch"
OURS = {"jax": "JAX", "torch": "on PyTorch"}
PEAK, BANDWIDTH = "matrix product", "copy"
PTB_TOKENS = 929_589
"""The tokens of an epoch of the Penn Treebank."""
STEPS, BATCH, UNITS = 35, 20, 650


def copy(megabytes: int, repetitions: int) -> Callable[[], dict[str, float]]:
    """A contestant: copies of a large array; its work is the bytes read and written."""
    import torch

    from benchmarks.plain import DEVICE

    source = torch.rand(megabytes * 250_000, device=DEVICE)
    target = torch.empty_like(source)

    def slice_() -> dict[str, float]:
        for _ in range(repetitions):
            target.copy_(source)
        float(target[0])  # wait for a GPU to finish
        return {"work": 8.0 * len(source) * repetitions}

    return slice_


def recurrent_bytes(experiment: AnyExperiment) -> float:
    """The bytes of recurrent kernels that a loop over steps must read to train on one token.

    Every step reads each kernel once forward and once backward, for all rows of the batch; kernels
    that stay in a device's registers are read less.
    """
    model = experiment.model
    assert isinstance(model, EncoderParameters)
    directions = 2 if getattr(model, "bidirectional", False) else 1
    kernels = model.layers * directions * GATES[model.cell.kind] * model.units**2
    return 2 * 4 * kernels / experiment.training.batch_size


def kernels(steps: int, units: int) -> Callable[[], dict[str, float]]:
    """A contestant that looks instead of racing: do masks reach the fused kernels unharmed?

    Its metrics: ``fused``, whether the compiled or profiled program calls a fused recurrent kernel,
    and ``difference``, the largest one between a padded batch and each row alone.
    """
    from nlp_rnn import backend

    backend.select()

    import keras

    from nlp_rnn.layers.bidirectional import Bidirectional
    from nlp_rnn.layers.lstm import LSTM

    keras.utils.set_random_seed(SEED)
    layer = Bidirectional(LSTM(units, return_sequences=True))
    rng = np.random.default_rng(SEED)
    inputs = rng.normal(size=(4, steps, units)).astype("float32")
    lengths = np.array([steps, 1, steps // 2, steps - 1])
    mask = np.arange(steps) < lengths[:, None]

    def outputs(x: Any, real: Any = None) -> np.ndarray:
        return np.asarray(keras.ops.convert_to_numpy(layer(x, mask=real)))

    together = outputs(inputs, mask)
    alone = [outputs(inputs[[i], :length])[0] for i, length in enumerate(lengths)]
    difference = max(
        float(np.abs(together[i, : len(row)] - row).max()) for i, row in enumerate(alone)
    )
    fused = _calls_a_fused_kernel(lambda: layer(inputs, mask=mask))
    return lambda: {"work": 1.0, "fused": float(fused), "difference": difference}


def _calls_a_fused_kernel(run: Callable[[], Any]) -> bool:
    import keras

    if keras.backend.backend() == "jax":
        import jax

        program = jax.jit(lambda: keras.ops.convert_to_tensor(run())).lower().as_text()
        return re.search(r"cudnn|rnn", program) is not None
    import torch

    everything = [torch.profiler.ProfilerActivity.CPU]
    if torch.cuda.is_available():
        everything.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=everything) as profile:
        run()
    names = [event.key for event in profile.key_averages()]
    return any(re.search(r"cudnn_rnn|mkldnn_rnn|aten::lstm", name) for name in names)


def works(miniature: bool) -> list[Work]:
    """What is trained; the second has the shape of ``ptb-lstm-medium``."""
    medium = language_model(UNITS, steps=20).with_model("ptb-lstm-medium", dropout=0.5)
    full = [language_model(200, steps=100), medium, TAGGER, SENTIMENT]
    if not miniature:
        return full
    small = [work.with_model(work.name, units=16, layers=1) for work in full]
    return [
        replace(work, steps=2, text=replace(work.text, examples=200, vocabulary=500))
        for work in small
    ]


def has_gpu() -> bool:
    """Whether PyTorch, the reference, sees a GPU."""
    import torch

    return torch.cuda.is_available()


def measure(report: Report, only: str) -> None:
    """Measure the workloads whose name contains ``only``."""
    miniature = report.quick or not has_gpu()
    if miniature:
        log("in miniature, which shows only that everything runs")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _look_at_kernels(report, miniature)
        peaks = _peaks(report, miniature)
        chosen = [work for work in works(miniature) if only in work.name]
        for work in chosen:
            _train(report, work, prepared(work, folder), peaks, miniature)
        for work in (work for work in chosen if work.text.kind == "tagged"):
            _predict(report, work, folder, miniature)


def _rounds(miniature: bool) -> int:
    return 1 if miniature else 5


def _look_at_kernels(report: Report, miniature: bool) -> None:
    arguments = {"steps": 5, "units": 8} if miniature else {"steps": STEPS, "units": 200}
    workers = [
        Worker(name, "benchmarks.gpu:kernels", arguments, {"KERAS_BACKEND": backend})
        for backend, name in OURS.items()
    ]
    results = race("kernels", workers, rounds=1)
    rows = [
        {
            "": name,
            "a fused kernel runs": "yes" if result.median("fused") else "no",
            "padded batch against rows alone": f"{result.median('difference'):.1e}",
        }
        if result.turns
        else {"": name, "a fused kernel runs": result.failure}
        for name, result in results.items()
    ]
    report.add("Fused kernels, and masks", rows, rows)


def _peaks(report: Report, miniature: bool) -> dict[str, float]:
    """Floating-point operations and bytes a second that the device can do."""
    size = {"size": 256, "repetitions": 2} if miniature else {"size": 8192, "repetitions": 20}
    megabytes = {"megabytes": 8 if miniature else 4_000, "repetitions": 4}
    workers = [
        Worker(PEAK, "benchmarks.plain:matrix_product", size),
        Worker(BANDWIDTH, "benchmarks.gpu:copy", megabytes),
    ]
    results = race("peaks", workers, rounds=_rounds(miniature))
    row = {
        "": "this device",
        "float32 products, GFLOP/s": number(results[PEAK].speed / 1e9),
        "copies, GB/s": number(results[BANDWIDTH].speed / 1e9),
    }
    report.add_race("What the device can do", [row], results)
    return {name: result.speed for name, result in results.items()}


def _train(
    report: Report, work: Work, data: Path, peaks: dict[str, float], miniature: bool
) -> None:
    dataset = PreparedDataset(data)
    flops = training_flops(work.experiment, len(dataset.vocabulary), len(dataset.labels))
    moved = recurrent_bytes(work.experiment)
    arguments = {"work": work.to_json(), "data": str(data)}
    workers = [Worker(REFERENCE, "benchmarks.plain:training", arguments)]
    workers += [
        Worker(name, "benchmarks.training:ours", arguments, {"KERAS_BACKEND": backend})
        for backend, name in OURS.items()
    ]
    results = race(work.name, workers, rounds=_rounds(miniature))

    def row(result: Result) -> Row:
        found = {
            "": result.name,
            "tokens/s": number(result.speed),
            "× PyTorch (quartiles)": ratio(result, results[REFERENCE]),
            "of the peak": f"{result.speed * flops / peaks[PEAK]:.1%}",
            "of the bandwidth": f"{result.speed * moved / peaks[BANDWIDTH]:.1%}",
            "start, s": number(result.setup),
        }
        if work.name == "ptb-lstm-medium":
            found["epochs a minute"] = number(60 * result.speed / PTB_TOKENS)
        return found

    rows = [row(result) for result in results.values()]
    report.add_race(f"Training: {work.name}", rows, results, flops_a_token=flops)


def _predict(report: Report, work: Work, folder: Path, miniature: bool) -> None:
    data, bundle = prepared(work, folder), folder / "bundle"
    call(
        "benchmarks.prediction:write",
        {"KERAS_BACKEND": "jax"},
        work=work.to_json(),
        data=str(data),
        target=str(bundle),
        int8=str(folder / "int8"),
    )
    common = {"data": str(data), "size": 64 if miniature else 6_400}
    ours = "benchmarks.prediction:ours", common | {"bundle": str(bundle)}
    workers = [
        Worker(REFERENCE, "benchmarks.prediction:plain", common | {"work": work.to_json()}),
        Worker("ONNX Runtime, processor", *ours),
        *(
            Worker(f"Keras {name}", ours[0], ours[1] | {"keras": True}, {"KERAS_BACKEND": backend})
            for backend, name in OURS.items()
        ),
    ]
    results = race(f"predict: {work.name}", workers, rounds=_rounds(miniature))
    rows = [
        {
            "": result.name,
            "sentences/s": number(result.speed),
            "× PyTorch (quartiles)": ratio(result, results[REFERENCE]),
        }
        for result in results.values()
    ]
    report.add_race(f"Prediction: {work.name}", rows, results)
