"""Stage vector_file: see nlp_rnn.stages.vector_file."""

import sys

from nlp_rnn.cli import stage
from nlp_rnn.stages import vector_file

if __name__ == "__main__":
    sys.exit(stage(vector_file, "experiment"))
