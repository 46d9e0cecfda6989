"""``training:`` of an experiment: optimiser, schedule, clipping, batches, windows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from nlp_rnn.config.section import Section, impossible


class ScheduleParameters(Section, title="Learning-rate schedule"):
    """The learning rate over the epochs."""

    kind: Literal["constant", "cosine", "exponential", "plateau"] = "constant"
    """How the rate goes on. ``constant`` leaves it, ``cosine`` lets it fall to 0 along a cosine
    (Loshchilov & Hutter 2017), ``exponential`` multiplies it by ``decay`` each epoch from ``start``
    on (Zaremba et al. 2014), and ``plateau`` multiplies it by ``decay`` after each epoch that
    brought nothing better."""
    warmup: float = Field(default=0.0, ge=0)
    """In how many epochs the rate first rises to what the schedule says, by the same amount in each
    step. It may be a fraction, and 0 has none."""
    decay: float = Field(default=0.5, gt=0, lt=1)
    """The factor of one decay, for ``exponential`` and ``plateau``."""
    start: int = Field(default=1, ge=0)
    """How many epochs come before the first decay, for ``exponential``; Zaremba et al. (2014) use
    4."""


class AveragingParameters(Section, title="Averaging"):
    """NT-ASGD: averaged SGD that begins when validation stops improving (Merity et al. 2017)."""

    non_monotone: int = Field(default=5, gt=0)
    """How many of the last epochs are left out of the comparison: averaging begins once the
    validation loss is above the lowest loss of the epochs before them."""


class TrainingParameters(Section, title="Every training"):
    """How a model is fitted."""

    optimizer: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad"] = "adam"
    """The optimiser, as Keras has it: ``adam``, ``adamw`` (Adam with weight decay), ``sgd`` (plain
    stochastic gradient descent), ``rmsprop`` or ``adagrad``."""
    learning_rate: float = Field(default=0.001, gt=0)
    """The learning rate that the schedule starts from."""
    schedule: ScheduleParameters = ScheduleParameters()
    """How the learning rate changes over the epochs."""
    averaging: AveragingParameters | None = None
    """Averages the weights of SGD's last steps (NT-ASGD; Merity et al. 2017); it needs ``optimizer:
    sgd``. ``null`` keeps the weights of the best epoch."""
    weight_decay: float | None = Field(default=None, ge=0)
    """The share of each weight that a step takes away, times the learning rate (Loshchilov & Hutter
    2019). ``null`` leaves it to the optimiser: 0.004 for ``adamw``, none for the others."""
    clip_norm: float | None = Field(default=None, gt=0)
    """The largest Euclidean norm of the whole gradient (Pascanu et al. 2013); ``null`` does not
    clip."""
    clip_value: float | None = Field(default=None, gt=0)
    """The largest absolute value of any component of the gradient (Mikolov 2012); ``null`` does not
    clip. It does not go with ``clip_norm``."""
    unfreezing: Literal["gradual"] | None = None
    """``gradual`` trains the head alone in the first epoch and in each further one a group of
    layers more, from the top down, embeddings last (Howard & Ruder 2018). ``null`` trains all from
    the start."""
    discriminative: float = Field(default=1.0, ge=1)
    """By which factor the learning rate of each group of layers is lower than that of the group
    above; Howard & Ruder (2018) use 2.6. 1 gives all the same rate."""
    epochs: int = Field(default=10, gt=0)
    """How many times the training split is read."""
    select: Literal["loss", "accuracy", "f1", "bleu", "exact_match"] = "loss"
    """The metric of the validation split whose best epoch is kept. ``loss`` is for all tasks,
    ``accuracy`` for classification, tagging, semantic roles and intents, ``f1`` for entities and
    slots (micro-F1), for semantic roles (their arguments, with the gold predicates given) and for
    classification (macro-F1; micro-F1 where texts have any number of labels), ``bleu`` for
    sequences to sequences, and ``exact_match`` for these, for any number of labels, and for intents
    and slots (both right)."""
    patience: int | None = Field(default=None, gt=0)
    """After how many epochs without a better metric training stops. ``null`` runs all epochs. The
    weights of the best epoch are kept either way."""
    batch_size: int = Field(default=32, gt=0)
    """How many examples a batch has, or for a language model of one text how many parallel
    streams."""
    seeds: list[Annotated[int, Field(ge=0)]] | None = Field(default=None, min_length=2)
    """Seeds to train with, one after the other. Means and standard deviations are reported, and
    ``keep`` says which model is used. ``null`` trains once, with the project's seed."""
    keep: Literal["best", "ensemble", "soup"] = "best"
    """Which model is used of those that several ``seeds``, or the folds of a data set, train.
    ``best`` is the best on its validation split. ``ensemble`` is all of them in one, which averages
    their probabilities, for a CRF their scores (Smith et al. 2005): it takes as many times the time
    and the space. ``soup`` averages their weights, which costs nothing (Wortsman et al. 2022): its
    seeds start from the same weights, those of the first of them, and differ in the order of
    examples and in dropout. The last two are for classification and tagging."""
    gradient_flow: bool = False
    """Whether a picture shows how far gradients reach back in time, before and after training
    (Pascanu et al. 2013)."""

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


