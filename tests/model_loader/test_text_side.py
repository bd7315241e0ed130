import subprocess
import sys
from pathlib import Path

TEXT_SIDE = ("chat_template", "config", "resolve", "text_decoder", "tokenizer")


def test_the_text_side_does_not_load_torch() -> None:
    # The HTTP process holds no tensors; torch would cost it seconds and hundreds of megabytes.
    imports = ", ".join(f"model_loader.{name}" for name in TEXT_SIDE)
    script = f"import sys, {imports}; sys.exit('torch' in sys.modules)"

    finished = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], timeout=100
    )

    assert finished.returncode == 0
