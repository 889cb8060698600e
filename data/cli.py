"""`rasid data`: check, convert, count and join labelled articles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rasid.data.errors import DataError

if TYPE_CHECKING:
    from rasid.data.schema import Article


def _texts(places: tuple[Path, ...]) -> dict[str, str]:
    from rasid.data.standoff import index_texts

    return index_texts(*places)


_PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
TEXTS = click.option(
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
@TEXTS
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


def _load(paths: tuple[Path, ...], texts: tuple[Path, ...]) -> list[Article]:
    from rasid.data.sources import load_labelled

    return load_labelled(paths, _texts(texts))


@data_group.command()
@_PATHS
@TEXTS
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="A .jsonl or .txt file, or a folder for .txt files.",
)
@click.option("--standoff", is_flag=True, help="Write labels without the texts (JSON lines with sha256).")
def convert(paths: tuple[Path, ...], texts: tuple[Path, ...], output: Path, standoff: bool) -> None:
    """Convert between JSON lines, inline markup and stand-off labels; which, the suffix of OUTPUT says.

    \b
    rasid data convert drafts/ -o corpus.jsonl        markup to JSON lines
    rasid data convert corpus.jsonl -o drafts/        JSON lines to markup, a file an article, to correct by hand
    rasid data convert gold.jsonl --standoff -o labels.jsonl
    """
    from rasid.data.sources import write_labelled

    count = write_labelled(output, _load(paths, texts), standoff=standoff)
    click.echo(f"{count} articles -> {output}")


@data_group.command()
@_PATHS
@TEXTS
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def stats(paths: tuple[Path, ...], texts: tuple[Path, ...], as_json: bool) -> None:
    """Count articles, sentences, words, mentions, sectors, event types, modes and roles, and the coverage by origin.

    Example: rasid data stats data/corpus
    """
    import json

    from rasid.data.stats import describe, tables

    found = describe(_load(paths, texts))
    click.echo(json.dumps(found, ensure_ascii=False, indent=2) if as_json else tables(found))


@data_group.command()
@_PATHS
@click.option(
    "--texts",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="Folder or file with the texts; may be given again.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .jsonl file to write.")
@click.option("--skip-missing", is_flag=True, help="Leave out articles whose text is not found, and say how many.")
def join(paths: tuple[Path, ...], texts: tuple[Path, ...], output: Path, skip_missing: bool) -> None:
    """Join stand-off labels with the texts that you have.

    Example: rasid data join labels.jsonl --texts my-articles/ -o articles.jsonl
    """
    from rasid.data.jsonl import write_articles
    from rasid.data.sources import labelled_files, read_labelled
    from rasid.data.standoff import TextMissing

    known = _texts(texts)
    found: dict[str, Article] = {}
    missing = 0
    for path in labelled_files(paths):
        for item in read_labelled(path, known):
            if isinstance(item, TextMissing) and skip_missing:
                missing += 1
            elif isinstance(item, DataError):
                raise item
            elif item.id in found:
                raise DataError(f"the id {item.id} stands twice", source=str(path))
            else:
                found[item.id] = item
    write_articles(output, found.values())
    click.echo(f"{len(found)} articles -> {output}" + (f"; {missing} without their text" if missing else ""))


@data_group.command()
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--split", default="train", show_default=True, help="train, dev, test, or test-restored (anercorp).")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .jsonl file to write.")
def public(name: str, folder: Path, split: str, output: Path) -> None:
    """Read a public corpus of named entities, its types mapped to ACTOR and LOCATION, a sentence a record.

    NAME is one of newsfane, wojood-sample, aqmar, idrisi-ra, anercorp, cleananercorp; FOLDER is where you have it.

    Example: rasid data public aqmar downloads/aqmar -o aqmar.jsonl
    """
    from rasid.data.jsonl import write_articles
    from rasid.data.public import PUBLIC_CORPORA, read_public

    count = write_articles(output, read_public(name, folder, split))
    click.echo(f"{count} sentences -> {output} ({PUBLIC_CORPORA[name].title})")


@data_group.command()
@_PATHS
@TEXTS
@click.option("--by", default="manner", show_default=True, help="Key of the records to group by.")
@click.option(
    "--beside",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Other .jsonl articles, labelled or not, to set beside.",
)
@click.option("--most", default=15.0, show_default=True, help="Per cent of word 5-grams that two articles may share.")
def prose(paths: tuple[Path, ...], texts: tuple[Path, ...], by: str, beside: tuple[Path, ...], most: float) -> None:
    """Show how varied the prose is, and which two articles have too much in common; exit status 1 if any have.

    Example: rasid data prose data/corpus --beside my-articles.jsonl
    """
    from rasid.data.prose import prose as figures
    from rasid.data.prose import prose_by, shared_ngrams, table

    articles = _load(paths, texts)
    groups = {**prose_by(articles, by), "all": figures(articles)}
    groups.update({path.name: figures(_load((path,), texts)) for path in beside})
    click.echo(table(groups))
    pairs = sorted(shared_ngrams(articles), reverse=True)
    share, left, right = pairs[0] if pairs else (0.0, "-", "-")
    click.echo(f"the two with most in common, {left} and {right}, share {100 * share:.1f}% of their 5-grams")
    over = [pair for pair in pairs if 100 * pair[0] > most]
    for share, left, right in over[1:]:
        click.echo(f"{left} and {right} share {100 * share:.1f}%")
    if over:
        raise SystemExit(1)