class BatchTrainingParameters(TrainingParameters, title="Training on examples"):
    """Training on mini-batches of examples, as Morishita et al. (2017) compare them."""

    batching: Literal["bucketed", "shuffled", "sorted"] = "bucketed"
    """How examples come into one batch. ``bucketed`` joins examples of like lengths within shuffled
    parts, ``shuffled`` joins them at random, and ``sorted`` sorts the whole split by length.
    Batches are taken in random order."""
    batch_tokens: int | None = Field(default=None, gt=0)
    """How many tokens a batch holds at most, padding included, instead of ``batch_size`` examples.
    ``null`` counts examples."""
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """The probability that a word is read as ``<unk>`` in training; its characters stay (Bowman et
    al. 2016). 0 changes none."""
    singleton_dropout: float = Field(default=0.0, ge=0, le=1)
    """The same, beside it, for words that occur once in training, so that the vector of ``<unk>``
    is learned; Lample et al. (2016) use 0.5. 0 changes none."""
    max_length: int | None = Field(default=None, gt=0)
    """To how many tokens longer examples are cut, in training and, for classification, in
    prediction. The first are kept unless ``long_texts`` says otherwise. ``null`` keeps all."""


class ScheduledSamplingParameters(Section, title="Scheduled sampling"):
    """The model's own predictions as inputs, ever more often (Bengio et al. 2015)."""

    schedule: Literal["linear", "exponential", "inverse_sigmoid"] = "linear"
    """How the probability of the true token falls from 1 over the training: along a line, an
    exponential curve or an inverse sigmoid (Bengio et al. 2015, section 2.4)."""
    sampling: float = Field(default=0.25, gt=0, le=1)
    """The probability of the model's own token at the end of training. 1 does not go with
    ``exponential``."""

    @model_validator(mode="after")
    def _share_grows_gradually(self) -> ScheduledSamplingParameters:
        if self.schedule == "exponential" and self.sampling == 1:
            raise impossible(
                "schedule: exponential with sampling: 1 would jump to 1 after the first batch; "
                "set sampling below 1, or schedule: linear"
            )
        return self


class EncoderDecoderTrainingParameters(
    BatchTrainingParameters, title="Training of an encoder-decoder"
):
    """Training on pairs of a source and a target, the true target read before each token (teacher
    forcing)."""

    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """The share of the probability of each target token that the loss spreads over all types
    (Szegedy et al. 2016). 0 spreads none."""
    scheduled_sampling: ScheduledSamplingParameters | None = None
    """Feeds the decoder's own predictions ever more often (Bengio et al. 2015). ``null`` always
    feeds the true token (teacher forcing)."""
    judged: int = Field(default=500, gt=0)
    """How many pairs of the validation split are decoded greedily after each epoch, for
    ``select: bleu`` or ``exact_match``."""


