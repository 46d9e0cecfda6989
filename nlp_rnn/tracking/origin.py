"""The origin of a run: its code, machine and versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from nlp_rnn.files import read_json
from nlp_rnn.process import processors

_PREDICTION_PACKAGES = ("mlflow", "numpy", "pandas", "pydantic")
_SOURCES_OF_CODE = ("*.py", "*.toml", "*.yaml", "*.yml")


def environment() -> dict[str, Any]:
    """The environment on which results and durations depend: Python, machine, code and packages."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpus": processors(),
        "command": sys.argv,
        **provenance(),
        "packages": installed_packages(),
    }


@cache
def installed_packages() -> dict[str, str]:
    """The version of each installed package, by name; to read them all takes a second."""
    packages = {
        distribution.metadata["Name"]: distribution.version
        for distribution in importlib.metadata.distributions()
    }
    return dict(sorted(packages.items(), key=lambda item: item[0].lower()))


def provenance() -> dict[str, str]:
    """Tags that distinguish runs; unknown ones are omitted."""
    tags = {
        **_git(),
        "dvc.stage": os.environ.get("DVC_STAGE"),
        "dvc.experiment": os.environ.get("DVC_EXP_NAME"),
        "dvc.baseline": os.environ.get("DVC_EXP_BASELINE_REV"),
        "backend": _backend(),
        "python": platform.python_version(),
        "nlp_rnn": package_version("nlp_rnn"),
    }
    return {key: value for key, value in tags.items() if value}


def stage_kind() -> str:
    """The kind of stage: ``train`` for DVC's ``train@sentiment-bilstm``, otherwise the script's
    name."""
    stage = os.environ.get("DVC_STAGE") or Path(sys.argv[0]).stem or "python"
    return stage.partition("@")[0]


def _backend() -> str | None:
    if "keras" in sys.modules:
        return str(sys.modules["keras"].backend.backend())
    return os.environ.get("KERAS_BACKEND")


def _git() -> dict[str, str]:
    """The commit, under the name that MLflow displays, and whether code or settings differ from it.

    Stages constantly rewrite ``dvc.lock`` and metrics, so these do not make a commit dirty.
    """
    commit = _git_output("rev-parse", "HEAD")
    if not commit:
        return {}
    changes = _git_output("status", "--porcelain", "--", *_SOURCES_OF_CODE)
    return {
        "mlflow.source.git.commit": commit,
        "git.dirty": "true" if changes else "false",
    }


def _git_output(*arguments: str) -> str:
    """The output of git; empty if there is no git, no repository or no commit."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def package_version(package: str) -> str | None:
    """The version of an installed package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def requirements(bundle: Path) -> list[str]:
    """Pinned packages that prediction with a bundle needs.

    ``nlp_rnn`` is not among them: it is not on a package index, so its code is stored with the
    model.
    """
    from nlp_rnn.runtime.bundle import DATA_CARD, GRAPH
    from nlp_rnn.text.rules import SubwordTokenizer

    packages = [*_PREDICTION_PACKAGES]
    if (bundle / GRAPH).exists():
        packages.append("onnxruntime")
    else:
        packages += ["keras", _backend() or "tensorflow"]
    if (bundle / SubwordTokenizer.FILE).exists():
        packages.append("tokenizers")
    if (card := bundle / DATA_CARD).exists() and "documents" in read_json(card, "train it again"):
        packages.append("sentencex")
    versions = {package: package_version(package) for package in packages}
    # Suffixes such as "+cpu" name builds that the index does not have.
    return [
        f"{package}=={version.partition('+')[0]}"
        for package, version in versions.items()
        if version
    ]
