"""Stage vectors: see nlp_rnn.stages.vectors."""

import sys

from nlp_rnn.cli import stage
from nlp_rnn.stages import vectors

if __name__ == "__main__":
    sys.exit(stage(vectors, "vector set"))
