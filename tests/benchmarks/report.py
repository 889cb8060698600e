"""The results as a file and as a page of tables."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.benchmarks.worker import versions

Section = dict[str, Any]
BOTH: Final = "hf-tokens + hf-texts"
_FILE: Final = "results.json"
_MB: Final = 1e6


def describe_machine(model: str | None, precision: str) -> Section:
    """Return what the figures were taken on and with."""
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
        "packages": {"rasid": metadata.version("rasid"), **versions()},
        "model": model or "shipped",
        "precision": precision,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)
    except (ValueError, OSError):
        return None


def load_results(folder: Path) -> dict[str, Section]:
    """Return the results that are in a folder from earlier runs."""
    path = folder / _FILE
    found: dict[str, Section] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def save_results(folder: Path, results: dict[str, Section]) -> None:
    """Write the results."""
    (folder / _FILE).write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def speeds(section: Section) -> dict[str, list[float]]:
    """Return words a second by contender and round; both pipelines of transformers are one contender more."""
    found = {
        name: [answer["words"] / answer["seconds"] for answer in answers]
        for name, answers in section["rounds"].items()
        if answers
    }
    if "hf-tokens" in found and "hf-texts" in found:
        pairs = zip(found["hf-tokens"], found["hf-texts"], strict=True)
        found[BOTH] = [1 / (1 / tokens + 1 / texts) for tokens, texts in pairs]
    return found


def spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Return the median, and of several values the least and the most."""
    if len(values) == 1:
        return show(values[0])
    return f"{show(median(values))} ({show(min(values))}-{show(max(values))})"


def peaks(answers: Iterable[Section]) -> list[float]:
    """Return peak memory in MB."""
    return [answer["peak_bytes"] / _MB for answer in answers]


def per_word(answers: Iterable[Section], name: str = "seconds") -> list[float]:
    """Return microseconds a word, of the seconds by that name."""
    return [answer[name] / answer["words"] * 1e6 for answer in answers]


def as_markdown(results: dict[str, Section]) -> str:
    """Return the page."""
    parts = {
        "throughput": ("Words a second", _throughput),
        "cold-start": ("Cold start", _cold_start),
        "length": ("Length of an article", _length),
        "memory": ("Memory of a job", _memory),
    }
    page = ["# Benchmarks of rasid", "Medians; in brackets the least and the most. MB are 10^6 bytes."]
    for name, (title, render) in parts.items():
        if name in results:
            page += [f"## {title}", _machine(results[name]["machine"]), *render(results[name])]
    return "\n\n".join(page) + "\n"


def _machine(machine: Section) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return (
        f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}, load {machine['load']} at the start; {packages}; model {machine['model']}, "
        f"precision {machine['precision']}, repeats {machine['repeats']}"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _throughput(section: Section) -> list[str]:
    found = speeds(section)
    own = median(found["rasid"]) if "rasid" in found else None
    rows = []
    for name, values in found.items():
        answers = section["rounds"].get(name)
        ratio = f"{own / median(values):.1f}" if own is not None and name != "rasid" else ""
        row = [name, spread(values, lambda v: f"{v:,.0f}"), ratio]
        if answers:
            last = answers[-1]
            row += [
                spread(peaks(answers), lambda v: f"{v:,.0f}"),
                spread([answer["first_seconds"] for answer in answers], lambda v: f"{v:.1f}"),
                str(last["batch"] or ""),
                f"{last['words']:,} of {last['words_given']:,}",
            ]
        rows.append([*row, *[""] * (7 - len(row))])
    head = ["contender", "words/s", "rasid is faster by", "peak memory, MB", "first article after, s", "batch", "read"]
    lines = [f"{section['articles']} articles, the same for all, in turn.", _table(head, rows)]
    layers = section["machine"]["base_layers"]
    if layers != 12:
        lines.append(f"Only a trial: layers of the other tools' models: {layers}, not 12.")
    lines += [f"{name} is left out: {reason}." for name, reason in section["skipped"].items()]
    return lines + _other_packages(section)


def _other_packages(section: Section) -> list[str]:
    """Return lines on contenders that ran with other versions of packages than the rest."""
    lines = []
    for name, answers in section["rounds"].items():
        usual = section["machine"]["packages"]
        packages = answers[-1]["packages"] if answers else {}
        other = {key: value for key, value in packages.items() if usual.get(key) != value}
        if other:
            lines.append(f"{name} ran with {', '.join(f'{key} {value}' for key, value in other.items())}.")
    return lines


def _cold_start(section: Section) -> list[str]:
    runs = section["runs"]
    seconds = spread([run["seconds"] for run in runs], lambda v: f"{v:.2f}")
    memory = spread(peaks(runs), lambda v: f"{v:,.0f}")
    head = [f"`rasid tag` of one article ({section['words']} words)", ""]
    rows = [("wall seconds", seconds), ("peak memory, MB", memory)]
    rows += [(f"{name} imported", "yes" if name in section["loaded"] else "no") for name in section["looked_for"]]
    return [_table(head, rows)]


def _length(section: Section) -> list[str]:
    found = {int(words): answers for words, answers in section["lengths"].items()}
    rows = [
        (
            f"{words:,}",
            *(spread(per_word(answers, name), lambda v: f"{v:,.0f}") for name in ("seconds", "alone_seconds")),
            spread(peaks(answers), lambda v: f"{v:,.0f}"),
        )
        for words, answers in found.items()
    ]
    apart = []
    for name in ("seconds", "alone_seconds"):
        middles = [median(per_word(answers, name)) for answers in found.values()]
        apart.append(f"{max(middles) / min(middles) - 1:.0%}")
    note = f"The slowest length takes {apart[0]} more time a word than the fastest in a stream, {apart[1]} one by one."
    return [_table(["words an article", "µs a word in a stream", "one by one", "peak memory, MB"], rows), note]


def _memory(section: Section) -> list[str]:
    found = section["records"]
    first = next(iter(found.values()))["peak_bytes"]
    rows = [
        (
            f"{int(count):,}",
            f"{answer['peak_bytes'] / _MB:,.0f}",
            f"{answer['peak_bytes'] / first - 1:+.1%}",
            f"{answer['seconds']:,.0f}",
        )
        for count, answer in found.items()
    ]
    head = ["records", "peak memory, MB", "beside the first", "seconds"]
    return [f"A set of {section['set']} articles, over and over; one run each.", _table(head, rows)]
