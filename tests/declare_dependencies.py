"""Write the code that each DVC stage reaches into the DVC files.

Run ``python tests/declare_dependencies.py`` after a module or an import was added;
``test_dependencies.py`` says when that is due.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from test_dependencies import ONLY_SHOWN, PROJECT, STAGES, files_of, graph, modules_of_stages


def reached(stage: str) -> list[str]:
    """What a stage depends on: folders of which it reaches every file, and single files."""
    files = graph().files(modules_of_stages()[stage], stage)
    files -= {file for of, file in ONLY_SHOWN if of == stage}
    folders = {str(p) for file in files for p in (PROJECT / file).relative_to(PROJECT).parents}
    whole: set[str] = set()
    for folder in sorted(folders - {".", "nlp_rnn"}, key=len):
        if (inside := files_of(folder)) and inside <= files:
            whole.add(folder)
            files -= inside
    return sorted(whole | files)


def declared(pipeline: str) -> Iterator[str]:
    """The lines of a DVC file, with the dependencies on code of each stage written anew."""
    stages = {stage for file, stage in STAGES if file == pipeline}
    pending: str | None = None
    for line in (PROJECT / pipeline).read_text(encoding="utf-8").split("\n"):
        heading = re.fullmatch(r"  (\w+):", line)
        if heading and heading[1] in stages:
            pending = heading[1]
        entry = re.match(r"( +)- nlp_rnn/", line)
        if entry is None:
            yield line
        elif pending is not None:
            yield from (f"{entry[1]}- {dependency}" for dependency in reached(pending))
            pending = None


if __name__ == "__main__":
    for name in sorted({file for file, _ in STAGES}):
        lines = list(declared(name))
        (PROJECT / name).write_text("\n".join(lines), encoding="utf-8")
