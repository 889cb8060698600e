"""`rasid data`: check, convert, count and join labelled articles."""

from __future__ import annotations

from pathlib import Path

import click
from rasid.data.errors import DataError


def _texts(places: tuple[Path, ...]) -> dict[str, str]:
    from rasid.data.standoff import index_texts

    return index_texts(*places)


_PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
_TEXTS = click.option(
    "--texts",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder or file with the texts of stand-off labels (.txt, .jsonl, .jsonl.gz); may be given again.",
)


@click.group(name="data")
def data_group() -> None:
    """Check, convert, count and join labelled articles.

    Labelled articles are read from JSON lines (`.jsonl`), from the guidelines' inline markup (`.txt`), and from
    stand-off JSON lines (labels and the SHA-256 of a text that you have elsewhere).
    """


@data_group.command()
@_PATHS
@_TEXTS
@click.option("--lint/--no-lint", default=False, help="Also print places to look at: likely slips of the annotator.")
def check(paths: tuple[Path, ...], texts: tuple[Path, ...], lint: bool) -> None:
    """Check labelled articles against the scheme; exit status 1 if any is broken.

    Example: rasid data check data/corpus --lint
    """
    from rasid.data.lint import lint as lint_article
    from rasid.data.sources import labelled_files, read_labelled

    known = _texts(texts)
    seen: dict[str, Path] = {}
    articles = faults = findings = 0
    for path in labelled_files(paths):
        for item in read_labelled(path, known):
            if isinstance(item, DataError):
                faults += 1
                click.echo(str(item), err=True)
                continue
            articles += 1
            if item.id in seen:
                faults += 1
                click.echo(f"{path}: the id {item.id} stands in {seen[item.id]} too", err=True)
            seen[item.id] = path
            for finding in lint_article(item) if lint else []:
                findings += 1
                click.echo(str(finding))
    note = f", {findings} places to look at" if lint else ""
    click.echo(f"{articles} articles read, {faults} faults{note}")
    if faults:
        raise SystemExit(1)
