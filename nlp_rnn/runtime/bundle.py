"""A model bundle: one folder that predicts on any machine, without the training data.

=====================  ==========================================================
``bundle.json``        format, name, experiment, provenance, validation metrics, graph, checksums
``tokenizer.json``     the tokenizer's parameters and the version of its rules (``subwords.json``
                       too for subword units)
``vocabulary.json``    types and counts
``labels.json``        labels or tags (not for language models)
``intents.json``       the labels of texts (only for intents and slots)
``characters.json``    characters (only for taggers, intents and slots, and semantic roles)
``frames.json``        the frames of predicates by their forms (only for semantic roles)
``data_card.json``     what the model was trained on
``start_states.json``  the initial states of single texts (only for models of running text)
``target_...``         tokenizer and vocabulary of targets (only for encoder-decoders)
``model.onnx``         the network for ONNX Runtime, if ONNX supports all its layers
``decoder.onnx``       the decoder of an encoder-decoder, whose encoder is ``model.onnx``
``model.weights.h5``   the weights in Keras's own format, without pickle (not in an exported bundle)
=====================  ==========================================================
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from nlp_rnn import backend
from nlp_rnn.arrays import Floats
from nlp_rnn.config import Experiment, TaggerHeadParameters
from nlp_rnn.config.data import LANGUAGE
from nlp_rnn.errors import UserError
from nlp_rnn.example import TAGGED_KINDS
from nlp_rnn.extras import require
from nlp_rnn.files import read_json, sha256, whole_folder, write_json
from nlp_rnn.process import log
from nlp_rnn.runtime.network import KerasNetwork, Network
from nlp_rnn.runtime.onnx_network import OnnxNetwork
from nlp_rnn.runtime.start import state_at_line_end
from nlp_rnn.runtime.weights import check_weights, fewest_weights
from nlp_rnn.task_kinds import TASK_KINDS, TaskKind
from nlp_rnn.text.characters import is_one_line
from nlp_rnn.text.entities import LearnedTags, are_entities
from nlp_rnn.text.prepared import (
    FRAMES,
    INTENTS,
    LABELLED_KINDS,
    PairSizes,
    PreparedDataset,
    is_multi_label,
)
from nlp_rnn.text.rules import SubwordTokenizer, Tokenizer
from nlp_rnn.text.tokenizers import FILE as TOKENIZER
from nlp_rnn.text.tokenizers import TARGET, load_parameters, make_tokenizer
from nlp_rnn.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    import keras

    from nlp_rnn.config import AnyExperiment

REMEDY = "copy the whole bundle again, or train the model again"
FORMAT = 5
READABLE = (4, FORMAT)
"""The formats that can be opened. Format 4 does not record the version of the tokenizer's rules,
which is 1."""
WEIGHTS = "model.weights.h5"
GRAPH = "model.onnx"
DECODER = "decoder.onnx"
DESCRIPTION = "bundle.json"
DATA_CARD = "data_card.json"
CHARACTERS = "characters.json"
START_STATES = "start_states.json"
SEEDS, FOLDS = "seeds", "folds"
"""The folders of the bundles of other seeds or folds, if an experiment was trained with several."""
COPIED = (
    TOKENIZER,
    SubwordTokenizer.FILE,
    "vocabulary.json",
    "labels.json",
    INTENTS,
    CHARACTERS,
    FRAMES,
    f"{TARGET}{TOKENIZER}",
    f"{TARGET}{SubwordTokenizer.FILE}",
    f"{TARGET}vocabulary.json",
)
"""The files that a bundle copies from its prepared data set, or from another bundle, if they exist
there."""


def _one_line(text: str) -> str:
    if not is_one_line(text):
        raise ValueError("has a control character or line break")
    return text


_PlainName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")]
"""The name of a file in the bundle's own folder."""


_IN_CACHE = re.compile("/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")
"""The end of a path in a cache of DVC."""


