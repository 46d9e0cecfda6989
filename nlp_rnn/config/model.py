"""``model:`` of an experiment: cells, encoder, regularisers and the head of each task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from nlp_rnn.config.section import Section, impossible

# --- cells ----------------------------------------------------------------------------


class SimpleRNNParameters(Section, title="Simple RNN"):
    """The simple recurrent network (Elman 1990)."""

    kind: Literal["simple_rnn"]
    """``simple_rnn`` chooses this cell."""
    activation: Literal["tanh", "relu"] = "tanh"
    """The function of the new state: the hyperbolic tangent, or ``relu``, the rectified linear
    function (Le et al. 2015)."""
    recurrent_initializer: Literal["orthogonal", "identity"] = "orthogonal"
    """What the recurrent kernel starts as: an ``orthogonal`` matrix drawn at random (Saxe et al.
    2014), or the ``identity``, which with ``relu`` is the IRNN (Le et al. 2015)."""
    leaking_rate: float = Field(default=1.0, gt=0, le=1)
    """The share of the new state in ``h_t``. Below 1 the cell is a leaky integrator (Jaeger et al.
    2007)."""
    layer_normalization: bool = False
    """Whether the sum of inputs is normalised over the units (Ba et al. 2016)."""
    vanishing_gradient_penalty: float = Field(default=0.0, ge=0)
    """The weight of the regulariser that keeps gradients from vanishing (Pascanu et al. 2013); 0 is
    none."""

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


class LSTMParameters(Section, title="LSTM"):
    """The LSTM and its variants (Hochreiter & Schmidhuber 1997; Greff et al. 2015)."""

    kind: Literal["lstm"]
    """``lstm`` chooses this cell."""
    forget_bias: float = 1.0
    """What the bias of the forget gate starts as (Jozefowicz et al. 2015)."""
    peepholes: bool = False
    """Whether gates see the cell state (Gers & Schmidhuber 2000)."""
    coupled_gates: bool = False
    """Whether the forget gate is 1 less the input gate: CIFG (Greff et al. 2015)."""
    input_gate: bool = True
    """``false`` has no input gate: NIG (Greff et al. 2015)."""
    forget_gate: bool = True
    """``false`` has no forget gate: NFG, the LSTM of Hochreiter & Schmidhuber (1997)."""
    output_gate: bool = True
    """``false`` has no output gate: NOG (Greff et al. 2015)."""
    input_activation: bool = True
    """``false`` has no tanh on the cell's input: NIAF (Greff et al. 2015)."""
    output_activation: bool = True
    """``false`` has no tanh on the cell's output: NOAF (Greff et al. 2015)."""
    full_gate_recurrence: bool = False
    """Whether gates see the gates of the step before: FGR (Greff et al. 2015)."""
    layer_normalization: bool = False
    """Whether the inputs of gates and the cell state are normalised over the units (Ba et al.
    2016)."""
    projection: int | None = Field(default=None, gt=0)
    """The width that ``h`` is projected to (Sak et al. 2014); ``null`` has no projection."""

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


class PhasedLSTMParameters(Section, title="Phased LSTM"):
    """An LSTM whose units are open for a part of their own period only (Neil et al. 2016)."""

    kind: Literal["phased_lstm"]
    """``phased_lstm`` chooses this cell."""
    forget_bias: float = 1.0
    """What the bias of the forget gate starts as (Jozefowicz et al. 2015)."""
    leak: float = Field(default=0.001, ge=0, lt=1)
    """The share of an update that a closed unit lets through in training; nothing passes at
    inference."""
    open_ratio: float = Field(default=0.05, gt=0, le=1)
    """The share of its period for which a unit is open."""
    longest_period: float = Field(default=1000.0, gt=1)
    """The longest period, in steps, that a unit may start with. Periods are drawn from 1 to this,
    uniformly on a logarithmic scale, and are learned."""


class GRUParameters(Section, title="GRU"):
    """The gated recurrent unit (Cho et al. 2014)."""

    kind: Literal["gru"]
    """``gru`` chooses this cell."""
    reset_after: bool = True
    """``true`` applies the reset gate after the product with the recurrent kernel, as fused kernels
    do; ``false`` applies it before, as in the paper."""


AnyCell = SimpleRNNParameters | LSTMParameters | PhasedLSTMParameters | GRUParameters


