from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from rasid.data.markup import read_markup
from rasid.data.schema import Article
from rasid.train.augment import Augmentation, Names, augment, collect_names

REST = "وهو ما نفاه كثيرون ممن يعيشون في تلك المنطقة منذ سنوات طويلة جدا."
MARKUP = f"""\
# id: one
# fiction: true
قصف [اللواء الثامن|A1:REB] بلدة [سرمين|L1] وقتل [العميد سالم الكردي|A2:MIL] مع [مدنيين|A3:CVL].
@ ASSAULT.heavy-weapons ; A1 ; A2,A3 ; L1
وأدان [أهالي [سرمين|L1]|A4:CVL] القصف.
@ ACCUSE.disapprove ; A4 ; A1 ;
وقال [سالم الكردي|A2:MIL] سابقا إن [تنظيم «الدولة»|A5:REB] قريب من البلدة، {REST}
"""
NAMES = Names({"بلدة": ("النيرب", "سرمين")}, ("خالد العمر", "سالم الكردي"))


@pytest.fixture
def article() -> Article:
    (found,) = read_markup(MARKUP.splitlines(), "fixture")
    return replace(found, meta={"fiction": True})


def many(article: Article, **how: float) -> list[Article]:
    return [augment(article, Augmentation(**how), NAMES, np.random.default_rng(seed)) for seed in range(40)]


def labels(article: Article) -> list[tuple[str, str, str | None]]:
    return [(m.label, m.entity, m.sector) for m in article.mentions]


def test_without_a_probability_nothing_changes(article: Article) -> None:
    assert not Augmentation()
    assert all(fresh is article for fresh in many(article))


def test_a_name_is_swapped_in_every_mention(article: Article) -> None:
    fresh = next(a for a in many(article, names=1.0) if "النيرب" in a.text)
    assert "سرمين" not in fresh.text
    assert [fresh.surface(m) for m in fresh.mentions if m.entity == "L1"] == ["النيرب", "النيرب"]
    assert "بلدة النيرب" in fresh.text
    assert any(fresh.surface(m) == "أهالي النيرب" for m in fresh.mentions)


def test_a_person_keeps_title_and_gets_another_name_everywhere(article: Article) -> None:
    fresh = next(a for a in many(article, names=1.0) if "خالد" in a.text)
    assert [fresh.surface(m) for m in fresh.mentions if m.entity == "A2"] == ["العميد خالد العمر", "خالد العمر"]


def test_a_unit_keeps_its_gender(article: Article) -> None:
    units = {a.surface(a.mentions[0]) for a in many(article, names=1.0)}
    assert len(units) > 2
    assert all(re.fullmatch(r"اللواء ال\w+[^ة]", unit) for unit in units)


def test_swapping_keeps_labels_and_events(article: Article) -> None:
    for fresh in many(article, names=1.0, quotes=1.0, hamza=1.0):
        assert labels(fresh) == labels(article)
        assert fresh.events == article.events


def test_a_name_that_the_article_has_already_is_not_taken(article: Article) -> None:
    only_its_own = Names({"بلدة": ("سرمين", "البلدة")}, ())
    for seed in range(10):
        fresh = augment(article, Augmentation(names=1.0), only_its_own, np.random.default_rng(seed))
        assert "بلدة سرمين" in fresh.text


def test_quotes_take_one_style(article: Article) -> None:
    found = {re.sub(r"[^«»“”\"]", "", a.text) for a in many(article, quotes=1.0)}
    assert found == {"«»", "“”", '""', "”“", ""}
    bare = next(a for a in many(article, quotes=1.0) if "«" not in a.text and "تنظيم الدولة" in a.text)
    assert any(bare.surface(m) == "تنظيم الدولة" for m in bare.mentions)


def test_hamza_and_final_letters_lose_their_marks(article: Article) -> None:
    for fresh in many(article, hamza=1.0):
        assert len(fresh.text) == len(article.text)
        assert not re.search("[أإآ]", fresh.text)
    assert any("بلده" in a.text for a in many(article, hamza=1.0))


def test_joined_sentences_share_their_events(article: Article) -> None:
    fresh = next(a for a in many(article, sentences=1.0) if len(a.sentences) == 2)
    assert fresh.surface(fresh.sentences[0]).startswith("قصف")
    assert fresh.surface(fresh.sentences[0]).endswith("القصف.")
    assert "مدنيين، وأدان" in fresh.text
    assert [(e.type, e.sentence) for e in fresh.events] == [("ASSAULT", 0), ("ACCUSE", 0)]
    assert labels(fresh) == labels(article)


def test_only_sentences_without_events_are_split(article: Article) -> None:
    counts = {len(a.sentences) for a in many(article, sentences=1.0)}
    assert max(counts) == 4
    fresh = next(a for a in many(article, sentences=1.0) if len(a.sentences) == 4)
    assert fresh.surface(fresh.sentences[2]).endswith("البلدة،")
    assert fresh.surface(fresh.sentences[3]).startswith("وهو ما")
    assert [(e.type, e.sentence) for e in fresh.events] == [("ASSAULT", 0), ("ACCUSE", 1)]


def test_names_come_from_the_articles_and_persons_from_fiction_only(article: Article) -> None:
    names = collect_names([article])
    assert names.places == {"بلدة": ("سرمين",)}
    assert names.persons == ("سالم الكردي",)
    assert collect_names([replace(article, meta={})]).persons == ()


def test_equal_draws_make_equal_articles(article: Article) -> None:
    how = {"names": 0.5, "hamza": 0.5, "quotes": 0.5, "sentences": 0.5}
    assert [a.text for a in many(article, **how)] == [a.text for a in many(article, **how)]
