"""Stage download: see nlp_rnn.stages.download."""

import sys

from nlp_rnn.cli import stage
from nlp_rnn.stages import download

if __name__ == "__main__":
    sys.exit(stage(download, "data set"))
