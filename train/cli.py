"""The `rasid` command: `data`, `tag`, `evaluate` and `train`."""

from __future__ import annotations

from pathlib import Path

import click

from rasid.data.cli import TEXTS, data_group
from rasid.data.errors import DataError, needs
from rasid.inference.cli import evaluate, export, tag
from rasid.train.encoder_cli import ENCODER_COMMANDS


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


for command in ENCODER_COMMANDS:
    train_group.add_command(command)
main.add_command(data_group)
main.add_command(tag)
main.add_command(evaluate)
main.add_command(export)