def _by_name(value: Any) -> Any:
    """``cell: gru`` is short for ``cell: {kind: gru}``."""
    return {"kind": value} if isinstance(value, str) else value


_Cell = Annotated[AnyCell, Field(discriminator="kind")]
CellName = Literal["simple_rnn", "lstm", "phased_lstm", "gru"]
Cell = Annotated[_Cell, BeforeValidator(_by_name, json_schema_input_type=CellName | _Cell)]

# --- the encoder ----------------------------------------------------------------------


class NetworkParameters(Section, title="Every model"):
    """What all networks share: dropout."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """The rate of dropout on connections that are not recurrent: the input, between layers and the
    output (Zaremba et al. 2014). 0 drops nothing."""
    embedding_dropout: float = Field(default=0.0, ge=0, lt=1)
    """The probability that a word type is dropped, wherever it occurs in a batch (Gal & Ghahramani
    2016). 0 drops none."""
    monte_carlo_samples: int = Field(default=0, ge=0)
    """How many forward passes with dropout a prediction averages (Gal & Ghahramani 2016). 0 is one
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


class ZoneoutParameters(Section, title="Zoneout"):
    """The probability that a unit keeps its state of the step before (Krueger et al. 2017)."""

    hidden: float = Field(default=0.0, ge=0, le=1)
    """The probability for the hidden state ``h``."""
    cell: float = Field(default=0.0, ge=0, le=1)
    """The probability for the cell state ``c``, which only LSTMs have."""


class EncoderParameters(NetworkParameters, title="Every recurrent model"):
    """The recurrent layers under every head."""

    cell: Cell = LSTMParameters(kind="lstm")
    """The recurrent cell: its name, or a mapping with its ``kind`` and options."""
    units: int = Field(default=100, gt=0)
    """The width of one direction of one layer."""
    layers: int = Field(default=1, gt=0)
    """How many recurrent layers are stacked."""
    last_units: int | None = Field(default=None, gt=0)
    """The width of the last layer where it is not ``units``. With tied weights that is the
    dimension of the embeddings (Merity et al. 2017). ``null`` is ``units``."""
    connection: Literal["plain", "residual", "highway"] = "plain"
    """How a layer after the first passes its own input on beside its output. ``plain`` does not,
    ``residual`` adds it (He et al. 2016), and ``highway`` lets a gate mix the two (Srivastava et
    al. 2015)."""
    input_dropout: float | None = Field(default=None, ge=0, lt=1)
    """The rate of dropout on the input, where it is not ``dropout`` (Merity et al. 2017). ``null``
    is ``dropout``."""
    output_dropout: float | None = Field(default=None, ge=0, lt=1)
    """The rate of dropout on the last layer's output, where it is not ``dropout`` (Merity et al.
    2017). ``null`` is ``dropout``."""
    variational: bool = False
    """Whether ``dropout`` draws one mask for each sequence instead of one for each step (Gal &
    Ghahramani 2016)."""
    recurrent_dropout: float = Field(default=0.0, ge=0, lt=1)
    """The rate of dropout on the hidden state of the step before, with one mask for each sequence
    (Gal & Ghahramani 2016). 0 drops nothing."""
    weight_drop: float = Field(default=0.0, ge=0, lt=1)
    """The probability that a weight of the recurrent kernels is dropped for a batch (DropConnect;
    Wan et al. 2013, Merity et al. 2017). 0 drops none."""
    zoneout: ZoneoutParameters = ZoneoutParameters()
    """How likely units keep their state of the step before (Krueger et al. 2017)."""
    activation_regularization: float = Field(default=0.0, ge=0)
    """The weight of AR, the mean square of the last layer's outputs, in the loss (Merity et al.
    2017). 0 is none."""
    temporal_activation_regularization: float = Field(default=0.0, ge=0)
    """The weight of TAR, the mean square of the differences between outputs of neighbouring steps,
    in the loss (Merity et al. 2017). 0 is none."""
    norm_stabilizer: float = Field(default=0.0, ge=0)
    """The weight of the penalty on changes of the norm of the outputs from step to step (Krueger &
    Memisevic 2016). 0 is none."""

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


class FixedViewParameters(NetworkParameters, title="Every model with a fixed view"):
    """What each word is encoded from: a fixed number of words around it."""

    input_dropout: float | None = Field(default=None, ge=0, lt=1)
    """The rate of dropout on the input, where it is not ``dropout``. ``null`` is ``dropout``."""

    @property
    def dropout_rates(self) -> tuple[float, ...]:
        return (*super().dropout_rates, self.input_dropout or 0.0)


