"""Scores to read: tables and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rasid.inference.evaluation.scores import Scores


def as_json_text(scores: Scores, more: Mapping[str, Mapping[str, float]], others: Mapping[str, Scores]) -> str:
    """Return scores, the figures beside them and those of baselines as a JSON object."""
    baselines = {"baselines": {name: found.to_dict() for name, found in others.items()}} if others else {}
    return json.dumps({**scores.to_dict(), **more, **baselines}, ensure_ascii=False, indent=2)


def as_text(scores: Scores, more: Mapping[str, Mapping[str, float]], others: Mapping[str, Scores]) -> str:
    """Return what `rasid evaluate` prints."""
    lines = [table(scores)]
    for name, figures in more.items():
        shown = ", ".join(f"{layer} {100 * value:.1f}" for layer, value in figures.items())
        lines.append(f"{name}, in per cent: {shown}")
    lines += [f"\n{name}\n{table(found)}" for name, found in others.items()]
    return "\n".join(lines)


def table(scores: Scores) -> str:
    """Return the scores as a table to read, in per cent."""
    lines = [f"{'':<16}{'P':>7}{'R':>7}{'F1':>7}  {'95% interval':<14}{'right':>7}{'pred.':>7}{'gold':>7}"]
    for name, c in scores.counts.items():
        if name.startswith("type/") and not c.gold and not c.predicted:
            continue
        lines.append(
            f"{name.replace('type/', '  '):<16}{100 * c.precision:7.1f}{100 * c.recall:7.1f}{100 * c.f1:7.1f}  "
            f"{_interval(scores, name):<14}{c.right:7d}{c.predicted:7d}{c.gold:7d}"
        )
        if name == "event type":
            lines += [
                f"{label:<16}{'':14}{100 * value:7.1f}  {_interval(scores, label):<14}"
                for label, value in (("event macro", scores.macro), ("event macro 5+", scores.macro_frequent))
            ]
    lines.append(f"{scores.articles} articles; F1 in per cent; intervals by bootstrap over articles")
    return "\n".join(line.rstrip() for line in lines)


def _interval(scores: Scores, name: str) -> str:
    if name not in scores.intervals:
        return ""
    low, high = scores.intervals[name]
    return f"{100 * low:.1f}-{100 * high:.1f}"
