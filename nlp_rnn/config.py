"""``params.yaml`` as typed, validated objects: the only reader of that file.

Every key is declared here once, with its default and meaning. An unknown key, a wrong
type or an impossible combination raises :class:`~nlp_rnn.errors.UserError` naming the
file, the full key and the mend.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from nlp_rnn.corpora.example import Kind
from nlp_rnn.errors import UserError

PARAMS_FILE = Path("params.yaml")

Backend = Literal["tensorflow", "jax", "torch"]
Task = Literal["classification", "tagging", "language_modelling"]

KIND_OF_TASK: dict[str, Kind] = {
    "classification": "labelled",
    "tagging": "tagged",
    "language_modelling": "text",
}


def nearest(name: str, valid: Iterable[str]) -> str:
    """A hint that ends an error message: the nearest valid name, else all of them."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"valid names are: {', '.join(names)}" if names else "none are defined"


def _impossible(message: str) -> PydanticCustomError:
    return PydanticCustomError("impossible", "{message}", {"message": message})


class Section(BaseModel):
    """A mapping of ``params.yaml``; unknown keys are errors with the nearest valid name."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _reject_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for key in data:
                if key not in cls.model_fields:
                    hint = nearest(str(key), cls.model_fields)
                    raise _impossible(f"unknown parameter '{key}'; {hint}")
        return data


# --- text ---------------------------------------------------------------------------


class TokenizerParameters(Section):
    """How raw text becomes tokens (see :mod:`nlp_rnn.text.tokenizers`)."""

    unit: Literal["word", "whitespace", "character", "subword"] = "word"
    lowercase: bool = True
    digits: Literal["keep", "zero"] = "keep"
    """``zero`` writes every decimal digit as 0."""
    unicode: Literal["NFC", "NFKC", "none"] = "NFC"
    html_breaks: bool = False
    """``true`` reads ``<br />`` as a space and, but for subwords, HTML entities as their
    characters."""
    bad_bytes: Literal["error", "replace"] = "error"
    """What undecodable UTF-8 is: an error naming its line, or U+FFFD."""

    @model_validator(mode="after")
    def _breaks_are_between_words(self) -> TokenizerParameters:
        if self.html_breaks and self.unit == "character":
            raise _impossible("html_breaks is for words and subwords, not for unit: character")
        return self


class VocabularyParameters(Section):
    """Which types of the training split get an index of their own."""

    size: int | None = Field(default=None, ge=4)
    """Most types kept, special tokens included; null keeps all."""
    min_count: int = Field(default=1, ge=1)
    """Types seen less often in training become ``<unk>``."""


class SplitParameters(Section):
    """Shares taken from the training data for splits that have no file of their own."""

    validation: float = Field(default=0.1, gt=0, lt=1)
    test: float = Field(default=0.1, gt=0, lt=1)


# --- datasets -----------------------------------------------------------------------


class DatasetSection(Section):
    """What every data set has, whatever its source."""

    tokenizer: TokenizerParameters = TokenizerParameters()
    vocabulary: VocabularyParameters = VocabularyParameters()
    split: SplitParameters = SplitParameters()
    seed: int = Field(default=1, ge=0)
    """Draws the split by ratio, and the sample of a built-in corpus."""
    licence: str = "not stated"
    citation: str = "not stated"


class GrammarSizes(Section):
    """Sentences, reviews or lines a split of a built-in corpus has."""

    train: int = Field(gt=0)
    validation: int = Field(gt=0)
    test: int = Field(gt=0)


class GrammarDataset(DatasetSection):
    """A corpus written by the built-in probabilistic grammar; its optimum is known."""

    source: Literal["grammar"]
    corpus: Literal["reviews", "parts_of_speech", "entities", "text"]
    sizes: GrammarSizes
    tokenizer: TokenizerParameters = TokenizerParameters(unit="whitespace", lowercase=False)

    @property
    def kind(self) -> Kind:
        kinds: dict[str, Kind] = {"reviews": "labelled", "text": "text"}
        return kinds.get(self.corpus, "tagged")

    @model_validator(mode="after")
    def _tokens_are_the_grammars_own(self) -> GrammarDataset:
        """The optimum is that of the grammar's own words, so a tokenizer must not change them."""
        units = self.tokenizer
        if units.unit != "whitespace" and not (units.unit == "character" and self.corpus == "text"):
            raise _impossible(
                f"tokenizer.unit of the built-in corpus {self.corpus} is 'whitespace'"
                + (" or 'character'" if self.corpus == "text" else "")
            )
        if units.lowercase and self.corpus in ("entities", "text"):
            raise _impossible(
                f"tokenizer.lowercase of the built-in corpus {self.corpus} is false, or its known "
                "optimum would be of other words"
            )
        return self


