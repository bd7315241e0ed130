"""An API process to be killed: begins a long step, prints the pid of its worker, waits."""

import asyncio
import sys

from engine.client import EngineClient
from engine.interface import EngineState
from tests.engine.asynchronous import until
from tests.engine.conftest import FAKE_WORKER
from tests.engine.fakes import make_request, small_options


async def main() -> None:
    client = EngineClient(small_options(checkpoint="fake:hang=600"), command=FAKE_WORKER)
    await client.start()
    await until(lambda: client.state is EngineState.READY)
    generation = client.submit(make_request())
    await anext(aiter(generation))
    sys.stdout.write(f"{client.worker_pid}\n")
    sys.stdout.flush()
    await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main())
