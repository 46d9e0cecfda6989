"""States along a text: against a recurrence in NumPy, in windows, with zeros where texts start."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import recurrence
from helpers.backends import assert_all_agree
from nlp_rnn.inspection import activations
from nlp_rnn.inspection.activations import states_along
from nlp_rnn.inspection.state import State

IDS = np.random.default_rng(0).integers(1, recurrence.VOCABULARY, 45).astype(np.int32)
STARTS = np.isin(np.arange(len(IDS)), (0, 7, 40))


def computed() -> dict[str, np.ndarray]:
    """States of both cells and of a layer of ours, on this process's backend."""
    models = {
        "lstm": recurrence.model("lstm", layers=2, connection="residual"),
        "gru": recurrence.model("gru", weight_drop=0.3),
        "zoneout": recurrence.model("lstm", zoneout={"hidden": 0.2, "cell": 0.1}),
    }
    return {
        f"{name} {state.layer} {state.name}": values
        for name, network in models.items()
        for state, values in states_along(network, IDS, STARTS).items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("window", [8, 1024])
def test_states_are_those_of_the_recurrence_token_by_token(
    cell: str, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activations, "WINDOW", window)
    network = recurrence.model(cell, layers=2)
    (embeddings,) = recurrence.weights(network, "embedding")
    done: list[int] = []
    found = states_along(network, IDS, STARTS, done.append)
    names = "hc" if cell == "lstm" else "h"
    assert list(found) == [State(layer, name) for layer in (0, 1) for name in names]
    expected = recurrence.run(network, cell, embeddings[IDS], np.flatnonzero(STARTS).tolist())
    np.testing.assert_allclose(np.concatenate(list(found.values()), axis=1), expected, atol=1e-5)
    assert sum(done) == len(IDS)


@pytest.mark.slow
def test_the_carried_state_is_what_the_network_itself_carries() -> None:
    network = recurrence.model("lstm", zoneout={"hidden": 0.2, "cell": 0.1})
    zeros = [np.zeros((1, recurrence.UNITS), np.float32)] * 2
    _, *final = network([IDS[None], *zeros], training=False)
    found = states_along(network, IDS, np.arange(len(IDS)) == 0)
    for values, last in zip(found.values(), final, strict=True):
        np.testing.assert_allclose(values[-1], np.asarray(last)[0], atol=1e-6)


@pytest.mark.exhaustive
def test_backends_agree(on_backends: dict[str, dict[str, np.ndarray]]) -> None:
    assert_all_agree(on_backends)
