"""Run the campaign: ``python -m faults --quick``."""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from faults.kinds import FAULTS, Fault
from faults.project import Project
from nlp_rnn.markdown import markdown_table
from nlp_rnn.process import log

BEFORE_TRAINING = ("baselines", "embed")
"""The stages whose end leaves a project prepared."""


@dataclass(frozen=True)
class Outcome:
    """What became of a project after a fault.

    Attributes:
        fault: its name.
        done: what exactly was done.
        survived: whether the next ``dvc repro`` ended with the same results, leaving nothing over.
        found: what happened instead, or the line that says what to do.
    """

    fault: str
    done: str
    survived: bool
    found: str


def main() -> None:
    """Create the projects, try the faults, write the table."""
    parser = argparse.ArgumentParser(
        prog="python -m faults",
        description="Try faults on a small project: after each, the next `dvc repro` must end with "
        "the figures and the weights of an undisturbed run, and leave nothing half done.",
        epilog="faults: " + "; ".join(fault.name for fault in FAULTS),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults to try (default: all)")
    parser.add_argument("--quick", action="store_true", help="try some faults, once each")
    parser.add_argument("--seed", type=int, default=1, help="decides moments, files and bits")
    parser.add_argument(
        "--output", type=Path, default=Path("reports/faults.md"), help="the table of outcomes"
    )
    options = parser.parse_args()
    if unknown := set(options.names) - {fault.name for fault in FAULTS}:
        parser.error(f"no fault '{min(unknown)}'; see --help")
    usual = [fault for fault in FAULTS if fault.quick or not options.quick]
    chosen = [fault for fault in FAULTS if fault.name in options.names] or usual
    with tempfile.TemporaryDirectory(prefix="nlp_rnn-faults-") as folder:
        outcomes = campaign(Path(folder), chosen, options.quick, random.Random(options.seed))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(table(outcomes) + "\n", encoding="utf-8")
    lost = [outcome for outcome in outcomes if not outcome.survived]
    log(f"{len(outcomes) - len(lost)} of {len(outcomes)} faults survived; see {options.output}")
    raise SystemExit(bool(lost))


def campaign(folder: Path, chosen: list[Fault], quick: bool, rng: random.Random) -> list[Outcome]:
    """Try each fault on a copy of a project in the state where it starts."""
    new = Project.create(folder / "new")
    prepared = new.copied(folder / "prepared")
    for stage in BEFORE_TRAINING:
        prepared.run(["dvc", "repro", stage])
    finished = new.copied(folder / "finished")
    started = time.monotonic()
    ended = finished.repro()
    seconds = time.monotonic() - started
    if ended.status:
        raise SystemExit(f"the undisturbed run failed: {ended.said}")
    log(f"an undisturbed run takes {seconds:.0f} s")
    expected = finished.results()
    starts = {"new": new, "prepared": prepared, "finished": finished}
    outcomes = []
    for fault in chosen:
        for number in range(1 if quick else fault.times):
            project = starts[fault.start].copied(folder / "tried")
            outcome = tried(fault, project, rng, seconds, expected)
            mark = "survived" if outcome.survived else "LOST"
            log(f"{fault.name} {number + 1}: {mark}: {outcome.done}: {outcome.found}")
            outcomes.append(outcome)
            shutil.rmtree(project.folder)
    return outcomes


def tried(
    fault: Fault, project: Project, rng: random.Random, seconds: float, expected: dict[str, str]
) -> Outcome:
    """Disturb a project, then see whether the next ``dvc repro`` makes it whole."""
    done = fault.disturb(project, rng, seconds)
    ended = project.repro()
    if ended.status:
        return Outcome(fault.name, done, False, ended.said)
    results, left = project.results(), project.left_over()
    differ = [name for name in expected | results if expected.get(name) != results.get(name)]
    if differ or left:
        return Outcome(fault.name, done, False, f"differ: {differ[:5]}, left over: {left[:5]}")
    return Outcome(fault.name, done, True, "the same results")


def table(outcomes: list[Outcome]) -> str:
    """How often each fault was tried and survived, with what happened where it was not."""
    rows = []
    for name in dict.fromkeys(outcome.fault for outcome in outcomes):
        of_kind = [outcome for outcome in outcomes if outcome.fault == name]
        lost = [f"{outcome.done}: {outcome.found}" for outcome in of_kind if not outcome.survived]
        survived = str(len(of_kind) - len(lost))
        rows.append((name, str(len(of_kind)), survived, "; ".join(lost).replace("|", "/")))
    return markdown_table(("fault", "tried", "survived", "otherwise"), rows)


if __name__ == "__main__":
    main()
