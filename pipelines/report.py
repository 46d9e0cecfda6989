"""Stage report: see nlp_rnn.stages.report."""

import sys

from nlp_rnn.cli import stage
from nlp_rnn.stages import report

if __name__ == "__main__":
    sys.exit(stage(report))
