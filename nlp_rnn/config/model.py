"""``model:`` of an experiment: cells, encoder, regularisers and the head of each task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from nlp_rnn.config.section import Section, impossible

# --- cells ----------------------------------------------------------------------------


class SimpleRNNParameters(Section):
    """The simple recurrent network (Elman 1990)."""

    kind: Literal["simple_rnn"]
    activation: Literal["tanh", "relu"] = "tanh"
    recurrent_initializer: Literal["orthogonal", "identity"] = "orthogonal"
    """What the recurrent kernel starts as (Saxe et al. 2014). ``identity`` with ``relu`` is the
    IRNN (Le et al. 2015)."""
    leaking_rate: float = Field(default=1.0, gt=0, le=1)
    """Share of the new state in ``h_t``; below 1 a leaky integrator (Jaeger et al. 2007)."""
    layer_normalization: bool = False
    """Ba et al. 2016."""
    vanishing_gradient_penalty: float = Field(default=0.0, ge=0)
    """Weight of the regulariser that keeps gradients from vanishing (Pascanu et al. 2013)."""

    @model_validator(mode="after")
    def _penalty_is_of_the_plain_step(self) -> SimpleRNNParameters:
        if self.vanishing_gradient_penalty:
            for option, on in (
                ("leaking_rate", self.leaking_rate != 1),
                ("layer_normalization", self.layer_normalization),
            ):
                if on:
                    raise impossible(f"vanishing_gradient_penalty does not go with {option}")
        return self


class LSTMParameters(Section):
    """The LSTM and its variants (Hochreiter & Schmidhuber 1997; Greff et al. 2015)."""

    kind: Literal["lstm"]
    forget_bias: float = 1.0
    """What the forget gate's bias starts as (Jozefowicz et al. 2015)."""
    peepholes: bool = False
    """Gates see the cell state (Gers & Schmidhuber 2000)."""
    coupled_gates: bool = False
    """The forget gate is ``1 - input gate``: CIFG."""
    input_gate: bool = True
    """``false`` is NIG."""
    forget_gate: bool = True
    """``false`` is NFG, the LSTM of 1997."""
    output_gate: bool = True
    """``false`` is NOG."""
    input_activation: bool = True
    """``false`` is NIAF: no tanh on the cell's input."""
    output_activation: bool = True
    """``false`` is NOAF: no tanh on the cell's output."""
    full_gate_recurrence: bool = False
    """Gates see the gates of the step before: FGR."""
    layer_normalization: bool = False
    """Ba et al. 2016."""
    projection: int | None = Field(default=None, gt=0)
    """Width of ``h`` where it is not ``units`` (Sak et al. 2014)."""

    @model_validator(mode="after")
    def _gates_fit(self) -> LSTMParameters:
        gates = {"input_gate": self.input_gate, "forget_gate": self.forget_gate}
        for name, present in gates.items():
            if self.coupled_gates and not present:
                raise impossible(f"coupled_gates needs {name}: true")
        gates["output_gate"] = self.output_gate
        for name, present in gates.items():
            if self.full_gate_recurrence and not present:
                raise impossible(f"full_gate_recurrence needs {name}: true")
        if self.full_gate_recurrence and self.coupled_gates:
            raise impossible("full_gate_recurrence does not go with coupled_gates")
        return self


class PhasedLSTMParameters(Section):
    """An LSTM whose units are open for a part of their own period only (Neil et al. 2016)."""

    kind: Literal["phased_lstm"]
    forget_bias: float = 1.0
    """As for the LSTM."""
    leak: float = Field(default=0.001, ge=0, lt=1)
    """Share of an update that a closed unit lets through while training."""
    open_ratio: float = Field(default=0.05, gt=0, le=1)
    """Share of its period for which a unit is open."""
    longest_period: float = Field(default=1000.0, gt=1)
    """Periods start as steps drawn from 1 to this, uniformly on a logarithmic scale, and are
    learned."""


class GRUParameters(Section):
    """The gated recurrent unit (Cho et al. 2014)."""

    kind: Literal["gru"]
    reset_after: bool = True
    """The reset gate is applied after the product with the recurrent kernel (as fused kernels
    do), else before it (as in the paper)."""


AnyCell = SimpleRNNParameters | LSTMParameters | PhasedLSTMParameters | GRUParameters


def _by_name(value: Any) -> Any:
    """``cell: gru`` is short for ``cell: {kind: gru}``."""
    return {"kind": value} if isinstance(value, str) else value


Cell = Annotated[
    Annotated[AnyCell, Field(discriminator="kind")],
    BeforeValidator(_by_name),
]

# --- the encoder ----------------------------------------------------------------------


