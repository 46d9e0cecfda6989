"""Run benchmarks: ``python -m benchmarks training --quick``."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from benchmarks.harness import PROJECT, Report

BENCHMARKS = {
    "training": "training speed in tokens per second, compared with plain PyTorch",
    "convergence": "time to reach a given validation loss, compared with plain PyTorch",
    "prediction": "sentences per second, time to the first prediction, words per second on files",
    "decoding": "targets per second of an encoder-decoder, compared with plain PyTorch",
    "encoders": "windows and convolutions beside recurrence: accuracy, speed, reach",
    "labelling": "accuracy by the number of labels: active learning beside random choice",
    "gpu": "a GPU in four minutes: training, kernels, bandwidth, prediction; else in miniature",
    "growth": "how time and memory grow with data, lengths, vocabulary, units, labels, experiments",
    "preparation": "megabytes of text prepared per minute",
    "serve": "requests per second and latencies of the server, beside MLflow's",
    "word_vectors": "reading and learning word vectors, compared with gensim",
}


def main() -> None:
    """Run the requested benchmarks, or all of them."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure speed and memory side by side, as ratios: tables in Markdown, every "
        "metric in JSON. Run it on an idle machine.",
        epilog="\n".join(f"{name:<14}{what}" for name, what in BENCHMARKS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="the benchmarks to run, see below (default: all)"
    )
    parser.add_argument("--quick", action="store_true", help="use short slices and few rounds")
    parser.add_argument(
        "--output", type=Path, default=PROJECT / "reports/benchmarks", help="folder for the tables"
    )
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="run only workloads whose name contains TEXT"
    )
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {min(unknown)}; there are {', '.join(BENCHMARKS)}")
    for name in options.names or BENCHMARKS:
        module = import_module(f"benchmarks.{name}")
        module.measure(Report(name, options.output, options.quick), options.only)


if __name__ == "__main__":
    main()
