"""Keras layers that textbooks describe and Keras lacks, usable in any Keras model.

Importing this package registers them, so that ``keras.models.load_model`` finds them without
``custom_objects``. ``docs/layers.md`` lists the equations, papers and tests of each layer.
"""

from nlp_rnn.layers.activity import (
    ActivationRegularization,
    NormStabilizer,
    TemporalActivationRegularization,
)
from nlp_rnn.layers.attention import (
    AdditiveAttention,
    DotAttention,
    GeneralAttention,
    Memory,
)
from nlp_rnn.layers.attention_decoder import AttentionDecoder
from nlp_rnn.layers.bidirectional import Bidirectional
from nlp_rnn.layers.casing import Casing
from nlp_rnn.layers.cells import (
    ForgetGateBias,
    LSTMCell,
    PhasedLSTMCell,
    SimpleRNNCell,
    Zoneout,
)
from nlp_rnn.layers.characters import CharacterBiLSTM, CharacterCNN
from nlp_rnn.layers.conditioning import BesideEachStep, FirstStep, Zeros
from nlp_rnn.layers.context import ContextTokens, JoinedNeighbours
from nlp_rnn.layers.contextual import ReverseSequence, ScalarMix
from nlp_rnn.layers.convolution import Convolutions, Windows
from nlp_rnn.layers.crf import CRF
from nlp_rnn.layers.crf_model import CRFModel
from nlp_rnn.layers.dropout import Dropout, EmbeddingDropout
from nlp_rnn.layers.gru import GRU
from nlp_rnn.layers.highway import HighwayConnection
from nlp_rnn.layers.lstm import LSTM
from nlp_rnn.layers.pairs import PairBuckets
from nlp_rnn.layers.pointer import CopiedTypes, PointerGenerator
from nlp_rnn.layers.pooling import AttentionPooling, LastPooling, MaxPooling, MeanPooling
from nlp_rnn.layers.predicates import BesidePredicate
from nlp_rnn.layers.recurrent import RecurrentLayer
from nlp_rnn.layers.softmax.adaptive import AdaptiveSoftmax
from nlp_rnn.layers.softmax.full import Softmax
from nlp_rnn.layers.softmax.hierarchical import HierarchicalSoftmax
from nlp_rnn.layers.softmax.model import SoftmaxModel
from nlp_rnn.layers.softmax.sampled import SampledSoftmax
from nlp_rnn.layers.weight_drop import WeightDrop

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "ActivationRegularization",
    "AdaptiveSoftmax",
    "AdditiveAttention",
    "AttentionDecoder",
    "AttentionPooling",
    "BesideEachStep",
    "BesidePredicate",
    "Bidirectional",
    "CRFModel",
    "Casing",
    "CharacterBiLSTM",
    "CharacterCNN",
    "ContextTokens",
    "Convolutions",
    "CopiedTypes",
    "DotAttention",
    "Dropout",
    "EmbeddingDropout",
    "FirstStep",
    "ForgetGateBias",
    "GeneralAttention",
    "HierarchicalSoftmax",
    "HighwayConnection",
    "JoinedNeighbours",
    "LSTMCell",
    "LastPooling",
    "MaxPooling",
    "MeanPooling",
    "Memory",
    "NormStabilizer",
    "PairBuckets",
    "PhasedLSTMCell",
    "PointerGenerator",
    "RecurrentLayer",
    "ReverseSequence",
    "SampledSoftmax",
    "ScalarMix",
    "SimpleRNNCell",
    "Softmax",
    "SoftmaxModel",
    "TemporalActivationRegularization",
    "WeightDrop",
    "Windows",
    "Zeros",
    "Zoneout",
]
