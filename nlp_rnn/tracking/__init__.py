"""The interface to MLflow: the store of runs, single runs, and models from the registry.

MLflow takes seconds to import, so it is imported only inside functions.
"""

from nlp_rnn.tracking.models import ALIAS, current_version, fetch_bundle
from nlp_rnn.tracking.origin import provenance
from nlp_rnn.tracking.runs import Run, only_run, pages, run
from nlp_rnn.tracking.store import Unreachable, tracking_uri

__all__ = [
    "ALIAS",
    "Run",
    "Unreachable",
    "current_version",
    "fetch_bundle",
    "only_run",
    "pages",
    "provenance",
    "run",
    "tracking_uri",
]
