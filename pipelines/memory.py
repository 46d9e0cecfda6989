"""Stage memory: see nlp_rnn.stages.memory."""

import sys

from nlp_rnn.cli import stage
from nlp_rnn.stages import memory

if __name__ == "__main__":
    sys.exit(stage(memory, "problem"))
