"""The storage as one thing: where it is, what it holds, how it is kept in order and closed."""

import os
from pathlib import Path

from server.settings import Settings
from server.storage.batches import BatchStore
from server.storage.database import Database
from server.storage.files import FileStore
from server.storage.responses import ResponseStore
from server.storage.sweeper import Sweeper

FILE_NAME = "storage.sqlite3"
SECONDS_A_DAY = 24 * 3600


class Storage:
    """The stores over one database, which is opened by the first use of any of them.

    Without a path it is off: every use raises StorageOff. `keep_seconds` is how long batches and
    responses are kept.
    """

    def __init__(self, path: Path | None, max_bytes: int, keep_seconds: int) -> None:
        self.is_on = path is not None
        self.keep_seconds = keep_seconds
        self._database = Database(path, max_bytes)
        self.files = FileStore(self._database)
        self.batches = BatchStore(self._database)
        self.responses = ResponseStore(self._database)
        self.sweeper = Sweeper(self._database, max_bytes)

    async def close(self) -> None:
        await self._database.close()


def storage_of(settings: Settings) -> Storage:
    """The storage that the settings ask for. Touches nothing yet."""
    keep_seconds = int(settings.storage_days * SECONDS_A_DAY)
    return Storage(storage_path(settings.storage), settings.storage_bytes, keep_seconds)


def storage_path(setting: str) -> Path | None:
    """The file that the setting means; None for none."""
    if setting == "none":
        return None
    if setting != "auto":
        return Path(setting)
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(data, "granite-server", FILE_NAME)
