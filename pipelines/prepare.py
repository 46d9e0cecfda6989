"""Stage prepare: see nlp_rnn.stages.prepare."""

import sys

from nlp_rnn.cli import stage
from nlp_rnn.stages import prepare

if __name__ == "__main__":
    sys.exit(stage(prepare, "data set"))
