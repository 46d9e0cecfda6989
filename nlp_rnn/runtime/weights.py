"""Keras's files of weights, which are opened only if they hold nothing but plain arrays.

An HDF5 file may take its arrays from any other file of the machine (external links, external
storage, virtual arrays), and may promise arrays of any size (chunks that are not stored). Keras
writes neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_rnn.config import AnyExperiment, EncoderParameters
from nlp_rnn.errors import UserError

if TYPE_CHECKING:
    import h5py


def check_weights(file: Path, remedy: str) -> int:
    """How many numbers a file of weights holds, all of them stored in the file itself.

    Args:
        remedy: what to do otherwise, for the message.

    Raises:
        UserError: it is no HDF5 file, or leads to other files, or stores less than it promises.
    """
    import h5py

    try:
        with h5py.File(file, "r") as weights:
            return _numbers(weights)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{file}: not a file of weights ({reason}); {remedy}") from None


def _numbers(weights: h5py.File) -> int:
    import h5py

    total, seen, waiting = 0, set(), [weights]
    while waiting:
        group: Any = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"'{name}' is a link, maybe to another file")
            inside = group[name]
            place = h5py.h5o.get_info(inside.id).addr
            if place in seen:
                continue
            seen.add(place)
            if isinstance(inside, h5py.Group):
                waiting.append(inside)
            elif not _is_plain(inside):
                raise ValueError(f"'{name}' is not a plain array in this file")
            else:
                total += int(inside.size)
    return total


def _is_plain(array: Any) -> bool:
    """Whether all bytes of an array lie in its file, as they are."""
    import h5py

    if not isinstance(array, h5py.Dataset) or array.external or array.is_virtual:
        return False
    return bool(
        array.chunks is None
        and array.dtype.kind in "iufb"
        and array.id.get_storage_size() == array.size * array.dtype.itemsize
    )


def fewest_weights(experiment: AnyExperiment, types: int) -> int:
    """A number of weights that the network of an experiment has at least.

    Args:
        types: of its vocabulary.
    """
    model = experiment.model
    units, layers = getattr(model, "units", 1), getattr(model, "layers", 1)
    projected = getattr(getattr(model, "cell", None), "projection", None)
    square = isinstance(model, EncoderParameters) and projected is None
    others = layers - 1 if getattr(model, "last_units", None) else layers
    found = types * experiment.embeddings.dimension + others * units * (units if square else 1)
    if (context := experiment.embeddings.contextual) is not None:
        found += types * context.dimension + 2 * context.layers * 8 * context.dimension**2
    return found
