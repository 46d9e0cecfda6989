"""``params.yaml`` as typed, validated objects: the only reader of that file.

Every key is declared here once, with its default and meaning. An unknown key, a wrong
type or an impossible combination raises :class:`~nlp_rnn.errors.UserError` naming the
file, the full key and the mend.
"""

from nlp_rnn.config.data import (
    AnyDataset,
    FilesDataset,
    GrammarDataset,
    MemoryDataset,
    SplitParameters,
    TfdsDataset,
    TokenizerParameters,
    VocabularyParameters,
)
from nlp_rnn.config.experiment import (
    AnyExperiment,
    ClassificationExperiment,
    Experiment,
    LanguageModellingExperiment,
    LearnedEmbeddings,
    LookupStep,
    MemoryNetwork,
    MemoryParameters,
    PretrainedEmbeddings,
    TaggingExperiment,
)
from nlp_rnn.config.model import (
    AnyCell,
    AnyCharacterEncoder,
    CharacterCNNParameters,
    ClassifierParameters,
    EncoderParameters,
    GRUParameters,
    LanguageModelParameters,
    LSTMParameters,
    PhasedLSTMParameters,
    SimpleRNNParameters,
    TaggerParameters,
    ZoneoutParameters,
)
from nlp_rnn.config.parameters import Parameters, load, parse
from nlp_rnn.config.section import nearest
from nlp_rnn.config.training import (
    AveragingParameters,
    BatchTrainingParameters,
    LanguageModelTrainingParameters,
    ScheduledSamplingParameters,
    ScheduleParameters,
    TrainingParameters,
)

__all__ = [
    "AnyCell",
    "AnyCharacterEncoder",
    "AnyDataset",
    "AnyExperiment",
    "AveragingParameters",
    "BatchTrainingParameters",
    "CharacterCNNParameters",
    "ClassificationExperiment",
    "ClassifierParameters",
    "EncoderParameters",
    "Experiment",
    "FilesDataset",
    "GRUParameters",
    "GrammarDataset",
    "LSTMParameters",
    "LanguageModelParameters",
    "LanguageModelTrainingParameters",
    "LanguageModellingExperiment",
    "LearnedEmbeddings",
    "LookupStep",
    "MemoryDataset",
    "MemoryNetwork",
    "MemoryParameters",
    "Parameters",
    "PhasedLSTMParameters",
    "PretrainedEmbeddings",
    "ScheduleParameters",
    "ScheduledSamplingParameters",
    "SimpleRNNParameters",
    "SplitParameters",
    "TaggerParameters",
    "TaggingExperiment",
    "TfdsDataset",
    "TokenizerParameters",
    "TrainingParameters",
    "VocabularyParameters",
    "ZoneoutParameters",
    "load",
    "nearest",
    "parse",
]
