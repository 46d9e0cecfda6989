"""Stage memory: how far back networks remember."""

from __future__ import annotations

from nlp_rnn import backend, paths
from nlp_rnn.config import MemoryParameters, Parameters, load
from nlp_rnn.errors import UserError
from nlp_rnn.files import write_json
from nlp_rnn.process import log
from nlp_rnn.stages.common import only_one


def memory(name: str) -> None:
    """Train the networks of ``memory:`` to remember over ever more steps; draw how far they got."""
    parameters = load()
    if parameters.memory is None:
        raise UserError("params.yaml: no section 'memory'; it names steps and networks")

    from nlp_rnn.corpora.memory import problem

    problem(name)  # a mistake in the name answers at once
    run_name = f"memory-{name}"
    with only_one(paths.checkpoints(run_name), run_name):
        _memory(name, run_name, parameters, parameters.memory)


def _memory(name: str, run_name: str, parameters: Parameters, section: MemoryParameters) -> None:
    backend_name = backend.select(parameters.backend)

    from nlp_rnn import tracking
    from nlp_rnn.memory import experiment

    backend.deterministic(parameters.seed)
    file = paths.checkpoints(run_name) / "results.json"
    record = experiment.Record(file, name, section, parameters.seed)
    with tracking.run(parameters.tracking.experiment, run_name) as run:
        log(f"MLflow run {run.url}")
        run.log_parameters(
            {"backend": backend_name, "seed": parameters.seed, **section.model_dump()}
        )

        def log_result(result: experiment.Result) -> None:
            run.log_metrics({"success": {result.network: result.success}}, result.steps)

        results = experiment.run(name, section, parameters.seed, record, log_result)
        figures = experiment.figures(name, results)
        run.log_metrics({"longest": figures["longest"]})
        folder = paths.memory_plots(name)
        experiment.write_plots(name, section.of(name).batches, results, folder)
        run.log_file(folder, "plots")
    write_json(paths.memory_figures(name), figures)
    record.clear()