class NetworkParameters(Section):
    """What recurrent and feed-forward networks share: dropout."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """On non-recurrent connections: input, between layers, output (Zaremba et al. 2014)."""
    embedding_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Of word types: all occurrences in a batch go together (Gal & Ghahramani 2016)."""
    monte_carlo_samples: int = Field(default=0, ge=0)
    """Forward passes with dropout that a prediction averages (Gal & Ghahramani 2016); 0 is one
    pass without dropout."""

    @property
    def dropout_rates(self) -> tuple[float, ...]:
        """Of all that is drawn anew in each pass with dropout."""
        return (self.dropout, self.embedding_dropout)

    @model_validator(mode="after")
    def _samples_differ(self) -> NetworkParameters:
        if self.monte_carlo_samples and not any(self.dropout_rates):
            raise impossible("monte_carlo_samples averages over dropout, so it needs some")
        return self


class ZoneoutParameters(Section):
    """The probability that a unit keeps its state of the step before (Krueger et al. 2017)."""

    hidden: float = Field(default=0.0, ge=0, le=1)
    """Of ``h``."""
    cell: float = Field(default=0.0, ge=0, le=1)
    """Of the LSTM's ``c``."""


class EncoderParameters(NetworkParameters):
    """The recurrent encoder under every head."""

    cell: Cell = LSTMParameters(kind="lstm")
    """``simple_rnn``, ``lstm``, ``phased_lstm`` or ``gru``, or a mapping with its ``kind`` and
    options."""
    units: int = Field(default=100, gt=0)
    """Width of one direction of one layer."""
    layers: int = Field(default=1, gt=0)
    last_units: int | None = Field(default=None, gt=0)
    """Width of the last layer where it is not ``units``: of tied weights that of the embeddings
    (Merity et al. 2017)."""
    connection: Literal["plain", "residual", "highway"] = "plain"
    """How a layer after the first passes its own input on beside its output (He et al. 2016;
    Srivastava et al. 2015)."""
    input_dropout: float | None = Field(default=None, ge=0, lt=1)
    """On the input, where it is not ``dropout``."""
    output_dropout: float | None = Field(default=None, ge=0, lt=1)
    """On the last layer's output, where it is not ``dropout``."""
    variational: bool = False
    """``dropout`` draws one mask a sequence instead of one a step (Gal & Ghahramani 2016)."""
    recurrent_dropout: float = Field(default=0.0, ge=0, lt=1)
    """On ``h_{t-1}``, one mask a sequence (Gal & Ghahramani 2016)."""
    weight_drop: float = Field(default=0.0, ge=0, lt=1)
    """On the recurrent kernels (DropConnect; Merity et al. 2017)."""
    zoneout: ZoneoutParameters = ZoneoutParameters()
    activation_regularization: float = Field(default=0.0, ge=0)
    """Weight of AR, the mean square of the last layer's outputs (Merity et al. 2017)."""
    temporal_activation_regularization: float = Field(default=0.0, ge=0)
    """Weight of TAR, the mean square of their differences in time (Merity et al. 2017)."""
    norm_stabilizer: float = Field(default=0.0, ge=0)
    """Weight of the penalty on changes of their norm (Krueger & Memisevic 2016)."""

    def of_layer(self, number: int) -> EncoderParameters:
        """The parameters of one layer, counted from 0; ``units`` is its own."""
        if self.last_units is None or number < self.layers - 1:
            return self
        return self.model_copy(update={"units": self.last_units})

    @property
    def width(self) -> int:
        """Width of one direction of the last layer's output."""
        projection = self.cell.projection if isinstance(self.cell, LSTMParameters) else None
        return projection or self.last_units or self.units

    @model_validator(mode="after")
    def _connections_have_layers(self) -> EncoderParameters:
        if self.connection != "plain" and self.layers < 2:
            raise impossible(
                f"connection: {self.connection} is between layers, so it needs layers: 2 or more"
            )
        if self.connection != "plain" and self.last_units not in (None, self.units):
            raise impossible(
                f"connection: {self.connection} adds layers of one width: leave last_units out"
            )
        return self

    @model_validator(mode="after")
    def _zoneout_has_a_cell_state(self) -> EncoderParameters:
        if self.zoneout.cell and self.cell.kind not in ("lstm", "phased_lstm"):
            raise impossible(f"zoneout.cell: a {self.cell.kind} has no cell state; use hidden")
        if self.zoneout.hidden and self.recurrent_dropout and self.cell.kind == "gru":
            raise impossible("zoneout of a gru does not go with recurrent_dropout")
        return self

    @model_validator(mode="after")
    def _penalty_is_of_the_plain_step(self) -> EncoderParameters:
        penalised = (
            isinstance(self.cell, SimpleRNNParameters) and self.cell.vanishing_gradient_penalty
        )
        for name, on in (
            ("recurrent_dropout", self.recurrent_dropout),
            ("zoneout", self.zoneout.hidden),
        ):
            if penalised and on:
                raise impossible(f"cell.vanishing_gradient_penalty does not go with {name}")
        return self

    @property
    def dropout_rates(self) -> tuple[float, ...]:
        return (
            *super().dropout_rates,
            self.input_dropout or 0.0,
            self.output_dropout or 0.0,
            self.recurrent_dropout,
            self.weight_drop,
            self.zoneout.hidden,
            self.zoneout.cell,
        )


