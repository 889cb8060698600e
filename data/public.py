"""Public Arabic corpora of named entities, read from a folder of the user's and mapped to ACTOR and LOCATION.

Nothing of them is in the package. Each is read as it is distributed (one token a line, its tags after it) and every
type of its own scheme is either an ACTOR, a LOCATION or neither, by the table in `PUBLIC_CORPORA`. The mapping is
coarser than the project's guidelines: generic actors are unlabelled there, a state that acts is a place, proclitics lie
inside the spans where the corpus writes them with the word, and no sector is known. They serve as auxiliary training
data and for benchmarks, not as gold articles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rasid.data.errors import DataError, needs
from rasid.data.jsonl import article_to_dict
from rasid.data.schema import Article, Mention
from rasid.data.scheme import ACTOR, LABELS, LOCATION

if TYPE_CHECKING:
    from datasets import Dataset

# The mark at the end of many of Wojood's sentences is no token of theirs.
_NO_TOKENS: Final = frozenset({"", "$#$"})
_MARKS: Final = "\ufeff\u200e\u200f \t\r\n"
_BLANKS: Final = re.compile(r"[ \t]+")
_CLITICS: Final = frozenset("وفبلكس")


@dataclass(frozen=True, slots=True)
class PublicCorpus:
    """A public corpus: where its splits are and what its types stand for.

    Args:
        title: what its authors call it, with the licence that they give.
        files: names of the files below the folder, by split.
        actors: its types that are actors.
        locations: its types that are locations.
        others: its types that are neither.
        titles: a type for titles; one directly before an actor belongs to it, as the guidelines have it.
        clitics_split: whether single-letter proclitics are tokens of their own; they are joined to the word again.
    """

    title: str
    files: Mapping[str, str]
    actors: frozenset[str]
    locations: frozenset[str]
    others: frozenset[str]
    titles: str | None = None
    clitics_split: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the corpus knows; the absence of another says nothing."""
        return tuple(label for label, types in zip(LABELS, (self.actors, self.locations), strict=True) if types)

    def label_of(self, kind: str) -> str | None:
        """Return ACTOR, LOCATION or None for a type.

        Raises:
            KeyError: where the corpus has no such type.
        """
        if kind in self.actors:
            return ACTOR
        if kind in self.locations:
            return LOCATION
        if kind in self.others:
            return None
        raise KeyError(kind)


def _types(names: str) -> frozenset[str]:
    return frozenset(names.split())


PUBLIC_CORPORA: Final[Mapping[str, PublicCorpus]] = {
    "newsfane": PublicCorpus(
        "NewsFANE Gold (Alotaibi and Lee, 2014), CC BY-SA 3.0",
        {"train": "NewsFANE_Gold_2014_170K.txt"},
        actors=_types(
            "Politician Athlete Artist Other_PER Religious_PER Scientist Businessperson Lawyer Engineer Police Group "
            "Government Non-Governmental Media Sports Commercial Educational Medical-Science Entertainment "
            "Religious_ORG"
        ),
        locations=_types(
            "Nation Population-Center State-or-Province County-or-District GPE-Cluster Continent Water-Body "
            "Land-Region-Natural Building-Grounds Airport Path Subarea-Facility Plant"
        ),
        # Land, Air and Water are vehicles; Celestial is no place of conflict
        others=_types(
            "Land Air Water Celestial Book Movie Software Hardware Food Drug Projectile Shooting Sound Blunt Chemical "
            "Biological Nuclear Exploding Sharp"
        ),
        clitics_split=True,
    ),
    "wojood-sample": PublicCorpus(
        "Wojood, public sample (Jarrar et al., 2022), MIT",
        {"train": "train.txt", "dev": "val.txt", "test": "test.txt"},
        actors=_types("PERS ORG NORP OCC"),
        locations=_types("GPE LOC FAC"),
        others=_types("DATE TIME EVENT WEBSITE LAW LANGUAGE PRODUCT CARDINAL ORDINAL PERCENT QUANTITY UNIT MONEY CURR"),
        titles="OCC",
    ),
    "aqmar": PublicCorpus(
        "AQMAR Wikipedia corpus (Mohit et al., 2012), CC BY-SA 3.0",
        {"train": "ar.train", "dev": "ar.testa", "test": "ar.testb"},
        actors=_types("PER ORG"),
        locations=_types("LOC"),
        others=_types("MISC"),
    ),
    "idrisi-ra": PublicCorpus(
        "IDRISI-RA, places in crisis tweets (Rassem et al., 2022), CC BY 4.0",
        {"train": "train.txt", "dev": "dev.txt"},
        actors=frozenset(),
        locations=_types("CTRY ST PROV CITY DIST NBHD HPOI NPOI OTHR"),
        others=frozenset(),
    ),
    "anercorp": PublicCorpus(
        "ANERcorp, CAMeL Lab splits (Benajiba and Rosso, 2008; Obeid et al., 2020)",
        {
            "train": "ANERCorp_CamelLab_train.txt",
            "test": "ANERCorp_CamelLab_test.txt",
            "test-restored": "ANERCorp_CamelLab_test_firsttoken_restored.txt",
        },
        actors=_types("PERS ORG"),
        locations=_types("LOC"),
        others=_types("MISC"),
    ),
    "cleananercorp": PublicCorpus(
        "CLEANANERCorp (AlDuwais et al., 2024), GPL-3.0",
        {"train": "cleananercorp_TRAIN.txt", "test": "cleananercorp_TEST.txt"},
        actors=_types("PERS ORG"),
        locations=_types("LOC"),
        others=_types("MISC"),
    ),
}


