from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rasid.data.errors import DataError
from rasid.data.schema import Article
from rasid.inference.batches import Batch, BatchSizes
from rasid.inference.loading import load_network, open_folder
from rasid.inference.runtime.torch import TorchRuntime
from rasid.inference.tagger import Tagger

TEXT = "انسحبت قوات النظام من مدينة جاسم. وقال مصدر محلي إن الأهالي عادوا إلى منازلهم!\nقصف الجيش بلدة سرمين"


def check(article: Article, text: str) -> None:
    assert article.text == text
    for mention in article.mentions:
        assert 0 <= mention.start < mention.end <= len(text)
        assert article.surface(mention) == article.surface(mention).strip()
        assert mention.score is not None
    for label in ("ACTOR", "LOCATION"):
        same = [m for m in article.mentions if m.label == label]
        assert all(a.end <= b.start for a, b in pairwise(same))
    covered = {i for start, end in article.sentences for i in range(start, end)}
    assert all(char.isspace() or i in covered for i, char in enumerate(text) if char.isprintable())


def test_the_random_model_finds_something_of_every_kind(tagger: Tagger) -> None:
    article = tagger.tag([TEXT])[0]
    check(article, TEXT)
    assert {m.label for m in article.mentions} == {"ACTOR", "LOCATION"}
    assert article.events
    assert any(any(e.roles) for e in article.events)


def test_text_comes_back_as_given_with_marks_and_odd_characters(tagger: Tagger) -> None:
    text = "قَصَفَتْ قوّاتُ النِّظامِ مدينةَ جاســم\u200f 😀 (SDF) و«درعا»  \t 4تموز2022\u202b"
    check(tagger.tag([text])[0], text)


@given(st.text(alphabet=st.sampled_from('قوات النظام وبجاسم،.؟!\n ًـ«»"()12aB😀\u200f\u0640_#-'), max_size=120))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_keeps_the_invariants(tagger: Tagger, text: str) -> None:
    check(tagger.tag([text])[0], text)


def test_given_sentences_are_kept(tagger: Tagger) -> None:
    article = Article("a", TEXT, sentences=((0, 20), (21, len(TEXT))))
    assert tagger.tag([article])[0].sentences == article.sentences


def test_a_text_without_words_has_no_labels(tagger: Tagger) -> None:
    for text in ("", "  \n ", "\u064b\u064c"):
        article = tagger.tag([text])[0]
        assert (article.text, article.mentions, article.events) == (text, (), ())


def test_a_sentence_longer_than_any_window_is_tagged_to_its_end(tagger: Tagger) -> None:
    text = " ".join(["قصف الجيش بلدة سرمين"] * 60)
    article = tagger.tag([text])[0]
    check(article, text)
    assert max(m.end for m in article.mentions) > 0.9 * len(text)


def test_order_batching_and_neighbours_change_nothing(tagger: Tagger) -> None:
    texts = [TEXT, "قصف الجيش بلدة سرمين.", TEXT + " " + TEXT, "جاسم"]
    together = tagger.tag(texts)
    alone = [tagger.tag([text])[0] for text in texts]
    for left, right in zip(together, alone, strict=True):
        assert [(m.start, m.end, m.label) for m in left.mentions] == [(m.start, m.end, m.label) for m in right.mentions]


def test_as_many_batches_are_computed_side_by_side_as_the_runtime_takes(model_folder: Path) -> None:
    found = open_folder(model_folder)
    network = TorchRuntime(load_network(model_folder), "cpu")

    class Pairs:
        """Answers no batch before another is there."""

        sizes = BatchSizes(tokens=1)
        parallel = 2
        both = Barrier(2, timeout=20)

        def __call__(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
            self.both.wait()
            return network(batch)

    texts = [TEXT, "قصف الجيش بلدة سرمين.", "جاسم"] * 40  # windows: four to a triple
    pairs, single = (
        Tagger(runtime, found.tokenizer, found.special, window=24, event_threshold=0.5).tag(texts)
        for runtime in (Pairs(), network)
    )
    assert [a.mentions for a in pairs] == [a.mentions for a in single]


def test_stream_reads_only_a_few_ahead(tagger: Tagger) -> None:
    read = 0

    def source() -> object:
        nonlocal read
        for _ in range(200):
            read += 1
            yield "قصف الجيش بلدة سرمين."

    next(iter(tagger.stream(source())))  # type: ignore[arg-type]
    assert read <= 64


@pytest.mark.parametrize("count", [1, 40, 100])
def test_what_was_read_before_a_source_failed_is_tagged(tagger: Tagger, count: int) -> None:
    def source() -> Iterator[str]:
        yield from [TEXT] * count
        raise OSError("the disk is gone")

    stream = tagger.stream(source())
    assert [next(stream).text for _ in range(count)] == [TEXT] * count
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)


def test_min_score_leaves_out_what_is_less_sure(tagger: Tagger) -> None:
    everything = tagger.tag([TEXT])[0]
    middle = sorted(m.score or 0 for m in everything.mentions)[len(everything.mentions) // 2]
    some = tagger.tag([TEXT], min_score=middle)[0]
    assert 0 < len(some.mentions) < len(everything.mentions)
    assert all((m.score or 0) >= middle for m in some.mentions)


def test_one_string_is_refused(tagger: Tagger) -> None:
    with pytest.raises(TypeError, match="list of texts"):
        tagger.tag(TEXT)


def test_from_pretrained_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no model here"):
        Tagger.from_pretrained(tmp_path)


def test_from_pretrained_refuses_a_device_that_is_not_there(model_folder: Path) -> None:
    with pytest.raises(DataError, match="no device"):
        Tagger.from_pretrained(model_folder, device="cuda:99")


def test_from_pretrained_loads_a_folder(model_folder: Path, tagger: Tagger) -> None:
    loaded = Tagger.from_pretrained(model_folder, device="cpu", precision="fp32")
    assert loaded.tag([TEXT])[0].mentions == tagger.tag([TEXT])[0].mentions
