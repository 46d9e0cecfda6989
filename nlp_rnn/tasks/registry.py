"""Creates the task of an experiment."""

from __future__ import annotations

from nlp_rnn.config import AnyExperiment
from nlp_rnn.tasks.classification import Classification
from nlp_rnn.tasks.joint import IntentsAndSlots
from nlp_rnn.tasks.label_sets import LabelSets
from nlp_rnn.tasks.language_modelling import LanguageModelling
from nlp_rnn.tasks.roles import SemanticRoles
from nlp_rnn.tasks.sequences import SequenceToSequence
from nlp_rnn.tasks.tagging import Tagging
from nlp_rnn.tasks.task import Task
from nlp_rnn.text.prepared import PreparedDataset

TASKS: dict[str, type[Task]] = {
    "classification": Classification,
    "tagging": Tagging,
    "intents_and_slots": IntentsAndSlots,
    "language_modelling": LanguageModelling,
    "semantic_roles": SemanticRoles,
    "sequence_to_sequence": SequenceToSequence,
}


def make_task(experiment: AnyExperiment, dataset: PreparedDataset, seed: int) -> Task:
    """The task of ``experiment`` on its prepared data."""
    if dataset.multi_label:
        return LabelSets(experiment, dataset, seed)
    return TASKS[experiment.task](experiment, dataset, seed)
