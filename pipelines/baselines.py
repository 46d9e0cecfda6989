"""Stage baselines: see nlp_rnn.stages.baselines."""

import sys

from nlp_rnn.cli import stage
from nlp_rnn.stages import baselines

if __name__ == "__main__":
    sys.exit(stage(baselines, "data set"))
