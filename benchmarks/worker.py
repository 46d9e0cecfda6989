"""A contestant's process: it does one slice of work for each line on standard input.

``python -m benchmarks.worker module:function '{"argument": ...}'``. The function does the
preparation that is not measured and returns the slice. The slice returns metrics, including
``work``, the number of units done. Answers are JSON, one line each.
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
"""The columns of ``/proc/stat`` with busy time: user, nice, system, irq, softirq."""

MESSAGE = 1000
"""The maximum number of characters of a reported error."""


def machine_busy() -> float:
    """The CPU seconds that the whole machine has spent since its start; 0 if unknown."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    except OSError:
        return 0.0
    return sum(int(fields[i]) for i in BUSY_FIELDS) / os.sysconf("SC_CLK_TCK")


def since_start() -> float:
    """The seconds since this process was started."""
    return time.time() - float(os.environ["BENCHMARK_STARTED"])


def timed(slice_: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Do a slice; returns its metrics and those of the process during it.

    ``cores`` and ``others`` are the numbers of cores kept busy by this process and by all others;
    ``peak_mib`` is the largest resident memory since the process started.
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
    os.dup2(2, 1)  # keep output of libraries out of the answers

    def answer(figures: dict[str, Any]) -> None:
        print(json.dumps(figures), file=answers, flush=True)

    module, function = sys.argv[1].split(":")
    try:
        slice_ = getattr(import_module(module), function)(**json.loads(sys.argv[2]))
        answer({"setup": since_start()})
        for _ in sys.stdin:
            answer(timed(slice_))
    except Exception as error:  # e.g. a missing library: the others go on without it
        traceback.print_exc()
        lines = [line.strip() for line in f"{type(error).__name__}: {error}".splitlines()]
        answer({"failure": " ".join(filter(None, lines))[:MESSAGE]})


if __name__ == "__main__":
    main()
