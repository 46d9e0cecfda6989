"""Run benchmarks: ``python -m benchmarks training --quick``."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from benchmarks.harness import PROJECT, Report

BENCHMARKS = {
    "training": "tokens a second of training, beside plain PyTorch",
    "convergence": "time to a given validation figure, beside plain PyTorch",
    "prediction": "sentences a second, start to first prediction, words a second of files",
    "growth": "how time and memory grow with data, lengths, vocabulary and units",
    "preparation": "megabytes of text prepared a minute",
    "word_vectors": "reading and learning word vectors, beside gensim",
}


def main() -> None:
    """Run what is asked for, or everything."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure speed and memory side by side, as ratios: tables in Markdown, every "
        "figure in JSON. Leave the machine alone meanwhile.",
        epilog="\n".join(f"{name:<14}{what}" for name, what in BENCHMARKS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="what to measure, see below (default: everything)"
    )
    parser.add_argument("--quick", action="store_true", help="short slices, few rounds")
    parser.add_argument(
        "--output", type=Path, default=PROJECT / "reports/benchmarks", help="folder of the tables"
    )
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="only works whose name contains TEXT"
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
