"""Stage pseudo_label: texts that two trained classifiers label, prepared as a data set."""

from __future__ import annotations

from nlp_rnn import paths
from nlp_rnn.config import load_part
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS
from nlp_rnn.hints import Remedy
from nlp_rnn.process import log
from nlp_rnn.progress import progress
from nlp_rnn.stages.common import check_parameters
from nlp_rnn.stages.prepare import write_prepared


def pseudo_label(name: str) -> None:
    """Let two trained classifiers label texts, and prepare them beside those that have labels."""
    parameters = load_part("pseudo_labelled", name)
    section = parameters.pseudo_labelled_dataset(name)

    from collections import Counter

    from nlp_rnn.inference.predictor import Predictor
    from nlp_rnn.runtime.bundle import Bundle
    from nlp_rnn.self_training.corpus import PseudoLabelledCorpus
    from nlp_rnn.self_training.pseudo_labels import Texts, pseudo_labels
    from nlp_rnn.text.prepared import PreparedDataset

    labelled = PreparedDataset(paths.prepared(section.labelled))
    unlabelled = PreparedDataset(paths.prepared(section.unlabelled))
    if labelled.multi_label:
        raise UserError(
            f"pseudo_labelled.{name}.labelled: texts of {section.labelled} have any number of "
            "labels, and teachers give one; choose a data set with one label a text"
        )
    bundles = [Bundle.open(paths.bundle(teacher)) for teacher in section.teachers]
    for teacher, bundle in zip(section.teachers, bundles, strict=True):
        remedy = Remedy("train again", teacher, ("train",))
        check_parameters(bundle, parameters.experiment(teacher), remedy)
    known = Texts(r["text"] for split in SPLITS for r in labelled.split(split).records())
    texts = unlabelled.split("train")
    predicted = pseudo_labels(
        (record["text"] for record in texts.records()),
        [Predictor.of(bundle) for bundle in bundles],
        section.min_confidence,
        known,
    )
    labels = list(progress(predicted, name, "texts", len(texts)))
    counts = Counter(label for label in labels if label is not None)
    log(f"{name}: {counts.total():,} of {len(labels):,} texts labelled, {dict(counts)}")
    if not counts:
        raise UserError(
            f"pseudo_labelled.{name}.min_confidence: {section.min_confidence}, but no unlabelled "
            "text is labelled with so much confidence; set it lower"
        )
    runs = [bundle.provenance["run_id"] for bundle in bundles]
    origin = {**section.model_dump(), "teachers": dict(zip(section.teachers, runs, strict=True))}
    corpus = PseudoLabelledCorpus(name, labelled, unlabelled, labels, origin)
    write_prepared(name, corpus, labelled.tokenizer_parameters, section.vocabulary)