class WindowParameters(FixedViewParameters, title="Every window model"):
    """The vectors of the words around a word, side by side, through a hidden layer (Bengio et al.
    2003; Collobert et al. 2011)."""

    kind: Literal["window"]
    """``window`` chooses this model."""
    window: int = Field(default=5, gt=0)
    """How many words are seen, the word itself in the middle: an odd number."""
    units: int = Field(default=100, gt=0)
    """The width of the hidden layer."""

    @property
    def layers(self) -> int:
        """The number of hidden layers."""
        return 1

    @model_validator(mode="after")
    def _a_word_is_in_the_middle(self) -> WindowParameters:
        if self.window % 2 == 0:
            raise impossible(
                f"window: {self.window} has no word in its middle; use {self.window - 1} or "
                f"{self.window + 1}"
            )
        return self


class ConvolutionalParameters(FixedViewParameters, title="Every convolutional model"):
    """Stacked convolutions over the words of a text (Collobert et al. 2011; Kim 2014)."""

    kind: Literal["convolutional"]
    """``convolutional`` chooses this model."""
    windows: list[Annotated[int, Field(gt=0)]] = Field(default=[3], min_length=1)
    """How many words a filter sees. Several windows, such as ``[3, 4, 5]``, have filters of their
    own, whose outputs stand side by side (Kim 2014)."""
    filters: int = Field(default=100, gt=0)
    """How many filters each window has in each layer."""
    layers: int = Field(default=1, gt=0)
    """How many layers of convolutions are stacked."""
    dilation: int = Field(default=1, gt=0)
    """By how much further apart the words lie that each next layer's filters see. 1 sees
    neighbours in every layer; 2 doubles the distance from layer to layer (Strubell et al. 2017)."""

    @model_validator(mode="after")
    def _dilation_has_layers(self) -> ConvolutionalParameters:
        if self.dilation > 1 and self.layers < 2:
            raise impossible(
                f"dilation: {self.dilation} is from layer to layer, so it needs layers: 2 or more"
            )
        return self


# --- heads ----------------------------------------------------------------------------


class ClassifierParameters(EncoderParameters, title="Recurrent classifier"):
    """Recurrent layers, pooling over real tokens, softmax over labels."""

    kind: Literal["recurrent"] = "recurrent"
    """``recurrent`` chooses this model."""
    bidirectional: bool = True
    """Whether a second layer reads the text from its end (Schuster & Paliwal 1997)."""
    pooling: Literal["last", "mean", "max", "attention", "concatenated"] = "last"
    """How the states of all tokens become one vector. ``last`` is the last state of each direction,
    ``mean`` and ``max`` are taken over the tokens, ``attention`` is a learned weighted mean (Yang
    et al. 2016), and ``concatenated`` is last, max and mean side by side (Howard & Ruder 2018)."""


class AveragedParameters(NetworkParameters, title="Averaged classifier"):
    """The mean of a text's vectors, softmax over labels: fastText (Joulin et al. 2017)."""

    kind: Literal["averaged"]
    """``averaged`` chooses this model."""
    pairs: int = Field(default=0, ge=0)
    """How many vectors all pairs of adjacent words share by a hash. 0 reads no pairs."""


class FixedViewClassifierParameters(FixedViewParameters, title="Every fixed-view classifier"):
    """Pooling of what each word's view says, softmax over labels."""

    pooling: Literal["max", "mean", "attention"] = "max"
    """How the vectors of all words become one. ``max`` and ``mean`` are taken over the words, and
    ``attention`` is a learned weighted mean (Yang et al. 2016)."""


class WindowClassifierParameters(
    FixedViewClassifierParameters, WindowParameters, title="Window classifier"
):
    """A hidden layer over the window around each word, pooling, softmax over labels: the sentence
    approach of Collobert et al. (2011)."""


class ConvolutionalClassifierParameters(
    FixedViewClassifierParameters, ConvolutionalParameters, title="Convolutional classifier"
):
    """Convolutions, pooling, softmax over labels. One layer of several windows with the maximum
    over time is the network of Kim (2014)."""


