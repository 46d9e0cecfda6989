"""The same as ``nlp-rnn stage pseudo_label NAME``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["stage", "pseudo_label", *sys.argv[1:]]))
