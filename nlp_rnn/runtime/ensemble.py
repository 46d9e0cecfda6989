"""Several bundles of one experiment as one: their predictions averaged, or their weights."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_rnn.errors import UserError
from nlp_rnn.files import whole_folder
from nlp_rnn.runtime.bundle import (
    CHARACTERS,
    COPIED,
    DATA_CARD,
    GRAPH,
    Bundle,
    Graph,
    describe,
)
from nlp_rnn.runtime.network import Network
from nlp_rnn.runtime.onnx_network import OnnxNetwork
from nlp_rnn.text.rules import SubwordTokenizer
from nlp_rnn.text.tokenizers import FILE as TOKENIZER
from nlp_rnn.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    import keras

    from nlp_rnn.config import AnyExperiment


def check_can_join(bundle: Bundle) -> None:
    """Raise UserError unless a bundle can be a member of an ensemble, which is a graph."""
    if bundle.graph.unsupported is not None:
        raise UserError(
            f"training.keep: ensemble is a graph of ONNX, but this model has none "
            f"({bundle.graph.unsupported}); set training.keep: best"
        )


def write_ensemble(
    target: Path,
    members: Sequence[Bundle],
    calibration: Callable[[Network], dict[str, Any]],
    *,
    name: str,
    experiment: AnyExperiment,
    provenance: dict[str, Any],
    figures: dict[str, Any],
) -> None:
    """Write a bundle whose graph averages what its members say, completely or not at all.

    It knows the words of all members, each of which reads those that it knows. For what is
    averaged see :func:`nlp_rnn.runtime.onnx_graph.ensemble.ensemble_model`.

    Args:
        members: bundles of the same experiment, which may be of different folds.
        calibration: maps the network to figures that only it can tell, such as its
            ``temperature``.

    Raises:
        UserError: a member has no graph, or cuts texts in another way than the first.
    """
    for member in members:
        check_can_join(member)
        _check_same_tokens(member, members[0])
    first = members[0]
    with whole_folder(target) as folder:
        for file in (*COPIED, DATA_CARD):
            if (first.folder / file).exists():
                shutil.copyfile(first.folder / file, folder / file)
        vocabulary = Vocabulary.union([member.vocabulary for member in members])
        vocabulary.save(folder / "vocabulary.json")
        characters = _characters(members)
        if characters is not None:
            characters.save(folder / CHARACTERS)
        _write_graph(folder / GRAPH, members, vocabulary, characters)
        network = OnnxNetwork(folder / GRAPH)
        describe(
            folder,
            name=name,
            experiment=experiment.of_bundle(),
            provenance=provenance,
            figures=figures
            | {"parameters": sum(member.figures["parameters"] for member in members)}
            | calibration(network),
            graph=asdict(Graph(None)),
        )


def _check_same_tokens(member: Bundle, first: Bundle) -> None:
    """Raise UserError unless two bundles cut texts alike and have the same labels."""
    for file in (TOKENIZER, SubwordTokenizer.FILE):
        contents = [
            path.read_bytes() if (path := bundle.folder / file).exists() else None
            for bundle in (member, first)
        ]
        if contents[0] != contents[1]:
            raise UserError(
                "training.keep: ensemble needs members that cut texts alike, but each fold has "
                "learned this from its own training data; set tokenizer.unit of the data set to "
                "word, whitespace or character"
            )
    if set(member.labels) != set(first.labels):
        raise UserError("training.keep: ensemble needs members with the same labels")


def _characters(members: Sequence[Bundle]) -> Vocabulary | None:
    """The characters of all members; None if they know none."""
    known = [member.characters for member in members if member.characters is not None]
    return Vocabulary.union(known) if known else None


def _write_graph(
    file: Path, members: Sequence[Bundle], vocabulary: Vocabulary, characters: Vocabulary | None
) -> None:
    import onnx

    from nlp_rnn.runtime.onnx_graph.ensemble import Mean, Part, ensemble_model

    first = members[0]
    tags = _learned(first)
    parts = [
        Part(
            onnx.load(member.folder / GRAPH),
            np.array(member.vocabulary.indices_of(vocabulary)),
            None
            if characters is None or member.characters is None
            else np.array(member.characters.indices_of(characters)),
            np.array([_learned(member).index(tag) for tag in tags]),
        )
        for member in members
    ]
    is_crf = getattr(first.experiment.model, "output", None) == "crf"
    mean: Mean = "scores" if is_crf else "label_sets" if first.multi_label else "labels"
    file.write_bytes(ensemble_model(parts, mean).SerializeToString())


def _learned(bundle: Bundle) -> list[str]:
    """The labels or tags of a bundle's logits, in order."""
    return bundle.learned_tags.tags if bundle.task.tagged else bundle.labels


def mean_network(members: Sequence[Bundle]) -> keras.Model:
    """A network whose weights are the means of those of all members (a uniform soup; Wortsman et
    al. 2022).

    It is only good where the members started from the same weights: those of networks that did not
    are on other sides of a barrier of high loss.
    """
    first, *others = members
    network = first.keras_model()
    sums = [weights.astype(np.float64) for weights in network.get_weights()]
    for member in others:
        for total, weights in zip(sums, member.keras_model().get_weights(), strict=True):
            total += weights
    network.set_weights([total / len(members) for total in sums])
    return network
