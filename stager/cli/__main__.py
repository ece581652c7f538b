"""`python -m stager.cli`: the program without its console script."""

from stager.cli.entry import run

if __name__ == "__main__":  # a process that makes rows ready imports this module, too
    run()