class CharacterEncoderSection(Section, title="Every character encoder"):
    """What reads the characters of a word."""

    dimension: int = Field(default=30, gt=0)
    """How many numbers the vector of a character has."""
    units: int = Field(default=30, gt=0)
    """How many filters the convolution has, or the width of one direction of the LSTM."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """The rate of dropout on the vectors of characters. 0 drops nothing."""
    longest: int = Field(default=20, gt=0)
    """How many characters of a word are read: of a longer word the first and the last halves."""


class CharacterCNNParameters(CharacterEncoderSection, title="Character CNN"):
    """Convolution and max pooling over a word's characters (Ma & Hovy 2016)."""

    kind: Literal["cnn"]
    """``cnn`` chooses a convolution."""
    window: int = Field(default=3, gt=0)
    """How many characters a filter sees."""


class CharacterBiLSTMParameters(CharacterEncoderSection, title="Character BiLSTM"):
    """The last states of an LSTM in both directions (Lample et al. 2016)."""

    kind: Literal["bilstm"]
    """``bilstm`` chooses an LSTM in both directions."""


AnyCharacterEncoder = CharacterCNNParameters | CharacterBiLSTMParameters
CharacterEncoder = Annotated[AnyCharacterEncoder, Field(discriminator="kind")]


class TaggerHeadParameters(NetworkParameters, title="Every tagger"):
    """What a tagger reads beside words, and a softmax over tags at every word or a CRF over tag
    sequences."""

    characters: CharacterEncoder | None = None
    """What reads the spelling of each word beside its embedding; ``null`` reads none."""
    casing: int = Field(default=0, ge=0)
    """The width of an embedding of how each word is written, beside its own: in lower case, with an
    initial capital, in capitals, with digits and so on (Collobert et al. 2011). 0 reads nothing of
    it."""
    output: Literal["softmax", "crf"] = "softmax"
    """``softmax`` gives a distribution for each tag, ``crf`` one for the whole sequence (Lafferty
    et al. 2001)."""
    constrained: bool = True
    """Whether the CRF gives no probability to what the tagging scheme forbids."""
    tag_scheme: Literal["BIOES"] | None = None
    """The scheme in which the network learns entities: ``BIOES`` marks their ends too (Ratinov &
    Roth 2009). Predictions and metrics stay in the tags of the data. ``null`` learns those."""

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
    def _scheme_is_kept(self) -> TaggerHeadParameters:
        if self.tag_scheme and self.output == "crf" and not self.constrained:
            raise impossible(
                "tag_scheme with output: crf needs constrained: true, so that a sequence of tags "
                "has one meaning and its whole probability"
            )
        return self

    @model_validator(mode="after")
    def _samples_are_of_single_tags(self) -> TaggerHeadParameters:
        if self.output == "crf" and self.monte_carlo_samples:
            raise impossible(
                "monte_carlo_samples averages distributions of single tags: output: "
                "softmax, not crf"
            )
        return self


class TaggerParameters(TaggerHeadParameters, EncoderParameters, title="Recurrent tagger"):
    """Recurrent layers under a softmax or a CRF."""

    kind: Literal["recurrent"] = "recurrent"
    """``recurrent`` chooses this model."""
    bidirectional: bool = True
    """Whether a second layer reads the sentence from its end (Schuster & Paliwal 1997)."""


class WindowTaggerParameters(TaggerHeadParameters, WindowParameters, title="Window tagger"):
    """A hidden layer over the window around each word under a softmax or a CRF: the window approach
    of Collobert et al. (2011)."""


class ConvolutionalTaggerParameters(
    TaggerHeadParameters, ConvolutionalParameters, title="Convolutional tagger"
):
    """Convolutions under a softmax or a CRF (with dilation, after Strubell et al. 2017)."""


class JointParameters(ClassifierParameters, TaggerParameters, title="Model of intents and slots"):
    """Recurrent layers under two heads: a softmax over the labels of texts (intents) after pooling,
    and a softmax or a CRF over the tags of words (slots), after Liu & Lane (2016)."""

    @model_validator(mode="after")
    def _samples_are_of_one_head(self) -> JointParameters:
        if self.monte_carlo_samples:
            raise impossible("monte_carlo_samples is not of intents and slots; leave it out")
        return self


