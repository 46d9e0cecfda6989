"""The same as ``nlp-rnn stage encoder NAME``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["stage", "encoder", *sys.argv[1:]]))