LongTexts = Literal["head", "tail", "both"]


class ClassificationTrainingParameters(BatchTrainingParameters, title="Training of a classifier"):
    """Training on whole texts."""

    long_texts: LongTexts = "head"
    """What is kept of a text that is longer than ``max_length``: ``head`` its beginning, ``tail``
    its end, and ``both`` half of each (Sun et al. 2019)."""
    class_weights: Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None = None
    """How much the examples of each label count in the loss. ``balanced`` gives all labels the same
    weight in total, in inverse proportion to how often they occur; a mapping such as
    ``{spam: 5}`` gives some labels a weight, and the others 1. Where texts have any number of
    labels, a label's weight counts for the texts that have it. ``null`` counts all alike."""
    sampling: Literal["all", "balanced"] = "all"
    """Which examples an epoch reads. ``all`` reads each once; ``balanced`` draws as many with
    replacement, every label equally often. It needs texts with one label each."""
    thresholds: Literal["micro_f1", "macro_f1"] | Annotated[float, Field(gt=0, lt=1)] = "micro_f1"
    """Where texts have any number of labels: the probability from which a label is given.
    ``micro_f1`` chooses one for all labels, by micro-F1 on the validation split, and ``macro_f1``
    one for each label, by its own F1 there (Lipton et al. 2014). A number is the threshold of all
    labels."""

    @field_validator("class_weights", mode="before")
    @classmethod
    def _labels_are_text(cls, value: Any) -> Any:
        """Labels that YAML reads as numbers or booleans, as the data set writes them."""
        if not isinstance(value, dict):
            return value
        named = {True: "true", False: "false"}
        return {
            named[key] if isinstance(key, bool) else str(key): weight
            for key, weight in value.items()
        }

    @model_validator(mode="after")
    def _some_texts_are_long(self) -> ClassificationTrainingParameters:
        if self.long_texts != "head" and self.max_length is None:
            raise impossible(f"long_texts: {self.long_texts} needs max_length, or none is long")
        return self


class JointTrainingParameters(BatchTrainingParameters, title="Training of intents and slots"):
    """Training on sentences with a label, whose loss is ``-ln P`` of the tags plus a weight times
    ``-ln P`` of the label (Liu & Lane 2016)."""

    intent_weight: float = Field(default=1.0, gt=0)
    """The weight of the label of a text in the loss, beside 1 for the tags of all its words
    together. 1 maximises the probability of label and tags (Goo et al. 2018)."""


class LanguageModelTrainingParameters(TrainingParameters, title="Training of a language model"):
    """Truncated backpropagation through time over parallel streams of tokens (Williams & Peng
    1990)."""

    window: int | None = Field(default=35, gt=0)
    """How many steps the gradient flows back; the state is carried from window to window. ``null``
    is the whole line, and needs ``streams: lines``."""
    random_window: bool = False
    """Whether the lengths of windows are drawn around ``window``, the learning rate in proportion
    (Merity et al. 2017)."""
    streams: Literal["text", "lines"] = "text"
    """``text`` reads the corpus as one text; ``lines`` reads each line as a text of its own, which
    starts from zero states."""
    scheduled_sampling: ScheduledSamplingParameters | None = None
    """Feeds the model's own predictions ever more often (Bengio et al. 2015). ``null`` always feeds
    the true token (teacher forcing)."""

    @model_validator(mode="after")
    def _windows_fit_the_streams(self) -> LanguageModelTrainingParameters:
        if self.window is None and self.streams == "text":
            raise impossible("window: null (full BPTT) needs streams: lines; one text is too long")
        if self.random_window and self.streams == "lines":
            raise impossible("random_window is of one text: streams: text, not lines")
        return self
