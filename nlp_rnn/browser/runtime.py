"""ONNX Runtime Web, which runs the network in the page: files that the user fetches from npm.

This package does not hold them, and downloads nothing. They are checked against the checksums of
one version, so that no page runs a script of somebody else.
"""

from __future__ import annotations

from pathlib import Path

from nlp_rnn.errors import UserError

VERSION = "1.30.0"
"""The version whose files have the checksums of :data:`FILES`."""

SCRIPT, PROGRAM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"

FILES = {
    SCRIPT: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    PROGRAM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""The SHA-256 of each file that the page needs."""

NAMES = {SCRIPT: "ort.wasm.bundle.min.js", PROGRAM: PROGRAM}
"""Their names in the exported folder. Some servers do not know that ``.mjs`` is JavaScript."""

FOLDER = "runtime"
"""The folder of the page that holds them."""

UNPACKED = "package"
"""The folder into which tar unpacks what npm fetched."""

FETCH = f"npm pack onnxruntime-web@{VERSION} && tar xzf onnxruntime-web-{VERSION}.tgz"
"""The commands that bring them into ``dist`` in the folder :data:`UNPACKED`."""

ADVICE = f"fetch it with: {FETCH}; then give --runtime {UNPACKED}"


def copy_runtime(source: Path, target: Path) -> None:
    """Copy the runtime's files from the folder ``source`` into the page ``target``.

    Args:
        source: the package that npm fetched and tar unpacked, or its folder ``dist``.

    Raises:
        UserError: a file is missing, or is not that of :data:`VERSION`.
    """
    import shutil  # slow, and the help of a command tells of this module

    from nlp_rnn.files import sha256

    folder = source / "dist" if (source / "dist").is_dir() else source
    for name, checksum in FILES.items():
        if not (folder / name).is_file():
            raise UserError(f"--runtime: {folder} lacks {name}; {ADVICE}")
        if sha256(folder / name) != checksum:
            raise UserError(
                f"--runtime: {folder / name} is not that of version {VERSION}, as its checksum "
                f"differs; {ADVICE}"
            )
    (target / FOLDER).mkdir()
    for name, new in NAMES.items():
        shutil.copyfile(folder / name, target / FOLDER / new)
