"""``memory:`` of ``params.yaml``: how long networks remember."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nlp_rnn.config.model import Cell
from nlp_rnn.config.section import Section, impossible


class MemoryNetwork(Section, title="Memory network"):
    """One curve of the memory experiment."""

    cell: Cell
    """The recurrent cell: its name, or a mapping with its ``kind`` and options."""
    clip_norm: float | None = Field(default=None, gt=0)
    """The largest Euclidean norm of the whole gradient; ``null`` does not clip."""


ProblemName = Literal["store_bit", "adding", "copy", "columns"]


class MemoryOverrides(Section, title="Overrides"):
    """What one problem has instead of what stands for all."""

    learning_rate: float | None = Field(default=None, gt=0)
    """The learning rate of this problem; ``null`` is that of all."""
    batches: int | None = Field(default=None, gt=0)
    """The number of batches of this problem; ``null`` is that of all."""


class MemoryParameters(Section, title="Memory experiment"):
    """Networks that are trained to remember over ever more steps (Bengio et al. 1994)."""

    problems: list[ProblemName] = Field(min_length=1)
    """The problems that are tried. ``problem`` of a data set with ``source: memory`` says what each
    one asks."""
    steps: list[Annotated[int, Field(gt=0)]] = Field(min_length=1)
    """The distances that are tried, in steps, rising. A network that failed twice running is not
    tried further."""
    networks: dict[str, MemoryNetwork] = Field(min_length=1)
    """The networks that are compared, each under the name that its curve has."""
    units: int = Field(default=32, gt=0)
    """The width of every network."""
    learning_rate: float = Field(default=0.003, gt=0)
    """The learning rate of Adam, which trains every network."""
    batch_size: int = Field(default=32, gt=0)
    """How many sequences a batch has."""
    batches: int = Field(default=400, gt=0)
    """After how many fresh batches a network that has not learnt has failed."""
    overrides: dict[ProblemName, MemoryOverrides] = Field(default_factory=dict)
    """The learning rate and batches of problems that need others."""
    success: float = Field(default=0.95, gt=0, le=1)
    """The accuracy on unseen sequences from which a problem counts as solved."""
    repetitions: int = Field(default=3, gt=0)
    """With how many seeds each network is trained. What is drawn is the share of them that solve
    the problem."""

    @model_validator(mode="after")
    def _steps_rise(self) -> MemoryParameters:
        if self.steps != sorted(set(self.steps)):
            raise impossible("steps must rise")
        return self

    def of(self, problem: str) -> MemoryParameters:
        """The parameters of one problem, nothing left to override."""
        overrides: dict[str, MemoryOverrides] = dict(self.overrides.items())
        own = overrides.get(problem, MemoryOverrides()).model_dump(exclude_none=True)
        return self.model_copy(update=own | {"overrides": {}})
