"""Files of weights of strangers: nothing is read through them from other files."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nlp_rnn.errors import UserError
from nlp_rnn.inference.word_vectors import EMBEDDING, embedding_vectors
from nlp_rnn.runtime.bundle import DESCRIPTION, WEIGHTS, Bundle
from nlp_rnn.runtime.weights import check_weights


def external_link(file: h5py.File, other: Path) -> None:
    file["layers"] = h5py.ExternalLink(str(other), "/")


def soft_link(file: h5py.File, other: Path) -> None:
    file["layers"] = h5py.SoftLink("/elsewhere")


def external_storage(file: h5py.File, other: Path) -> None:
    file.create_dataset(EMBEDDING, (2, 2), np.float32, external=[(str(other), 0, 16)])


def virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout((2, 2), np.float32)
    layout[:] = h5py.VirtualSource(str(other), "secret", shape=(2, 2))
    file.create_virtual_dataset(EMBEDDING, layout)


def promised(file: h5py.File, other: Path) -> None:
    file.create_dataset(EMBEDDING, (10**5, 10**5), np.float32, chunks=(100, 100))


def never_stored(file: h5py.File, other: Path) -> None:
    file.create_dataset(EMBEDDING, (10**5, 10**5), np.float32)


def packed(file: h5py.File, other: Path) -> None:
    file.create_dataset(EMBEDDING, data=np.zeros((1000, 1000)), compression="gzip")


def texts(file: h5py.File, other: Path) -> None:
    file.create_dataset(EMBEDDING, data=["a", "b"], dtype=h5py.string_dtype())


@pytest.mark.parametrize(
    "write",
    [
        *(external_link, soft_link, external_storage, virtual),
        *(promised, never_stored, packed, texts),
    ],
)
def test_what_keras_never_writes_is_refused(
    bundles: dict[str, Path], tmp_path: Path, write: Callable[[h5py.File, Path], None]
) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["secret"] = np.ones((2, 2), np.float32)
    folder = tmp_path / "bundle"
    shutil.copytree(bundles["classification"], folder)
    with h5py.File(folder / WEIGHTS, "w") as weights:
        write(weights, tmp_path / "secret.h5")
    description = json.loads((folder / DESCRIPTION).read_text())
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    description["sha256"][WEIGHTS] = digest
    (folder / DESCRIPTION).write_text(json.dumps(description))
    for read in (embedding_vectors, lambda folder: Bundle.open(folder).keras_model()):
        with pytest.raises(UserError, match="not a file of weights") as error:
            read(folder)
        assert len(str(error.value).splitlines()) == 1


def test_weights_of_this_package_are_counted(bundles: dict[str, Path]) -> None:
    bundle = Bundle.open(bundles["classification"])
    model: Any = bundle.keras_model()
    assert check_weights(bundle.folder / WEIGHTS, "") >= model.count_params()


@pytest.mark.parametrize(("key", "value"), [("units", 10**7), ("layers", 10**6)])
def test_a_network_larger_than_its_weights_is_never_built(
    bundles: dict[str, Path], tmp_path: Path, key: str, value: int
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundles["classification"], folder)
    description = json.loads((folder / DESCRIPTION).read_text())
    description["experiment"]["model"][key] = value
    (folder / DESCRIPTION).write_text(json.dumps(description))
    with pytest.raises(UserError, match="holds fewer weights than"):
        Bundle.open(folder).keras_model()
