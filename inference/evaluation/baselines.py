"""What a model has to beat: word lists, a CRF with a linear SVM, all fitted on the same articles.

They need `pip install 'rasid[evaluation]'`. None of them fills roles or modes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from rasid.data.errors import DataError
from rasid.data.schema import Article, Event, Mention
from rasid.data.scheme import ACTOR, EVENT_TYPES, LABELS
from rasid.inference.normalise import key
from rasid.inference.pieces import WORD

# A word is a cue where most of its sentences report the type, and it is no rarity.
_CUE_SENTENCES: Final = 4
_CUE_SHARE: Final = 0.5
_LONGEST_NAME: Final = 8


class Baseline(ABC):
    """Something that learns from labelled articles and labels others."""

    @abstractmethod
    def fit(self, articles: Sequence[Article]) -> None:
        """Learn from labelled articles."""

    @abstractmethod
    def spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield start, end and label of the mentions in a sentence."""

    @abstractmethod
    def types(self, text: str) -> Iterable[str]:
        """Return the event types of a sentence."""

    def predict(self, articles: Sequence[Article]) -> list[Article]:
        """Return the articles with what the baseline finds in their sentences in place of their labels."""
        return [self._label(article) for article in articles]

    def _label(self, article: Article) -> Article:
        mentions: list[Mention] = []
        events: list[Event] = []
        entities: dict[tuple[str, str], str] = {}
        for index, (start, end) in enumerate(article.sentences):
            text = article.text[start:end]
            for left, right, label in self.spans(text):
                name = (label, key(text[left:right]))
                entity = entities.setdefault(name, f"{label[0]}{len(entities) + 1}")
                sector = self.sector(text[left:right]) if label == ACTOR else None
                mentions.append(Mention(start + left, start + right, label, entity, sector))
            types = set(self.types(text))
            events += [Event(kind, index) for kind in EVENT_TYPES if kind in types]
        return replace(article, mentions=tuple(mentions), events=tuple(events))

    def sector(self, surface: str) -> str:
        """Return the sector of an actor: the most frequent one of its name, else of its first word, else UNK."""
        words = key(surface).split()
        return next((self._sectors[name] for name in (" ".join(words), words[0]) if name in self._sectors), "UNK")

    _sectors: Mapping[str, str]

    def _learn_sectors(self, articles: Sequence[Article]) -> None:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for article in articles:
            for mention in article.mentions:
                if mention.sector:
                    name = key(article.surface(mention))
                    for form in {name, name.split(" ")[0]}:
                        counts[form][mention.sector] += 1
        self._sectors = {name: found.most_common(1)[0][0] for name, found in counts.items()}


