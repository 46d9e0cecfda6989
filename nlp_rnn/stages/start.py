"""The trained model that an experiment goes on from: ``start_from``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_rnn import paths
from nlp_rnn.config import (
    AnyExperiment,
    LearnedEmbeddings,
    Parameters,
    StartParameters,
    TaggerHeadParameters,
    check_start,
)
from nlp_rnn.config.parameters import PARAMS_FILE
from nlp_rnn.errors import UserError
from nlp_rnn.files import sha256
from nlp_rnn.hints import Remedy
from nlp_rnn.process import log
from nlp_rnn.stages.common import check_parameters

if TYPE_CHECKING:
    import keras

    from nlp_rnn.runtime.bundle import Bundle
    from nlp_rnn.tasks.task import Task
    from nlp_rnn.text.prepared import PreparedDataset
    from nlp_rnn.text.vocabulary import Vocabulary

SPLITS = ("validation", "test")
"""The splits of the old data on which a model is measured before and after its training."""


@dataclass(frozen=True)
class Start:
    """The trained model that an experiment goes on from.

    Attributes:
        name: of the experiment.
        experiment: its parameters.
        parameters: what ``start_from`` says.
        bundle: the trained model.
        old: the name of the data set with the old examples, if there is one.
    """

    name: str
    experiment: AnyExperiment
    parameters: StartParameters
    bundle: Bundle
    old: str | None

    @classmethod
    def of(cls, parameters: Parameters, name: str, experiment: AnyExperiment) -> Start | None:
        """What an experiment goes on from; None if it starts anew.

        Raises:
            UserError: there is no such bundle, or it is of another model or task.
        """
        start = experiment.start_from
        if start is None:
            return None

        from nlp_rnn.runtime.bundle import Bundle

        key, folder = f"{PARAMS_FILE}: experiments.{name}", Path(start.folder)
        remedy = Remedy("train it", start.model, ("train",))
        if not folder.is_dir():
            then = "name the folder of a bundle" if start.is_folder else str(remedy)
            raise UserError(f"{key}.start_from: there is no folder {folder}; {then}")
        bundle = Bundle.open(folder)
        if not start.is_folder:
            again = Remedy("train it again", start.model, ("train",))
            check_parameters(bundle, parameters.experiment(start.model), again)
        check_start(experiment, bundle.experiment, key, str(folder))
        return cls(name, experiment, start, bundle, parameters.old_data(start))

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the bundle's description, which has those of all its files."""
        from nlp_rnn.runtime.bundle import DESCRIPTION

        return sha256(self.bundle.folder / DESCRIPTION)

    @property
    def identity(self) -> list[str]:
        """What decides on the weights of the training beside the experiment's own data."""
        from nlp_rnn.text.prepared import PreparedDataset

        if self.parameters.rehearse is None or self.old is None:
            return [self.sha256]
        return [self.sha256, PreparedDataset(paths.prepared(self.old)).card["data_sha256"]]

    @property
    def origin(self) -> dict[str, Any]:
        """Where the weights come from, for the bundle and the tags of the run."""
        return {
            "model": self.parameters.model,
            "sha256": self.sha256,
            "run_id": self.bundle.provenance.get("run_id"),
        }

    def dataset(self, dataset: PreparedDataset, seed: int) -> PreparedDataset:
        """A data set with the words, labels and characters that the model knows besides its own,
        and the old examples that are rehearsed.

        Raises:
            UserError: the data set is cut into tokens in another way, or has other labels.
        """
        import numpy as np

        from nlp_rnn.text.prepared import PreparedDataset
        from nlp_rnn.text.rehearsal import RehearsedDataset, joined

        self._check_data(dataset)
        known = joined(
            (self.bundle.vocabulary, self.bundle.labels, self.bundle.characters), dataset
        )
        log(
            f"{self.name}: starts from {self.bundle.folder}; the data add "
            f"words: {len(known[0]) - len(self.bundle.vocabulary):,}, "
            f"labels: {len(known[1]) - len(self.bundle.labels):,}"
        )
        together = PreparedDataset(dataset.folder, *known)
        if self.old is None or self.parameters.rehearse is None:
            return together
        old = PreparedDataset(paths.prepared(self.old))
        self._check_data(old)
        old = PreparedDataset(old.folder, *known)
        rng = np.random.default_rng(seed)
        rehearsed = RehearsedDataset(together, old, self.parameters.rehearse, rng)
        log(f"{self.name}: rehearses {len(rehearsed.numbers):,} examples of {self.old}")
        return rehearsed

    def vectors(self, vectors: Any, of: Vocabulary, dataset: PreparedDataset) -> Any:
        """The vectors of a vocabulary, as rows of that of the data set; rows of other words are
        zero, and :meth:`take_over` sets them.

        Args:
            vectors: ``(types, dimension)``.
            of: the vocabulary of the vectors.
        """
        import numpy as np

        rows = np.zeros((len(dataset.vocabulary), vectors.shape[1]), vectors.dtype)
        rows[dataset.vocabulary.encode(of.types)] = vectors
        return rows

    def take_over(self, network: keras.Model, dataset: PreparedDataset) -> None:
        """Give a fresh network the weights of the trained model."""
        import numpy as np

        from nlp_rnn.models.transfer import take_over
        from nlp_rnn.text.entities import LearnedTags

        model = self.experiment.model
        own, old = list(dataset.labels), list(self.bundle.labels)
        if isinstance(model, TaggerHeadParameters):
            own, old = (LearnedTags(tags, model.tag_scheme).tags for tags in (own, old))
        places = np.array([own.index(tag) for tag in old], np.int64)
        learned = isinstance(self.experiment.embeddings, LearnedEmbeddings)
        source = self.bundle.keras_model(select_backend=False)
        take_over(network, source, places, new_as_unknown=learned)

    def measured(self, after: Bundle, task: Task) -> dict[str, Any]:
        """The metrics on the old data before and after training; empty without old data.

        Args:
            after: the bundle that was trained.
            task: the task of that.
        """
        from nlp_rnn.tasks.registry import make_task
        from nlp_rnn.text.prepared import PreparedDataset

        if self.old is None:
            return {}
        found: dict[str, Any] = {"dataset": self.old}
        for when, bundle, experiment in (
            ("before", self.bundle, self.bundle.experiment),
            ("after", after, task.experiment),
        ):
            of_model = bundle.vocabulary, bundle.labels, bundle.characters
            data = PreparedDataset(paths.prepared(self.old), *of_model)
            judge, network = make_task(experiment, data, task.seed), bundle.network()
            found[when] = {split: judge.measure(network, split) for split in SPLITS}
        return found

    def _check_data(self, dataset: PreparedDataset) -> None:
        """Raise UserError unless a data set has the tokens and the kind of labels of the model."""
        from nlp_rnn.text.rules import SubwordTokenizer

        name, bundle, folder = dataset.card["name"], self.bundle, self.bundle.folder
        key = f"{PARAMS_FILE}: datasets.{name}"
        own, given = dataset.tokenizer_parameters, bundle.tokenizer.parameters
        for field in sorted(type(own).model_fields.keys() - {"bad_bytes"}):
            if (mine := getattr(own, field)) != (theirs := getattr(given, field)):
                raise UserError(
                    f"{key}.tokenizer.{field}: {_yaml(mine)}, but {folder}, which start_from of "
                    f"{self.name} names, has {_yaml(theirs)}; set it to that"
                )
        files = (each / SubwordTokenizer.FILE for each in (dataset.folder, folder))
        if own.unit == "subword" and len({*map(sha256, files)}) > 1:
            raise UserError(
                f"{key}.tokenizer.unit: subword, but {folder}, which start_from of {self.name} "
                "names, learned other subwords; use unit: word or character in both"
            )
        for what, mine, theirs in (
            ("any number of labels a text", dataset.multi_label, bundle.multi_label),
            ("tags that mark entities", dataset.entities, bundle.entities),
        ):
            if mine != theirs:
                has, lacks = (name, folder) if mine else (folder, name)
                raise UserError(
                    f"{PARAMS_FILE}: experiments.{self.name}.start_from: {has} has {what}, and "
                    f"{lacks} has not; start from a model of the same kind of data"
                )


def said_of_old_data(figures: Mapping[str, Any]) -> str:
    """The metrics of the test split before and after training, in words.

    >>> said_of_old_data({"before": {"test": {"loss": 0.2}}, "after": {"test": {"loss": 0.25}}})
    'test loss 0.2 before and 0.25 after'
    """
    before, after = figures["before"]["test"], figures["after"]["test"]
    return "test " + ", ".join(
        f"{name} {before[name]:.4g} before and {after[name]:.4g} after" for name in before
    )


def _yaml(value: Any) -> str:
    """A plain value as YAML has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
