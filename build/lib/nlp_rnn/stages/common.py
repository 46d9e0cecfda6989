"""What several stages need."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_rnn.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nlp_rnn.config import AnyExperiment
    from nlp_rnn.hints import Remedy
    from nlp_rnn.runtime.bundle import Bundle


@contextmanager
def only_one(folder: Path, name: str) -> Iterator[None]:
    """Keep a second training of the same experiment away from its checkpoint."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            yield
    except Timeout:
        raise UserError(
            f"{folder}: another process is training {name}; wait for it, or end it"
        ) from None


def check_parameters(bundle: Bundle, experiment: AnyExperiment, remedy: Remedy) -> None:
    """That a bundle was trained with the parameters that the experiment has now."""
    if bundle.experiment.of_training() != experiment.of_training():
        raise UserError(f"{bundle.folder}: was trained with other parameters; {remedy}")
