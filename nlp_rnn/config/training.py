"""``training:`` of an experiment: optimiser, schedule, clipping, batches, windows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nlp_rnn.config.section import Section, impossible


class ScheduleParameters(Section):
    """The learning rate over the epochs (see :mod:`nlp_rnn.training.schedules`)."""

    kind: Literal["constant", "cosine", "exponential", "plateau"] = "constant"
    warmup: float = Field(default=0.0, ge=0)
    """Epochs in which the rate rises to what the schedule says, by the same amount a step."""
    decay: float = Field(default=0.5, gt=0, lt=1)
    """exponential and plateau: the factor of one decay."""
    start: int = Field(default=1, ge=0)
    """exponential: epochs before the first decay (Zaremba et al. 2014 use 4)."""


class AveragingParameters(Section):
    """NT-ASGD: averaged SGD, triggered when validation stops improving (Merity et al. 2017)."""

    non_monotone: int = Field(default=5, gt=0)
    """Averaging begins once the validation loss is above its minimum of all but so many last
    epochs."""


class TrainingParameters(Section):
    """How a model is fitted."""

    optimizer: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad"] = "adam"
    learning_rate: float = Field(default=0.001, gt=0)
    schedule: ScheduleParameters = ScheduleParameters()
    averaging: AveragingParameters | None = None
    """null keeps the weights of the best epoch; a mapping averages those of SGD's last steps."""
    weight_decay: float | None = Field(default=None, ge=0)
    """Of each weight the share that a step takes away, times the learning rate; null leaves it to
    the optimiser: 0.004 of adamw, else none."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Largest Euclidean norm of the whole gradient (Pascanu et al. 2013)."""
    clip_value: float | None = Field(default=None, gt=0)
    """Largest absolute value of any component of the gradient (Mikolov 2012)."""
    unfreezing: Literal["gradual"] | None = None
    """``gradual``: the first epoch trains the head alone, each further one a group of layers more,
    from the top down, embeddings last (Howard & Ruder 2018); null trains all from the start."""
    discriminative: float = Field(default=1.0, ge=1)
    """The learning rate of each group of layers is lower than that of the group above by this
    factor; Howard & Ruder (2018) use 2.6."""
    epochs: int = Field(default=10, gt=0)
    select: Literal["loss", "accuracy", "f1"] = "loss"
    """The figure of the validation split whose best epoch is kept. Accuracy is for
    classification and tagging, F1 for entities."""
    patience: int | None = Field(default=None, gt=0)
    """Stop after so many epochs without a better figure; null runs all epochs. The weights of
    the best epoch are kept either way."""
    batch_size: int = Field(default=32, gt=0)
    seeds: list[Annotated[int, Field(ge=0)]] | None = Field(default=None, min_length=2)
    """Train once with each, and report means and standard deviations; the model that is used
    is the best on the validation split. null trains once, with the project's seed."""
    gradient_flow: bool = False
    """Draw how far gradients reach back in time, before and after training."""

    @model_validator(mode="after")
    def _seeds_differ(self) -> TrainingParameters:
        if self.seeds is not None and len(set(self.seeds)) < len(self.seeds):
            raise impossible("seeds: each once; the same seed trains the same model")
        return self

    @model_validator(mode="after")
    def _one_clipping(self) -> TrainingParameters:
        if self.clip_norm is not None and self.clip_value is not None:
            raise impossible("clip_norm and clip_value: choose one of them")
        return self

    @model_validator(mode="after")
    def _averaging_is_of_sgd(self) -> TrainingParameters:
        if self.averaging is not None and self.optimizer != "sgd":
            raise impossible(f"averaging needs optimizer: sgd, not {self.optimizer}")
        return self


class BatchTrainingParameters(TrainingParameters):
    """Training on examples, in mini-batches as compared by Morishita et al. 2017."""

    batching: Literal["bucketed", "shuffled", "sorted"] = "bucketed"
    """How examples come into one batch: of like lengths within shuffled parts, at random, or
    sorted by length as a whole. Batches are taken in random order."""
    batch_tokens: int | None = Field(default=None, gt=0)
    """A batch holds so many tokens, padding included, instead of batch_size examples."""
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """The probability that a word is read as ``<unk>`` in training; its characters stay (Bowman
    et al. 2016)."""
    singleton_dropout: float = Field(default=0.0, ge=0, le=1)
    """The same, beside it, for words that occur once in training, so that the vector of ``<unk>``
    is learned; Lample et al. (2016) use 0.5."""
    max_length: int | None = Field(default=None, gt=0)
    """Longer examples are cut to so many tokens, the first unless ``long_texts`` says otherwise,
    in training and, for classification, in prediction; null keeps all."""


LongTexts = Literal["head", "tail", "both"]


class ClassificationTrainingParameters(BatchTrainingParameters):
    """Training on whole texts."""

    long_texts: LongTexts = "head"
    """What is kept of a text that is longer than ``max_length``: its beginning, its end, or half
    of each (Sun et al. 2019)."""

    @model_validator(mode="after")
    def _some_texts_are_long(self) -> ClassificationTrainingParameters:
        if self.long_texts != "head" and self.max_length is None:
            raise impossible(f"long_texts: {self.long_texts} needs max_length, or none is long")
        return self


class ScheduledSamplingParameters(Section):
    """The model's own predictions as inputs, ever more often (Bengio et al. 2015)."""

    schedule: Literal["linear", "exponential", "inverse_sigmoid"] = "linear"
    """How the probability of the true token falls from 1 over the epochs."""
    sampling: float = Field(default=0.25, gt=0, le=1)
    """The probability of the model's token at the end of training."""

    @model_validator(mode="after")
    def _share_grows_gradually(self) -> ScheduledSamplingParameters:
        if self.schedule == "exponential" and self.sampling == 1:
            raise impossible(
                "schedule: exponential with sampling: 1 would jump to 1 after the first batch; "
                "set sampling below 1, or schedule: linear"
            )
        return self


class LanguageModelTrainingParameters(TrainingParameters):
    """Truncated BPTT over parallel token streams."""

    window: int | None = Field(default=35, gt=0)
    """Steps the gradient flows back; the state is carried from window to window. null is full
    BPTT over each line."""
    random_window: bool = False
    """Lengths of windows are drawn around ``window``, the learning rate in proportion
    (Merity et al. 2017)."""
    streams: Literal["text", "lines"] = "text"
    """The corpus is one text, or each line is a text of its own that starts from zero states."""
    scheduled_sampling: ScheduledSamplingParameters | None = None
    """null always feeds the true token (teacher forcing)."""

    @model_validator(mode="after")
    def _windows_fit_the_streams(self) -> LanguageModelTrainingParameters:
        if self.window is None and self.streams == "text":
            raise impossible("window: null (full BPTT) needs streams: lines; one text is too long")
        if self.random_window and self.streams == "lines":
            raise impossible("random_window is of one text: streams: text, not lines")
        return self
