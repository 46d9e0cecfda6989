"""What surrounds each word of a padded sequence: windows, and filters over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from nlp_rnn.layers.context import JoinedNeighbours


class Surroundings(layers.Layer):
    """A layer whose steps see others of their sequence, none of which is padding.

    Call arguments:
        vectors: ``(batch, timesteps, width)``.
        mask: bool ``(batch, timesteps)``, true at real tokens, false at padding on the right. None
            means that all tokens are real.

    Returns:
        ``(batch, timesteps, size)``, undefined at padding.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, vectors: Any, mask: Any = None) -> Any:
        if mask is None:
            mask = ops.ones(ops.shape(vectors)[:2], bool)
        return self.surroundings(vectors, ops.expand_dims(mask, -1))

    def surroundings(self, vectors: Any, real: Any) -> Any:
        """What each step sees; ``real``, bool ``(batch, timesteps, 1)``."""
        raise NotImplementedError


@keras.saving.register_keras_serializable("nlp_rnn")
class Windows(Surroundings):
    """The vectors of a word and its neighbours on both sides, side by side.

    Collobert et al. (2011, section 3.2.1). Beyond both ends of a sequence stands one learned
    vector, their special word PADDING.

    Args:
        window: how many vectors stand side by side, an odd number.

    Call arguments and returns: as :class:`Surroundings`, ``size = window * width``.

    >>> import numpy as np
    >>> vectors = np.array([[[1.0], [2.0], [3.0]]])
    >>> np.asarray(Windows(3)(vectors)).tolist()
    [[[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 0.0]]]
    """

    def __init__(self, window: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if window % 2 == 0:
            raise ValueError(f"window {window} has no step in its middle")
        self.window = window
        self.joined = JoinedNeighbours(window, dtype=self.dtype_policy)

    def build(self, vectors_shape: tuple[int | None, ...]) -> None:
        self.beyond = self.add_weight(
            shape=(vectors_shape[-1],), initializer="zeros", name="beyond"
        )

    def surroundings(self, vectors: Any, real: Any) -> Any:
        beyond = ops.convert_to_tensor(self.beyond)
        vectors = ops.where(real, vectors, beyond)
        side = ops.zeros_like(vectors[:, :1]) + beyond
        sides = [side] * (self.window // 2)
        return self.joined(ops.concatenate([*sides, vectors, *sides], axis=1))

    def compute_output_shape(self, shape: tuple[int | None, ...], **_: Any) -> tuple[Any, ...]:
        assert shape[-1] is not None
        return (*shape[:-1], self.window * shape[-1])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"window": self.window}


@keras.saving.register_keras_serializable("nlp_rnn")
class Convolutions(Surroundings):
    """Rectified convolutions of one or several widths, their outputs side by side.

    Kim (2014), eq. 2, at every word: a filter sees its window with the word in the middle (of an
    even number, the left of the two), and zeros beyond both ends of a sequence.

    Args:
        filters: the number of filters of each window.
        windows: how many words the filters see.
        dilation: how far apart these words are.

    Call arguments and returns: as :class:`Surroundings`, ``size = filters * len(windows)``.

    >>> import numpy as np
    >>> tuple(Convolutions(4, [2, 3])(np.ones((2, 5, 6))).shape)
    (2, 5, 8)
    """

    def __init__(
        self, filters: int, windows: Sequence[int], dilation: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters, self.windows, self.dilation = filters, list(windows), dilation
        self.convolutions = [
            layers.Conv1D(
                filters,
                window,
                padding="same",
                dilation_rate=dilation,
                activation="relu",
                dtype=self.dtype_policy,
            )
            for window in windows
        ]

    def build(self, vectors_shape: tuple[int | None, ...]) -> None:
        for convolution in self.convolutions:
            convolution.build(vectors_shape)

    def surroundings(self, vectors: Any, real: Any) -> Any:
        within = ops.where(real, vectors, 0.0)
        return ops.concatenate([each(within) for each in self.convolutions], axis=-1)

    def compute_output_shape(self, shape: tuple[int | None, ...], **_: Any) -> tuple[Any, ...]:
        return (*shape[:-1], self.filters * len(self.windows))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "windows": self.windows,
            "dilation": self.dilation,
        }
