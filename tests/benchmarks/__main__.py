"""The command: `python -m tests.benchmarks TEXTS.jsonl --out FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tests.benchmarks.children import ChildError
from tests.benchmarks.measures import ALL_CONTENDERS, MEASURES, Run
from tests.benchmarks.plot import draw
from tests.benchmarks.report import as_markdown, describe_machine, load_results, save_results
from tests.benchmarks.texts import read_texts


@click.command()
@click.argument("texts", type=click.Path(path_type=Path, exists=True))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option("--only", multiple=True, type=click.Choice(list(MEASURES)), help="Measure this only. Default: all.")
@click.option(
    "--contender", "contenders", multiple=True, type=click.Choice(ALL_CONTENDERS), help="Of throughput. Default: all."
)
@click.option("--articles", default=120, show_default=True, type=click.IntRange(min=1), help="Given to each contender.")
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(min=1), help="Fresh processes a figure.")
@click.option("--model", help="Model of rasid. Default: the one shipped with it.")
@click.option(
    "--precision", default="auto", show_default=True, type=click.Choice(["auto", "int8", "fp32"]), help="Of rasid."
)
@click.option("--lengths", default="100,1000,10000,100000", show_default=True, help="Words an article, for `length`.")
@click.option("--records", default="2000,200000", show_default=True, help="Records a job, for `memory`.")
@click.option(
    "--camel-python",
    default=sys.executable,
    type=click.Path(),
    help="An interpreter that has camel-tools. Default: this one.",
)
@click.option("--base-layers", default=12, show_default=True, help="Of the other tools' models; fewer for a trial.")
@click.option("--scratch", type=click.Path(path_type=Path), help="Where temporary files go, about 1.5 GB.")
def main(
    texts: Path,
    out: Path,
    only: tuple[str, ...],
    contenders: tuple[str, ...],
    articles: int,
    repeats: int,
    model: str | None,
    precision: str,
    lengths: str,
    records: str,
    camel_python: str,
    base_layers: int,
    scratch: Path | None,
) -> None:
    """Measure how fast rasid tags the articles in TEXTS, beside other tools, and what memory it takes.

    TEXTS is any file that `rasid tag` takes. The results of what is measured go into FOLDER as results.json,
    results.md and results.png; those of earlier runs that are not measured again stay in it.
    """
    articles_read = read_texts(texts)
    if not articles_read:
        raise click.ClickException(f"{texts}: there is no article")
    out.mkdir(parents=True, exist_ok=True)
    results = load_results(out)
    with TemporaryDirectory(dir=scratch, prefix="rasid-benchmarks-") as folder:
        run = Run(
            texts=articles_read,
            folder=Path(folder).resolve(),
            articles=articles,
            repeats=repeats,
            model=str(Path(model).resolve()) if model and Path(model).exists() else model,
            precision=precision,
            contenders=contenders or ALL_CONTENDERS,
            lengths=_numbers(lengths),
            records=_numbers(records),
            camel_python=camel_python,
            base_sizes={"layers": base_layers},
        )
        for name in only or MEASURES:
            machine = describe_machine(Path(model).name if model else None, precision)
            machine |= {"repeats": repeats, "base_layers": base_layers}
            try:
                results[name] = {"machine": machine, **MEASURES[name](run)}
            except ChildError as error:
                raise click.ClickException(f"{name}: {error}") from None
            save_results(out, results)
    page = as_markdown(results)
    (out / "results.md").write_text(page, encoding="utf-8")
    click.echo(page)
    if not draw(results, out / "results.png"):
        click.echo("there is no plot: matplotlib is not installed (pip install matplotlib)", err=True)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.UsageError(f"{text!r}: numbers with commas between them were expected") from None
    if min(found) < 1:
        raise click.UsageError(f"{text!r}: numbers from 1 on were expected")
    return found


if __name__ == "__main__":
    main(prog_name="python -m tests.benchmarks")
