"""From what the user calls a model to a directory with its files; downloads it where needed."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from huggingface_hub import snapshot_download
from huggingface_hub.errors import DryRunError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils.tqdm import tqdm

from model_loader.errors import CheckpointNotFound

DEMO_NAME = "demo"
DEMO_DIRECTORY = Path(__file__).parent / "demo" / "checkpoint"
HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
FETCHED_FILES = ["*.json", "*.safetensors", "*.jinja", "*.txt", "SHA256SUMS"]
"""Never pickled weights and never code."""

ADVICE = f"pass a checkpoint directory, or '{DEMO_NAME}' for the model that is always there"
Progress = Callable[[float], None]


def resolve_checkpoint(model: str, revision: str | None, progress: Progress) -> Path:
    """The directory of `model`: 'demo', a directory, or `owner/name` on the hub.

    A hub model is fetched into the hub's cache, continuing an earlier attempt, while `progress`
    gets the rising share of bytes; where the hub cannot be reached, what is cached is used.

    Raises:
        CheckpointNotFound: none of these; the text says what to do.
    """
    if model == DEMO_NAME:
        return _require_config(DEMO_DIRECTORY)
    directory = Path(model).expanduser()
    if directory.is_dir():
        return _require_config(directory)
    if not HUB_ID.fullmatch(model) or ".." in model:
        raise CheckpointNotFound(
            f"{model!r} is neither a directory nor a model id like 'owner/name'; {ADVICE}"
        )
    return _require_config(_fetch(model, revision, progress))


def _require_config(directory: Path) -> Path:
    if not (directory / "config.json").is_file():
        raise CheckpointNotFound(f"{directory} holds no checkpoint: it has no config.json")
    return directory


def _fetch(model: str, revision: str | None, progress: Progress) -> Path:
    try:
        total_bytes = _bytes_to_fetch(model, revision)
        return Path(
            snapshot_download(
                model,
                revision=revision,
                allow_patterns=FETCHED_FILES,
                tqdm_class=_reporting_bar(progress, total_bytes),
            )
        )
    except RevisionNotFoundError as failure:
        raise CheckpointNotFound(f"{model} has no revision {revision!r} on the hub") from failure
    except RepositoryNotFoundError as failure:
        raise CheckpointNotFound(
            f"the hub has no model {model}, or not for you (is HF_TOKEN set?); {ADVICE}"
        ) from failure
    except (OSError, ValueError, httpx2.HTTPError) as failure:
        reason = str(failure).partition("\n")[0]
        raise CheckpointNotFound(f"could not fetch {model}: {reason}; {ADVICE}") from failure


def _bytes_to_fetch(model: str, revision: str | None) -> int:
    """0 where the hub cannot tell; fetching then uses the cache, or knows the reason."""
    try:
        files = snapshot_download(
            model, revision=revision, allow_patterns=FETCHED_FILES, dry_run=True
        )
    except DryRunError:
        return 0
    return sum(file.file_size or 0 for file in files if file.will_download)


def _reporting_bar(progress: Progress, total_bytes: int) -> type[tqdm]:
    """A progress bar that draws nothing and reports its share of `total_bytes`.

    The bar's own total will not do: it grows as files begin, so small files would seem to be all.
    """

    class ReportingBar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(  # type: ignore[no-untyped-call]  # the library has no types here
                *args, **{**kwargs, "disable": False, "file": io.StringIO()}
            )

        def update(self, n: float | None = 1) -> None:
            super().update(n)
            if self.unit == "B" and total_bytes > 0:
                progress(min(1.0, self.n / total_bytes))

    return ReportingBar
