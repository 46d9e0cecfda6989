"""The models that a server serves, by name and version."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nlp_rnn.errors import UserError
from nlp_rnn.extras import require
from nlp_rnn.files import sha256
from nlp_rnn.inference.generation import Sampling
from nlp_rnn.inference.items import Item
from nlp_rnn.inference.predictor import (
    DEFAULT,
    LanguageModelPredictor,
    Options,
    Prediction,
    Predictor,
)
from nlp_rnn.loading import bundle_folder
from nlp_rnn.process import log, processors
from nlp_rnn.runtime.bundle import DESCRIPTION, Bundle
from nlp_rnn.serving.batching import Batcher
from nlp_rnn.serving.streaming import generated

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
"""The name of a model in addresses."""

_ALIAS = re.compile(r"models:/([^@/]+)(?:@([^@/]+))?")
"""A registered model by an alias, which may move to another version."""

ALONE = Options(batch_size=1)
"""For networks whose results depend on what else is in a batch."""


@dataclass(frozen=True)
class Source:
    """What the user asked to serve.

    Attributes:
        uri: a bundle folder, ``runs:/…`` or ``models:/…``.
        name: the name in addresses; None takes the model's own.
    """

    uri: str
    name: str | None = None

    @classmethod
    def parse(cls, argument: str) -> Source:
        """``NAME=MODEL`` or ``MODEL``."""
        name, equals, uri = argument.partition("=")
        if equals and uri and NAME.fullmatch(name):
            return cls(uri, name)
        return cls(argument)

    @property
    def moves(self) -> bool:
        """Whether it may mean another version later."""
        return _ALIAS.fullmatch(self.uri) is not None

    def version(self) -> str:
        """The version that it means now.

        Of a registered model, its number; of a run, its id; of a folder, the beginning of its
        description's checksum, which changes with any of its files.

        Raises:
            UserError: there is no such model.
        """
        if not self.uri.startswith(("runs:/", "models:/")):
            description = Path(self.uri) / DESCRIPTION
            return sha256(description)[:12] if description.is_file() else ""
        require("mlflow", "train", self.uri)
        from nlp_rnn.tracking import current_version

        return current_version(self.uri)

    def open(self, version: str) -> Bundle:
        """The bundle of a version.

        Raises:
            UserError: it is missing or broken.
        """
        if match := _ALIAS.fullmatch(self.uri):
            return Bundle.open(bundle_folder(f"models:/{match[1]}/{version}"))
        return Bundle.open(bundle_folder(self.uri))

    def name_of(self, bundle: Bundle) -> str:
        """The name under which the bundle is served.

        Raises:
            UserError: its own name cannot be part of an address.
        """
        registered = re.match(r"models:/([^@/]+)", self.uri)
        name = self.name or (registered[1] if registered else bundle.name)
        if not NAME.fullmatch(name):
            raise UserError(
                f"{self.uri}: its name '{name}' cannot be part of an address; give it another one: "
                f"NAME={self.uri}"
            )
        return name


class Threads:
    """The threads of all models. Predictions have their own, so that no generation delays them."""

    def __init__(self) -> None:
        self.predicting = ThreadPoolExecutor(processors() + 1, thread_name_prefix="predict")
        self.generating = ThreadPoolExecutor(processors(), thread_name_prefix="generate")


class Served:
    """A version of a model, loaded.

    Args:
        source: what the user asked for.
        version: the version to load.
        threads: where it computes.
        observe: called with the name of the model and the size of each batch.

    Raises:
        UserError: the model is missing or broken, or what runs it is not installed.
    """

    def __init__(
        self,
        source: Source,
        version: str,
        threads: Threads,
        observe: Callable[[str, int], None],
    ) -> None:
        self.source = source
        self.version = version
        self.bundle = bundle = source.open(version)
        self.name = source.name_of(bundle)
        self._threads = threads
        apart = bundle.graph.int8 or bundle.graph.unsupported is not None
        self._predictor = Predictor.of(bundle, ALONE if apart else DEFAULT)
        list(self._predictor.predict(["a"]))  # what is read or compiled lazily is ready now
        self.batcher = Batcher(
            self._predictor.predict, threads.predicting, lambda size: observe(self.name, size)
        )

    @property
    def task(self) -> str:
        """The task of the model."""
        return self.bundle.experiment.task

    @property
    def generates(self) -> bool:
        """Whether it is a language model."""
        return isinstance(self._predictor, LanguageModelPredictor)

    async def predict(self, items: Sequence[Item]) -> list[Prediction]:
        """See :meth:`~nlp_rnn.serving.batching.Batcher.predict`."""
        return await self.batcher.predict(items)

    def generate(
        self, prompt: str, length: int, sampling: Sampling, stop_at_end: bool
    ) -> AsyncGenerator[str, None]:
        """The pieces that follow the prompt; see :func:`~nlp_rnn.serving.streaming.generated`."""
        assert isinstance(self._predictor, LanguageModelPredictor)
        return generated(
            self._threads.generating, self._predictor, prompt, length, sampling, stop_at_end
        )


class NoSuchModel(Exception):
    """No model has this name, or no version of it is served; the message names those that are."""


class Models:
    """All models that a server serves.

    Args:
        sources: what to serve; of several versions of one name, the first is the default.
        observe: called with the name of a model and the size of each batch.

    Raises:
        UserError: a model is missing or broken, or given twice.
    """

    def __init__(
        self, sources: Sequence[Source], observe: Callable[[str, int], None] = lambda *of: None
    ) -> None:
        self._threads = Threads()
        self._observe = observe
        self._served: tuple[Served, ...] = ()
        for source in sources:
            self._add(self._load(source, source.version()))

    def __iter__(self) -> Iterator[Served]:
        return iter(self._served)

    def _load(self, source: Source, version: str) -> Served:
        return Served(source, version, self._threads, self._observe)

    def _add(self, new: Served) -> None:
        if any((new.name, new.version) == (old.name, old.version) for old in self._served):
            raise UserError(
                f"{new.source.uri}: {new.name} version {new.version} is served already; leave it "
                f"out, or give it another name: NAME={new.source.uri}"
            )
        self._served += (new,)

    def find(self, name: str, version: str | None = None) -> Served:
        """A version of a model; the default one if none is asked for.

        Raises:
            NoSuchModel: it is not served.
        """
        named = [served for served in self._served if served.name == name]
        if not named:
            names = ", ".join(dict.fromkeys(served.name for served in self._served))
            raise NoSuchModel(f"no model '{name}'; there are: {names}")
        for served in named:
            if version in (None, served.version):
                return served
        versions = ", ".join(served.version for served in named)
        raise NoSuchModel(f"{name} has no version '{version}'; there are: {versions}")

    def refresh(self) -> None:
        """Load the versions to which aliases have moved; a model that fails stays as it is.

        Requests that have begun are answered by the version that they began with.
        """
        for place, old in enumerate(self._served):
            if not old.source.moves:
                continue
            try:
                version = old.source.version()
                if version == old.version:
                    continue
                new = self._load(old.source, version)
            except Exception as error:  # MLflow and what it connects with raise their own
                reason = str(error).partition("\n")[0]
                log(f"{old.name}: version {old.version} stays, because {reason}")
                continue
            self._served = (*self._served[:place], new, *self._served[place + 1 :])
            log(f"{new.name}: version {new.version} takes the place of {old.version}")