@dataclass(frozen=True, slots=True)
class TaggedSentence:
    """A sentence of a public corpus.

    Args:
        tokens: its tokens.
        spans: first token, one past the last, and type, in the corpus's own scheme; they may nest and overlap.
    """

    tokens: tuple[str, ...]
    spans: tuple[tuple[int, int, str], ...]


def read_tagged(path: Path) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file with a token a line, its tags (BIO or BILOU, one or several) after it.

    Marks of direction are taken off, lines with a tag but no token are passed over, and a blank line ends a sentence.

    Raises:
        DataError: naming file and line, where a line has no tag, or one that is none of B-, I-, L-, U- and O.
    """
    tokens: list[str] = []
    rows: list[list[str]] = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            token, *tags = [part.strip(_MARKS) for part in _BLANKS.split(line.strip(_MARKS))]
            if not token:
                if tokens:
                    yield TaggedSentence(tuple(tokens), tuple(_spans(rows)))
                tokens, rows = [], []
                continue
            if not tags and token == "O":  # the token was a white space that the corpus's own tools lost
                continue
            _check_tags(tags, str(path), number)
            if token not in _NO_TOKENS:
                tokens.append(token)
                rows.append(tags)
    if tokens:
        yield TaggedSentence(tuple(tokens), tuple(_spans(rows)))


def _check_tags(tags: Sequence[str], source: str, line: int) -> None:
    if not tags:
        raise DataError("the token has no tag", source=source, line=line)
    for tag in tags:
        if tag != "O" and (tag[:2] not in ("B-", "I-", "L-", "U-") or not tag[2:]):
            raise DataError(f"{tag!r} is no tag", source=source, line=line)


def _spans(rows: Iterable[Sequence[str]]) -> Iterator[tuple[int, int, str]]:
    """Yield the spans that tags describe, in the order of their ends.

    Where one token has several tags of a type, each I goes on with the span that has been open longest; an I without
    an open span begins one, as `conlleval` reads it.
    """
    still: dict[str, list[int]] = {}
    index = -1
    for index, tags in enumerate(rows):
        kinds = dict.fromkeys([*still, *(tag[2:] for tag in tags if tag != "O")])
        for kind in kinds:
            prefixes = [tag[0] for tag in tags if tag[2:] == kind]
            inside = sum(prefix in "IL" for prefix in prefixes)
            begun = sum(prefix in "BU" for prefix in prefixes)
            starts = still.get(kind, [])
            for start in starts[inside:]:
                yield start, index, kind
            stray = max(inside - len(starts), 0)
            still[kind] = starts[:inside] + [index] * (stray + begun)
    for kind, starts in still.items():
        for start in starts:
            yield start, index + 1, kind


def to_article(identifier: str, sentence: TaggedSentence, corpus: PublicCorpus) -> Article:
    """Return a sentence as an article of one sentence with ACTOR and LOCATION mentions, without sectors.

    Tokens are joined by a space. Of overlapping spans of one label the longest stays. Equal mentions share an entity.

    Raises:
        DataError: naming the identifier, where a type is not the corpus's.
    """
    text, bounds = detokenise(sentence.tokens, corpus.clitics_split)
    spans: dict[str, list[tuple[int, int]]] = {label: [] for label in LABELS}
    for first, last, kind in _join_titles(sentence.spans, corpus):
        try:
            label = corpus.label_of(kind)
        except KeyError:
            raise DataError(f"the type {kind!r} is unknown", source=identifier) from None
        if label:
            spans[label].append((bounds[first][0], bounds[last - 1][1]))
    mentions: list[Mention] = []
    for label, found in spans.items():
        names: dict[str, int] = {}
        for start, end in longest(found):
            number = names.setdefault(text[start:end], len(names) + 1)
            mentions.append(Mention(start, end, label, f"{label[0]}{number}"))
    return Article(identifier, text, "", ((0, len(text)),), tuple(mentions))


def _join_titles(spans: Iterable[tuple[int, int, str]], corpus: PublicCorpus) -> Iterator[tuple[int, int, str]]:
    titles = {last: first for first, last, kind in spans if kind == corpus.titles}
    for first, last, kind in spans:
        named = kind != corpus.titles and kind in corpus.actors
        yield (titles.get(first, first) if named else first), last, kind


def longest(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans that no longer one overlaps, in the order of the text."""
    kept: list[tuple[int, int]] = []
    for start, end in sorted(set(spans), key=lambda span: (span[0] - span[1], span[0])):
        if all(end <= left or right <= start for left, right in kept):
            kept.append((start, end))
    return sorted(kept)


