"""The same as ``nlp-rnn stage download NAME``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["stage", "download", *sys.argv[1:]]))
