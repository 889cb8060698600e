"""The measurements: what is asked of which process, and how often."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from tests.benchmarks.children import ChildError, ask, has_package, rasid_command
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.texts import Text, articles_of, middle_text, save_texts, write_records

Answer = dict[str, Any]

_MODELS: Final = {"rasid-fast": "fast"}
_PRECISIONS: Final = {"rasid-int8": "int8", "rasid-fp32": "fp32"}
_NEEDS_BASE: Final = ("hf-tokens", "hf-texts", "camel")
_HEAVY: Final = ("torch", "transformers", "datasets")
# Articles of one length are as many words together as the longest alone, but no fewer than these.
_WORDS_AT_LEAST: Final = 10_000
# Of `rasid tag`: nothing failed, or some records could not be tagged.
_GOOD: Final = (0, 3)


@dataclass(frozen=True, slots=True)
class Run:
    """What the user asked for.

    Args:
        texts: the set.
        folder: for temporary files.
        articles: of the set that the contenders are given.
        repeats: fresh processes a figure.
        model: of rasid; None for the shipped one.
        precision: of rasid, where a contender does not name its own.
        contenders: names of those that take part.
        lengths: of articles, in words.
        records: of the jobs whose memory is compared.
        camel_python: the interpreter that has camel-tools.
        base_sizes: layers and states of the other tools' models; empty for AraBERT-base's.
    """

    texts: Sequence[Text]
    folder: Path
    articles: int
    repeats: int
    model: str | None
    precision: str
    contenders: tuple[str, ...]
    lengths: tuple[int, ...]
    records: tuple[int, ...]
    camel_python: str
    base_sizes: dict[str, int]

    def python(self, contender: str) -> str:
        """Return the interpreter of a contender."""
        return self.camel_python if contender == "camel" else sys.executable

    def tag_arguments(self, *arguments: Path | str) -> list[str]:
        """Return the arguments of `rasid tag` with the model and the precision asked for."""
        chosen = ["--model", self.model] if self.model else []
        chosen += ["--precision", self.precision] if self.precision != "auto" else []
        return ["tag", *map(str, arguments), *chosen]


def throughput(run: Run) -> Answer:
    """Words a second: every contender once a round, so that a noisy machine is noisy for all."""
    given = run.texts[: run.articles]
    jobs, skipped = _jobs(run, save_texts(run.folder / "texts.json", given))
    if any(name in jobs for name in _NEEDS_BASE):
        click.echo("making the base-size models")
        base = run.folder / "base"
        base.mkdir()
        ask("prepare", base=base, texts=save_texts(run.folder / "set.json", run.texts), sizes=run.base_sizes)
    rounds: dict[str, list[Answer]] = {name: [] for name in jobs}
    trials: dict[str, Answer] = {}
    for number in range(-1, run.repeats):  # the first round finds batch sizes, warms the disk's cache, exports a graph
        for name in list(jobs):
            try:
                answer = ask("trial" if number < 0 else "throughput", run.python(name), **jobs[name])
            except ChildError as error:  # it is left out from here on, and the others go on
                skipped[name] = str(error)
                del jobs[name], rounds[name]
                click.echo(f"{name} is left out: {error}", err=True)
                continue
            if number < 0:
                trials[name] = answer
                jobs[name]["batch"] = answer["best"]
                click.echo(f"{name}: batch size {answer['best'] or 'its own'}")
            else:
                rounds[name].append(answer)
                click.echo(f"round {number + 1}: {name} {answer['words'] / answer['seconds']:,.0f} words/s")
    return {"articles": len(given), "rounds": rounds, "trials": trials, "skipped": skipped}


def _jobs(run: Run, texts: Path) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return what each contender is asked, and why some are not."""
    jobs: dict[str, dict[str, Any]] = {}
    skipped: dict[str, str] = {}
    for name in run.contenders:
        if name == "camel" and not has_package("camel_tools", run.python(name)):
            skipped[name] = "camel-tools is not installed (pip install camel-tools, or --camel-python)"
            click.echo(f"{name} is left out: {skipped[name]}", err=True)
            continue
        precision = _PRECISIONS.get(name, run.precision)
        base = run.folder / "base"
        jobs[name] = {"contender": name, "texts": texts, "base": base, "precision": precision}
        jobs[name]["model"] = _MODELS.get(name, run.model)
    return jobs, skipped


def cold_start(run: Run) -> Answer:
    """`rasid tag one-article.txt`, from nothing to the end; once before that to warm the disk's cache."""
    text = middle_text(run.texts)
    article = run.folder / "one-article.txt"
    article.write_text(text.text, encoding="utf-8")
    arguments = run.tag_arguments(article)
    _tag(run, arguments)
    found = []
    for number in range(run.repeats):
        found.append(_tag(run, arguments))
        click.echo(f"cold start {number + 1}: {found[-1]['seconds']:.2f} s")
    loaded = ask("modules", arguments=arguments, packages=_HEAVY)["loaded"]
    return {"words": text.words, "runs": found, "looked_for": list(_HEAVY), "loaded": loaded}


def length(run: Run) -> Answer:
    """Time per word by length of article: the same text, cut into articles of that many words."""
    together = max(_WORDS_AT_LEAST, *run.lengths)
    files: dict[int, Path] = {}
    for words in run.lengths:
        files[words] = run.folder / f"length-{words}.json"
        files[words].write_text(json.dumps(articles_of(run.texts, words, together)), encoding="utf-8")
    found: dict[str, list[Answer]] = {str(words): [] for words in run.lengths}
    for number in range(run.repeats):
        for words, file in files.items():
            answer = ask("length", articles=file, model=run.model, precision=run.precision)
            found[str(words)].append(answer)
            each = [answer[name] / answer["words"] * 1e6 for name in ("seconds", "alone_seconds")]
            click.echo(f"round {number + 1}: {words:,} words {each[0]:,.0f} µs a word, {each[1]:,.0f} one by one")
    return {"lengths": found}


def memory(run: Run) -> Answer:
    """Peak memory of `rasid tag IN.jsonl -o FOLDER` with one worker, by number of records."""
    found = {}
    for count in run.records:
        source = run.folder / f"records-{count}.jsonl"
        write_records(source, run.texts, count)
        click.echo(f"memory: {count:,} records")
        found[str(count)] = _tag(run, run.tag_arguments(source, "-o", run.folder / f"tagged-{count}"))
        source.unlink()
    return {"set": len(run.texts), "records": found}


def _tag(run: Run, arguments: Sequence[str]) -> Answer:
    """Run `rasid tag` and return what it took."""
    errors = run.folder / "errors.txt"
    answer = ask("command", command=[*rasid_command(), *arguments], errors=errors)
    if answer["exit"] not in _GOOD:
        lines = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise ChildError(lines[-1] if lines else f"rasid ended with {answer['exit']}")
    return answer


MEASURES: Final[dict[str, Callable[[Run], Answer]]] = {
    "throughput": throughput,
    "cold-start": cold_start,
    "length": length,
    "memory": memory,
}
ALL_CONTENDERS: Final = tuple(CONTENDERS)
