"""llama.cpp as a peer: where its server and its weights are, and how it is started at its best.

To have it: build llama.cpp on this machine (Release, GGML_NATIVE=ON), convert the checkpoint to
BF16 with its convert_hf_to_gguf.py, and make the other types from that file with llama-quantize.
Name the server with LLAMA_SERVER and the directory of the *.gguf files with LLAMA_WEIGHTS.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import Peer
from benchmarks.streaming_client import LengthControl

CONTEXT_OF_A_SLOT = 1024
NO_CACHES = ("--no-cache-prompt", "--cache-ram", "0", "--ctx-checkpoints", "0")
"""Nothing of an earlier prompt is used or kept: the checkpoints alone cost a tenth of prefill."""


class PeerMissing(Exception):
    """A peer that cannot be measured here; the text says what would have to be there."""


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """The server's binary and the directory of weights; None where nobody named them."""

    binary: Path | None
    weights: Path | None

    def peer(self, form: str, slots: int, threads: int) -> Peer:
        """llama.cpp with weights of that type, such as Q8_0.

        Raises:
            PeerMissing: no such program, or no such weights.
        """
        if self.binary is None or self.weights is None:
            raise PeerMissing(f"llama.cpp {form}: LLAMA_SERVER and LLAMA_WEIGHTS are not both set")
        if not os.access(self.binary, os.X_OK):
            raise PeerMissing(f"llama.cpp {form}: {self.binary} is not a program")
        return llama_server(self.binary, self._find(form), form, slots, threads)

    def _find(self, form: str) -> Path:
        """The file whose name ends with the type, as converters name them; case does not matter."""
        files = sorted(self.weights.glob("*.gguf")) if self.weights else []
        matching = [path for path in files if path.stem.upper().endswith(form.upper())]
        if len(matching) != 1:
            raise PeerMissing(
                f"llama.cpp {form}: {len(matching)} files *{form}.gguf in {self.weights}"
            )
        return matching[0]


def llama_server(binary: Path, weights: Path, form: str, slots: int, threads: int) -> Peer:
    """`slots` sequences at the same time. The rest of its defaults are its fastest.

    Tried without gain on the shapes measured here: a unified K/V buffer, flash attention forced on,
    smaller micro-batches, more polling, weights not mapped, a greedy-only sampler.
    """

    def command(_: Path, port: int) -> list[str]:
        flags = ["--host", "127.0.0.1", "--port", str(port), "--model", str(weights)]
        flags += ["--parallel", str(slots), "--ctx-size", str(CONTEXT_OF_A_SLOT * slots)]
        flags += ["--threads", str(threads), *NO_CACHES]
        return [str(binary), *flags]

    return Peer(
        name=f"llama.cpp {form}",
        command=command,
        model=lambda _: "bench",
        length_control=LengthControl.IGNORE_EOS,
    )
