"""The results as a picture."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.benchmarks.report import Section, peaks, per_word, speeds

_OWN: Final = "#1f6f8b"
_OTHER: Final = "#b0b7bd"


def draw(results: Mapping[str, Section], path: Path) -> bool:
    """Draw what has been measured; return False where matplotlib is not installed."""
    try:
        matplotlib = importlib.import_module("matplotlib")
    except ImportError:
        return False
    matplotlib.use("Agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    panels: list[Callable[[Any], None]] = []
    if speeds_of := speeds(results["throughput"]) if "throughput" in results else {}:
        rounds = results["throughput"]["rounds"]
        memory = {name: peaks(answers) for name, answers in rounds.items() if answers}
        panels.append(lambda axes: _bars(axes, speeds_of, "words a second"))
        panels.append(lambda axes: _bars(axes, memory, "peak memory, MB"))
    if "length" in results:
        lengths = {int(words): per_word(answers) for words, answers in results["length"]["lengths"].items()}
        panels.append(lambda axes: _line(axes, lengths, "words an article", "µs a word in a stream"))
    if "memory" in results:
        records = {int(count): peaks([answer]) for count, answer in results["memory"]["records"].items()}
        panels.append(lambda axes: _line(axes, records, "records of a job", "peak memory, MB"))
    if not panels:
        return True
    figure, grid = pyplot.subplots(len(panels), 1, figsize=(8, 3 * len(panels)), squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=True):
        panel(axes)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    return True


def _errors(values: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return how far the least and the most lie from the medians."""
    return [[median(v) - min(v) for v in values], [max(v) - median(v) for v in values]]


def _bars(axes: Any, values: Mapping[str, Sequence[float]], title: str) -> None:  # noqa: ANN401
    names = list(values)[::-1]
    middles = [median(values[name]) for name in names]
    colours = [_OWN if name.startswith("rasid") else _OTHER for name in names]
    bars = axes.barh(names, middles, xerr=_errors([values[name] for name in names]), color=colours, capsize=3)
    axes.bar_label(bars, labels=[f"{middle:,.0f}" for middle in middles], padding=6)
    axes.margins(x=0.15)
    axes.set_title(title, loc="left")


def _line(axes: Any, values: Mapping[int, Sequence[float]], across: str, title: str) -> None:  # noqa: ANN401
    middles = [median(found) for found in values.values()]
    axes.errorbar(list(values), middles, yerr=_errors(list(values.values())), color=_OWN, marker="o", capsize=3)
    axes.set_xscale("log")
    axes.set_ylim(0, 1.25 * max(max(found) for found in values.values()))
    axes.set_xlabel(across)
    axes.set_title(title, loc="left")