@dataclass(frozen=True)
class Graph:
    """What ``bundle.json`` says about the ONNX graph.

    Attributes:
        unsupported: why there is no graph, so that Keras makes the predictions; None if there is
            one.
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
    files: frozenset[str]

    @classmethod
    def open(cls, folder: Path) -> Bundle:
        """Read a bundle.

        Raises:
            UserError: it is not a bundle, has an unknown format or is damaged; the message names
                the file.
        """
        if not folder.is_dir():
            raise UserError(f"{folder}: no such model folder; give a folder written by training")
        found = _read_description(folder)
        kind = TASK_KINDS[found.experiment.task]
        _check_parts(folder, found, kind)
        tokenizer = _read_tokenizer(folder)
        characters = _read_vocabulary(folder, CHARACTERS, tokenizer) if kind.characters else None
        bundle = cls(
            folder,
            found.name,
            found.experiment,
            tokenizer,
            _read_vocabulary(folder, "vocabulary.json", tokenizer, kind),
            _read_labels(folder) if kind.labels else [],
            characters,
            found.provenance,
            found.figures,
            Graph(found.graph.unsupported, found.graph.int8),
            frozenset(found.sha256),
        )
        bundle.data_card, bundle.language, bundle.start_states(), bundle.frames, bundle.intents
        return bundle

    def check_copyable(self) -> None:
        """Raise UserError unless the folder holds nothing but the regular files that the bundle
        lists, and the bundles of its other seeds or folds, of which the same is true.

        A link in a bundle of a stranger could lead to a private file of whoever copies it. Only
        links into a cache of DVC, which may keep outputs like that, are taken for files.
        """
        for path in sorted(self.folder.iterdir()):
            if path.name in (SEEDS, FOLDS) and path.is_dir() and not path.is_symlink():
                for other in sorted(path.iterdir()):
                    _check_is_no_link(other)
                    Bundle.open(other).check_copyable()
                continue
            if path.name not in (*self.files, DESCRIPTION):
                raise UserError(f"{path}: is not a part of the bundle; remove it")
            _check_is_no_link(path)
            if not path.is_file():
                raise UserError(f"{path}: is not a regular file; {REMEDY}")

    @cached_property
    def data_card(self) -> dict[str, Any]:
        """The data card of the training data; empty if the bundle has no card."""
        if DATA_CARD not in self.files:
            return {}
        file = self.folder / DATA_CARD
        card = read_json(file, REMEDY)
        if not isinstance(card, dict) or type(card.get("entities", False)) is not bool:
            raise UserError(f"{file}: not a data card; {REMEDY}")
        return card

    @property
    def language(self) -> str | None:
        """The language of the documents that a tagger cuts into sentences, because it was trained
        on such; None if it reads each text as one sentence.

        Raises:
            UserError: the data card does not tell it.
        """
        documents = self.data_card.get("documents")
        if documents is None or not self.task.tagged:
            return None
        language = documents.get("language") if isinstance(documents, dict) else None
        if not isinstance(language, str) or not re.fullmatch(LANGUAGE, language):
            raise UserError(
                f"{self.folder / DATA_CARD}: documents has no code of a language; {REMEDY}"
            )
        return language

    @cached_property
    def frames(self) -> dict[str, str]:
        """The most frequent frame of each predicate, by its form in lower case; empty for other
        tasks than semantic roles.

        Raises:
            UserError: the file holds something else.
        """
        if self.task.data != "roles":
            return {}
        file = self.folder / FRAMES
        try:
            frames = TypeAdapter(dict[str, str]).validate_python(
                read_json(file, REMEDY), strict=True
            )
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise UserError(f"{file}: no frames of predicates ({reason}); {REMEDY}") from None
        if wrong := next((frame for frame in frames.values() if not is_one_line(frame)), None):
            raise UserError(
                f"{file}: the frame {wrong!r} has a control character or line break; {REMEDY}"
            )
        return frames

    @cached_property
    def intents(self) -> list[str]:
        """The labels of texts whose words have tags, most frequent first; empty for other tasks."""
        return _read_labels(self.folder, INTENTS) if self.task.data == "joint" else []

    @property
    def task(self) -> TaskKind:
        """The task of the model."""
        return TASK_KINDS[self.experiment.task]

    def require_weights(self) -> None:
        """Raise UserError unless the bundle has the weights in Keras's format."""
        if WEIGHTS in self.files:
            return
        whole = "the bundle from which it was exported"
        if "members" in self.provenance:
            whole = f"one of its members, in {SEEDS}/ or {FOLDS}/ of its folder"
        raise UserError(f"{self.folder}: has no Keras weights, only an ONNX graph; use {whole}")

    def require_language_model(self, ability: str) -> None:
        """Raise UserError unless this is a language model.

        Args:
            ability: what only language models can do, as a verb phrase for the message.
        """
        if self.experiment.task != "language_modelling":
            raise UserError(
                f"{self.folder}: a model for {self.experiment.task}; only language models {ability}"
            )

    def require_encoder_decoder(self, ability: str) -> None:
        """Raise UserError unless this is an encoder-decoder; see :meth:`require_language_model`."""
        if self.experiment.task != "sequence_to_sequence":
            raise UserError(
                f"{self.folder}: a model for {self.experiment.task}; only models for "
                f"sequence_to_sequence {ability}"
            )

    @cached_property
    def target_tokenizer(self) -> Tokenizer:
        """How the targets of an encoder-decoder became tokens."""
        return _read_tokenizer(self.folder, TARGET)

    @cached_property
    def target_vocabulary(self) -> Vocabulary:
        """The types that an encoder-decoder writes."""
        return Vocabulary.load(self.folder / f"{TARGET}vocabulary.json")

    @property
    def pair_sizes(self) -> PairSizes | None:
        """What an encoder-decoder must know of its data; None for other tasks.

        Raises:
            UserError: the data card does not tell it.
        """
        if self.task.data != "pairs":
            return None
        try:
            return PairSizes.of(self.data_card, self.target_vocabulary)
        except (KeyError, TypeError):
            raise UserError(
                f"{self.folder / DATA_CARD}: does not tell the sizes of targets; {REMEDY}"
            ) from None

    @property
    def entities(self) -> bool:
        """Whether the tags that a tagger learned mark spans, like BIO."""
        return are_entities(self.data_card, self.labels)

    @property
    def predicts_entities(self) -> bool:
        """Whether its predictions have entities; spans of semantic roles are arguments."""
        return self.task.tagged and self.task.data != "roles" and self.entities

    @property
    def learned_tags(self) -> LearnedTags:
        """The tags that a tagger's network learned, and their meaning in terms of
        :attr:`labels`."""
        assert isinstance(self.experiment.model, TaggerHeadParameters)
        return LearnedTags(self.labels, self.experiment.model.tag_scheme)

    @property
    def temperature(self) -> float:
        """The divisor of the logits that calibrates the probabilities."""
        return float(self.figures.get("temperature", 1.0))

    @property
    def intent_temperature(self) -> float:
        """The same for the labels of texts whose words have tags."""
        return float(self.figures.get("intent_temperature", 1.0))

    @property
    def calibration(self) -> dict[str, Any]:
        """What :meth:`nlp_rnn.tasks.task.Task.evaluate` is told of calibration."""
        found: dict[str, Any] = {"temperature": self.temperature}
        if self.multi_label:
            found["thresholds"] = self.thresholds
        if self.task.data == "joint":
            found["intent_temperature"] = self.intent_temperature
        return found

    @property
    def multi_label(self) -> bool:
        """Whether a classifier gives a text any number of labels, rather than exactly one."""
        return self.experiment.task == "classification" and is_multi_label(self.data_card)

    @property
    def thresholds(self) -> dict[str, float]:
        """The probability from which each label is given, where a text has any number of them; 0.5
        if none was chosen."""
        return dict.fromkeys(self.labels, 0.5) | self.figures.get("thresholds", {})

    @property
    def bytes_to_predict(self) -> int:
        """The size of what predictions need: all files but the weights for Keras, where there is a
        graph."""
        needed = self.files - ({WEIGHTS} if self.graph.unsupported is None else set())
        return sum((self.folder / file).stat().st_size for file in needed)

    def network(self, threads: int | None = None) -> Network:
        """Load the network that makes this bundle's predictions.

        Args:
            threads: how many batches ONNX Runtime computes at a time; None is one per processor.

        Raises:
            UserError: its file does not fit the bundle, or a library that runs it is not installed.
        """
        if self.graph.unsupported is None:
            network: Network = _onnx_network(self.folder, self.task, threads)
        else:
            log(f"{self.folder}: predictions by Keras ({self.graph.unsupported})")
            network = KerasNetwork(self.keras_model(), self.experiment.model.monte_carlo_samples)
        self._check_fits(network)
        return network

    def _check_fits(self, network: Network) -> None:
        """Raise UserError unless the network accepts the last word and has the right number of
        outputs."""
        last = np.array([[len(self.vocabulary) - 1]], np.int32)
        found: Sequence[Floats]
        try:
            if self.task.data == "pairs":
                found, answers = [self._last_target(network)], [len(self.target_vocabulary)]
            elif not self.task.labels:
                found = [network.log_probabilities(last, network.zero_states(1))[0]]
                answers = [len(self.vocabulary)]
            else:
                flags = np.zeros((1, 1), np.int32) if self.task.data == "roles" else None
                one = np.ones(1, np.int32)
                found = network.all_logits(last, one, self._last_character(), flags)
                answers = [len(self._learned_labels), *filter(None, [len(self.intents)])]
        except Exception as error:  # each library that runs networks has its own errors
            reason = str(error).splitlines()[0]
            raise UserError(f"{self.folder}: its parts do not match ({reason}); {REMEDY}") from None
        if (widths := [each.shape[-1] for each in found]) != answers:
            has, expected = (" and ".join(map(str, sizes)) for sizes in (widths, answers))
            raise UserError(
                f"{self.folder}: its parts do not match (the network has {has} outputs, expected "
                f"{expected}); {REMEDY}"
            )

    def _last_target(self, network: Network) -> Floats:
        """What an encoder-decoder says after the last type of either side."""
        assert self.pair_sizes is not None
        last, one = np.array([[len(self.vocabulary) - 1]], np.int32), np.ones(1, np.int32)
        width = self.pair_sizes.features
        source, states = network.encode(
            last, one, np.zeros((1, width), np.float32) if width else None
        )
        last_target = np.array([[len(self.target_vocabulary) - 1]], np.int32)
        return network.decode(last_target, source, states).log_probabilities

    def _last_character(self) -> NDArray[np.int32] | None:
        """A word of one character, the last in the vocabulary; None if spelling is not read."""
        model = self.experiment.model
        if not isinstance(model, TaggerHeadParameters) or model.longest is None:
            return None
        assert self.characters is not None
        return np.full((1, 1, model.longest + 2), len(self.characters) - 1, np.int32)

    @property
    def _learned_labels(self) -> list[str]:
        if isinstance(self.experiment.model, TaggerHeadParameters):
            return self.learned_tags.tags
        return self.labels

    def start_states(self) -> list[Floats] | None:
        """The states from which this language model reads a single text, each ``(width,)``.

        If it was trained on running text, they are those at the end of a line; None means zeros.

        Raises:
            UserError: the file does not hold lists of numbers.
        """
        file = self.folder / START_STATES
        if START_STATES not in self.files:
            return None
        try:
            states = [np.array(values, np.float32) for values in read_json(file, REMEDY)]
            if not all(state.ndim == 1 and np.isfinite(state).all() for state in states):
                raise ValueError("expected a list of finite numbers for each state")
        except (TypeError, ValueError) as error:
            raise UserError(f"{file}: not a list of states ({error}); {REMEDY}") from None
        return states

    def keras_model(self, select_backend: bool = True) -> keras.Model:
        """Build the network in Keras, on ``KERAS_BACKEND`` or else the backend that trained it.

        Args:
            select_backend: false keeps the backend that is in use already.

        Raises:
            UserError: its weights do not fit or were not exported, or no backend is installed.
        """
        self.require_weights()
        require("keras", "train", f"{self.folder}: the model in it")
        file, size = self.folder / WEIGHTS, len(self.vocabulary)
        if check_weights(file, REMEDY) < fewest_weights(self.experiment, size):
            raise UserError(f"{file}: holds fewer weights than bundle.json describes; {REMEDY}")
        if select_backend:
            backend.select(backend.installed(self.provenance.get("backend")))

        from nlp_rnn.models.network import build_network

        characters = self.characters.types if self.characters else ()
        model = build_network(
            self.experiment,
            size,
            self.labels,
            characters,
            entities=self.entities,
            pairs=self.pair_sizes,
            intents=self.intents,
        )
        try:
            model.load_weights(file)
        except (ValueError, OSError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{file}: does not fit bundle.json ({reason}); {REMEDY}") from None
        return model


def _check_is_no_link(path: Path) -> None:
    """Raise UserError unless ``path`` is no link, or one into a cache of DVC."""
    if path.is_symlink() and not _IN_CACHE.search(str(path.resolve())):
        raise UserError(
            f"{path}: is a link, not a regular file; if you trust the bundle, copy it with cp -rL "
            "and use the copy"
        )


class _GraphParts(BaseModel):
    """What ``bundle.json`` must hold about the graph."""

    model_config = ConfigDict(strict=True)

    unsupported: str | None
    int8: bool = False


_Thresholds = TypeAdapter(dict[str, Annotated[float, Field(ge=0, le=1)]])
"""The thresholds of a bundle, by label."""


class _Description(BaseModel):
    """What ``bundle.json`` must hold."""

    model_config = ConfigDict(strict=True)

    name: Annotated[str, AfterValidator(_one_line)]
    experiment: Experiment
    provenance: dict[str, Any]
    figures: dict[str, Any]
    graph: _GraphParts
    sha256: dict[_PlainName, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]

    @field_validator("figures")
    @classmethod
    def _temperatures_divide(cls, figures: dict[str, Any]) -> dict[str, Any]:
        for name in ("temperature", "intent_temperature"):
            temperature = figures.get(name, 1.0)
            if type(temperature) not in (int, float) or not 0 < temperature < math.inf:
                raise ValueError(f"the temperature {temperature!r} is not a positive number")
        return figures

    @field_validator("figures")
    @classmethod
    def _thresholds_are_probabilities(cls, figures: dict[str, Any]) -> dict[str, Any]:
        try:
            _Thresholds.validate_python(figures.get("thresholds", {}), strict=True)
        except ValidationError:
            raise ValueError("a threshold is not a probability") from None
        return figures

    @field_validator("provenance")
    @classmethod
    def _backend_is_named(cls, provenance: dict[str, Any]) -> dict[str, Any]:
        if provenance.get("backend") not in (None, *backend.BACKENDS):
            raise ValueError(f"no such backend: {provenance['backend']!r}")
        return provenance


def _read_description(folder: Path) -> _Description:
    """The checked ``bundle.json`` of a folder."""
    file = folder / DESCRIPTION
    data = read_json(file, f"{folder} is not a complete model bundle; {REMEDY}")
    try:
        found = data["format"]
        if found not in READABLE:
            raise UserError(
                f"{file}: bundle format {found}, but this nlp_rnn reads formats "
                f"{' and '.join(map(str, READABLE))}; "
                "install the version that wrote it"
            )
        return _Description.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        reason = f"{key}: {first['msg'].removeprefix('Value error, ')}"
    except (KeyError, TypeError) as error:
        reason = str(error)
    raise UserError(f"{file}: not a model bundle ({reason}); {REMEDY}")


def _check_parts(folder: Path, found: _Description, task: TaskKind) -> None:
    """Raise UserError unless every file that a bundle lists is there and whole, and it lists all
    that a model needs."""
    for part, checksum in found.sha256.items():
        if not (folder / part).is_file():
            raise UserError(f"{folder / part}: no such file; {REMEDY}")
        if sha256(folder / part) != checksum:
            raise UserError(f"{folder / part}: damaged, its checksum differs; {REMEDY}")
    network = GRAPH if found.graph.unsupported is None else WEIGHTS
    needed = [TOKENIZER, "vocabulary.json", network]
    needed += ["labels.json"] * task.labels + [CHARACTERS] * task.characters
    needed += [FRAMES] * (task.data == "roles") + [INTENTS] * (task.data == "joint")
    if task.data == "pairs":
        needed += [DATA_CARD, f"{TARGET}{TOKENIZER}", f"{TARGET}vocabulary.json"]
        needed += [DECODER] * (network == GRAPH)
    for prefix in ("", TARGET) if task.data == "pairs" else ("",):
        if load_parameters(folder, REMEDY, prefix).unit == "subword":
            needed.append(f"{prefix}{SubwordTokenizer.FILE}")
    for part in needed:
        if part not in found.sha256:
            raise UserError(f"{folder / DESCRIPTION}: does not list {part}; {REMEDY}")


def _read_tokenizer(folder: Path, prefix: str = "") -> Tokenizer:
    found = make_tokenizer(load_parameters(folder, REMEDY, prefix))
    found.load(folder, prefix)
    return found


def _onnx_network(folder: Path, task: TaskKind, threads: int | None = None) -> OnnxNetwork:
    """The network in a bundle's graphs."""
    decoder = folder / DECODER if task.data == "pairs" else None
    return OnnxNetwork(folder / GRAPH, decoder, threads)


def _read_vocabulary(
    folder: Path, name: str, tokenizer: Tokenizer, task: TaskKind | None = None
) -> Vocabulary:
    """A vocabulary whose types the tokenizer can give.

    Args:
        task: of the model whose words these are; None for the characters of words.
    """
    file = folder / name
    found = Vocabulary.load(file)
    words = task is None or task.tagged
    for token, count in zip(found.types, found.counts, strict=True):
        # Words that were not in training come from a file of vectors.
        known = count > 0 or not words
        if known and token != found.end and not tokenizer.can_give(token, of_words=words):
            raise UserError(
                f"{file}: {token!r} has a control character or line break, which the tokenizer "
                f"never gives; {REMEDY}"
            )
    return found


def _read_labels(folder: Path, name: str = "labels.json") -> list[str]:
    file = folder / name
    try:
        labels = TypeAdapter(list[str]).validate_python(read_json(file, REMEDY), strict=True)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise UserError(f"{file}: not a list of labels ({reason}); {REMEDY}") from None
    if not labels or len(set(labels)) < len(labels):
        raise UserError(f"{file}: expected one or more distinct labels; {REMEDY}")
    for label in labels:
        if not is_one_line(label):
            raise UserError(
                f"{file}: the label {label!r} has a control character or line break; {REMEDY}"
            )
    return labels


def write_bundle(
    target: Path,
    *,
    name: str,
    experiment: AnyExperiment,
    model: keras.Model,
    dataset: PreparedDataset,
    provenance: dict[str, Any],
    figures: dict[str, Any],
    calibration: Callable[[Network], dict[str, Any]] = lambda network: {},
) -> None:
    """Write a bundle completely or not at all.

    Args:
        provenance: where the model comes from: commit, backend, versions, seed, hashes.
        figures: validation metrics and training history.
        calibration: maps the network that will predict to its ``temperature`` and ``calibration``,
            the reason for this temperature.
    """
    with whole_folder(target) as folder:
        for file in COPIED:
            if (dataset.folder / file).exists():
                shutil.copyfile(dataset.folder / file, folder / file)
        # The network may know more words, labels and characters than the prepared data.
        dataset.vocabulary.save(folder / "vocabulary.json")
        if dataset.kind in LABELLED_KINDS:
            write_json(folder / "labels.json", dataset.labels)
        if dataset.kind in TAGGED_KINDS:
            dataset.characters.save(folder / CHARACTERS)
        write_json(folder / DATA_CARD, dataset.card)
        model.save_weights(folder / WEIGHTS)
        graph = _write_graph(experiment, model, folder)
        predicting = (
            _onnx_network(folder, TASK_KINDS[experiment.task])
            if graph.unsupported is None
            else KerasNetwork(model, experiment.model.monte_carlo_samples)
        )
        if experiment.task == "language_modelling" and experiment.training.streams == "text":
            ids, end = dataset.split("validation").ids, dataset.vocabulary.end_index
            states = state_at_line_end(predicting, ids, end)
            write_json(folder / START_STATES, [state.tolist() for state in states])
        describe(
            folder,
            name=name,
            experiment=experiment.of_bundle(),
            provenance=provenance,
            figures={"temperature": 1.0} | figures | calibration(predicting),
            graph=asdict(graph),
        )


def _write_graph(experiment: AnyExperiment, model: keras.Model, folder: Path) -> Graph:
    """Write ``model`` as an ONNX graph that predicts as Keras does, if ONNX can express it; an
    encoder-decoder as two."""
    if experiment.model.monte_carlo_samples:
        return Graph("monte_carlo_samples averages passes with dropout, which a graph lacks")

    from nlp_rnn.runtime.onnx_graph import Unsupported, check, onnx_model

    try:
        if TASK_KINDS[experiment.task].data == "pairs":
            _write_two_graphs(model, folder)
        else:
            graph = onnx_model(model)
            check(graph, model, seed=0)
            (folder / GRAPH).write_bytes(graph.SerializeToString())
    except (Unsupported, UserError) as reason:
        for file in (GRAPH, DECODER):
            (folder / file).unlink(missing_ok=True)
        return Graph(str(reason))
    return Graph(None)


def _write_two_graphs(model: keras.Model, folder: Path) -> None:
    """Write an encoder-decoder, and compare the files with it."""
    from nlp_rnn.runtime.onnx_graph.pairs import check_pairs, decoder_model, encoder_model

    (folder / GRAPH).write_bytes(encoder_model(model).SerializeToString())
    (folder / DECODER).write_bytes(decoder_model(model).SerializeToString())
    check_pairs(folder / GRAPH, folder / DECODER, model, seed=0)


def describe(folder: Path, **description: Any) -> None:
    """Write ``bundle.json``, the last file of a bundle, with the checksums of all others."""
    checksums = {file.name: sha256(file) for file in sorted(folder.iterdir())}
    write_json(folder / DESCRIPTION, {"format": FORMAT, **description, "sha256": checksums})
