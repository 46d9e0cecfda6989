"""One contestant's process: builds it, then does a slice of work for each line on standard input.

``python -m benchmarks.worker module:function '{"argument": ...}'``. The function prepares what is
not to be measured and returns the slice, which returns figures, ``work`` among them: how many
units it did. Answers are JSON, one line each.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

BUSY_FIELDS = (0, 1, 2, 5, 6)
"""Columns of ``/proc/stat`` in which a core computes: user, nice, system, irq, softirq."""

MESSAGE = 1000
"""Most characters of an error that are told."""


def machine_busy() -> float:
    """CPU seconds that the whole machine has spent since it started; 0 where it does not say."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    except OSError:
        return 0.0
    return sum(int(fields[i]) for i in BUSY_FIELDS) / os.sysconf("SC_CLK_TCK")


def since_start() -> float:
    """Seconds since this process was started."""
    return time.time() - float(os.environ["BENCHMARK_STARTED"])


def timed(slice_: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Do a slice; returns its figures and those of the process meanwhile.

    ``cores`` and ``others`` are the cores kept busy by this process and by all others, ``peak_mib``
    the largest resident memory since the process started.
    """
    machine, cpu, started = machine_busy(), time.process_time(), time.perf_counter()
    figures = slice_()
    seconds, own = time.perf_counter() - started, time.process_time() - cpu
    return {
        "seconds": seconds,
        "cores": own / seconds,
        "others": (machine_busy() - machine - own) / seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **figures,
    }


def main() -> None:
    """Serve slices until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer

    def answer(figures: dict[str, Any]) -> None:
        print(json.dumps(figures), file=answers, flush=True)

    module, function = sys.argv[1].split(":")
    try:
        slice_ = getattr(import_module(module), function)(**json.loads(sys.argv[2]))
        answer({"setup": since_start()})
        for _ in sys.stdin:
            answer(timed(slice_))
    except Exception as error:  # a missing library, say: the others go on without this contestant
        traceback.print_exc()
        lines = [line.strip() for line in f"{type(error).__name__}: {error}".splitlines()]
        answer({"failure": " ".join(filter(None, lines))[:MESSAGE]})


if __name__ == "__main__":
    main()
