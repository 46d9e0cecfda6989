"""The states of frozen language models at the words of a training split, computed once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.process import log
from nlp_rnn.runtime.forward import outputs_at_tokens
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.text.batches import Batch, Encoded
from nlp_rnn.text.vocabulary import PAD_INDEX

if TYPE_CHECKING:
    import keras

MOST_BYTES = 8 << 30
"""The most space that states may take on the disk; a larger split computes them in every step."""

AT_ONCE = 1024
"""The number of sentences whose states are in memory together."""

BATCH = 64
"""The number of sentences in one forward pass."""


def _key(ids: Ints) -> bytes:
    return np.asarray(ids, np.int32).tobytes()


@dataclass(frozen=True)
class CachedStates:
    """States by sentence, in a file that ends with the process.

    Attributes:
        places: where the states of each sentence begin, by its ids.
        states: float32 ``(words, width)``, memory-mapped.
    """

    places: Mapping[bytes, int]
    states: NDArray[np.float32]

    @classmethod
    def of(
        cls, network: keras.Model, sentences: Sequence[Ints], width: int, folder: Path
    ) -> CachedStates | None:
        """The states of all sentences, each of which is computed once; None if they are too many.

        Args:
            network: a task's network, which has language models.
            sentences: the ids of each.
            width: of the states of a word.
            folder: for the file.
        """
        from nlp_rnn.models.contextual import states_model

        distinct = {_key(ids): Encoded(ids) for ids in sentences}
        lengths = [len(sentence) for sentence in distinct.values()]
        words = sum(lengths)
        if words * width * np.float32().nbytes > MOST_BYTES:
            log(
                f"the states of the language models at {words:,} words would take more than "
                f"{MOST_BYTES >> 30} GiB, so each step computes its own"
            )
            return None
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            states: Floats = np.memmap(file, np.float32, "w+", shape=(words, width))
        log(f"computing the states of the language models at {words:,} words, once for all epochs")
        model, done, all_of_them = KerasNetwork(states_model(network)), 0, list(distinct.values())
        for first in range(0, len(distinct), AT_ONCE):
            for found in outputs_at_tokens(model, all_of_them[first : first + AT_ONCE], BATCH):
                states[done : done + len(found)] = found
                done += len(found)
        starts = np.cumsum([0, *lengths[:-1]]).tolist()
        return cls(dict(zip(distinct, starts, strict=True)), states)

    def beside(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Batches with the states of their words, zero at padding."""
        for batch in batches:
            states = np.zeros((*batch.ids.shape, self.states.shape[1]), np.float32)
            for row, ids in zip(states, batch.ids, strict=True):
                words = ids[ids != PAD_INDEX]
                start = self.places[_key(words)]
                row[: len(words)] = self.states[start : start + len(words)]
            yield replace(batch, states=states)
