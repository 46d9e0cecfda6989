"""Stage encoder: see nlp_rnn.stages.encoder."""

import sys

from nlp_rnn.cli import stage
from nlp_rnn.stages import encoder

if __name__ == "__main__":
    sys.exit(stage(encoder, "language model"))
