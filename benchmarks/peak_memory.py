"""Show that memory does not grow with the input, in preparation and in prediction.

It writes a CSV of labelled texts of the given size into a temporary folder, prepares it as a data
set, predicts for it with a bundle, and samples the resident memory of both processes:

    python benchmarks/peak_memory.py --megabytes 1000 --model models/sentiment-bilstm
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

PROJECT = Path(__file__).resolve().parents[1]
SYLLABLES = [onset + vowel for onset in "bdfgklmnprst" for vowel in "aeiou"]

PARAMETERS = """
datasets:
  big:
    source: files
    format: csv
    train: big.csv
    vocabulary: {size: 20000}
"""


def _bar(megabytes: int) -> tqdm[Any]:
    return tqdm(total=megabytes, unit="MB", disable=not sys.stderr.isatty())


def write_texts(file: Path, megabytes: int) -> int:
    """Write labelled texts of 20 to 100 words until the file has its size; returns their number."""
    rng = random.Random(1)
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(50_000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    texts = 0
    with file.open("w", encoding="utf-8") as stream, _bar(megabytes) as bar:
        stream.write("text,label\n")
        while stream.tell() < megabytes * 1_000_000:
            pool = rng.choices(words, weights, k=60_000)
            while len(pool) > 100:
                cut = rng.randint(20, 100)
                stream.write(f"{' '.join(pool[:cut])},{rng.choice(('one', 'other'))}\n")
                pool = pool[cut:]
                texts += 1
            bar.n = min(stream.tell() // 1_000_000, megabytes)
            bar.refresh()
    return texts


def resident(process: int) -> float:
    """The resident memory of a process in MiB (Linux)."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def watch(command: list[str], folder: Path, seconds: float) -> dict[str, float]:
    """Run a command for at most ``seconds``, and sample its memory twice a second."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=os.environ | {"NLP_RNN_DATA": str(folder)})
    samples: list[float] = []
    while process.poll() is None and time.perf_counter() - started < seconds:
        time.sleep(0.5)
        try:
            samples.append(resident(process.pid))
        except FileNotFoundError:
            break
    finished = process.poll() is not None
    process.terminate()
    process.wait()
    filled = [sample for sample in samples if sample] or [0.0]
    return {
        "seconds": time.perf_counter() - started,
        "finished": finished,
        "at_a_tenth_mib": filled[len(filled) // 10],
        "at_the_end_mib": filled[-1],
        "peak_mib": max(filled),
    }


def main() -> None:
    """Measure, and print one JSON object per process."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--megabytes", type=int, default=1000, help="file size in MB (default: 1000)"
    )
    parser.add_argument("--model", type=Path, required=True, help="bundle folder of a classifier")
    parser.add_argument(
        "--seconds", type=float, default=330, help="longest time to watch prediction (default: 330)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = write_texts(folder / "big.csv", options.megabytes)
        (folder / "params.yaml").write_text(PARAMETERS, encoding="utf-8")
        prepare = [sys.executable, str(PROJECT / "pipelines/prepare.py"), "big"]
        predict = [
            sys.executable,
            str(PROJECT / "pipelines/predict.py"),
            str(options.model.resolve()),
            "big.csv",
            "out.csv",
        ]
        for label, command, limit in (
            ("prepare", prepare, float("inf")),
            ("predict", predict, options.seconds),
        ):
            print(json.dumps({"process": label, "texts": texts, **watch(command, folder, limit)}))


if __name__ == "__main__":
    main()
