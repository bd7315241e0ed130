"""`python -m benchmarks` compares our server with its peers; the other commands are modules."""

import typer

from benchmarks.compare import main

if __name__ == "__main__":
    typer.run(main)
