"""The same as ``nlp-rnn stage report``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["stage", "report", *sys.argv[1:]]))