def detokenise(tokens: Sequence[str], clitics_split: bool) -> tuple[str, list[tuple[int, int]]]:
    """Join tokens by a space, split proclitics to their words, and return the text and each token's span in it."""
    text = ""
    bounds: list[tuple[int, int]] = []
    for index, token in enumerate(tokens):
        bounds.append((len(text), len(text) + len(token)))
        text += token
        after = tokens[index + 1] if index + 1 < len(tokens) else ""
        joined = clitics_split and token in _CLITICS and len(after) > 1 and after[0].isalnum()
        if after and not joined:
            text += " "
    return text, bounds


def read_public(name: str, folder: Path, split: str = "train") -> Iterator[Article]:
    """Yield the sentences of a public corpus as articles.

    Args:
        name: a key of `PUBLIC_CORPORA`.
        folder: where its files are.
        split: one of its splits.

    Raises:
        DataError: where there is no such corpus, split or file, or a line of the file is broken.
    """
    corpus = PUBLIC_CORPORA.get(name)
    if corpus is None:
        raise DataError(f"unknown corpus; one of {', '.join(PUBLIC_CORPORA)}", source=name)
    if split not in corpus.files:
        raise DataError(f"{name} has no split {split!r}; one of {', '.join(corpus.files)}")
    path = folder / corpus.files[split]
    if not path.is_file():
        raise DataError("there is no such file", source=str(path))
    for number, sentence in enumerate(read_tagged(path)):
        yield to_article(f"{name}-{split}-{number}", sentence, corpus)


def load_public(name: str, folder: Path, split: str = "train") -> Dataset:
    """Return a public corpus as a `datasets.Dataset` whose rows are records of the project's disk format.

    Columns: `id`, `text`, `sentences` ([[0, length]]) and `mentions` (start, end, label, entity, and a sector that is
    always None). The dataset's description names the corpus, its licence and the labels that it knows.

    Args:
        name: a key of `PUBLIC_CORPORA`.
        folder: where its files are.
        split: one of its splits.

    Raises:
        DataError: as `read_public`, and where `datasets` is not installed.
    """
    with needs("train", "a datasets.Dataset"):
        from datasets import Dataset, Features, Value

    corpus_rows = [_row(article) for article in read_public(name, folder, split)]
    mention = {
        "start": Value("int64"),
        "end": Value("int64"),
        "label": Value("string"),
        "entity": Value("string"),
        "sector": Value("string"),
    }
    features = Features(
        {"id": Value("string"), "text": Value("string"), "sentences": [[Value("int64")]], "mentions": [mention]}
    )
    dataset = Dataset.from_list(corpus_rows, features=features)
    corpus = PUBLIC_CORPORA[name]
    dataset.info.description = f"{corpus.title}; labels: {', '.join(corpus.labels)}"
    return dataset


def _row(article: Article) -> dict[str, Any]:
    record = article_to_dict(article)
    del record["events"]
    return record