class RoleTaggerParameters(TaggerParameters, title="Tagger of semantic roles"):
    """A tagger that reads which word is the predicate whose arguments it tags. Where none is, it
    tags the predicates of the sentence."""

    constrained: bool = True
    """Whether what the tagging scheme forbids is never predicted: a CRF gives it no probability,
    and with a softmax the most likely of the allowed sequences is found (He et al. 2017)."""
    predicate_dimension: int = Field(default=16, gt=0)
    """The width of the embedding of whether a word is the predicate, which stands beside that of
    the word (He et al. 2017)."""
    predicate_word: bool = True
    """Whether the vector of the predicate stands beside each word too (Zhou & Xu 2015)."""


class SoftmaxParameters(Section, title="Softmax"):
    """A softmax over all types."""

    kind: Literal["softmax"]
    """``softmax`` chooses this output layer."""


class AdaptiveSoftmaxParameters(Section, title="Adaptive softmax"):
    """Rare types in clusters, each with a softmax of its own (Grave et al. 2017)."""

    kind: Literal["adaptive_softmax"]
    """``adaptive_softmax`` chooses this output layer."""
    cutoffs: list[Annotated[int, Field(gt=0)]] = Field(min_length=1)
    """The first type of each cluster, by its rank of frequency. The ranks rise."""
    divisor: int = Field(default=4, gt=0)
    """Cluster ``c``, counted from 1, sees the encoder's output projected to a width that is divided
    by ``divisor^c``. Tied weights need 1."""

    @model_validator(mode="after")
    def _cutoffs_rise(self) -> AdaptiveSoftmaxParameters:
        if self.cutoffs != sorted(set(self.cutoffs)):
            raise impossible("cutoffs must rise")
        return self


class SampledSoftmaxParameters(Section, title="Sampled softmax"):
    """A softmax that is trained against sampled types instead of all (Jean et al. 2015)."""

    kind: Literal["sampled_softmax"]
    """``sampled_softmax`` chooses this output layer."""
    samples: int = Field(default=1000, gt=0)
    """How many types are drawn for each batch."""


class HierarchicalSoftmaxParameters(Section, title="Hierarchical softmax"):
    """The way to each type through a Huffman tree (Morin & Bengio 2005)."""

    kind: Literal["hierarchical_softmax"]
    """``hierarchical_softmax`` chooses this output layer."""


AnyOutput = (
    SoftmaxParameters
    | AdaptiveSoftmaxParameters
    | SampledSoftmaxParameters
    | HierarchicalSoftmaxParameters
)
_Output = Annotated[AnyOutput, Field(discriminator="kind")]
OutputName = Literal["softmax", "sampled_softmax", "hierarchical_softmax"]
"""The kinds of output layers that need no options."""
Output = Annotated[_Output, BeforeValidator(_by_name, json_schema_input_type=OutputName | _Output)]


class OutputParameters(Section, title="Every language model"):
    """From the last layer of a language model to a distribution over the vocabulary."""

    tied: bool = False
    """Whether the output layer shares its weights with the embeddings (Press & Wolf 2017). The last
    layer then has the width of the embeddings."""
    output: Output = SoftmaxParameters(kind="softmax")
    """The output layer: its name, or a mapping with its ``kind`` and options. All but
    ``sampled_softmax`` are exact in training too."""

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


class LanguageModelParameters(
    EncoderParameters, OutputParameters, title="Recurrent language model"
):
    """Recurrent layers in one direction, then a distribution over the vocabulary at every token."""

    kind: Literal["recurrent"] = "recurrent"
    """``recurrent`` chooses this model."""


class AverageParameters(Section, title="Average"):
    """The mean of the context's vectors."""

    kind: Literal["average"]
    """``average`` chooses the mean."""


class ConcatenationParameters(Section, title="Concatenation"):
    """The context's vectors side by side (Bengio et al. 2003)."""

    kind: Literal["concatenation"]
    """``concatenation`` chooses the vectors side by side."""


class ConvolutionParameters(Section, title="Convolution"):
    """Filters over neighbours in the context, their outputs side by side (Pham et al. 2016)."""

    kind: Literal["convolution"]
    """``convolution`` chooses filters over neighbours."""
    window: int = Field(default=3, gt=0)
    """How many tokens a filter sees; no more than the context has."""
    filters: int = Field(default=100, gt=0)
    """How many filters there are."""


