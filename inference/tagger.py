"""The tagger: texts or articles in, labelled articles out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from rasid.data.errors import DataError
from rasid.data.schema import Article
from rasid.inference.batches import Batch, BatchSizes, Special, make_batch, plan_batches
from rasid.inference.calibration import NO_CURVES, Curves
from rasid.inference.decode import decode_article
from rasid.inference.merge import CONSTANTS, WindowLogits, merge
from rasid.inference.pieces import Pieces, to_pieces
from rasid.inference.segment import line_starts, segment
from rasid.inference.windows import Window, plan_stretches

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Articles of which windows of like length share a batch; as many are decoded while the network reads the next.
_ARTICLES_AT_ONCE: Final = 32
_CHARACTERS_AT_ONCE: Final = 100_000


class Runtime(Protocol):
    """Whatever turns a batch into logits by head.

    Args:
        sizes: of the batches that it is to be given.
        parallel: how many batches it computes side by side, each called for in a thread of its own.
    """

    sizes: BatchSizes
    parallel: int

    def __call__(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        """Return the logits of every head."""
        ...


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Articles that are tagged together, with the sentences, pieces and windows of each."""

    articles: Sequence[Article]
    sentences: list[list[tuple[int, int]]]
    pieces: list[Pieces]
    windows: list[list[Window]]

    @property
    def items(self) -> list[tuple[Pieces, Window]]:
        """Return each window with the pieces it is cut from."""
        return [(p, w) for p, ws in zip(self.pieces, self.windows, strict=True) for w in ws]


@dataclass(frozen=True, slots=True)
class _Call:
    """A batch that is being computed: which windows it holds, row by row, and their logits by head."""

    group: Sequence[int]
    computed: Future[dict[str, NDArray[np.float32]]]


class _Source:
    """Articles as they come; where reading them fails, they end, and the error is kept until the rest is tagged."""

    def __init__(self, articles: Iterable[str | Article]) -> None:
        self._articles = articles
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[str | Article]:
        try:
            yield from self._articles
        except Exception as error:
            self.error = error


def _in_chunks(articles: Iterable[str | Article]) -> Iterator[list[Article]]:
    chunk: list[Article] = []
    for number, item in enumerate(articles, start=1):
        chunk.append(Article(id=str(number), text=item) if isinstance(item, str) else item)
        if len(chunk) == _ARTICLES_AT_ONCE or sum(len(a.text) for a in chunk) >= _CHARACTERS_AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


