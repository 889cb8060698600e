"""Mistakes as a file to read: a page with gold and prediction side by side, or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

from rasid.data.errors import DataError
from rasid.data.schema import Article, Mention
from rasid.data.scheme import ROLES
from rasid.inference.evaluation.counts import align
from rasid.inference.evaluation.errors import Mistake, costliest, summarise

_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>rasid: mistakes</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #222; }}
table {{ border-collapse: collapse; margin: 0 0 1.5em; }}
th, td {{ border: 1px solid #ccc; padding: .25em .6em; text-align: left; vertical-align: top; }}
td.n {{ text-align: right; }}
.pair td {{ width: 50%; }}
.text {{ direction: rtl; text-align: right; font-size: 17px; }}
.ACTOR {{ background: #fde9a9; }} .LOCATION {{ background: #bfe6f5; }}
sup {{ font-size: 60%; color: #555; }}
.events {{ font-family: ui-monospace, monospace; font-size: 13px; unicode-bidi: plaintext; }}
</style></head><body>
<h1>Mistakes</h1>
<p>{count} mistakes in {articles} articles.</p>
{tables}
<h2>The {shown} sentences with the most</h2>
{sentences}
</body></html>
"""


def write_errors(
    path: Path,
    gold: Sequence[Article],
    predicted: Sequence[Article],
    mistakes: Sequence[Mistake],
    most: int = 50,
) -> None:
    """Write mistakes to a file.

    Args:
        path: `.html` for a page with tables and the sentences with the most mistakes, gold beside prediction;
            `.jsonl` for one mistake a line.
        gold: the gold articles.
        predicted: the predictions, in any order.
        mistakes: what `find_mistakes` found.
        most: how many sentences the page shows.

    Raises:
        DataError: where the name ends in neither.
    """
    if path.suffix == ".jsonl":
        lines = (json.dumps(mistake.to_dict(), ensure_ascii=False) + "\n" for mistake in mistakes)
        path.write_text("".join(lines), encoding="utf-8")
    elif path.suffix == ".html":
        path.write_text(_page(gold, predicted, mistakes, most), encoding="utf-8")
    else:
        raise DataError("errors are written to an .html or a .jsonl file", source=str(path))


def _page(gold: Sequence[Article], predicted: Sequence[Article], mistakes: Sequence[Mistake], most: int) -> str:
    by_id = {article.id: article for article in gold}
    others = {article.id: article for article in predicted}
    worst = costliest(mistakes, most)
    return _PAGE.format(
        count=f"{len(mistakes):,}",
        articles=f"{len(gold):,}",
        tables="\n".join(_table(name, rows) for name, rows in summarise(by_id, mistakes).items() if rows),
        shown=len(worst),
        sentences="\n".join(_pair(by_id[name], others[name], index, found) for name, index, found in worst),
    )


def _table(name: str, rows: Mapping[str, Mapping[str, int]]) -> str:
    columns = sorted({column for counts in rows.values() for column in counts})
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr><th>{escape(row)}</th>" + "".join(f'<td class="n">{counts.get(c, 0)}</td>' for c in columns) + "</tr>"
        for row, counts in rows.items()
    )
    return f"<h2>By {escape(name)}</h2><table><tr><th></th>{head}</tr>{body}</table>"


def _pair(gold: Article, predicted: Article, sentence: int, mistakes: Sequence[Mistake]) -> str:
    own = {index for index, target in align(predicted.sentences, gold.sentences).items() if target == sentence}
    span = gold.sentences[sentence]
    items = "".join(f"<li>{escape(_say(mistake))}</li>" for mistake in mistakes)
    return (
        f"<h3>{escape(gold.id)}, sentence {sentence + 1}</h3>"
        '<table class="pair"><tr><th>prediction</th><th>gold</th></tr><tr>'
        f"<td>{_side(predicted, span, own)}</td><td>{_side(gold, span, {sentence})}</td></tr></table><ul>{items}</ul>"
    )


def _say(mistake: Mistake) -> str:
    sides = [part for part in (mistake.gold, mistake.predicted) if part]
    score = "" if mistake.score is None else f" ({mistake.score:.2f})"
    return f"{mistake.layer}, {mistake.kind}: {' → '.join(sides)}{score}"


def _side(article: Article, span: tuple[int, int], sentences: set[int]) -> str:
    inside = [m for m in article.mentions if span[0] <= m.start and m.end <= span[1]]
    lines = [f'<div class="text">{_marked(article, span, inside)}</div>']
    for event in article.events:
        if event.sentence in sentences:
            kind = f"{event.type}.{event.mode}" if event.mode else event.type
            roles = "; ".join(f"{role} {', '.join(ids)}" for role, ids in zip(ROLES, event.roles, strict=True) if ids)
            lines.append(f'<div class="events">{escape(f"{kind}: {roles}" if roles else kind)}</div>')
    return "".join(lines)


def _marked(article: Article, span: tuple[int, int], mentions: Sequence[Mention]) -> str:
    """Mark the mentions; where two cross, which a page cannot show, the later is left unmarked."""
    out: list[str] = []
    open_: list[Mention] = []
    waiting = sorted(mentions, key=lambda m: (m.start, -m.end))
    for at in range(span[0], span[1] + 1):
        while open_ and open_[-1].end == at:
            out.append(f"<sup>{escape(_tag(open_.pop()))}</sup></span>")
        while waiting and waiting[0].start == at:
            mention = waiting.pop(0)
            if not open_ or mention.end <= open_[-1].end:
                out.append(f'<span class="{mention.label}">')
                open_.append(mention)
        if at < span[1]:
            out.append(escape(article.text[at]))
    return "".join(out)


def _tag(mention: Mention) -> str:
    return f"{mention.entity} {mention.sector}" if mention.sector else mention.entity
