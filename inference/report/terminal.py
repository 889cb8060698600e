"""A tagged article as coloured text for the terminal.

Arabic and Latin do not mix well on one terminal line, so each sentence stands alone, its spans coloured, and what
was found in it follows line by line, labels first.
"""

from __future__ import annotations

import re
from typing import Final

import click

from rasid.data.schema import Article, Event, Mention
from rasid.data.scheme import ACTOR, ROLES
from rasid.inference.records import Failure

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_COLORS: Final = {"ACTOR": "yellow", "LOCATION": "cyan"}


def render_article(article: Article) -> str:
    """Return an article with its sentences, mentions and events, styled with ANSI codes."""
    counts = f"{len(article.sentences)} sentences, {len(article.mentions)} mentions, {len(article.events)} events"
    lines = [click.style(f"━━ {article.id}", bold=True) + click.style(f"  {counts}", dim=True)]
    names = _names(article)
    for index, span in enumerate(article.sentences):
        inside = [m for m in article.mentions if span[0] <= m.start < span[1]]
        lines.append("")
        lines.append(click.style(f"{index + 1:>3} ", dim=True) + _colour(article, span, inside))
        lines.extend(f"      {_describe(article, m)}" for m in inside)
        lines.extend(f"    ▸ {_event(e, names)}" for e in article.events if e.sentence == index)
    return "\n".join(lines) + "\n"


def render_failure(failure: Failure) -> str:
    """Return a record that could not be tagged, in red."""
    return (
        click.style(f"━━ {failure.id}", bold=True) + "\n    " + click.style(f"error: {failure.error}", fg="red") + "\n"
    )


def _names(article: Article) -> dict[str, str]:
    """Return for each entity its longest mention."""
    names: dict[str, str] = {}
    for mention in article.mentions:
        surface = _flat(article.surface(mention))
        if len(surface) > len(names.get(mention.entity, "")):
            names[mention.entity] = surface
    return names


def _flat(text: str) -> str:
    return " ".join(_safe(text).split())


def _safe(text: str) -> str:
    """Replace control characters, which a terminal would obey."""
    return _CONTROL.sub("\ufffd", text)


def _colour(article: Article, span: tuple[int, int], mentions: list[Mention]) -> str:
    """Colour the spans of a sentence; where a location lies in an actor, the inner one shows."""
    owner: dict[int, str] = {}
    for mention in mentions:
        for at in range(mention.start, mention.end):
            owner[at] = mention.label
    out: list[str] = []
    at = span[0]
    while at < span[1]:
        label, start = owner.get(at), at
        while at < span[1] and owner.get(at) == label:
            at += 1
        piece = _safe(article.text[start:at])
        out.append(click.style(piece, fg=_COLORS[label], bold=True) if label else piece)
    return "".join(out)


def _describe(article: Article, mention: Mention) -> str:
    label = f"{mention.label} {mention.sector}" if mention.label == ACTOR and mention.sector else mention.label
    score = "" if mention.score is None else f"{mention.score:.2f}"
    return (
        click.style(f"{label:<10}", fg=_COLORS[mention.label])
        + click.style(f" {score:<5}", dim=True)
        + _flat(article.surface(mention))
    )


def _event(event: Event, names: dict[str, str]) -> str:
    kind = f"{event.type}.{event.mode}" if event.mode else event.type
    parts = [click.style(kind, fg="magenta", bold=True)]
    if event.score is not None:
        parts.append(click.style(f"{event.score:.2f}", dim=True))
    for role, ids in zip(ROLES, event.roles, strict=True):
        if ids:
            parts.append(f"{role}: {'، '.join(names.get(entity, entity) for entity in ids)}")
    return "  ".join(parts)
