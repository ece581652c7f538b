"""`python -m stager.cli`: the program without its console script."""

import sys

from stager.cli.app import main

if __name__ == "__main__":  # a process that makes rows ready imports this module, too
    sys.exit(main())
