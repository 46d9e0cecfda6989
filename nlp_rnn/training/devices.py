"""Training on several devices, in one process or in many: what only JAX can do.

A step is one program for all devices (SPMD): parameters are replicated, the rows of a batch are
split, and JAX's compiler adds the sums over devices where the program of one device has sums over
rows. So the program, its dropout masks and its figures are those of the whole batch.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.errors import UserError
from nlp_rnn.text.batches import Batch

SECONDS_TO_MEET = 300.0
"""The longest time that a process waits for the others to start."""

STEPS_TO_AGREE = 50
"""The steps after which several processes agree whether to save within an epoch."""

_processes: list[int] = []
"""The number of this process and of all, once they have met; nothing while training is on one
device."""


def are_used() -> bool:
    """Whether training runs on all devices of all processes, rather than on one."""
    return bool(_processes)


def is_first() -> bool:
    """Whether this is the process that writes, the only one or number 0."""
    return not _processes or _processes[0] == 0


def are_many_processes() -> bool:
    """Whether other processes take part."""
    return bool(_processes) and _processes[1] > 1


def meet(process: int, processes: int, coordinator: str) -> None:
    """Use all devices from now on, and wait until all processes are there.

    It must run before JAX computes anything. A process that waits in vain ends after
    :data:`SECONDS_TO_MEET`, because JAX could not go on in it.

    Args:
        coordinator: host and port at which process 0 listens; unused by a process alone.
    """
    import jax

    if processes > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        alarm = threading.Timer(SECONDS_TO_MEET, _give_up, (process, processes, coordinator))
        alarm.daemon = True
        alarm.start()
        jax.distributed.initialize(
            coordinator,
            processes,
            process,
            initialization_timeout=int(2 * SECONDS_TO_MEET),
            shutdown_timeout_seconds=24 * 60 * 60,  # others wait until process 0 has written
        )
        alarm.cancel()
    _processes[:] = process, processes


def _give_up(process: int, processes: int, coordinator: str) -> None:
    print(
        f"error: process {process} did not meet all {processes} processes at {coordinator} within "
        f"{SECONDS_TO_MEET:.0f} seconds; start all of them, with the address of process 0",
        file=sys.stderr,
        flush=True,
    )
    os._exit(2)


def part() -> None:
    """Wait until all processes are here, then go on without them."""
    import jax

    if are_many_processes():
        jax.distributed.shutdown()
    _processes.clear()


def is_loss_of_another(error: BaseException) -> bool:
    """Whether an error says that another process cannot be reached any more."""
    names = ("Gloo", "NCCL", "CoordinationService", "coordination service", "distributed service")
    return are_many_processes() and any(name in str(error) for name in names)


def broadcast(content: bytes) -> bytes:
    """What process 0 gives, in every process."""
    if not are_many_processes():
        return content
    from jax.experimental.multihost_utils import broadcast_one_to_all

    size = int(broadcast_one_to_all(np.int32(len(content))))
    own = np.frombuffer(content, np.uint8) if is_first() else np.zeros(size, np.uint8)
    return np.asarray(broadcast_one_to_all(own)).astype(np.uint8).tobytes() if size else b""


def agreed(value: Any) -> Any:
    """A JSON-able value of process 0, in every process."""
    return json.loads(broadcast(json.dumps(value).encode())) if are_many_processes() else value


def readable(file: Path) -> Path | io.BytesIO:
    """A file of process 0, in every process; empty if it does not exist."""
    if not are_many_processes():
        return file
    return io.BytesIO(broadcast(file.read_bytes() if is_first() and file.exists() else b""))


def check_same(**values: Any) -> None:
    """That each of some JSON-able values is the same in every process.

    Raises:
        UserError: one differs here.
    """
    for name, value in values.items():
        if agreed(value) != value:
            raise UserError(
                f"process {_processes[0]} has other {name} than process 0; give all processes the "
                "same params.yaml, data and installed packages"
            )


def check_same_arrays(name: str, arrays: Iterable[Any]) -> None:
    """:func:`check_same` of many arrays; it costs nothing where there is only one process."""
    if are_many_processes():
        digest = hashlib.sha256()
        for array in arrays:
            digest.update(np.asarray(array).tobytes())
        check_same(**{name: digest.hexdigest()})


def check_rows(batch_size: int, streams: bool) -> None:
    """That a batch can be split among the devices.

    Args:
        batch_size: the rows of a batch.
        streams: whether each row carries a state, so that no row can be added.

    Raises:
        UserError: there are too few rows, or streams that cannot be split evenly.
    """
    if not are_used():
        return

    import jax

    count = jax.device_count()
    if batch_size < count:
        raise UserError(
            f"training.batch_size: {batch_size} rows cannot be split among {count} devices; set it "
            f"to {count} or more, or use fewer devices"
        )
    if streams and batch_size % count:
        lower = batch_size - batch_size % count
        raise UserError(
            f"training.batch_size: {batch_size} streams cannot be split evenly among {count} "
            f"devices; set it to {lower} or {lower + count}"
        )


def filled(batch: Batch) -> Batch:
    """A batch of as many rows as can be split evenly: its first row repeats, with weight 0."""
    import jax

    missing = -len(batch.ids) % jax.device_count()
    if not missing:
        return batch

    def longer(array: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([array, np.repeat(array[:1], missing, axis=0)])

    arrays = {field.name: getattr(batch, field.name) for field in fields(batch)}
    changed: dict[str, Any] = {k: longer(x) for k, x in arrays.items() if isinstance(x, np.ndarray)}
    changed["weights"][-missing:] = 0
    return replace(batch, **changed)


@cache
def _mesh() -> Any:
    import jax

    return jax.sharding.Mesh(np.array(jax.devices()), ("rows",))


def replicated() -> Any:
    """The sharding of an array that every device has whole."""
    import jax

    return jax.sharding.NamedSharding(_mesh(), jax.sharding.PartitionSpec())


def by_rows() -> Any:
    """The sharding of an array of which every device has some rows."""
    import jax

    return jax.sharding.NamedSharding(_mesh(), jax.sharding.PartitionSpec("rows"))


def placed(value: Any, sharding: Any) -> Any:
    """An array that every process has whole, on the devices: each keeps its part."""
    import jax

    whole = np.array(value)  # a copy, since programs may reuse its memory
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])


def fetched(value: Any) -> NDArray[Any]:
    """An array of the devices, whole, in the memory of every process."""
    if not value.is_fully_addressable and not value.is_fully_replicated:
        from jax.experimental.multihost_utils import process_allgather

        return np.asarray(process_allgather(value, tiled=True))
    return np.asarray(value)


def now_and_then(step: int, wanted: Callable[[], bool]) -> bool:
    """What ``wanted`` says in process 0; False, unasked, after most steps of several processes."""
    if not are_many_processes():
        return wanted()
    return (step + 1) % STEPS_TO_AGREE == 0 and bool(agreed(wanted()))