AnyContextInputs = AverageParameters | ConcatenationParameters | ConvolutionParameters
_Inputs = Annotated[AnyContextInputs, Field(discriminator="kind")]
InputsName = Literal["average", "concatenation", "convolution"]
ContextInputs = Annotated[
    _Inputs, BeforeValidator(_by_name, json_schema_input_type=InputsName | _Inputs)
]


class FeedForwardParameters(
    NetworkParameters, OutputParameters, title="Feed-forward language model"
):
    """The language model of Bengio et al. (2003): a fixed context, one hidden layer."""

    kind: Literal["feed_forward"]
    """``feed_forward`` chooses this model."""
    context: int = Field(default=4, gt=0)
    """How many tokens the next one depends on."""
    inputs: ContextInputs = ConcatenationParameters(kind="concatenation")
    """What the hidden layer sees of the context: its name, or a mapping with its ``kind`` and
    options."""
    units: int = Field(default=100, gt=0)
    """The width of the hidden layer."""
    direct: bool = False
    """Whether the output layer sees the inputs beside the hidden layer."""

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


class AttentionParameters(Section, title="Attention"):
    """How the decoder looks at the states of the source."""

    kind: Literal["additive", "concat", "dot", "general"]
    """The score of a state of the decoder and one of the source: ``dot`` is their product,
    ``general`` has a matrix between them, and ``additive`` is a small network over both (Bahdanau
    et al. 2015), which Luong et al. (2015) call ``concat``."""
    placement: Literal["before", "after"] | None = None
    """Which state of the decoder asks: ``before`` is that of the step before, and the context
    enters the cell (Bahdanau et al. 2015); ``after`` is the new state, and the context enters the
    output (Luong et al. 2015), so that all target steps attend at once. ``null`` is ``before`` for
    ``additive`` and ``after`` for others."""
    input_feeding: bool = False
    """With ``after``: whether the output of attention is also read at the next step (Luong et al.
    2015)."""
    units: int | None = Field(default=None, gt=0)
    """For ``additive`` and ``concat``: the width of the network of the score; ``null`` is that of
    the decoder."""
    window: int | None = Field(default=None, gt=0)
    """How far from a predicted position of the source each step looks (local attention, Luong et
    al. 2015, section 3.2). ``null`` looks at the whole source."""

    @property
    def place(self) -> Literal["before", "after"]:
        """:attr:`placement`, with its default."""
        return self.placement or ("before" if self.kind == "additive" else "after")

    @property
    def in_the_loop(self) -> bool:
        """Whether attention changes what later steps read."""
        return self.place == "before" or self.input_feeding

    @model_validator(mode="after")
    def _options_fit(self) -> AttentionParameters:
        if self.input_feeding and self.place == "before":
            raise impossible("attention.input_feeding needs attention.placement: after")
        if self.units is not None and self.kind not in ("additive", "concat"):
            raise impossible(f"attention.units is of additive and concat, not {self.kind}")
        return self


AttentionName = Literal["additive", "concat", "dot", "general"]
AttentionSection = Annotated[
    AttentionParameters,
    BeforeValidator(_by_name, json_schema_input_type=AttentionName | AttentionParameters),
]

DECODER_CELLS = ("lstm", "gru", "simple_rnn")


