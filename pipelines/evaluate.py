"""Stage evaluate: see nlp_rnn.stages.evaluate."""

import sys

from nlp_rnn.cli import stage
from nlp_rnn.stages import evaluate

if __name__ == "__main__":
    sys.exit(stage(evaluate, "experiment"))
