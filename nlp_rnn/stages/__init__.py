"""The stages of the pipeline, one function each; ``pipelines/`` and ``dvc.yaml`` call them.

Heavy modules are imported inside, so that a mistake in the parameters answers at once.
"""

from nlp_rnn.stages.baselines import baselines
from nlp_rnn.stages.download import download
from nlp_rnn.stages.embed import embed
from nlp_rnn.stages.encoder import encoder
from nlp_rnn.stages.evaluate import evaluate
from nlp_rnn.stages.memory import memory
from nlp_rnn.stages.prepare import prepare
from nlp_rnn.stages.pseudo_label import pseudo_label
from nlp_rnn.stages.report import report
from nlp_rnn.stages.search import search
from nlp_rnn.stages.sentences import sentences
from nlp_rnn.stages.train import train
from nlp_rnn.stages.vector_file import sentence_vector_file, vector_file
from nlp_rnn.stages.vectors import vectors

__all__ = [
    "baselines",
    "download",
    "embed",
    "encoder",
    "evaluate",
    "memory",
    "prepare",
    "pseudo_label",
    "report",
    "search",
    "sentence_vector_file",
    "sentences",
    "train",
    "vector_file",
    "vectors",
]
