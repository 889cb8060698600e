from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rasid.data.schema import Article, Event, Mention
from rasid.train.rewrite import Edit, rewrite

ARTICLE = Article(
    "x",
    "قصف الجيش مدينة حلب. عاد الأهالي.",
    "",
    ((0, 20), (21, 33)),
    (Mention(4, 9, "ACTOR", "A1", "MIL"), Mention(16, 19, "LOCATION", "L1"), Mention(25, 32, "ACTOR", "A2", "CVL")),
    (Event("ASSAULT", 0, "aerial", ("A1",), (), ("L1",)),),
)


def surfaces(article: Article) -> list[str]:
    return [article.surface(m) for m in article.mentions]


def test_labels_move_with_the_text() -> None:
    changed = rewrite(ARTICLE, [Edit(16, 19, "دير الزور"), Edit(0, 3, "هاجم")])
    assert changed.text == "هاجم الجيش مدينة دير الزور. عاد الأهالي."
    assert surfaces(changed) == ["الجيش", "دير الزور", "الأهالي"]
    assert [changed.surface(s) for s in changed.sentences] == ["هاجم الجيش مدينة دير الزور.", "عاد الأهالي."]
    assert changed.events == ARTICLE.events


def test_text_before_and_after_a_mention_is_not_drawn_into_it() -> None:
    changed = rewrite(ARTICLE, [Edit(3, 4, "  «"), Edit(9, 10, "» ")])
    assert surfaces(changed)[0] == "الجيش"
    assert "«الجيش» مدينة" in changed.text


def test_an_edit_over_an_edge_is_left_out() -> None:
    assert rewrite(ARTICLE, [Edit(2, 6, "…")]) is ARTICLE
    assert rewrite(ARTICLE, [Edit(18, 22, "")]) is ARTICLE


def test_a_mention_never_loses_its_last_character() -> None:
    assert rewrite(ARTICLE, [Edit(4, 9, "")]) is ARTICLE
    assert rewrite(ARTICLE, [Edit(4, 9, " جيش")]) is ARTICLE


def test_of_overlapping_edits_the_first_counts() -> None:
    changed = rewrite(ARTICLE, [Edit(16, 19, "إدلب"), Edit(17, 18, "ل")])
    assert surfaces(changed)[1] == "إدلب"


@given(
    st.lists(
        st.builds(
            lambda start, length, text: Edit(start, min(start + length, len(ARTICLE.text)), text),
            st.integers(0, len(ARTICLE.text) - 1),
            st.integers(0, 6),
            st.text("اب «", max_size=4),
        ),
        max_size=8,
    )
)
def test_any_edits_leave_a_valid_article_with_untouched_words_in_place(edits: list[Edit]) -> None:
    changed = rewrite(ARTICLE, edits)
    touched = [any(e.start < m.end and m.start < e.end for e in edits) for m in ARTICLE.mentions]
    for before, after, hit in zip(surfaces(ARTICLE), surfaces(changed), touched, strict=True):
        assert hit or before == after
    assert len(changed.sentences) == len(ARTICLE.sentences)
