"""Where loaded weights live and how much memory loading takes, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.tiny_checkpoint import TinyShape, write_checkpoint

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def test_a_file_that_changes_after_loading_changes_nothing(tmp_path: Path) -> None:
    # In a process of its own, because a mapped file that shrinks would end it by a signal.
    write_checkpoint(tmp_path, dtype=torch.bfloat16)
    script = """
import sys, torch
from pathlib import Path
from model_loader.load import load_model

model = load_model(Path(sys.argv[1]), torch.bfloat16, torch.device("cpu"), lambda share: None)
sums = lambda: [parameter.double().sum().item() for parameter in model.network.parameters()]
before = sums()
path = Path(sys.argv[1]) / "model.safetensors"
with path.open("r+b") as file:
    file.write(b"\\x7f" * path.stat().st_size)
after_overwriting = sums()
with path.open("r+b") as file:
    file.truncate(0)
after_truncating = sums()
path.unlink()
sys.exit(0 if before == after_overwriting == after_truncating == sums() else 3)
"""
    finished = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=REPOSITORY, timeout=100
    )

    assert finished.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_loading_needs_little_more_memory_than_the_weights(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    shape = TinyShape(
        vocab_size=20_000, hidden_size=768, layers="MMA", shared_intermediate_size=1024
    )
    write_checkpoint(tmp_path, shape, dtype=torch.bfloat16, num_shards=2)
    script = """
import sys, torch
from pathlib import Path
from model_loader.load import load_model
from tests.tiny_checkpoint import TinyShape, write_checkpoint

def peak() -> int:
    (line,) = (l for l in open("/proc/self/status") if l.startswith("VmHWM"))
    return int(line.split()[1]) * 1024

load = lambda path: load_model(
    path, getattr(torch, sys.argv[2]), torch.device("cpu"), lambda share: None
)
load(write_checkpoint(Path(sys.argv[1]) / "warm up"))
before = peak()
model = load(Path(sys.argv[1]))
print((peak() - before) / model.weight_bytes)
"""
    name = str(dtype).removeprefix("torch.")
    finished = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), name],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        timeout=100,
        check=True,
    )

    assert float(finished.stdout) < 1.3
