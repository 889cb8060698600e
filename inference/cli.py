"""`rasid tag` and `rasid evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rasid.data.cli import TEXTS
from rasid.data.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rasid.data.schema import Article
    from rasid.inference.jobs import Tally
    from rasid.inference.shards import Job
    from rasid.inference.tagger import Tagger
    from rasid.inference.workers import ShardPool

_MODEL = click.option(
    "--model",
    help="base or fast, which ship with rasid; a model folder; or a name on the hub.  [default: base]",
)
_DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
_PRECISION = click.option(
    "--precision",
    type=click.Choice(["auto", "int8", "fp32"]),
    default="auto",
    show_default=True,
    help="auto: half precision on a GPU, int8 on a CPU; fp32, the reference, needs rasid[train].",
)
_THREADS = click.option("--threads", type=click.IntRange(min=1), help="To compute with on a CPU. Default: one a core.")


@click.command()
@click.argument("inputs", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file, or for large jobs a folder of shards.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "parquet", "text"]),
    help="Default: by the suffix of OUTPUT (.jsonl, .parquet, .txt); parquet in a folder; else jsonl.",
)
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(min=1), help="Processes, for a folder of shards."
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="What runs the workers of a folder of shards: this machine, or a Ray cluster (RAY_ADDRESS names it).",
)
@click.option(
    "--shard-size", default=1000, show_default=True, type=click.IntRange(min=1), help="Records a shard of a folder."
)
@click.option("--restart", is_flag=True, help="Throw away the shards in OUTPUT; without it a job goes on from them.")
@click.option("--sample", is_flag=True, help="Tag the sample articles that ship with rasid, as readable text.")
@click.option(
    "--min-score", default=0.0, show_default=True, help="Leave out mentions and events below this probability."
)
@click.option("--color/--no-color", default=None, help="Colour the text format. Default: where it goes to a terminal.")
@_MODEL
@_DEVICE
@_PRECISION
@_THREADS
def tag(
    inputs: tuple[Path, ...],
    output: Path | None,
    form: str | None,
    sample: bool,
    min_score: float,
    color: bool | None,
    model: str | None,
    device: str,
    precision: str,
    threads: int | None,
    workers: int,
    engine: str,
    shard_size: int,
    restart: bool,
) -> None:
    """Tag articles with actors, locations and events.

    INPUTS are .txt files (one article each), .jsonl, .jsonl.gz or .jsonl.zst (a `text` key a line, other keys are
    kept), .parquet (a `text` column), folders of these, or - for standard input. Sentences that a record gives are
    kept.

    \b
    rasid tag article.txt --format text       read it in the terminal
    rasid tag articles/ -o tagged.jsonl       a folder, to JSON lines
    rasid tag news.parquet -o tagged.parquet  Parquet in and out
    rasid tag news.jsonl.gz -o tagged/        a job of any size: shards; run it again to go on where it was stopped

    An OUTPUT without a suffix is a folder of shards (part-000000.parquet, …). Ctrl-C finishes the shard.

    A record that cannot be tagged (no text, no Arabic, broken JSON, not UTF-8) gets an `error` key in its place, the
    others are tagged, and the exit status is 3.
    """
    import os
    from functools import partial

    from rasid.data.sample_texts import sample_files
    from rasid.inference.loading import find_folder
    from rasid.inference.runtime.choose import identify, resolve
    from rasid.inference.tagger import Tagger

    if sample:
        inputs, form = (*inputs, *sample_files()), form or ("text" if output is None else None)
    if not inputs:
        raise click.UsageError("nothing to tag: name files, or - for standard input, or try --sample")
    if workers > 1 and threads is None:
        threads = max(1, (os.cpu_count() or 1) // workers)
    load = partial(Tagger.from_pretrained, model, device, precision=precision, threads=threads)
    if output is not None and (output.is_dir() or not output.suffix):
        from rasid.inference.shards import Job, describe_inputs, open_job

        folder = find_folder(model)
        job = Job(
            describe_inputs(inputs), identify(folder, device, precision), form or "parquet", shard_size, min_score
        )
        with open_job(job, output, restart=restart):
            gpu = resolve(device, precision).device.startswith("cuda")
            pool = _pool(engine, load, workers, threads, gpu=gpu)
            failures = _tag_into_folder(inputs, job, output, load, pool)
    elif workers > 1 or restart or engine != "local":
        raise click.UsageError("--workers, --engine and --restart are for a folder of shards: -o FOLDER")
    else:
        failures = _tag_into_file(inputs, output, form, load(), min_score, color)
    if failures:
        raise SystemExit(3)


def _pool(engine: str, load: Callable[[], Tagger], workers: int, threads: int | None, *, gpu: bool) -> ShardPool | None:
    if engine == "ray":
        from rasid.inference.ray import RayPool

        return RayPool(load, workers, threads=threads, gpu=gpu)
    if workers == 1:
        return None
    from rasid.inference.workers import ProcessPool

    return ProcessPool(load, workers)


def _tag_into_folder(
    inputs: tuple[Path, ...], job: Job, output: Path, load: Callable[[], Tagger], pool: ShardPool | None
) -> int:
    """Tag into shards, and return how many records could not be tagged; an interrupt ends the program after a shard."""
    from tqdm import tqdm

    from rasid.inference.jobs import Tally
    from rasid.inference.records import count_records, list_files, read_records
    from rasid.inference.workers import JobStopped, interruptible, run_job

    tally, before, stopped = Tally(), 0, False
    hidden = not sys.stderr.isatty()
    total = None if hidden else count_records(list_files(inputs))
    with interruptible() as stopping, tqdm(desc="tagging", unit=" articles", total=total, disable=hidden) as bar:
        try:
            for done in run_job(read_records(inputs), job, output, load, pool=pool, stopping=stopping):
                tally.merge(done.tally)
                records = done.tally.articles + done.tally.failures
                if done.before:
                    before += records
                    if not hidden:  # or the speed shown would count what an earlier run did
                        bar.initial += records
                bar.update(records)
        except JobStopped:
            stopped = True
    if before:
        click.echo(f"{before} records were there from an earlier run", err=True)
    click.echo(_summary(tally, output), err=True)
    if stopped:
        click.echo("stopped; the same command goes on from here", err=True)
        raise SystemExit(130)
    if tally.failures:
        click.echo("their column `error` says what is wrong", err=True)
    return tally.failures


def _tag_into_file(
    inputs: tuple[Path, ...],
    output: Path | None,
    form: str | None,
    tagger: Tagger,
    min_score: float,
    color: bool | None,
) -> int:
    """Tag to a file or to standard output, and return how many records could not be tagged."""
    from tqdm import tqdm

    from rasid.inference.jobs import Tally, choose_format, open_output, tag_records
    from rasid.inference.records import Failure, count_records, list_files, read_records

    form = choose_format(output, form)
    tally = Tally()
    hidden = output is None or not sys.stderr.isatty()
    total = None if hidden else count_records(list_files(inputs))
    with open_output(output, form, color=color) as write:
        items = tag_records(tagger, read_records(inputs), min_score)
        for item in tqdm(items, desc="tagging", unit=" articles", total=total, disable=hidden):
            write(item)
            tally.add(item)
            if isinstance(item, Failure):
                click.echo(f"error: {item.error}", err=True)
    if output is not None:
        click.echo(_summary(tally, output), err=True)
    return tally.failures


def _summary(tally: Tally, output: Path) -> str:
    summary = f"{tally.articles} articles, {tally.mentions} mentions, {tally.events} events -> {output}"
    return summary + (f"; {tally.failures} records with an error" if tally.failures else "")


@click.command()
@click.option(
    "--gold",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="Gold articles: labelled .jsonl, markup .txt, stand-off .jsonl, or a folder. May be given again.",
)
@TEXTS
@click.option(
    "--predictions", type=click.Path(path_type=Path), help="Score these predictions (.jsonl) instead of a model's."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--resamples", default=1000, show_default=True, help="Bootstrap resamples for the 95% intervals; 0 for none."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the bootstrap.")
@click.option(
    "--errors",
    type=click.Path(path_type=Path),
    help="Also write the mistakes: .html, the worst 50 sentences side by side with tables, or .jsonl, one a line.",
)
@click.option("--entities", is_flag=True, help="Also score which mentions were joined: MUC, B3, CEAF-e and CoNLL F1.")
@click.option(
    "--baselines",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Articles to fit baselines on (word lists; CRF and SVM), which are scored beside the model.",
)
@click.option(
    "--seen",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Articles learnt from; --errors then tells names that are in them from those that are not.",
)
@_MODEL
@_DEVICE
@_PRECISION
@_THREADS
def evaluate(
    gold: tuple[Path, ...],
    texts: tuple[Path, ...],
    predictions: Path | None,
    as_json: bool,
    resamples: int,
    seed: int,
    errors: Path | None,
    entities: bool,
    baselines: tuple[Path, ...],
    seen: tuple[Path, ...],
    model: str | None,
    device: str,
    precision: str,
    threads: int | None,
) -> None:
    """Score a model, or predictions, against gold articles.

    Mentions count when start, end and label are right; `sector` when span and sector are; event types by sentence;
    `mode` when type and mode are; roles when sentence, type and role are and the entity has a mention that overlaps
    one of the gold entity. The model is given the gold sentences.

    \b
    rasid evaluate --gold data/corpus/test.jsonl
    rasid evaluate --gold gold.jsonl --predictions tagged.jsonl --json
    rasid evaluate --gold data/corpus/test.jsonl --baselines data/corpus/train.jsonl
    rasid evaluate --gold gold.jsonl --errors errors.html --seen data/corpus/train.jsonl
    """
    from rasid.data.sources import load_labelled
    from rasid.data.standoff import index_texts
    from rasid.inference.evaluation.figures import more_figures
    from rasid.inference.evaluation.scores import score
    from rasid.inference.report.scores import as_json_text, as_text
    from rasid.inference.tagger import Tagger

    if predictions is not None and model is not None:
        raise click.UsageError("give either --model or --predictions")
    known = index_texts(*texts)
    articles = load_labelled(gold, known)
    if not articles:
        raise DataError("there is no gold article", source=", ".join(map(str, gold)))
    if predictions is not None:
        predicted = load_labelled([predictions], known)
    else:
        predicted = _predict(articles, Tagger.from_pretrained(model, device, precision=precision, threads=threads))
    scores = score(articles, predicted, resamples=resamples, seed=seed)
    more = more_figures(articles, predicted, entities=entities)
    others = {
        name: score(articles, found, resamples=resamples, seed=seed)
        for name, found in _run_baselines(load_labelled(baselines, known), articles)
    }
    click.echo(as_json_text(scores, more, others) if as_json else as_text(scores, more, others))
    if errors is not None:
        _write_errors(errors, articles, predicted, load_labelled(seen, known) if seen else None)


def _predict(articles: list[Article], tagger: Tagger) -> list[Article]:
    from tqdm import tqdm

    return list(tqdm(tagger.stream(articles), desc="tagging", total=len(articles), disable=not sys.stderr.isatty()))


def _run_baselines(learnt: list[Article], articles: list[Article]) -> Iterator[tuple[str, list[Article]]]:
    from rasid.inference.evaluation.baselines import BASELINES

    for name, kind in BASELINES.items() if learnt else ():
        baseline = kind()
        baseline.fit(learnt)
        yield name, baseline.predict(articles)


def _write_errors(path: Path, articles: list[Article], predicted: list[Article], seen: list[Article] | None) -> None:
    from rasid.inference.evaluation.errors import find_mistakes, known_names
    from rasid.inference.report.errors import write_errors

    names = None if seen is None else known_names(seen)
    by_id = {article.id: article for article in predicted}
    mistakes = [mistake for article in articles for mistake in find_mistakes(article, by_id[article.id], names)]
    write_errors(path, articles, predicted, mistakes)
    click.echo(f"{len(mistakes)} mistakes -> {path}", err=True)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File to write. Default: into FOLDER, where it is found.")
@click.option("--fp32", is_flag=True, help="Keep weights in float32; the file is then only written, not used by rasid.")
def export(folder: Path, out: Path | None, fp32: bool) -> None:
    """Export the model in FOLDER as one ONNX graph with 8-bit weights, which a CPU runs without PyTorch.

    It is what tags on a CPU; a model without it gets one in the user's cache when it first tags (RASID_CACHE names
    another place), so this is for models that go to where PyTorch is not. The scores are a little off those in float32:
    compare `rasid evaluate --precision int8` and `--precision fp32` on articles of yours.

    Example: rasid export runs/mine/model
    """
    from rasid.inference.export import export_onnx
    from rasid.inference.runtime.graph import FILE

    place = out or folder / FILE
    export_onnx(folder, place, quantise=not fp32)
    click.echo(f"{place.stat().st_size / 1e6:.0f} MB -> {place}")
