"""The worker process's entry; its last argument is the number of the socket it has inherited."""

import logging
import socket
import sys

from engine.loading import load
from engine.worker import run_worker


def main() -> int:
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    return run_worker(socket.socket(fileno=int(sys.argv[-1])), load)


if __name__ == "__main__":
    sys.exit(main())
