"""Write ``dvc.yaml``: the stages that ``params.yaml`` needs, with the code that each one reaches.

Run ``python tests/declare_dependencies.py`` after a module, an import or a stage was added;
``test_dependencies.py`` says when that is due. A project of one's own has no code of the package to
depend on, so ``nlp-rnn pipeline`` writes its file.
"""

from __future__ import annotations

from test_dependencies import PROJECT, root_pipeline

from nlp_rnn.config import load
from nlp_rnn.projects.pipeline import write_pipeline

if __name__ == "__main__":
    write_pipeline(load(PROJECT / "params.yaml"), PROJECT)
    (PROJECT / "dvc.yaml").write_text(root_pipeline(), encoding="utf-8")
