"""Stage train: see nlp_rnn.stages.train."""

import sys

from nlp_rnn.cli import stage
from nlp_rnn.stages import train

if __name__ == "__main__":
    sys.exit(stage(train, "experiment"))
