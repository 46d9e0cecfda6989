"""The same networks in plain hand-written PyTorch, with a plain training loop."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.works import SEED, first_batches, from_json, initial_vectors
from nlp_rnn.config import AnyExperiment, EncoderDecoderParameters, EncoderParameters
from nlp_rnn.text.batches import Batch
from nlp_rnn.text.prepared import PreparedDataset

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

OPTIMIZERS: dict[str, Any] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
RECURRENT: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU}


class CRF(nn.Module):
    """A linear-chain CRF that computes all sentences of a batch and all tags at once."""

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.zeros(tags))
        self.between = nn.Parameter(torch.zeros(tags, tags))
        self.end = nn.Parameter(torch.zeros(tags))

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """``-ln P`` of the tags per word, from emissions ``(batch, timesteps, tags)``."""
        real = mask.to(emissions.dtype)
        last = mask.sum(1) - 1
        score = self.start[tags[:, 0]] + self.end[tags.gather(1, last[:, None])[:, 0]]
        score = score + (emissions.gather(2, tags[:, :, None])[:, :, 0] * real).sum(1)
        score = score + (self.between[tags[:, :-1], tags[:, 1:]] * real[:, 1:]).sum(1)
        alpha = self.start + emissions[:, 0]
        for t in range(1, emissions.shape[1]):
            after = emissions[:, t] + torch.logsumexp(alpha[:, :, None] + self.between, 1)
            alpha = torch.where(mask[:, t, None], after, alpha)
        return (torch.logsumexp(alpha + self.end, 1) - score).sum() / real.sum()

    def viterbi(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The best tags ``(batch, timesteps)``, undefined at padding."""
        score, origins = self.start + emissions[:, 0], []
        stay = torch.arange(emissions.shape[2], device=emissions.device).expand_as(score)
        for t in range(1, emissions.shape[1]):
            best, origin = (score[:, :, None] + self.between).max(1)
            score = torch.where(mask[:, t, None], best + emissions[:, t], score)
            origins.append(torch.where(mask[:, t, None], origin, stay))
        tag = (score + self.end).argmax(1, keepdim=True)
        path = [tag]
        for origin in reversed(origins):
            tag = origin.gather(1, tag)
            path.append(tag)
        return torch.cat(path[::-1], 1)


