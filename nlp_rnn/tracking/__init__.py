"""Everything that touches MLflow: where runs are kept, one run, and models out of the registry.

MLflow takes seconds to import, so only functions import it.
"""

from nlp_rnn.tracking.models import ALIAS, fetch_bundle
from nlp_rnn.tracking.origin import provenance
from nlp_rnn.tracking.runs import Run, only_run, pages, run
from nlp_rnn.tracking.store import tracking_uri

__all__ = ["ALIAS", "Run", "fetch_bundle", "only_run", "pages", "provenance", "run", "tracking_uri"]
