"""The stages of the pipeline, one function each; ``pipelines/`` and ``dvc.yaml`` call them.

Heavy modules are imported inside, so that a mistake in the parameters answers at once.
"""

from nlp_rnn.stages.data import download, prepare, pseudo_label
from nlp_rnn.stages.embedding import embed, encoder, vector_file, vectors
from nlp_rnn.stages.evaluation import baselines, evaluate, report
from nlp_rnn.stages.remembering import memory
from nlp_rnn.stages.searching import search
from nlp_rnn.stages.training import train

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
    "train",
    "vector_file",
    "vectors",
]