LABELLED_FORMATS = ("csv", "tsv", "jsonl", "parquet", "folders")
TAGGED_FORMATS = ("conll", "conllu")


class FilesDataset(DatasetSection):
    """The user's own files. Paths are relative to ``NLP_RNN_DATA`` (default ``data/raw``)."""

    source: Literal["files"]
    format: Literal["csv", "tsv", "jsonl", "parquet", "folders", "conll", "conllu", "text"]
    train: str
    validation: str | None = None
    test: str | None = None
    text_column: str = "text"
    label_column: str = "label"
    word_column: int = Field(default=0)
    """CoNLL: the column of the word, counted from 0 (from the end when negative)."""
    tag_column: int | Literal["upos", "xpos"] | None = None
    """CoNLL: the column of the tag, counted as ``word_column`` (default -1); CoNLL-U: upos or
    xpos (default upos)."""
    scheme: Literal["BIO", "IOB1", "BIOES"] | None = None
    """How entity tags mark spans; null where tags are not entities. Read as given, kept as BIO."""

    @property
    def kind(self) -> Kind:
        if self.format in LABELLED_FORMATS:
            return "labelled"
        return "tagged" if self.format in TAGGED_FORMATS else "text"

    @model_validator(mode="after")
    def _columns_fit_format(self) -> FilesDataset:
        if self.format == "conllu" and isinstance(self.tag_column, int):
            raise _impossible("tag_column of format conllu is 'upos' or 'xpos', not a number")
        if self.format == "conll" and isinstance(self.tag_column, str):
            raise _impossible("tag_column of format conll is a column number, not a name")
        tag_column = -1 if self.tag_column is None else self.tag_column
        if self.format == "conll" and self.word_column == tag_column:
            raise _impossible("word_column and tag_column are the same column")
        if self.tag_column is not None and self.format not in TAGGED_FORMATS:
            raise _impossible(f"tag_column needs format conll or conllu, not {self.format}")
        if self.scheme is not None and self.format != "conll":
            raise _impossible(f"scheme needs format conll, not {self.format}")
        return self


class TfdsDataset(DatasetSection):
    """A TensorFlow Datasets text data set by name, e.g. ``imdb_reviews``."""

    source: Literal["tfds"]
    name: str
    kind: Kind
    train: str = "train"
    """A TFDS split expression, e.g. ``train[:90%]``."""
    validation: str | None = None
    test: str | None = None
    text_feature: str = "text"
    label_feature: str = "label"
    tokens_feature: str = "tokens"
    tags_feature: str = "tags"
    scheme: Literal["BIO", "IOB1", "BIOES"] | None = None


Dataset = Annotated[GrammarDataset | FilesDataset | TfdsDataset, Field(discriminator="source")]


# --- experiments --------------------------------------------------------------------


class LearnedEmbeddings(Section):
    """Vectors drawn at random and learned with the model."""

    kind: Literal["learned"]
    dimension: int = Field(default=100, gt=0)
    scale: float = Field(default=0.05, gt=0)
    """Drawn uniformly from [-scale, scale]."""


class PretrainedEmbeddings(Section):
    """Vectors read from a GloVe text file, one word and its numbers a line."""

    kind: Literal["pretrained"]
    file: str
    """A GloVe file, or ``archive.zip!member.txt``, relative to ``NLP_RNN_DATA``."""
    dimension: int = Field(gt=0)
    trainable: bool = True
    """``false`` freezes the vectors, ``true`` fine-tunes them."""
    url: str | None = None
    """Where to download the archive from when it is not there."""
    sha256: str | None = None
    """What the download must hash to."""


Embeddings = Annotated[LearnedEmbeddings | PretrainedEmbeddings, Field(discriminator="kind")]


