"""Stage embed: see nlp_rnn.stages.embed."""

import sys

from nlp_rnn.cli import stage
from nlp_rnn.stages import embed

if __name__ == "__main__":
    sys.exit(stage(embed, "experiment"))
