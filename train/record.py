"""The experiment record: what each run was, how it scored on one set of articles, and the page that shows it.

The ledger is a JSON-lines file with a line a run; the page is Markdown, of which only the part between two marks is
written here, so that decisions can be written around it by hand.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rasid.data.errors import DataError
from rasid.data.schema import Article
from rasid.inference.evaluation.scores import Scores, score
from rasid.inference.tagger import Tagger
from rasid.train.config import TrainConfig
from rasid.train.log import read_log
from rasid.train.trainer import plain_config

_BEGIN: Final = "<!-- runs: written by `rasid train record` -->"
_END: Final = "<!-- end of runs -->"
_COLUMNS: Final = ("ACTOR", "LOCATION", "sector", "event type", "event macro 5+", "mode", "role")
# The seed is what runs of one line differ in; paths say nothing about what was learnt.
_UNSHOWN: Final = frozenset({"optim.seed", "optim.evaluate_from", "data.exclude", "data.texts"})


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run.

    Args:
        name: of its folder.
        settings: its configuration, by `table.key`.
        corpus: a hash of what it learnt from; empty where its log does not say.
        articles: how many it learnt from; 0 where its log does not say.
        minutes: of training.
        scores: F1 in [0, 1] by layer, on the articles of the record.
        gold: name of the file of those articles.
    """

    name: str
    settings: Mapping[str, Any]
    corpus: str
    articles: int
    minutes: float
    scores: Mapping[str, float]
    gold: str
    seed: int = field(default=0)


def read_run(folder: Path, gold: Sequence[Article], gold_name: str) -> Run:
    """Read a finished run and score its model.

    Args:
        folder: of the run.
        gold: the articles to score it on.
        gold_name: what to call them.

    Raises:
        DataError: where the run is not finished.
    """
    progress = folder / "last" / "progress.json"
    log = folder / "log.jsonl"
    if not progress.is_file() or not log.is_file() or not (folder / "model").is_dir():
        raise DataError("there is no finished run", source=str(folder))
    state = json.loads(progress.read_text(encoding="utf-8"))
    begun: dict[str, Any] = next((line["begin"] for line in read_log(log) if "begin" in line), {})
    tagger = Tagger.from_pretrained(folder / "model", precision="fp32")
    settings = _flat(state["config"])
    return Run(
        name=folder.name,
        settings=settings,
        corpus=begun.get("corpus", ""),
        articles=begun.get("articles", 0),
        minutes=round(state["seconds"] / 60, 1),
        scores=_figures(score(gold, tagger.tag(gold))),
        gold=gold_name,
        seed=settings["optim.seed"],
    )


def _figures(scores: Scores) -> dict[str, float]:
    layers = {name: round(c.f1, 4) for name, c in scores.counts.items() if not name.startswith("type/")}
    return {**layers, "event macro": round(scores.macro, 4), "event macro 5+": round(scores.macro_frequent, 4)}


def _flat(config: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{table}.{key}": value for table, values in config.items() for key, value in values.items()}


def add_to_ledger(ledger: Path, runs: Iterable[Run]) -> list[Run]:
    """Put runs into the ledger, in the place of those of the same name, and return all that it then holds."""
    known = {run.name: run for run in read_ledger(ledger)} if ledger.is_file() else {}
    known.update({run.name: run for run in runs})
    with ledger.open("w", encoding="utf-8", newline="\n") as file:
        for run in known.values():
            file.write(json.dumps(asdict(run), ensure_ascii=False) + "\n")
    return list(known.values())


def read_ledger(ledger: Path) -> list[Run]:
    """Return the runs of a ledger."""
    return [Run(**record) for record in read_log(ledger)]


def write_page(page: Path, runs: Sequence[Run], shipped: TrainConfig) -> None:
    """Write the table of runs into the page, between its marks, or at its end where it has none.

    Args:
        page: a Markdown file; created where it is not there.
        runs: in the order to show.
        shipped: the configuration that the others are told apart from.
    """
    text = page.read_text(encoding="utf-8") if page.is_file() else f"# Experiments\n\n{_BEGIN}\n{_END}\n"
    if _BEGIN not in text or _END not in text:
        raise DataError("the page has lost the marks between which the runs are written", source=str(page))
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    page.write_text(f"{before}{_BEGIN}\n{table(runs, shipped)}\n{_END}{after}", encoding="utf-8")


def table(runs: Sequence[Run], shipped: TrainConfig) -> str:
    """Return the runs as a Markdown table, seeds of one configuration in one line with mean and standard deviation."""
    usual = _flat(plain_config(shipped))
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        groups[_difference(run.settings, usual), run.corpus].append(run)
    lines = [
        f"| configuration | articles | seeds | {' | '.join(_COLUMNS)} | minutes |",
        "|---" * (len(_COLUMNS) + 4) + "|",
    ]
    for (difference, corpus), same in groups.items():
        articles = f"{same[0].articles:,}" + (f" `{corpus[:6]}`" if corpus else "") if same[0].articles else "-"
        cells = [_spread([run.scores[name] for run in same]) for name in _COLUMNS]
        seeds = ", ".join(str(run.seed) for run in same)
        minutes = f"{statistics.mean(run.minutes for run in same):.0f}"
        lines.append(
            f"| {difference or '`rasid-base.toml`'} | {articles} | {seeds} | {' | '.join(cells)} | {minutes} |"
        )
    return "\n".join(lines)


def _difference(settings: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    shown = [
        # seeds of one configuration may each begin from another of the same teachers
        f"{name}={len(value) if name == 'distil.teachers' else _short(value)}"
        for name, value in settings.items()
        if name not in _UNSHOWN and value != usual.get(name, value)
    ]
    return ", ".join(f"`{item}`" for item in shown)


def _short(value: object) -> str:
    if isinstance(value, list):
        return "+".join(str(item).removeprefix("../../") for item in value)
    return str(value)


def _spread(values: Sequence[float]) -> str:
    mean = 100 * statistics.mean(values)
    return f"{mean:.1f}" if len(values) == 1 else f"{mean:.1f} ± {100 * statistics.stdev(values):.1f}"