class EncoderParameters(Section):
    """The recurrent encoder under every head."""

    cell: Literal["simple_rnn", "lstm", "gru"] = "lstm"
    units: int = Field(default=100, gt=0)
    """Width of one direction of one layer."""
    layers: int = Field(default=1, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """On non-recurrent connections: input, between layers, output (Zaremba et al. 2014)."""


class ClassifierParameters(EncoderParameters):
    """Encoder, pooling over real tokens, softmax over labels."""

    bidirectional: bool = True
    pooling: Literal["last", "mean", "max", "attention"] = "last"


class TaggerParameters(EncoderParameters):
    """Encoder, softmax over tags at every token."""

    bidirectional: bool = True


class LanguageModelParameters(EncoderParameters):
    """One-directional encoder, softmax over the vocabulary at every token."""

    tied: bool = False
    """Share output weights with the embeddings (Press & Wolf 2017)."""


class ScheduleParameters(Section):
    """The learning rate over the epochs (see :mod:`nlp_rnn.training.schedules`)."""

    kind: Literal["constant", "cosine", "exponential", "plateau"] = "constant"
    decay: float = Field(default=0.5, gt=0, lt=1)
    """exponential and plateau: the factor of one decay."""
    start: int = Field(default=1, ge=0)
    """exponential: epochs before the first decay (Zaremba et al. 2014 use 4)."""


class TrainingParameters(Section):
    """How a model is fitted."""

    optimizer: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad"] = "adam"
    learning_rate: float = Field(default=0.001, gt=0)
    schedule: ScheduleParameters = ScheduleParameters()
    clip_norm: float | None = Field(default=None, gt=0)
    """Largest Euclidean norm of the whole gradient (Pascanu et al. 2013)."""
    epochs: int = Field(default=10, gt=0)
    select: Literal["loss", "accuracy", "f1"] = "loss"
    """The figure of the validation split whose best epoch is kept. Accuracy is for
    classification and tagging, F1 for entities."""
    patience: int | None = Field(default=None, gt=0)
    """Stop after so many epochs without a better figure; null runs all epochs. The weights of
    the best epoch are kept either way."""
    batch_size: int = Field(default=32, gt=0)


class BatchTrainingParameters(TrainingParameters):
    """Training on examples bucketed by length."""

    max_length: int | None = Field(default=None, gt=0)
    """Longer examples are cut to their first tokens in training and, for classification,
    in prediction; null keeps all."""


class LanguageModelTrainingParameters(TrainingParameters):
    """Truncated BPTT over parallel token streams."""

    window: int = Field(default=35, gt=0)
    """Steps the gradient flows back; the state is carried from window to window."""


class ExperimentSection(Section):
    """One model on one data set."""

    dataset: str
    embeddings: Embeddings


class ClassificationExperiment(ExperimentSection):
    """A label for a text: sentiment."""

    task: Literal["classification"]
    model: ClassifierParameters
    training: BatchTrainingParameters

    @model_validator(mode="after")
    def _figure_exists(self) -> ClassificationExperiment:
        if self.training.select == "f1":
            raise _impossible("training.select of a classifier is 'loss' or 'accuracy'")
        return self


class TaggingExperiment(ExperimentSection):
    """A tag for every word: parts of speech, named entities."""

    task: Literal["tagging"]
    model: TaggerParameters
    training: BatchTrainingParameters


class LanguageModellingExperiment(ExperimentSection):
    """The probability of the next word or character."""

    task: Literal["language_modelling"]
    model: LanguageModelParameters
    training: LanguageModelTrainingParameters

    @model_validator(mode="after")
    def _figure_exists(self) -> LanguageModellingExperiment:
        if self.training.select != "loss":
            raise _impossible("training.select of a language model is 'loss'")
        return self

    @model_validator(mode="after")
    def _tied_weights_fit(self) -> LanguageModellingExperiment:
        if self.model.tied and self.embeddings.dimension != self.model.units:
            raise _impossible(
                f"model.tied needs embeddings.dimension ({self.embeddings.dimension}) equal to "
                f"model.units ({self.model.units})"
            )
        frozen = isinstance(self.embeddings, PretrainedEmbeddings) and not self.embeddings.trainable
        if self.model.tied and frozen:
            raise _impossible("model.tied needs embeddings.trainable: true")
        return self


Experiment = Annotated[
    ClassificationExperiment | TaggingExperiment | LanguageModellingExperiment,
    Field(discriminator="task"),
]

# --- the whole file -----------------------------------------------------------------


class TrackingParameters(Section):
    """Where runs go in MLflow; the server is ``MLFLOW_TRACKING_URI``, else ``mlflow.db``."""

    experiment: str = "nlp_rnn"


class RealData(Section):
    """Data sets and experiments that need downloaded or supplied files."""

    datasets: dict[str, Dataset] = {}
    experiments: dict[str, Experiment] = {}


class Parameters(Section):
    """All of ``params.yaml``."""

    backend: Backend = "tensorflow"
    seed: int = Field(default=1, ge=0)
    tracking: TrackingParameters = TrackingParameters()
    datasets: dict[str, Dataset] = {}
    experiments: dict[str, Experiment] = {}
    real: RealData = RealData()

    @property
    def all_datasets(self) -> dict[str, GrammarDataset | FilesDataset | TfdsDataset]:
        return {**self.datasets, **self.real.datasets}

    @property
    def all_experiments(
        self,
    ) -> dict[str, ClassificationExperiment | TaggingExperiment | LanguageModellingExperiment]:
        return {**self.experiments, **self.real.experiments}

    def dataset(self, name: str) -> GrammarDataset | FilesDataset | TfdsDataset:
        """The data set called ``name``; UserError with the nearest name where there is none."""
        if name not in self.all_datasets:
            raise UserError(f"no data set '{name}'; {nearest(name, self.all_datasets)}")
        return self.all_datasets[name]

    def experiment(
        self, name: str
    ) -> ClassificationExperiment | TaggingExperiment | LanguageModellingExperiment:
        """The experiment called ``name``; UserError with the nearest name where there is none."""
        if name not in self.all_experiments:
            raise UserError(f"no experiment '{name}'; {nearest(name, self.all_experiments)}")
        return self.all_experiments[name]

    def _check_references(self, file: Path) -> None:
        for group in ("datasets", "experiments"):
            both = set(getattr(self, group)) & set(getattr(self.real, group))
            if both:
                raise UserError(f"{file}: real.{group}.{min(both)}: also named in {group}; rename")
            for name in (*getattr(self, group), *getattr(self.real, group)):
                if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
                    raise UserError(
                        f"{file}: {group}.{name}: a name has letters, digits, '.', '_' and '-' only"
                    )
        for name, dataset in self.all_datasets.items():
            if dataset.kind == "tagged" and dataset.tokenizer.unit in ("character", "subword"):
                raise UserError(
                    f"{file}: datasets.{name}.tokenizer.unit: '{dataset.tokenizer.unit}' would cut "
                    "tagged words into pieces; use 'word' or 'whitespace'"
                )
        for prefix, experiments in (
            ("experiments", self.experiments),
            ("real.experiments", self.real.experiments),
        ):
            for name, experiment in experiments.items():
                key = f"{file}: {prefix}.{name}"
                if experiment.dataset not in self.all_datasets:
                    hint = nearest(experiment.dataset, self.all_datasets)
                    raise UserError(f"{key}.dataset: no data set '{experiment.dataset}'; {hint}")
                kind = self.all_datasets[experiment.dataset].kind
                if kind != KIND_OF_TASK[experiment.task]:
                    raise UserError(
                        f"{key}.task: {experiment.task} needs a {KIND_OF_TASK[experiment.task]} "
                        f"data set, but {experiment.dataset} is {kind}"
                    )


def _key(location: tuple[int | str, ...], data: Any) -> str:
    """The dotted key of a pydantic error location, without the tags of unions in it."""
    keys: list[str] = []
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if isinstance(data, Mapping):
            if part in data or last:
                keys.append(str(part))
                data = data.get(part)
        else:
            break
    return ".".join(keys)


def _union_fault(key: str, error: Any) -> str:
    """What is wrong with the key that says which kind of section this is."""
    section, discriminator = error["input"], error["ctx"]["discriminator"].strip("'")
    valid = {
        "source": ("grammar", "files", "tfds"),
        "kind": ("learned", "pretrained"),
        "task": tuple(KIND_OF_TASK),
    }[discriminator]
    if discriminator in section:
        found = section[discriminator]
        return f"{key}.{discriminator}: no such {discriminator} {found!r}; " + nearest(
            str(found), valid
        )
    close = difflib.get_close_matches(discriminator, [str(name) for name in section], n=1)
    hint = f"unknown parameter '{close[0]}'; did you mean '{discriminator}'?" if close else ""
    return f"{key}: " + (hint or f"needs {discriminator}, one of: {', '.join(valid)}")


def parse(data: Any, file: Path) -> Parameters:
    """Validate the mapping read from ``file``; UserError names the first key at fault."""
    if not isinstance(data, Mapping):
        raise UserError(f"{file}: expected a mapping of parameters, found {type(data).__name__}")
    try:
        parameters = Parameters.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = _key(first["loc"], data)
        message = first["msg"]
        if first["type"].startswith("union_tag"):
            raise UserError(f"{file}: {_union_fault(key, first)}") from None
        if first["type"] not in ("impossible", "missing"):
            message += f" (found {first['input']!r})"
        raise UserError(f"{file}: {key + ': ' if key else ''}{message}") from None
    parameters._check_references(file)
    return parameters


def load(file: Path = PARAMS_FILE) -> Parameters:
    """Read and validate a parameter file.

    Raises:
        UserError: the file is missing, is no YAML, or a key in it is wrong.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        with file.open(encoding="utf-8") as stream:
            data = YAML(typ="safe", pure=True).load(stream)
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; run from the project's folder") from None
    except IsADirectoryError:
        raise UserError(f"{file}: is a folder, not a parameter file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(f"{file}, line {line}: not valid YAML: {error.problem}") from None
    except YAMLError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{file}: not valid YAML: {reason}") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None
    return parse(data, file)