# --- heads ----------------------------------------------------------------------------


class ClassifierParameters(EncoderParameters):
    """Encoder, pooling over real tokens, softmax over labels."""

    kind: Literal["recurrent"] = "recurrent"
    bidirectional: bool = True
    pooling: Literal["last", "mean", "max", "attention", "concatenated"] = "last"
    """From the states of all tokens to one vector; ``concatenated`` is last, max and mean side by
    side (Howard & Ruder 2018)."""


class AveragedParameters(NetworkParameters):
    """The mean of a text's vectors, softmax over labels: fastText (Joulin et al. 2017)."""

    kind: Literal["averaged"]
    pairs: int = Field(default=0, ge=0)
    """Vectors that all pairs of adjacent words share by a hash; 0 reads no pairs."""


class CharacterEncoderSection(Section):
    """What both encoders of a word's characters have."""

    dimension: int = Field(default=30, gt=0)
    """Of the characters' embeddings."""
    units: int = Field(default=30, gt=0)
    """Filters, or the width of one direction."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """On the characters' embeddings."""
    longest: int = Field(default=20, gt=0)
    """Characters of a word that are read: of a longer one the first and the last halves."""


class CharacterCNNParameters(CharacterEncoderSection):
    """Convolution and max pooling over a word's characters (Ma & Hovy 2016)."""

    kind: Literal["cnn"]
    window: int = Field(default=3, gt=0)
    """Characters a filter sees."""


class CharacterBiLSTMParameters(CharacterEncoderSection):
    """The last states of an LSTM in both directions (Lample et al. 2016)."""

    kind: Literal["bilstm"]


AnyCharacterEncoder = CharacterCNNParameters | CharacterBiLSTMParameters
CharacterEncoder = Annotated[AnyCharacterEncoder, Field(discriminator="kind")]


class TaggerParameters(EncoderParameters):
    """Encoder, softmax over tags at every token or a CRF over tag sequences."""

    bidirectional: bool = True
    characters: CharacterEncoder | None = None
    """Reads each word's spelling beside its embedding; null reads none."""
    casing: int = Field(default=0, ge=0)
    """Width of an embedding of how each word is written, beside its own: in lower case, with an
    initial capital, in capitals, with digits (Collobert et al. 2011); 0 reads nothing of it."""
    output: Literal["softmax", "crf"] = "softmax"
    """A distribution for each tag, or one for the whole sequence (Lafferty et al. 2001)."""
    constrained: bool = True
    """The CRF gives no probability to what the tagging scheme forbids."""
    tag_scheme: Literal["BIOES"] | None = None
    """The scheme in which the network learns entities (Ratinov & Roth 2009); predictions and
    figures stay in the tags of the data. null learns those."""

    @property
    def longest(self) -> int | None:
        """Characters of a word that are read; None where none is."""
        if self.characters is not None:
            return self.characters.longest
        return CharacterEncoderSection().longest if self.casing else None

    @property
    def dropout_rates(self) -> tuple[float, ...]:
        of_characters = self.characters.dropout if self.characters else 0.0
        return (*super().dropout_rates, of_characters)

    @model_validator(mode="after")
    def _scheme_is_kept(self) -> TaggerParameters:
        if self.tag_scheme and self.output == "crf" and not self.constrained:
            raise impossible(
                "tag_scheme with output: crf needs constrained: true, so that a sequence of tags "
                "has one meaning and its whole probability"
            )
        return self

    @model_validator(mode="after")
    def _samples_are_of_single_tags(self) -> TaggerParameters:
        if self.output == "crf" and self.monte_carlo_samples:
            raise impossible(
                "monte_carlo_samples averages distributions of single tags: output: "
                "softmax, not crf"
            )
        return self


class SoftmaxParameters(Section):
    """The full softmax."""

    kind: Literal["softmax"]


class AdaptiveSoftmaxParameters(Section):
    """Rare types in clusters, each with a softmax of its own (Grave et al. 2017)."""

    kind: Literal["adaptive_softmax"]
    cutoffs: list[Annotated[int, Field(gt=0)]] = Field(min_length=1)
    """The first type of each cluster, by rank of frequency, rising."""
    divisor: int = Field(default=4, gt=0)
    """Cluster ``c`` sees the encoder's output projected to its ``1 / divisor^c``."""

    @model_validator(mode="after")
    def _cutoffs_rise(self) -> AdaptiveSoftmaxParameters:
        if self.cutoffs != sorted(set(self.cutoffs)):
            raise impossible("cutoffs must rise")
        return self