class Tagger:
    """Tags Arabic news articles with actors, locations and events.

    Build one with `Tagger.from_pretrained()`; it can be used again and again, but not from two threads at once.
    """

    def __init__(
        self,
        runtime: Runtime,
        tokenizer: Tokenizer,
        special: Special,
        *,
        window: int,
        event_threshold: float,
        mode_threshold: float | None = None,
        curves: Curves = NO_CURVES,
    ) -> None:
        """Put a tagger together from its parts.

        Args:
            runtime: runs the network.
            tokenizer: a fast tokenizer with offsets.
            special: ids of the tokens that frame and pad a window.
            window: the most pieces in a window, the frame left out.
            event_threshold: probability from which an event type is reported.
            mode_threshold: probability from which a further mode of it is; None for the likeliest alone.
            curves: by layer, the calibration of the network's probabilities.
        """
        self._curves = curves
        self._runtime = runtime
        self._tokenizer = tokenizer
        self._special = special
        self._window = window
        self._event_threshold = event_threshold
        self._mode_threshold = mode_threshold

    @classmethod
    def from_pretrained(
        cls,
        path_or_name: str | Path | None = None,
        device: str = "auto",
        *,
        precision: str = "auto",
        threads: int | None = None,
    ) -> Tagger:
        """Load a trained model.

        Args:
            path_or_name: `base` (as None) or `fast`, the models that ship with the package; a folder that `rasid train`
                wrote; or the name of such a model on the hub, the one case that reaches the network.
            device: `auto` (a GPU where there is one, else the CPU), `cpu`, `cuda`, `cuda:1`, `mps`.
            precision: `auto`, `int8` (the exported graph, on the CPU only) or `fp32` (PyTorch, the reference). Auto is
                half precision on a GPU and int8 on a CPU. A model without a graph is exported when it is first
                used, into the user's cache; that and PyTorch need `rasid[train]`.
            threads: to compute with on the CPU; None for one a core.

        Raises:
            DataError: where there is no such model, device or precision, or what it needs is not installed.
        """
        from rasid.inference.loading import open_folder
        from rasid.inference.runtime.choose import choose_runtime

        found = open_folder(path_or_name)
        return cls(
            choose_runtime(found.path, device, precision, threads),
            found.tokenizer,
            found.special,
            window=found.window,
            event_threshold=found.event_threshold,
            mode_threshold=found.mode_threshold,
            curves=found.curves,
        )

    def tag(self, articles: Iterable[str | Article], *, min_score: float = 0.0) -> list[Article]:
        """Tag texts or articles and return them in their order; see `stream`."""
        if isinstance(articles, str):
            raise TypeError("tag() takes a list of texts or articles, not one string")
        return list(self.stream(articles, min_score=min_score))

    def stream(self, articles: Iterable[str | Article], *, min_score: float = 0.0) -> Iterator[Article]:
        """Tag texts or articles one after the other, reading only a few ahead.

        Args:
            articles: raw texts, or articles. The sentences of an article that has any are kept; labels that it has
                are replaced. The text is never changed.
            min_score: mentions and events of a lower probability are left out.

        Yields:
            Articles with sentences, mentions and events, each with its probability. A text without a letter of any
            script gets its sentences and no labels.

        Raises:
            Exception: what reading the articles raises, once those that were read are tagged.
        """
        source = _Source(articles)
        waiting: deque[tuple[_Chunk, list[_Call]]] = deque()
        # the network computes beside the decoding of what it computed before
        with ThreadPoolExecutor(self._runtime.parallel) as network:
            for articles_read in _in_chunks(source):
                chunk = self._prepare(articles_read)
                waiting.append((chunk, self._call(chunk.items, network)))
                if len(waiting) > 1:
                    yield from self._decode(*waiting.popleft(), min_score)
            while waiting:
                yield from self._decode(*waiting.popleft(), min_score)
        if source.error:
            raise source.error

    def _prepare(self, articles: Sequence[Article]) -> _Chunk:
        sentences = [list(a.sentences) or segment(a.text) for a in articles]
        pieces = [to_pieces(a.text, s, self._tokenizer) for a, s in zip(articles, sentences, strict=True)]
        windows = [
            plan_stretches(p.lengths.tolist(), line_starts(a.text, s), self._window)
            for a, s, p in zip(articles, sentences, pieces, strict=True)
        ]
        return _Chunk(articles, sentences, pieces, windows)

    def _decode(self, chunk: _Chunk, calls: Sequence[_Call], min_score: float) -> Iterator[Article]:
        logits = _by_window(calls)
        at = 0
        for article, spans, piece, own in zip(
            chunk.articles, chunk.sentences, chunk.pieces, chunk.windows, strict=True
        ):
            scores = merge(own, logits[at : at + len(own)], len(piece.ids), len(spans))
            at += len(own)
            if scores is None:
                yield Article(article.id, article.text, article.date, tuple(spans), meta=article.meta)
                continue
            try:
                yield decode_article(
                    article,
                    spans,
                    piece,
                    scores,
                    event_threshold=self._event_threshold,
                    mode_threshold=self._mode_threshold,
                    min_score=min_score,
                    curves=self._curves,
                )
            except DataError as error:
                raise AssertionError(f"decoding broke an invariant: {error}") from error

    def _call(self, items: Sequence[tuple[Pieces, Window]], network: Executor) -> list[_Call]:
        """Begin to compute the logits of windows."""
        lengths = [len(window) + 2 for _, window in items]
        return [
            _Call(group, network.submit(self._compute, [items[i] for i in group], width))
            for group, width in plan_batches(lengths, self._runtime.sizes, self._window + 2)
        ]

    def _compute(self, items: Sequence[tuple[Pieces, Window]], width: int) -> dict[str, NDArray[np.float32]]:
        return self._runtime(make_batch(items, self._special, width, self._runtime.sizes.slots))


def _by_window(calls: Sequence[_Call]) -> list[WindowLogits]:
    """Return the logits of each window, in order, padding left on."""
    out: list[WindowLogits] = [{}] * sum(len(call.group) for call in calls)
    for call in calls:
        result = call.computed.result()
        for row, index in enumerate(call.group):
            out[index] = {name: array if name in CONSTANTS else array[row] for name, array in result.items()}
    return out
