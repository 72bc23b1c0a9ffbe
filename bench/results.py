"""Where the benchmarks write what they measured: results/, beside this file."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "results"


def write(name: str, content: dict[str, Any]) -> None:
    """Writes `content` as results/NAME, whole or not at all."""
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.replace(path)
