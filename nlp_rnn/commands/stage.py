"""``nlp-rnn stage``: one stage of the pipeline, as DVC runs it."""

from __future__ import annotations

import argparse

STAGES = {
    "download": ("datasets", "get or find the files of a data set and write their checksums"),
    "prepare": ("datasets", "turn a data set into numbers; write its vocabulary and data card"),
    "pseudo_label": ("pseudo_labelled", "let two trained classifiers label texts"),
    "baselines": ("datasets", "fit the simple models that a network must beat"),
    "vectors": ("vectors", "learn word vectors from a data set"),
    "sentence_vector_file": ("sentences", "the same as vector_file for a sentence encoder"),
    "sentences": ("sentences", "learn a sentence encoder from consecutive sentences"),
    "encoder": ("encoders", "take embeddings and recurrent layers out of a language model"),
    "vector_file": ("experiments", "get or find a file of word vectors; write its checksum"),
    "embed": ("experiments", "write the initial word vectors of an experiment"),
    "train": ("experiments", "train a model, or resume its training"),
    "evaluate": ("experiments", "judge a trained model on the test split"),
    "report": ("", "write the report of all results"),
    "memory": ("memory.problems", "train networks to remember over ever more steps"),
}
"""What each stage runs for, a section of ``params.yaml``, and what it does; in the data's order."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    stage = commands.add_parser(
        "stage",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Run one stage for NAME, in the folder that holds params.yaml. dvc.yaml calls this\n"
            "command; `dvc repro STAGE@NAME` also runs the stages before it, where they are due."
        ),
        epilog="examples:\n  nlp-rnn stage prepare reviews\n  nlp-rnn stage report",
    )
    stages = stage.add_subparsers(required=True, metavar="STAGE")
    for name, (section, summary) in STAGES.items():
        parser = stages.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        if section:
            parser.add_argument("name", metavar="NAME", help=f"a name in params.yaml: {section}")
        parser.set_defaults(action=_run, stage=name, saves=True)


def _run(options: argparse.Namespace) -> None:
    from nlp_rnn import stages

    function = getattr(stages, options.stage)
    if STAGES[options.stage][0]:
        function(options.name)
    else:
        function()
