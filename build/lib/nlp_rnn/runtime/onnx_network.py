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
from nlp_rnn.runtime.network import Network, R, T, Tokens

CRF_OUTPUTS = ("crf_start", "crf_transitions", "crf_end")
ONLY_ERRORS = 3
"""The log level of ONNX Runtime."""


class OnnxNetwork(Network):
    """A graph with the inputs and outputs that :mod:`nlp_rnn.runtime.onnx_graph` describes.

    Args:
        file: the ONNX file.

    Raises:
        UserError: ONNX Runtime is not installed, or cannot read the file.
    """

    def __init__(self, file: Path) -> None:
        require("onnxruntime", "predict", f"{file}:")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = ONLY_ERRORS
        options.enable_mem_pattern = False  # each of many shapes would get a plan, never used again
        try:
            self._session: Any = onnxruntime.InferenceSession(
                file, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # it may be of many classes, none of them public
            reason = str(error).splitlines()[0]
            raise UserError(
                f"{file}: cannot be read as an ONNX graph ({reason}); export it again"
            ) from None
        inputs = {value.name: value.shape for value in self._session.get_inputs()}
        self._outputs = [
            value.name for value in self._session.get_outputs() if value.name not in CRF_OUTPUTS
        ]
        known = ("ids", "lengths", "characters")
        self._states = [name for name in inputs if name not in known]
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

    def map(self, function: Callable[[T], R], batches: Iterable[T]) -> Iterator[R]:
        """Starts immediately, with as many batches at a time as there are processors."""
        return self._threads.map(function, batches)
