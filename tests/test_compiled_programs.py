"""JAX's compiled programs are kept from run to run, but not without end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nlp_rnn.backend import _keep_compiled_programs


def test_the_programs_read_last_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jax")
    import jax

    folder = tmp_path / "nlp_rnn" / "jax"
    folder.mkdir(parents=True)
    for day, name in enumerate(["oldest", "old", "new", "newest"]):
        (folder / name).write_bytes(bytes(40))
        os.utime(folder / name, (day, 0))  # when it was read, and when it was written
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("nlp_rnn.backend.KEPT_PROGRAMS", 100)
    before = jax.config.jax_compilation_cache_dir
    try:
        _keep_compiled_programs()
        assert jax.config.jax_compilation_cache_dir == str(folder)
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    assert sorted(file.name for file in folder.iterdir()) == ["new", "newest"]
