"""Stage pseudo_label: see nlp_rnn.stages.pseudo_label."""

import sys

from nlp_rnn.cli import stage
from nlp_rnn.stages import pseudo_label

if __name__ == "__main__":
    sys.exit(stage(pseudo_label, "pseudo-labelled data set"))
