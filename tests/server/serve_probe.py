"""A program that serves the probe routes: `python -m tests.server.serve_probe '{"port": 0}'`.

Prints its port, then behaves as `server.run` does. For tests of signals and exit codes.
"""

import json
import sys

from server.errors import StartupError
from server.run import bind_socket, serve
from server.settings import Settings
from tests.fakes import FakeEngine, Script
from tests.server.probe import probe_app


def main() -> int:
    settings = Settings(**json.loads(sys.argv[1]))
    try:
        listener = bind_socket(settings)
    except StartupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    engine = FakeEngine(Script(token_ids=tuple(range(1000)), delay=0.1))
    return serve(probe_app(engine, settings), settings, listener)


if __name__ == "__main__":
    sys.exit(main())
