"""A model bundle: one folder that predicts on any machine, without the training data.

=====================  ==========================================================
``bundle.json``        format, name, experiment, provenance, validation figures, graph, checksums
``tokenizer.json``     the tokenizer's parameters (``subwords.json`` too for subword units)
``vocabulary.json``    types and counts
``labels.json``        labels or tags (not for language models)
``characters.json``    characters (of taggers only)
``data_card.json``     what the model was trained on
``model.onnx``         the network as ONNX Runtime computes it, where ONNX has all its layers
``model.weights.h5``   the weights, in Keras's own format, no pickle (not in an exported bundle)
=====================  ==========================================================
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from nlp_rnn import backend
from nlp_rnn.config import Experiment, TaggerParameters, TokenizerParameters
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require
from nlp_rnn.files import read_json, sha256, whole_folder, write_json
from nlp_rnn.inference.network import KerasNetwork, Network
from nlp_rnn.inference.onnx_network import OnnxNetwork
from nlp_rnn.process import log
from nlp_rnn.text.entities import LearnedTags
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.tokenizers import SubwordTokenizer, Tokenizer, tokenizer
from nlp_rnn.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    import keras

    from nlp_rnn.config import AnyExperiment

FORMAT = 4
WEIGHTS = "model.weights.h5"
GRAPH = "model.onnx"
DESCRIPTION = "bundle.json"
DATA_CARD = "data_card.json"
CHARACTERS = "characters.json"
COPIED = (
    "tokenizer.json",
    SubwordTokenizer.FILE,
    "vocabulary.json",
    "labels.json",
    CHARACTERS,
)
"""What a bundle has of its prepared data set, where that has it."""
MEND = "copy the whole bundle again, or train the model again"


@dataclass(frozen=True)
class Graph:
    """What ``bundle.json`` says of the ONNX graph.

    Attributes:
        unsupported: why there is none, so that Keras makes the predictions; else None.
        int8: whether its weights were rounded to 8 bits.
    """

    unsupported: str | None
    int8: bool = False


@dataclass(frozen=True)
class Bundle:
    """An opened bundle; the weights stay on disk until a network is built."""

    folder: Path
    name: str
    experiment: AnyExperiment
    tokenizer: Tokenizer
    vocabulary: Vocabulary
    labels: list[str]
    characters: Vocabulary | None
    provenance: dict[str, Any]
    figures: dict[str, Any]
    graph: Graph

    @classmethod
    def open(cls, folder: Path) -> Bundle:
        """Read a bundle.

        Raises:
            UserError: it is no bundle, of a newer format, or damaged; the file is named.
        """
        if not folder.is_dir():
            raise UserError(f"{folder}: no such model folder; give a folder written by training")
        file = folder / DESCRIPTION
        data = read_json(file, f"{folder} is no complete model bundle; {MEND}")
        try:
            found = data["format"]
            if found != FORMAT:
                raise UserError(
                    f"{file}: bundle format {found}, but this nlp_rnn reads format {FORMAT}; "
                    "install the version that wrote it"
                )
            experiment: AnyExperiment = TypeAdapter(Experiment).validate_python(data["experiment"])
            name, provenance, figures = data["name"], data["provenance"], data["figures"]
            graph = Graph(**data["graph"])
            checksums = {str(name): str(value) for name, value in data["sha256"].items()}
            if not (isinstance(provenance, dict) and isinstance(figures, dict)):
                raise TypeError("provenance and figures are mappings")
        except (AttributeError, KeyError, TypeError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{file}: not a model bundle ({reason}); {MEND}") from None
        for part, checksum in checksums.items():
            if not (folder / part).is_file():
                raise UserError(f"{folder / part}: no such file; {MEND}")
            if sha256(folder / part) != checksum:
                raise UserError(f"{folder / part}: damaged, its checksum differs; {MEND}")
        units = tokenizer(TokenizerParameters(**read_json(folder / "tokenizer.json", MEND)))
        units.load(folder)
        labels = (
            []
            if experiment.task == "language_modelling"
            else list(read_json(folder / "labels.json", MEND))
        )
        return cls(
            folder,
            name,
            experiment,
            units,
            Vocabulary.load(folder / "vocabulary.json"),
            labels,
            Vocabulary.load(folder / CHARACTERS) if experiment.task == "tagging" else None,
            provenance,
            figures,
            graph,
        )

    @property
    def learned_tags(self) -> LearnedTags:
        """What a tagger's network learned, and what it says of :attr:`labels`."""
        assert isinstance(self.experiment.model, TaggerParameters)
        return LearnedTags(self.labels, self.experiment.model.tag_scheme)

    @property
    def temperature(self) -> float:
        """What calibrates the probabilities: logits are divided by it."""
        return float(self.figures.get("temperature", 1.0))

    def network(self) -> Network:
        """Load the network that makes this bundle's predictions.

        Raises:
            UserError: its file does not fit, or a library that runs it is not installed.
        """
        if self.graph.unsupported is None:
            return OnnxNetwork(self.folder / GRAPH)
        log(f"{self.folder}: predictions by Keras ({self.graph.unsupported})")
        return KerasNetwork(self.keras_model(), self.experiment.model.monte_carlo_samples)

    def keras_model(self) -> keras.Model:
        """Build the network in Keras, on ``KERAS_BACKEND`` or the backend that trained it.

        Raises:
            UserError: its weights do not fit or were not exported, or no backend is installed.
        """
        if not (self.folder / WEIGHTS).is_file():
            raise UserError(
                f"{self.folder}: has no Keras weights, only an ONNX graph; use the bundle that "
                "it was exported from"
            )
        require("keras", "train", f"{self.folder}: the model in it")
        backend.select(backend.installed(self.provenance.get("backend")))

        from nlp_rnn.models.network import network

        characters = self.characters.types if self.characters else ()
        model = network(self.experiment, len(self.vocabulary), self.labels, characters)
        file = self.folder / WEIGHTS
        try:
            model.load_weights(file)
        except (ValueError, OSError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{file}: does not fit bundle.json ({reason}); {MEND}") from None
        return model


def write_bundle(
    target: Path,
    name: str,
    experiment: AnyExperiment,
    model: keras.Model,
    dataset: PreparedDataset,
    provenance: dict[str, Any],
    figures: dict[str, Any],
    calibration: Callable[[Network], dict[str, Any]] = lambda network: {},
) -> None:
    """Write a bundle, whole or not at all.

    Args:
        provenance: where the model comes from: commit, backend, versions, seed, hashes.
        figures: validation figures and training history.
        calibration: figures of what calibrates the network that will predict: ``temperature``,
            and ``calibration``, why it is this one.
    """
    with whole_folder(target) as folder:
        for file in COPIED:
            if (dataset.folder / file).exists():
                shutil.copyfile(dataset.folder / file, folder / file)
        dataset.vocabulary.save(folder / "vocabulary.json")
        write_json(folder / DATA_CARD, dataset.card)
        model.save_weights(folder / WEIGHTS)
        graph = _write_graph(experiment, model, folder / GRAPH)
        predicting = (
            OnnxNetwork(folder / GRAPH)
            if graph.unsupported is None
            else KerasNetwork(model, experiment.model.monte_carlo_samples)
        )
        describe(
            folder,
            name=name,
            experiment=experiment.of_training(),
            provenance=provenance,
            figures={"temperature": 1.0} | figures | calibration(predicting),
            graph=asdict(graph),
        )


def _write_graph(experiment: AnyExperiment, model: keras.Model, file: Path) -> Graph:
    """Write ``model`` as an ONNX graph that predicts as Keras does, where ONNX can express it."""
    if experiment.model.monte_carlo_samples:
        return Graph("monte_carlo_samples averages passes with dropout, which a graph leaves out")

    from nlp_rnn.inference.onnx_graph import Unsupported, check, onnx_model

    try:
        graph = onnx_model(model)
        check(graph, model, seed=0)
    except (Unsupported, UserError) as reason:
        return Graph(str(reason))
    file.write_bytes(graph.SerializeToString())
    return Graph(None)


def describe(folder: Path, **description: Any) -> None:
    """Write ``bundle.json``, the last file of a bundle, with the checksums of all others."""
    checksums = {file.name: sha256(file) for file in sorted(folder.iterdir())}
    write_json(folder / DESCRIPTION, {"format": FORMAT, **description, "sha256": checksums})
