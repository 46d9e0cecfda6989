"""Decoding: targets per second that an encoder-decoder with attention writes, beside plain PyTorch.

Both have the same weights, trained briefly, and write the best target of each source of the test
split: greedily, and by a beam of five. The time includes everything from token indices to those of
the best target. The PyTorch loop keeps the hypotheses of a batch on the device and takes one step
for all of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import MALLOC, Report, Row, Worker, call, number, race, ratio
from benchmarks.prediction import PLAIN_BATCH, REFERENCE, TRAINING_STEPS, Slice
from benchmarks.works import TRANSLATION, from_json, prepared
from nlp_rnn.config import DecodingParameters
from nlp_rnn.inference.predictor import BATCH
from nlp_rnn.inference.translation import Translator
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.pairs import Input
from nlp_rnn.text.prepared import PreparedDataset

if TYPE_CHECKING:
    from benchmarks.plain import PlainEncoderDecoder

Tokens = tuple[int, ...]


def _sources(data: str, size: int) -> list[Input]:
    split = PreparedDataset(Path(data)).split("test")
    return [Input(np.array(split.sequence(split.ids, i), np.int32)) for i in range(size)]


def _ours(bundle: str, data: str, beam: int) -> Callable[[Sequence[Input]], list[Tokens]]:
    """The function that writes the best targets as predictors do."""
    vocabulary = PreparedDataset(Path(data)).target_vocabulary
    network, decoding = Bundle.open(Path(bundle)).network(), DecodingParameters(beam=beam)
    translator = Translator(network, vocabulary, "whitespace", decoding, BATCH)
    return lambda sources: [best.tokens for (best,) in translator.outputs(sources)]


def ours(bundle: str, data: str, size: int, beam: int) -> Slice:
    """A contestant: a bundle, run as in predictors."""
    sources, write = _sources(data, size), _ours(bundle, data, beam)

    def slice_() -> dict[str, float]:
        write(sources)
        return {"work": size}

    return slice_


def plain(work: dict[str, Any], bundle: str, data: str, size: int, beam: int) -> Slice:
    """A contestant: PyTorch on batches of similar lengths. ``agreement`` is the share of targets
    that are those of the bundle."""
    import torch

    from benchmarks.plain import PlainEncoderDecoder, build

    network = build(from_json(work).experiment, PreparedDataset(Path(data))).eval()
    assert isinstance(network, PlainEncoderDecoder)
    weights = Bundle.open(Path(bundle)).keras_model().weights
    network.load({weight.path: weight.numpy() for weight in weights})
    end, sources = PreparedDataset(Path(data)).target_vocabulary.end_index, _sources(data, size)
    found: dict[int, Tokens] = {}

    def slice_() -> dict[str, float]:
        order = sorted(range(size), key=lambda i: len(sources[i]))
        with torch.no_grad():
            for start in range(0, size, PLAIN_BATCH):
                rows = order[start : start + PLAIN_BATCH]
                found.update(
                    zip(rows, _search(network, [sources[i] for i in rows], end, beam), strict=True)
                )
        return {"work": size, "agreement": agreement}

    agreement = 0.0
    slice_()
    same = zip(_ours(bundle, data, beam)(sources), (found[i] for i in range(size)), strict=True)
    agreement = float(np.mean([one == other for one, other in same]))
    return slice_


def _search(
    network: PlainEncoderDecoder, sources: Sequence[Input], end: int, beam: int
) -> list[Tokens]:
    """The best target of each source of a batch, by a beam on the device."""
    import torch

    from benchmarks.plain import DEVICE

    decoding = DecodingParameters(beam=beam)
    batch = [torch.from_numpy(source.ids) for source in sources]
    ids = torch.nn.utils.rnn.pad_sequence(batch, batch_first=True).to(DEVICE)
    memory, mask, state = (each.repeat_interleave(beam, 0) for each in network.encode(ids))
    limits = torch.tensor([decoding.limit(len(each)) for each in sources], device=DEVICE)
    rows = len(sources)
    first = torch.arange(rows, device=DEVICE)[:, None] * beam
    scores = torch.full((rows, beam), -torch.inf, device=DEVICE)
    scores[:, 0] = 0
    tokens = torch.full((rows * beam, 1), end, device=DEVICE)
    lengths = torch.zeros((rows, beam), device=DEVICE)
    written = torch.zeros((rows, beam, 0), dtype=torch.long, device=DEVICE)
    ended = torch.zeros((rows, beam), dtype=torch.bool, device=DEVICE)
    stay = torch.full((network.head.out_features,), -torch.inf, device=DEVICE)
    stay[end] = 0
    for step in range(int(limits.max())):
        logits, state = network.decode(tokens, memory, mask, state)
        log_p = logits[:, 0].log_softmax(-1).view(rows, beam, -1)
        log_p[:, :, :2] = -torch.inf  # padding and <unk>
        log_p = torch.where(ended[:, :, None], stay, log_p)
        best, places = (scores[:, :, None] + log_p).flatten(1).topk(beam, 1)
        origins, chosen = places // log_p.shape[-1], places % log_p.shape[-1]
        over = ended.gather(1, origins)
        lengths = lengths.gather(1, origins) + (~over)
        written = torch.cat(
            [written.gather(1, origins[:, :, None].expand_as(written)), chosen[:, :, None]], 2
        )
        state = state[(first + origins).flatten()]
        ended = over | (chosen == end) | (step + 1 >= limits)[:, None]
        scores, tokens = best, chosen.view(-1, 1)
        if ended.all():
            break
    winner = (scores / ((5 + lengths) / 6) ** decoding.length_penalty).argmax(1)
    return [
        tuple(written[i, w, : int(lengths[i, w])].tolist()) for i, w in enumerate(winner.tolist())
    ]


def measure(report: Report, only: str) -> None:
    """Measure both searches whose name contains ``only``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, bundle = prepared(TRANSLATION, folder), folder / "bundle"
        work = replace(TRANSLATION, steps=20 if report.quick else TRAINING_STEPS).to_json()
        call(
            "benchmarks.prediction:write",
            {"KERAS_BACKEND": "jax"},
            work=work,
            data=str(data),
            target=str(bundle),
        )
        for beam, search in ((1, "greedy"), (5, "a beam of five")):
            if only in search:
                _measure(work, data, bundle, beam, search, report)


def _measure(
    work: dict[str, Any], data: Path, bundle: Path, beam: int, search: str, report: Report
) -> None:
    common = {
        "bundle": str(bundle),
        "data": str(data),
        "size": 320 if report.quick else 640,
        "beam": beam,
    }
    here, keras = "benchmarks.decoding:", {"KERAS_BACKEND": "torch"}
    contestants = [
        Worker(REFERENCE, f"{here}plain", common | {"work": work}, keras),
        Worker("PyTorch, same malloc", f"{here}plain", common | {"work": work}, keras | MALLOC),
        Worker("ours", f"{here}ours", common),
    ]
    results = race(search, contestants, rounds=2 if report.quick else 9)
    rows: list[Row] = [
        {
            "": result.name,
            "targets/s": number(result.speed),
            "× PyTorch (quartiles)": ratio(result, results[REFERENCE]),
            "cores busy": number(result.median("cores")),
            "same targets": f"{result.median('agreement'):.2%}"
            if result.turns and "agreement" in result.turns[0]
            else result.failure,
        }
        for result in results.values()
    ]
    report.add_race(f"Decoding: {TRANSLATION.name}, {search}", rows, results)
