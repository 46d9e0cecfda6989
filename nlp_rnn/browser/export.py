"""The folder of a page that predicts in the browser."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from nlp_rnn.browser.description import check_shown, description
from nlp_rnn.browser.runtime import FETCH, FOLDER, NAMES, UNPACKED, VERSION, copy_runtime
from nlp_rnn.browser.vectors import vectors
from nlp_rnn.files import whole_folder
from nlp_rnn.inference.predictor import Options, Predictor
from nlp_rnn.markdown import plain
from nlp_rnn.runtime.bundle import DECODER, GRAPH, Bundle
from nlp_rnn.runtime.export import check_new, export_onnx

PAGE = Path(__file__).parent / "page"
"""The scripts and the style of the page, the same for every model."""


def export_web(source: Path, target: Path, runtime: Path | None = None, int8: bool = False) -> None:
    """Write a page that predicts as the bundle ``source`` into the new folder ``target``.

    ``target`` is written completely or not at all.

    Args:
        runtime: the folder with the files of ONNX Runtime Web; None leaves them out, and the
            page's README.md says how to add them.
        int8: whether to round the weights to 8 bits.

    Raises:
        UserError: the page cannot do what the model does, the files of the runtime are missing or
            of another version, or ``target`` exists.
    """
    check_new(target, source)
    bundle = Bundle.open(source)
    bundle.check_copyable()
    check_shown(bundle)
    if not int8:
        return _write_page(bundle, target, runtime)
    with tempfile.TemporaryDirectory() as folder:
        rounded = Path(folder) / "rounded"
        export_onnx(source, rounded, int8=True)
        _write_page(Bundle.open(rounded), target, runtime)


def _write_page(bundle: Bundle, target: Path, runtime: Path | None) -> None:
    predictor = Predictor.of(bundle, Options(unit="text"))  # the page cuts no documents
    with whole_folder(target) as folder:
        if runtime is not None:
            copy_runtime(runtime, folder)
        for file in PAGE.iterdir():
            shutil.copyfile(file, folder / file.name)
        for graph in (GRAPH, DECODER):
            if graph in bundle.files:
                shutil.copyfile(bundle.folder / graph, folder / graph)
        _write(folder / "model.json", description(predictor))
        _write(folder / "test_vectors.json", vectors(predictor))
        (folder / "README.md").write_text(_readme(bundle, runtime is not None), encoding="utf-8")


def _write(file: Path, value: Any) -> None:
    """Write JSON in as few bytes as a browser must load."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    file.write_text(text, encoding="utf-8")


def _readme(bundle: Bundle, complete: bool) -> str:
    script, program = NAMES.values()
    head = README.format(name=plain(bundle.name), script=script, program=program, version=VERSION)
    copies = (f"cp {UNPACKED}/dist/{old} {FOLDER}/{new}" for old, new in NAMES.items())
    clean = f"rm -r {UNPACKED} onnxruntime-web-{VERSION}.tgz"
    commands = "\n".join([FETCH, f"mkdir {FOLDER}", *copies, clean])
    return head if complete else head + MISSING.format(commands=commands)


README = """\
# {name}

This folder is a web page that predicts in the browser. Put it on any static server, or here run

```
python -m http.server --bind 127.0.0.1
```

and open http://127.0.0.1:8000. No text leaves the browser, and nothing is loaded from elsewhere.
http://127.0.0.1:8000/?selftest compares the predictions of the browser with those of Python.

| file | content |
|---|---|
| `index.html`, `style.css`, `*.js` | the page |
| `model.onnx`, `decoder.onnx` | the network; an encoder-decoder has both |
| `model.json` | tokenizer, vocabulary, labels |
| `test_vectors.json` | texts, and what Python predicts for them; only the self-test needs it |
| `runtime/{script}`, `runtime/{program}` | ONNX Runtime Web {version}, under the MIT licence |
"""

MISSING = """
The folder `runtime` is missing: the page needs ONNX Runtime Web, which npm has. In this folder run

```
{commands}
```
"""
