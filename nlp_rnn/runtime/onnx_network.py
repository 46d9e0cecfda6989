"""Networks as ONNX graphs, run by ONNX Runtime: no Keras, no backend, no compilation.

One single-threaded session is shared by as many Python threads as the process may use processors.
Batches do not wait for one another, so this is faster than the runtime's own threads, and loses
little when other processes are busy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require
from nlp_rnn.linear_chain import Transitions
from nlp_rnn.process import processors
from nlp_rnn.runtime.network import Decoded, Network, R, Source, States, T, Tokens

CRF_OUTPUTS = ("crf_start", "crf_transitions", "crf_end")
ONLY_ERRORS = 3
"""The log level of ONNX Runtime."""


MEMORY = "memory"
"""The states of sources, an output of an encoder and an input of a decoder with attention."""

NO_STATES = ("ids", "lengths", "characters", "features", "target_ids", MEMORY)
"""The inputs of graphs that are no states."""


def _session(file: Path) -> Any:
    """ONNX Runtime's session of a file, with one thread.

    Raises:
        UserError: ONNX Runtime is not installed, or cannot read the file.
    """
    require("onnxruntime", "predict", f"{file}:")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = ONLY_ERRORS
    options.enable_mem_pattern = False  # each of many shapes would get a plan, never used again
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # it may be of many classes, none of them public
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{file}: cannot be read as an ONNX graph ({reason}); export it again"
        ) from None


def _inputs(session: Any) -> dict[str, list[Any]]:
    """The inputs of a graph, each with its shape."""
    return {value.name: value.shape for value in session.get_inputs()}


class OnnxNetwork(Network):
    """A graph with the inputs and outputs that :mod:`nlp_rnn.runtime.onnx_graph` describes.

    Args:
        file: the ONNX file; of an encoder-decoder, that of the encoder.
        decoder: the file of its decoder.

    Raises:
        UserError: ONNX Runtime is not installed, or cannot read the file.
    """

    def __init__(self, file: Path, decoder: Path | None = None) -> None:
        self._session = _session(file)
        self._decoder = None if decoder is None else _session(decoder)
        self._outputs = [
            value.name for value in self._session.get_outputs() if value.name not in CRF_OUTPUTS
        ]
        inputs = _inputs(self._decoder or self._session)
        self._states = [name for name in inputs if name not in NO_STATES]
        self.widths = [inputs[name][-1] for name in self._states]
        self.transitions = self._constants()
        self._threads = ThreadPoolExecutor(processors(), thread_name_prefix="network")

    def _constants(self) -> Transitions | None:
        """The scores of a CRF, which are the same in every run."""
        if all(value.name not in CRF_OUTPUTS for value in self._session.get_outputs()):
            return None
        inputs = {
            value.name: np.ones([1] * len(value.shape), np.int32)
            for value in self._session.get_inputs()
        }
        return Transitions(*self._session.run(CRF_OUTPUTS, inputs))

    def _run(self, ids: Tokens, **inputs: Any) -> list[Any]:
        if not ids.size:  # an empty input would crash the process
            raise ValueError(f"expected one row and one step or more, found shape {ids.shape}")
        return self._session.run(self._outputs, {"ids": ids, **inputs})

    def logits(self, ids: Tokens, lengths: Tokens, characters: Tokens | None = None) -> Floats:
        if not lengths.all():
            raise ValueError("expected rows of one token or more, found an empty row")
        inputs: dict[str, Any] = {"lengths": lengths}
        if characters is not None:
            inputs["characters"] = characters
        return self._run(ids, **inputs)[0]

    def log_probabilities(
        self, ids: Tokens, states: Sequence[Floats]
    ) -> tuple[Floats, Sequence[Floats]]:
        found, *after = self._run(ids, **dict(zip(self._states, states, strict=True)))
        return found, after

    def losses(
        self, ids: Tokens, targets: Tokens, states: Sequence[Floats]
    ) -> tuple[Floats, Sequence[Floats]]:
        found, after = self.log_probabilities(ids, states)
        return -np.take_along_axis(found, targets[..., None], axis=-1)[..., 0], after

    def encode(
        self, ids: Tokens, lengths: Tokens, features: Floats | None = None
    ) -> tuple[Source, States]:
        inputs: dict[str, Any] = {"lengths": lengths}
        if features is not None:
            inputs["features"] = features
        found = self._run(ids, **inputs)
        memory = found.pop(0) if MEMORY in self._outputs else None
        return Source(memory, lengths), found

    def decode(self, ids: Tokens, source: Source, states: States) -> Decoded:
        assert self._decoder is not None
        if _inputs(self._decoder)["target_ids"][1] != 1:
            return self._decoded(ids, source, states)
        steps = []
        for step in range(ids.shape[1]):
            steps.append(self._decoded(ids[:, step : step + 1], source, states))
            states = steps[-1].states
        log_p = np.concatenate([step.log_probabilities for step in steps], axis=1)
        return Decoded(log_p, states, np.concatenate([step.weights for step in steps], axis=1))

    def _decoded(self, ids: Tokens, source: Source, states: States) -> Decoded:
        assert self._decoder is not None
        inputs = dict(zip(self._states, states, strict=True)) | {"target_ids": ids}
        if source.memory is not None:
            inputs |= {MEMORY: source.memory, "lengths": source.lengths}
        log_p, *after = self._decoder.run(None, inputs)
        return Decoded(log_p, after, None if source.memory is None else after.pop())

    def map(self, function: Callable[[T], R], batches: Iterable[T]) -> Iterator[R]:
        """Starts immediately, with as many batches at a time as there are processors."""
        return self._threads.map(function, batches)
