"""The log of a run: JSON lines, one every few steps, for plotting and for the record of experiments."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def append_log(path: Path, line: Mapping[str, Any]) -> None:
    """Append a line to a log."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