class Lists(Baseline):
    """Names that training has labelled more often than not, longest first, and cue words of each event type."""

    def fit(self, articles: Sequence[Article]) -> None:
        """Collect names and cues."""
        self._learn_sectors(articles)
        self._names = {label: _frequent_names(articles, label) for label in LABELS}
        seen: Counter[str] = Counter()
        reported: dict[str, Counter[str]] = {kind: Counter() for kind in EVENT_TYPES}
        for text, types in sentences_of(articles):
            words = {key(word) for word in WORD.findall(text)}
            seen.update(words)
            for kind in types:
                reported[kind].update(words)
        self._cues = {
            kind: {word for word, n in counts.items() if n >= _CUE_SENTENCES and n >= _CUE_SHARE * seen[word]}
            for kind, counts in reported.items()
        }

    def spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield the longest known names from left to right."""
        words = [match.span() for match in WORD.finditer(text)]
        for label, names in self._names.items():
            at = 0
            while at < len(words):
                for last in range(min(at + _LONGEST_NAME, len(words)), at, -1):
                    left, right = words[at][0], words[last - 1][1]
                    if key(text[left:right]) in names:
                        yield left, right, label
                        at = last - 1
                        break
                at += 1

    def types(self, text: str) -> Iterable[str]:
        """Return the types that a cue in the sentence speaks for."""
        words = {key(word) for word in WORD.findall(text)}
        return [kind for kind, cues in self._cues.items() if words & cues]


class CrfSvm(Baseline):
    """A linear-chain CRF for each mention layer, and a linear SVM on TF-IDF for each event type."""

    def fit(self, articles: Sequence[Article]) -> None:
        """Fit the CRFs (L-BFGS, c1 = c2 = 0.1) and the SVMs."""
        crfsuite, svm, text_features, pipeline = _libraries()
        self._learn_sectors(articles)
        self._crf = {}
        for label in LABELS:
            rows = [row for article in articles for row in _bio(article, label)]
            crf = crfsuite.CRF(algorithm="lbfgs", c1=0.1, c2=0.1, max_iterations=60)
            self._crf[label] = crf.fit([_features(words) for words, _ in rows], [tags for _, tags in rows])
        pairs = list(sentences_of(articles))
        vectors = pipeline.make_union(
            text_features.TfidfVectorizer(preprocessor=key, ngram_range=(1, 2), sublinear_tf=True, min_df=2),
            text_features.TfidfVectorizer(
                preprocessor=key, analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=3
            ),
        )
        known = vectors.fit_transform([text for text, _ in pairs])
        self._vectors = vectors
        self._svm = {
            kind: svm.LinearSVC(C=0.5).fit(known, [kind in types for _, types in pairs])
            for kind in EVENT_TYPES
            if any(kind in types for _, types in pairs)
        }

    def spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield the spans that the CRFs tag."""
        bounds = [match.span() for match in WORD.finditer(text)]
        features = _features([text[left:right] for left, right in bounds])
        for label, crf in self._crf.items():
            start: int | None = None
            tags = [*(crf.predict_single(features) if features else []), "O"]
            for at, tag in enumerate(tags):
                if start is not None and tag != "I":
                    yield bounds[start][0], bounds[at - 1][1], label
                    start = None
                if tag != "O" and start is None:
                    start = at

    def types(self, text: str) -> Iterable[str]:
        """Return the types whose SVM is on the positive side."""
        vector = self._vectors.transform([text])
        return [kind for kind, svm in self._svm.items() if svm.decision_function(vector)[0] > 0]


BASELINES: Final[Mapping[str, type[Baseline]]] = {"lists": Lists, "CRF+SVM": CrfSvm}


def sentences_of(articles: Iterable[Article]) -> Iterator[tuple[str, set[str]]]:
    """Yield each sentence with the types of its events."""
    for article in articles:
        types: dict[int, set[str]] = defaultdict(set)
        for event in article.events:
            types[event.sentence].add(event.type)
        for index, span in enumerate(article.sentences):
            yield article.surface(span), types[index]


def _libraries() -> tuple[Any, Any, Any, Any]:
    try:
        import sklearn_crfsuite
        from sklearn import pipeline, svm
        from sklearn.feature_extraction import text
    except ImportError as error:
        raise DataError(f"baselines need {error.name}: pip install 'rasid[evaluation]'") from None
    return sklearn_crfsuite, svm, text, pipeline


def _frequent_names(articles: Sequence[Article], label: str) -> set[str]:
    """Return the names that are mentions at least half as often as their words stand in the texts."""
    counts = Counter(key(a.surface(m)) for a in articles for m in a.mentions if m.label == label)
    texts = " ".join(f" {key(article.text)} " for article in articles)
    standing = Counter(word for word in texts.split())
    return {
        name
        for name, n in counts.items()
        if n >= _CUE_SHARE * min(standing[word] for word in name.split()) or (" " in name and n > 1)
    }


def _bio(article: Article, label: str) -> Iterator[tuple[list[str], list[str]]]:
    mentions = [m for m in article.mentions if m.label == label]
    for start, end in article.sentences:
        words: list[str] = []
        tags: list[str] = []
        for match in WORD.finditer(article.text, start, end):
            owner = next((m for m in mentions if m.start < match.end() and match.start() < m.end), None)
            words.append(match.group())
            tags.append("O" if owner is None else "B" if match.start() <= owner.start else "I")
        if words:
            yield words, tags


def _features(words: Sequence[str]) -> list[dict[str, Any]]:
    forms = [key(word) or word for word in words]
    found = []
    for at, form in enumerate(forms):
        features: dict[str, Any] = {"bias": 1.0, "digit": form.isdigit(), "mark": not form.isalnum()}
        for step in (-2, -1, 0, 1, 2):
            features[f"word{step}"] = forms[at + step] if 0 <= at + step < len(forms) else "<edge>"
        for size in (1, 2, 3):
            features[f"prefix{size}"], features[f"suffix{size}"] = form[:size], form[-size:]
        features["pair"] = f"{features['word-1']} {form}"
        found.append(features)
    return found