class EncoderDecoderParameters(EncoderParameters, title="Encoder-decoder"):
    """Recurrent layers that read the source, others that write the target, and attention between
    them. What the section says of cells, layers and dropout is of both."""

    bidirectional: bool = True
    """Whether a second layer reads the source from its end (Schuster & Paliwal 1997)."""
    decoder_units: int | None = Field(default=None, gt=0)
    """The width of the decoder's layers; ``null`` is ``units``, and with ``bridge: last_state`` the
    width of the encoder's states, which have two directions where ``bidirectional`` is set."""
    decoder_layers: int | None = Field(default=None, gt=0)
    """How many layers the decoder has; ``null`` is ``layers``."""
    bridge: Literal["last_state", "projection", "mean"] = "projection"
    """What the decoder starts from: the encoder's ``last_state`` in each layer (Sutskever et al.
    2014), a tanh ``projection`` of that of the highest layer (Bahdanau et al. 2015), or the same of
    the ``mean`` of its states (Sennrich et al. 2017)."""
    attention: AttentionSection | None = AttentionParameters(kind="general")
    """The attention: its kind, or a mapping with its options. ``null`` turns attention off."""
    conditioning: Literal["initial_state", "every_step"] = "initial_state"
    """How a decoder without attention knows the source: by its ``initial_state`` alone (Sutskever
    et al. 2014), or from a vector that it also reads at ``every_step`` (Cho et al. 2014)."""
    reversed_source: bool = False
    """Whether the source is read from its end, so that its beginning is near to that of the target
    (Sutskever et al. 2014)."""
    copying: bool = False
    """Whether each step may copy a token of the source instead of writing one of the vocabulary
    (pointer-generator, See et al. 2017). It needs attention."""
    tied: bool = False
    """Whether the output layer shares its weights with the embeddings of the target (Press & Wolf
    2017)."""

    @property
    def source_width(self) -> int:
        """The width of the encoder's states."""
        return self.width * (2 if self.bidirectional else 1)

    @property
    def decoder(self) -> EncoderParameters:
        """The parameters of the decoder's recurrent layers."""
        units = self.source_width if self.bridge == "last_state" else self.units
        changed = {
            "units": self.decoder_units or units,
            "layers": self.decoder_layers or self.layers,
            "last_units": None,
        }
        return self.model_copy(update=changed)

    @model_validator(mode="after")
    def _cells_have_states_of_units(self) -> EncoderDecoderParameters:
        cell = self.cell
        if cell.kind not in DECODER_CELLS:
            raise impossible(
                f"cell of an encoder-decoder is {', '.join(DECODER_CELLS)}, not {cell.kind}"
            )
        if isinstance(cell, LSTMParameters) and (cell.projection or cell.full_gate_recurrence):
            raise impossible("an encoder-decoder has no projection and no full_gate_recurrence")
        if self.monte_carlo_samples:
            raise impossible("monte_carlo_samples is not of an encoder-decoder; leave it out")
        return self

    @model_validator(mode="after")
    def _bridge_fits(self) -> EncoderDecoderParameters:
        decoder = self.decoder
        if self.bridge != "last_state":
            return self
        if decoder.layers != self.layers or self.last_units not in (None, self.units):
            raise impossible(
                "bridge: last_state needs as many layers in the decoder as in the encoder, all of "
                "one width"
            )
        if decoder.units != self.source_width:
            raise impossible(
                f"bridge: last_state needs decoder_units: {self.source_width}, the width of the "
                "encoder's states, or null"
            )
        return self

    @model_validator(mode="after")
    def _attention_fits(self) -> EncoderDecoderParameters:
        attention = self.attention
        if self.copying and (attention is None or attention.window is not None):
            raise impossible(
                "copying needs attention to the whole source: attention without window, not null"
            )
        if attention is None:
            return self
        if self.conditioning != "initial_state":
            raise impossible("conditioning is of decoders without attention: attention: null")
        if attention.kind == "dot" and self.decoder.units != self.source_width:
            raise impossible(
                f"attention: dot needs decoder_units ({self.decoder.units}) equal to the width of "
                f"the encoder's states ({self.source_width}); use general, or change one of them"
            )
        for name, on in (
            ("recurrent_dropout", self.recurrent_dropout),
            ("weight_drop", self.weight_drop),
            ("zoneout", self.zoneout.hidden or self.zoneout.cell),
            ("connection", self.connection != "plain"),
        ):
            if on and attention.in_the_loop:
                raise impossible(
                    f"{name} needs attention with placement: after and without input_feeding, "
                    "whose decoder is a plain stack"
                )
        return self


def _recurrent_by_default(section: Any) -> Any:
    """A model without ``kind`` is recurrent."""
    return {"kind": "recurrent", **section} if isinstance(section, Mapping) else section


AnyClassifier = (
    ClassifierParameters
    | AveragedParameters
    | WindowClassifierParameters
    | ConvolutionalClassifierParameters
)
Classifier = Annotated[
    Annotated[AnyClassifier, Field(discriminator="kind")],
    BeforeValidator(_recurrent_by_default),
]

AnyTagger = TaggerParameters | WindowTaggerParameters | ConvolutionalTaggerParameters
Tagger = Annotated[
    Annotated[AnyTagger, Field(discriminator="kind")],
    BeforeValidator(_recurrent_by_default),
]

AnyLanguageModel = LanguageModelParameters | FeedForwardParameters
LanguageModel = Annotated[
    Annotated[AnyLanguageModel, Field(discriminator="kind")],
    BeforeValidator(_recurrent_by_default),
]
