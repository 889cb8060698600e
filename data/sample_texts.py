"""The sample articles that ship with the package."""

from __future__ import annotations

from pathlib import Path


def sample_files() -> list[Path]:
    """Return the sample articles, one text file each; they are fiction, written for this project."""
    return sorted((Path(__file__).parent / "samples").glob("*.txt"))