class Plain(nn.Module):
    """Embedding, recurrent layers with naive dropout, and the head of the experiment's task.

    Args:
        vectors: initial embeddings ``(vocabulary, dimension)``.
        labels: the number of labels or tags; ignored for language models.
        packed: whether to run the recurrent layers on packed sequences, without padding. If not,
            the backward direction reads the padding first.
    """

    def __init__(
        self,
        experiment: AnyExperiment,
        vectors: NDArray[np.float32],
        labels: int,
        packed: bool = False,
    ) -> None:
        super().__init__()
        model, self.task, self.packed = experiment.model, experiment.task, packed
        assert isinstance(model, EncoderParameters)
        both = bool(getattr(model, "bidirectional", False))
        width = model.units * (2 if both else 1)
        inputs = vectors.shape[1]
        classes = len(vectors) if self.task == "language_modelling" else labels
        self.embedding = nn.Embedding(len(vectors), inputs, _weight=torch.tensor(vectors))
        self.dropout = nn.Dropout(model.dropout)
        self.recurrent = RECURRENT[model.cell.kind](
            inputs,
            model.units,
            num_layers=model.layers,
            batch_first=True,
            bidirectional=both,
            dropout=model.dropout if model.layers > 1 else 0.0,
        )
        self.head = nn.Linear(width, classes)
        self.crf = CRF(classes) if getattr(model, "output", "softmax") == "crf" else None

    def encode(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Outputs ``(batch, timesteps, width)`` and the final state."""
        vectors = self.dropout(self.embedding(ids))
        if self.packed:
            lengths = (ids != 0).sum(1).cpu()
            vectors = nn.utils.rnn.pack_padded_sequence(vectors, lengths, True, False)
        hidden, state = self.recurrent(vectors, state)
        if self.packed:
            hidden, _ = nn.utils.rnn.pad_packed_sequence(hidden, True, total_length=ids.shape[1])
        return self.dropout(hidden), state

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Logits, and the final state."""
        hidden, state = self.encode(ids, state)
        if self.task == "classification":
            hidden = hidden.masked_fill((ids == 0)[:, :, None], -torch.inf).amax(1)  # pooling: max
        logits: Tensor = self.head(hidden)
        return logits, state

    def loss(self, batch: Batch, state: Any = None) -> tuple[Tensor, Any]:
        """The mean loss of a batch's targets in nats, and the state without its history."""
        ids = torch.from_numpy(batch.ids).to(DEVICE)
        targets = torch.from_numpy(batch.targets).to(DEVICE).long()
        logits, state = self(ids, state)
        if self.crf is not None:
            return self.crf.loss(logits, targets, ids != 0), None
        if self.task == "language_modelling":
            state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        weights = torch.from_numpy(batch.weights).to(DEVICE)
        losses = functional.cross_entropy(
            logits.flatten(0, -2), targets.flatten(), reduction="none"
        )
        mean = (losses * weights.flatten()).sum() / weights.sum()
        return mean, state if self.task == "language_modelling" else None


class PlainEncoderDecoder(nn.Module):
    """An encoder-decoder of one layer with Luong's general attention."""

    def __init__(
        self, experiment: AnyExperiment, vectors: NDArray[np.float32], targets: int
    ) -> None:
        super().__init__()
        model = experiment.model
        assert isinstance(model, EncoderDecoderParameters)
        inputs, units, width = vectors.shape[1], model.decoder.units, model.source_width
        self.embedding = nn.Embedding(len(vectors), inputs, _weight=torch.tensor(vectors))
        self.target_embedding = nn.Embedding(targets, inputs)
        nn.init.uniform_(self.target_embedding.weight, -0.05, 0.05)
        cell = RECURRENT[model.cell.kind]
        self.encoder = cell(inputs, model.units, batch_first=True, bidirectional=True)
        self.decoder = cell(inputs, units, batch_first=True)
        self.bridge = nn.Linear(width, units)
        self.score = nn.Linear(units, width, bias=False)
        self.readout = nn.Linear(units + width, units)
        self.head = nn.Linear(units, targets)

    def encode(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The memory ``(batch, timesteps, width)``, its mask and the decoder's first state."""
        mask = ids != 0
        vectors = nn.utils.rnn.pack_padded_sequence(
            self.embedding(ids), mask.sum(1).cpu(), True, False
        )
        packed, last = self.encoder(vectors)
        memory, _ = nn.utils.rnn.pad_packed_sequence(packed, True, total_length=ids.shape[1])
        return memory, mask, torch.tanh(self.bridge(torch.cat([last[0], last[1]], -1)))

    def decode(
        self, target_ids: Tensor, memory: Tensor, mask: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits ``(batch, steps, types)``, and the state after them ``(batch, units)``."""
        hidden, last = self.decoder(self.target_embedding(target_ids), state[None])
        scores = self.score(hidden) @ memory.transpose(1, 2)
        weights = scores.masked_fill(~mask[:, None], -torch.inf).softmax(-1)
        joined = torch.cat([hidden, weights @ memory], -1)
        logits: Tensor = self.head(torch.tanh(self.readout(joined)))
        return logits, last[0]

    def forward(self, ids: Tensor, target_ids: Tensor) -> Tensor:
        """Logits ``(batch, steps, types)``."""
        logits, _ = self.decode(target_ids, *self.encode(ids))
        return logits

    def load(self, weights: dict[str, NDArray[np.float32]]) -> None:
        """Take the weights of a network of this project, by their paths."""
        gru = "{}/gru_cell/{}"
        for ours, theirs, suffix in (
            ("bidirectional_0/forward_gru_0", self.encoder, "l0"),
            ("bidirectional_0/backward_gru_0", self.encoder, "l0_reverse"),
            ("gru_0", self.decoder, "l0"),
        ):
            both = weights[gru.format(ours, "bias")]
            for name, array in (
                ("weight_ih", weights[gru.format(ours, "kernel")].T),
                ("weight_hh", weights[gru.format(ours, "recurrent_kernel")].T),
                ("bias_ih", both[0]),
                ("bias_hh", both[1]),
            ):
                update, reset, candidate = np.split(array, 3)
                _fill(
                    getattr(theirs, f"{name}_{suffix}"), np.concatenate([reset, update, candidate])
                )
        _fill(self.embedding.weight, weights["embedding/embeddings"])
        _fill(self.target_embedding.weight, weights["target_embedding/embeddings"])
        _fill(self.score.weight, weights["attention/kernel"].T)
        for name, layer in (
            ("bridge_h_0", self.bridge),
            ("readout", self.readout),
            ("logits", self.head),
        ):
            _fill(layer.weight, weights[f"{name}/kernel"].T)
            _fill(layer.bias, weights[f"{name}/bias"])

    def loss(self, batch: Batch, state: Any = None) -> tuple[Tensor, Any]:
        """The mean loss of a batch's target tokens in nats."""
        assert batch.target_ids is not None
        ids, read = (torch.from_numpy(x).to(DEVICE) for x in (batch.ids, batch.target_ids))
        logits = self(ids, read)
        targets = torch.from_numpy(batch.targets).to(DEVICE).long()
        weights = torch.from_numpy(batch.weights).to(DEVICE)
        losses = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        return (losses * weights.flatten()).sum() / weights.sum(), None


def _fill(parameter: Tensor, array: NDArray[np.float32]) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))


Network = Plain | PlainEncoderDecoder


def evaluate(network: Network, batches: Iterable[Batch]) -> float:
    """The mean loss of every target of the batches, in nats."""
    network.eval()
    total, targets, state = 0.0, 0.0, None
    with torch.no_grad():
        for batch in batches:
            loss, state = network.loss(batch, state)
            total += float(loss) * float(batch.weights.sum())
            targets += float(batch.weights.sum())
    return total / targets


def build(experiment: AnyExperiment, dataset: PreparedDataset, packed: bool = False) -> Network:
    """The network of an experiment on its data."""
    torch.manual_seed(SEED)
    vectors = initial_vectors(experiment, dataset)
    if dataset.pair_sizes is not None:
        return PlainEncoderDecoder(experiment, vectors, dataset.pair_sizes.targets).to(DEVICE)
    return Plain(experiment, vectors, len(dataset.labels), packed).to(DEVICE)


def optimizer(network: Network, experiment: AnyExperiment) -> torch.optim.Optimizer:
    """The experiment's optimiser."""
    made: torch.optim.Optimizer = OPTIMIZERS[experiment.training.optimizer](
        network.parameters(), lr=experiment.training.learning_rate
    )
    return made


def train(
    network: Network,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[Batch],
    clip_norm: float | None,
    rate: Callable[[int], float] | None = None,
) -> float:
    """Train on batches; returns the mean of their losses.

    Args:
        rate: maps the number of a step to its learning rate.
    """
    network.train()
    total, steps, state = torch.zeros((), device=DEVICE), 0, None
    for batch in batches:
        if rate is not None:
            for group in optimizer.param_groups:
                group["lr"] = rate(steps)
        optimizer.zero_grad()
        loss, state = network.loss(batch, state)
        loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
        optimizer.step()
        total += loss.detach()
        steps += 1
    return float(total) / steps


def training(
    work: dict[str, Any], data: str, packed: bool = False
) -> Callable[[], dict[str, float]]:
    """A contestant: the plain training loop."""
    task, dataset = from_json(work), PreparedDataset(Path(data))
    experiment, slice_batches = task.experiment, first_batches(task, dataset)
    network = build(experiment, dataset, packed)
    steps = optimizer(network, experiment)
    tokens = sum(batch.tokens for batch in slice_batches)

    def slice_() -> dict[str, float]:
        loss = train(network, steps, slice_batches, experiment.training.clip_norm)
        return {"work": tokens, "loss": loss}

    return slice_


def matrix_product(size: int, repetitions: int) -> Callable[[], dict[str, float]]:
    """A contestant: products of square float32 matrices; its work is floating-point operations."""
    a, b = (torch.rand(size, size, device=DEVICE) for _ in range(2))
    out = torch.empty_like(a)

    def slice_() -> dict[str, float]:
        for _ in itertools.repeat(None, repetitions):
            torch.mm(a, b, out=out)
        float(out[0, 0])  # wait for a GPU to finish
        return {"work": 2.0 * size**3 * repetitions}

    return slice_
