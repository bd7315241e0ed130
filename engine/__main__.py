"""`python -m engine FD`: the worker process, told the number of its inherited socket."""

import logging
import socket
import sys

from engine.loading import load
from engine.worker import run_worker

if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    sys.exit(run_worker(socket.socket(fileno=int(sys.argv[1])), load))
