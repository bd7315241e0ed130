"""What the machine is found to offer, with the container's limits and the GPU's answer scripted."""

from pathlib import Path

import pytest

from server import machine
from server.machine import MEBIBYTE, probe_machine


@pytest.fixture
def system_files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The system files that the probe sees; nothing else exists."""
    files = {"/proc/meminfo": "MemTotal: 9000 kB MemAvailable: 8000 kB", "/proc/cpuinfo": "sse2"}
    monkeypatch.setattr(machine, "_read_words", lambda path: files.get(path, "").split())
    return files


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A GPU with 70,000 MiB free and a torch that can use it."""
    script = tmp_path / "nvidia-smi"
    script.write_text("#!/bin/sh\necho 70000\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(machine, "version", lambda _: "2.13.0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return script


def test_this_very_machine_can_be_probed() -> None:
    found = probe_machine()
    assert found.cores >= 1
    assert found.free_bytes > 2**20


def test_without_a_container_limit_the_free_memory_is_the_machines(
    system_files: dict[str, str],
) -> None:
    system_files["/sys/fs/cgroup/memory.max"] = "max"
    system_files["/sys/fs/cgroup/memory.current"] = "1000"
    assert probe_machine().free_bytes == 8000 * 1024


def test_a_container_gets_what_its_limit_leaves(system_files: dict[str, str]) -> None:
    system_files["/sys/fs/cgroup/memory.max"] = "5000000"
    system_files["/sys/fs/cgroup/memory.current"] = "1000000"
    system_files["/sys/fs/cgroup/cpu.max"] = "150000 100000"
    found = probe_machine()
    assert found.free_bytes == 4_000_000
    assert found.cores <= 2


@pytest.mark.parametrize(("flags", "is_fast"), [("avx2 avx512f", False), ("avx512_bf16", True)])
def test_bf16_is_fast_where_the_processor_has_instructions_for_it(
    flags: str, is_fast: bool, system_files: dict[str, str]
) -> None:
    system_files["/proc/cpuinfo"] = f"flags : {flags}"
    assert probe_machine().has_fast_bf16 is is_fast


@pytest.mark.parametrize(
    ("flags", "has_avx2"), [("avx2 fma", False), ("avx2 fma f16c avx512f", True)]
)
def test_vectors_are_usable_only_with_all_that_the_kernels_are_compiled_for(
    flags: str, has_avx2: bool, system_files: dict[str, str]
) -> None:
    system_files["/proc/cpuinfo"] = f"flags : {flags}"
    assert probe_machine().has_avx2 is has_avx2


@pytest.mark.usefixtures("nvidia_smi")
def test_a_gpu_is_found_with_its_free_memory() -> None:
    assert probe_machine().free_gpu_bytes == 70_000 * MEBIBYTE


@pytest.mark.usefixtures("nvidia_smi")
def test_a_hidden_gpu_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert probe_machine().free_gpu_bytes is None


@pytest.mark.usefixtures("nvidia_smi")
def test_a_gpu_that_the_installed_torch_cannot_use_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "version", lambda _: "2.13.0+cpu")
    assert probe_machine().free_gpu_bytes is None


def test_a_driver_that_fails_means_no_gpu(nvidia_smi: Path) -> None:
    nvidia_smi.write_text("#!/bin/sh\nexit 9\n")
    assert probe_machine().free_gpu_bytes is None
