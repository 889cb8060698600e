r"""The inline markup of the guidelines, for writing and correcting labels by hand.

One sentence a line; `[text|A1:MIL]` marks an actor, `[text|L2]` a location; brackets nest. The events of a
sentence follow it, one a line: `@ TYPE.mode ; sources ; targets ; locations`. An article may begin with headers
`# key: value`; `# id:` begins a new article, so one file can hold many. Blank lines mean nothing.

A backslash takes the meaning from the character after it (`\[`, `\]`, `\|`, `\\`, and `\@`, `\#` at the start of a
line); `\n` and `\r` stand for line breaks inside a sentence. The sentences of an article that is read are joined
by a line feed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rasid.data.errors import DataError
from rasid.data.schema import Article, Event, Mention
from rasid.data.scheme import ACTOR, LOCATION

_HEADER: Final = re.compile(r"#\s*([A-Za-z_][\w-]*)\s*:\s*(.*)$")
_EVENT: Final = re.compile(r"@\s*([A-Z]+)(?:\.([a-z-]+))?\s*(?:;(.*))?$")
_TAG: Final = re.compile(r"\|(?:(A\d+)(?::([A-Z]{3}))?|(L\d+))\]")
_ID: Final = re.compile(r"[AL]\d+")
_ESCAPES: Final = {"n": "\n", "r": "\r"}


@dataclass(slots=True)
class _Draft:
    """An article while its lines are being read."""

    line: int
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)
    sentences: list[tuple[int, int]] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    length: int = 0

    @property
    def empty(self) -> bool:
        return not self.headers and not self.sentences

    def add_sentence(self, text: str, mentions: Iterable[Mention]) -> None:
        start = self.length + 1 if self.parts else 0
        self.parts.append(text)
        self.length = start + len(text)
        self.sentences.append((start, self.length))
        for m in mentions:
            self.mentions.append(Mention(m.start + start, m.end + start, m.label, m.entity, m.sector))

    def build(self, source: str) -> Article:
        headers = dict(self.headers)
        identifier = headers.pop("id", source)
        date = headers.pop("date", "")
        try:
            return Article(
                id=identifier,
                text="\n".join(self.parts),
                date=date,
                sentences=tuple(self.sentences),
                mentions=tuple(self.mentions),
                events=tuple(self.events),
                meta=headers,
            )
        except DataError as error:
            raise DataError(error.message, source=f"{source} ({identifier})", line=self.line) from None


def parse_sentence(line: str) -> tuple[str, list[Mention]]:
    """Take the brackets out of one marked-up sentence.

    Returns:
        The plain sentence and its mentions, with offsets into it.

    Raises:
        DataError: with the column, where a bracket is not closed or not opened or a tag is broken.
    """
    out: list[str] = []
    opened: list[tuple[int, int]] = []
    mentions: list[Mention] = []
    at = 0
    while at < len(line):
        char = line[at]
        if char == "\\":
            out.append(_unescape(line, at))
            at += 2
        elif char == "[":
            opened.append((len(out), at))
            at += 1
        elif char == "|" and opened:
            start, column = opened.pop()
            tag = _TAG.match(line, at)
            if tag is None:
                raise DataError(
                    f"a tag such as |A1:MIL] or |L2] was expected, got {line[at : at + 12]!r}", column=at + 1
                )
            mentions.append(_mention(tag, start, len(out), column))
            at = tag.end()
        elif char == "]":
            raise DataError("a closing bracket without a tag; write \\] for a plain one", column=at + 1)
        else:
            out.append(char)
            at += 1
    if opened:
        raise DataError("this bracket is never closed; write \\[ for a plain one", column=opened[-1][1] + 1)
    return "".join(out), mentions


def _unescape(line: str, at: int) -> str:
    if at + 1 >= len(line):
        raise DataError("a backslash at the end of the line", column=at + 1)
    following = line[at + 1]
    return _ESCAPES.get(following, following)


def _mention(tag: re.Match[str], start: int, end: int, column: int) -> Mention:
    actor, sector, place = tag.groups()
    try:
        if place:
            return Mention(start, end, LOCATION, place)
        if not sector:
            raise DataError(f"actor {actor} has no sector")
        return Mention(start, end, ACTOR, actor, sector)
    except DataError as error:
        raise DataError(error.message, column=column + 1) from None


def parse_event(line: str, sentence: int) -> Event:
    """Read one `@ TYPE.mode ; sources ; targets ; locations` line.

    Raises:
        DataError: with the column, where the line does not have that form.
    """
    match = _EVENT.match(line)
    if match is None:
        raise DataError(
            "an event line is `@ TYPE.mode ; sources ; targets ; locations`; write \\@ to begin a sentence",
            column=1,
        )
    kind, mode, rest = match.groups()
    fields = (rest or "").split(";")
    if len(fields) > 3 and any(part.strip() for part in fields[3:]):
        raise DataError("an event has three role fields: sources ; targets ; locations", column=1)
    roles: list[tuple[str, ...]] = []
    at = max(match.start(3), 0)
    for part in (*fields, "", "", "")[:3]:
        ids: list[str] = []
        for item in part.split(","):
            name = item.strip()
            if name and not _ID.fullmatch(name):
                raise DataError(f"{name!r} is no id such as A1 or L2", column=at + item.index(name) + 1)
            ids += [name] if name else []
            at += len(item) + 1
        roles.append(tuple(ids))
    return Event(kind, sentence, mode, roles[0], roles[1], roles[2])


def read_markup(lines: Iterable[str], source: str) -> Iterator[Article]:
    """Read articles from the lines of a markup file.

    Args:
        lines: with or without their line ends.
        source: the file's name, for messages and as the id of an article that has none.

    Raises:
        DataError: naming source, line and column of the first fault.
    """
    draft = _Draft(line=1)
    for number, raw in enumerate(lines, start=1):
        line = raw.rstrip("\r\n")
        if not line.strip():
            continue
        try:
            header = _HEADER.match(line)
            if header and header[1] == "id" and (draft.sentences or "id" in draft.headers):
                yield draft.build(source)
                draft = _Draft(line=number)
            _add_line(draft, line, header)
        except DataError as error:
            if error.line is not None:
                raise
            raise DataError(error.message, source=source, line=number, column=error.column) from None
    if not draft.empty:
        yield draft.build(source)


def _add_line(draft: _Draft, line: str, header: re.Match[str] | None) -> None:
    if header and not draft.sentences:
        draft.headers[header[1]] = header[2].strip()
    elif line.startswith("@"):
        if not draft.sentences:
            raise DataError("an event line before the first sentence", column=1)
        draft.events.append(parse_event(line, len(draft.sentences) - 1))
    else:
        text, mentions = parse_sentence(line)
        if not text.strip():
            raise DataError("a sentence of white space only", column=1)
        draft.add_sentence(text, mentions)


def write_markup(article: Article) -> str:
    """Write an article as markup; reading it back gives the same sentences, labels and headers.

    What stands between the sentences of the text is not written.

    Raises:
        DataError: where the markup cannot hold the article: mentions that cross, an actor without a sector, an id
            without a number, a blank sentence, a header of several lines, a lone surrogate.
    """
    try:
        markup = _write(article)
        markup.encode("utf-8")
    except DataError as error:
        raise DataError(error.message, source=article.id) from None
    except UnicodeEncodeError as error:
        raise DataError(f"a lone surrogate ({error.object[error.start]!a}) has no UTF-8", source=article.id) from None
    return markup


def _write(article: Article) -> str:
    headers: Mapping[str, Any] = {"id": article.id, "date": article.date, **article.meta}
    lines = [_header_line(key, value) for key, value in headers.items() if value not in ("", None)]
    events: dict[int, list[Event]] = {}
    for event in article.events:
        events.setdefault(event.sentence, []).append(event)
    inside: dict[int, list[Mention]] = {}
    for mention in article.mentions:
        inside.setdefault(article.sentence_of(mention), []).append(mention)
    for index, span in enumerate(article.sentences):
        lines.append(_sentence_line(article, span, inside.get(index, [])))
        lines.extend(_event_line(event) for event in events.get(index, []))
    return "\n".join(lines) + "\n"


def _header_line(key: str, value: object) -> str:
    line = f"# {key}: {value}"
    match = _HEADER.match(line)
    if match is None or match[1] != key or "\n" in line or "\r" in line:
        raise DataError(f"{line!r} cannot be a header: a key of Latin letters and one line are needed")
    return line


def _tag(mention: Mention) -> str:
    tag = f"|{mention.entity}:{mention.sector}]" if mention.label == ACTOR else f"|{mention.entity}]"
    if _TAG.fullmatch(tag) is None:
        raise DataError(f"{mention.entity} (sector {mention.sector}) cannot be a tag such as |A1:MIL] or |L2]")
    return tag


def _check_nesting(article: Article, mentions: list[Mention]) -> None:
    around: list[Mention] = []
    for mention in mentions:
        while around and around[-1].end <= mention.start:
            around.pop()
        if around and around[-1].end < mention.end:
            raise DataError(f"brackets cannot cross: {article.surface(around[-1])!r} and {article.surface(mention)!r}")
        around.append(mention)


def _sentence_line(article: Article, span: tuple[int, int], mentions: list[Mention]) -> str:
    if not article.surface(span).strip():
        raise DataError(f"sentence [{span[0]}, {span[1]}) is blank; the markup has no such sentences")
    _check_nesting(article, mentions)
    opens: dict[int, int] = {}
    closes: dict[int, list[Mention]] = {}
    for mention in mentions:
        opens[mention.start] = opens.get(mention.start, 0) + 1
        closes.setdefault(mention.end, []).append(mention)
    out: list[str] = []
    for at in range(span[0], span[1] + 1):
        for mention in sorted(closes.get(at, []), key=lambda m: -m.start):
            out.append(_tag(mention))
        out.append("[" * opens.get(at, 0))
        if at < span[1]:
            out.append(_escape(article.text[at]))
    line = "".join(out)
    return "\\" + line if line.startswith(("@", "#")) else line


def _escape(char: str) -> str:
    if char in "[]|\\":
        return "\\" + char
    return {"\n": "\\n", "\r": "\\r"}.get(char, char)


def _event_line(event: Event) -> str:
    kind = f"{event.type}.{event.mode}" if event.mode else event.type
    return " ; ".join([f"@ {kind}", *(",".join(ids) for ids in event.roles)]).rstrip()
