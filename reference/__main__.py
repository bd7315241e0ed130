"""`python -m reference` writes the generated parts of docs/*.md; `--check` only looks at them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from reference.regions import rewritten

DOCUMENTS = Path(__file__).parent.parent / "docs"


def stale_documents(folder: Path) -> dict[Path, str]:
    """The documents that are not as they should be, and what they should be."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}
    should_be = {path: rewritten(text) for path, text in texts.items()}
    return {path: text for path, text in should_be.items() if text != texts[path]}


app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(*, check: Annotated[bool, typer.Option(help="write nothing; 1 if stale")] = False) -> None:
    stale = stale_documents(DOCUMENTS)
    for path, text in stale.items():
        print(f"{path.name} {'is stale: run make docs' if check else 'is written anew'}")
        if not check:
            path.write_text(text, encoding="utf-8")
    sys.exit(bool(stale) and check)


if __name__ == "__main__":
    app()
