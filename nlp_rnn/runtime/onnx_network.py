"""Networks as ONNX graphs, run by ONNX Runtime: no Keras, no backend, no compilation.

One single-threaded session is shared by as many Python threads as the process may use processors.
Batches do not wait for one another, so this is faster than the runtime's own threads, and loses
little when other processes are busy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require
from nlp_rnn.limits import NETWORK_BYTES
from nlp_rnn.linear_chain import Transitions
from nlp_rnn.process import processors
from nlp_rnn.runtime.network import Decoded, Network, R, Source, States, T, Tokens
from nlp_rnn.runtime.onnx_file import check_graph

CRF_OUTPUTS = ("crf_start", "crf_transitions", "crf_end")
COPIED = "copied"
"""The types of targets that tokens of the source become, likewise for a decoder that copies."""
AXES = {"ids": 2, "lengths": 1, "characters": 3, "predicates": 2, "target_ids": 2, COPIED: 2}
"""The number of axes of each input of whole numbers; any other input is a state."""
MEMORY = "memory"
"""The states of sources, an output of an encoder and an input of a decoder with attention."""
BESIDE = ("features", MEMORY)
"""Inputs of numbers that are no states."""
_STATE = re.compile(r"\w[\w.:/-]{0,99}")
"""The names of states, those of layers."""
SILENT = 4
"""The log level of ONNX Runtime, whose errors are raised anyway."""


@cache
def _bound_memory() -> None:
    """Limit what all graphs of this process may take; see :data:`~nlp_rnn.limits.NETWORK_BYTES`.

    A graph of a stranger may ask for any amount, even one of harmless operators.
    """
    import onnxruntime

    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    usual = ("arena_extend_strategy", "initial_chunk_size_bytes", "max_dead_bytes_per_chunk")
    bounds = {"max_mem": NETWORK_BYTES.most, **dict.fromkeys(usual, -1)}
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(bounds))


class _Graph:
    """A file with a graph, and ONNX Runtime's session of it, with one thread.

    Raises:
        UserError: ONNX Runtime is not installed or cannot read the file, or this package cannot
            have written it.
    """

    def __init__(self, file: Path) -> None:
        require("onnxruntime", "predict", f"{file}:")
        import onnxruntime

        check_graph(file)

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = SILENT
        _bound_memory()
        options.add_session_config_entry("session.use_env_allocators", "1")
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
        self._file = file
        self._check_inputs()

    @property
    def inputs(self) -> Sequence[Any]:
        """The inputs of the graph, each with ``name``, ``type`` and ``shape``."""
        return self._session.get_inputs()

    @property
    def outputs(self) -> Sequence[Any]:
        """The outputs of the graph, likewise."""
        return self._session.get_outputs()

    def _check_inputs(self) -> None:
        """Raise UserError unless the inputs are those of a network of this package."""
        for value in self.inputs:
            axes = AXES.get(value.name)
            width = value.shape[-1] if value.shape else None
            state = axes is None and isinstance(width, int) and _STATE.fullmatch(value.name)
            expected = ("tensor(float)", 2) if state else ("tensor(int32)", axes)
            if value.name == MEMORY:
                expected = ("tensor(float)", 3)
            if (value.type, len(value.shape)) != expected:
                raise UserError(
                    f"{self._file}: its input {value.name!r:.60}, {value.type} with "
                    f"{len(value.shape)} axes, is none of a network of this package; "
                    "export it again"
                )

    def computed(self, outputs: Sequence[str] | None, inputs: dict[str, Any]) -> list[Any]:
        """The values of some outputs, all by default."""
        try:
            return self._session.run(outputs, inputs)
        except Exception as error:  # as above
            reason = str(error).splitlines()[0]
            raise UserError(
                f"{self._file}: the graph cannot be computed ({reason:.300}); shorten the "
                "texts, or export it again"
            ) from None


class OnnxNetwork(Network):
    """A graph with the inputs and outputs that :mod:`nlp_rnn.runtime.onnx_graph` describes.

    Args:
        file: the ONNX file; of an encoder-decoder, that of the encoder.
        decoder: the file of its decoder.
        threads: how many batches run at a time; None is one per processor.

    Raises:
        UserError: ONNX Runtime is not installed or cannot read a file, or this package cannot have
            written it.
    """

    def __init__(self, file: Path, decoder: Path | None = None, threads: int | None = None) -> None:
        self._graph = _Graph(file)
        self._decoder = None if decoder is None else _Graph(decoder)
        self._outputs = [value.name for value in self.outputs if value.name not in CRF_OUTPUTS]
        self._shapes = {value.name: value.shape for value in (self._decoder or self._graph).inputs}
        self._states = [name for name in self._shapes if name not in (*AXES, *BESIDE)]
        self.widths = [self._shapes[name][-1] for name in self._states]
        self.transitions = self._constants()
        self._threads = ThreadPoolExecutor(threads or processors(), thread_name_prefix="network")

    @property
    def inputs(self) -> Sequence[Any]:
        """The inputs of the graph, each with ``name``, ``type`` and ``shape``; of an
        encoder-decoder, those of the encoder."""
        return self._graph.inputs

    @property
    def outputs(self) -> Sequence[Any]:
        """The outputs of the graph, likewise."""
        return self._graph.outputs

    def _constants(self) -> Transitions | None:
        """The scores of a CRF, which are the same in every run."""
        if all(value.name not in CRF_OUTPUTS for value in self.outputs):
            return None
        inputs = {value.name: np.ones([1] * len(value.shape), np.int32) for value in self.inputs}
        return Transitions(*self._graph.computed(CRF_OUTPUTS, inputs))

    def _run(self, ids: Tokens, **inputs: Any) -> list[Any]:
        if not ids.size:  # an empty input would crash the process
            raise ValueError(f"expected one row and one step or more, found shape {ids.shape}")
        return self._graph.computed(self._outputs, {"ids": ids, **inputs})

    def all_logits(
        self,
        ids: Tokens,
        lengths: Tokens,
        characters: Tokens | None = None,
        predicates: Tokens | None = None,
    ) -> Sequence[Floats]:
        if not lengths.all():
            raise ValueError("expected rows of one token or more, found an empty row")
        inputs: dict[str, Any] = {"lengths": lengths}
        if characters is not None:
            inputs["characters"] = characters
        if predicates is not None:
            inputs["predicates"] = predicates
        return self._run(ids, **inputs)

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
        memory, copied = (
            found.pop(0) if name in self._outputs else None for name in (MEMORY, COPIED)
        )
        return Source(memory, lengths, copied), found

    def decode(self, ids: Tokens, source: Source, states: States) -> Decoded:
        if self._shapes["target_ids"][1] != 1:
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
        if source.copied is not None:
            inputs[COPIED] = source.copied
        log_p, *after = self._decoder.computed(None, inputs)
        return Decoded(log_p, after, None if source.memory is None else after.pop())

    def map(self, function: Callable[[T], R], batches: Iterable[T]) -> Iterator[R]:
        """Starts immediately, with as many batches at a time as there are threads."""
        return self._threads.map(function, batches)