class SampledSoftmaxParameters(Section):
    """In training a sum over sampled types instead of all (Jean et al. 2015)."""

    kind: Literal["sampled_softmax"]
    samples: int = Field(default=1000, gt=0)
    """Types drawn for each batch."""


class HierarchicalSoftmaxParameters(Section):
    """The way to each type through a Huffman tree (Morin & Bengio 2005)."""

    kind: Literal["hierarchical_softmax"]


AnyOutput = (
    SoftmaxParameters
    | AdaptiveSoftmaxParameters
    | SampledSoftmaxParameters
    | HierarchicalSoftmaxParameters
)
Output = Annotated[
    Annotated[AnyOutput, Field(discriminator="kind")],
    BeforeValidator(_by_name),
]


class OutputParameters(Section):
    """From the last layer of a language model to a distribution over the vocabulary."""

    tied: bool = False
    """Share output weights with the embeddings (Press & Wolf 2017)."""
    output: Output = SoftmaxParameters(kind="softmax")
    """``softmax``, ``adaptive_softmax``, ``sampled_softmax`` or ``hierarchical_softmax``, or a
    mapping with its ``kind`` and options."""

    @model_validator(mode="after")
    def _output_can_be_tied(self) -> OutputParameters:
        if self.tied and self.output.kind == "hierarchical_softmax":
            raise impossible(
                "tied does not go with output: hierarchical_softmax, whose weights are of the "
                "nodes of a tree"
            )
        if (
            self.tied
            and isinstance(self.output, AdaptiveSoftmaxParameters)
            and self.output.divisor != 1
        ):
            raise impossible("tied needs output.divisor: 1, so that weights have one width")
        return self


class LanguageModelParameters(EncoderParameters, OutputParameters):
    """One-directional encoder, a distribution over the vocabulary at every token."""

    kind: Literal["recurrent"] = "recurrent"


class AverageParameters(Section):
    """The mean of the context's vectors."""

    kind: Literal["average"]


class ConcatenationParameters(Section):
    """The context's vectors side by side (Bengio et al. 2003)."""

    kind: Literal["concatenation"]


class ConvolutionParameters(Section):
    """Filters over neighbours in the context, their outputs side by side (Pham et al. 2016)."""

    kind: Literal["convolution"]
    window: int = Field(default=3, gt=0)
    """Tokens a filter sees."""
    filters: int = Field(default=100, gt=0)


AnyContextInputs = AverageParameters | ConcatenationParameters | ConvolutionParameters
ContextInputs = Annotated[
    Annotated[AnyContextInputs, Field(discriminator="kind")],
    BeforeValidator(_by_name),
]


class FeedForwardParameters(NetworkParameters, OutputParameters):
    """The language model of Bengio et al. (2003): a fixed context, one hidden layer."""

    kind: Literal["feed_forward"]
    context: int = Field(default=4, gt=0)
    """Tokens that the next one depends on."""
    inputs: ContextInputs = ConcatenationParameters(kind="concatenation")
    """``average``, ``concatenation`` or ``convolution``, or a mapping with its ``kind`` and
    options: what the hidden layer sees of the context."""
    units: int = Field(default=100, gt=0)
    """Width of the hidden layer."""
    direct: bool = False
    """The output layer sees the inputs beside the hidden layer."""

    @property
    def width(self) -> int:
        """Width of the hidden layer."""
        return self.units

    @model_validator(mode="after")
    def _direct_connections_have_weights(self) -> FeedForwardParameters:
        if self.tied and self.direct:
            raise impossible("tied does not go with direct, whose weights the embeddings lack")
        return self

    @model_validator(mode="after")
    def _filters_fit(self) -> FeedForwardParameters:
        if isinstance(self.inputs, ConvolutionParameters) and self.inputs.window > self.context:
            raise impossible(
                f"inputs.window ({self.inputs.window}) is longer than context ({self.context})"
            )
        return self


def _recurrent_by_default(section: Any) -> Any:
    """A model without ``kind`` is recurrent."""
    return {"kind": "recurrent", **section} if isinstance(section, Mapping) else section


AnyClassifier = ClassifierParameters | AveragedParameters
Classifier = Annotated[
    Annotated[AnyClassifier, Field(discriminator="kind")],
    BeforeValidator(_recurrent_by_default),
]

AnyLanguageModel = LanguageModelParameters | FeedForwardParameters
LanguageModel = Annotated[
    Annotated[AnyLanguageModel, Field(discriminator="kind")],
    BeforeValidator(_recurrent_by_default),
]
