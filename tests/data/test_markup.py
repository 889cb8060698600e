from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasid.data.errors import DataError
from rasid.data.markup import parse_event, parse_sentence, read_markup, write_markup
from rasid.data.schema import Article, Event, Mention

SAMPLE = """\
# id: حلب-01
# date: 2023-12-20
# outlet: وكالة: الأنباء

قصف [الجيش [السوري|L1]|A1:MIL] بلدة [إدلب|L2].
@ ASSAULT.aerial ; A1 ; ; L2

# id: حلب-02
نددت [تركيا|A1:GOV] بالقصف.
@ ACCUSE.disapprove ; A1
@ REQUEST ; A1
ولم يصدر تعليق.
"""


def read(markup: str, source: str = "أخبار.txt") -> list[Article]:
    return list(read_markup(markup.split("\n"), source))


def fault(markup: str) -> DataError:
    with pytest.raises(DataError) as caught:
        read(markup)
    return caught.value


def place(error: DataError) -> tuple[str | None, int | None, int | None]:
    return error.source, error.line, error.column


def test_a_file_of_two_articles() -> None:
    first, second = read(SAMPLE)
    assert (first.id, first.date, first.meta) == ("حلب-01", "2023-12-20", {"outlet": "وكالة: الأنباء"})
    assert first.text == "قصف الجيش السوري بلدة إدلب."
    assert first.mentions == (
        Mention(4, 16, "ACTOR", "A1", "MIL"),
        Mention(10, 16, "LOCATION", "L1"),
        Mention(22, 26, "LOCATION", "L2"),
    )
    assert first.events == (Event("ASSAULT", 0, "aerial", ("A1",), (), ("L2",)),)
    assert (second.id, second.date, second.meta) == ("حلب-02", "", {})
    assert second.text == "نددت تركيا بالقصف.\nولم يصدر تعليق."
    assert second.sentences == ((0, 18), (19, 34))
    assert second.events == (Event("ACCUSE", 0, "disapprove", ("A1",)), Event("REQUEST", 0, None, ("A1",)))


def test_writing_a_sample_gives_its_own_lines_back() -> None:
    lines = [line for line in SAMPLE.split("\n") if line]
    written = "".join(write_markup(a) for a in read(SAMPLE)).split("\n")
    expected = [line.replace("A1 ; ; L2", "A1 ;  ; L2") for line in lines]
    assert [line.rstrip("; ") for line in written if line] == expected


def test_line_ends_of_windows_and_missing_headers() -> None:
    (found,) = read_markup(["وصل [الوزير|A1:GOV].\r\n", "\r\n", "@ CONSULT.visit ; A1\r\n"], "a.txt")
    assert (found.id, found.text) == ("a.txt", "وصل الوزير.")
    assert found.events == (Event("CONSULT", 0, "visit", ("A1",)),)


def test_headers_before_the_id_belong_to_its_article() -> None:
    (found,) = read("# date: 2024\n# id: خبر\nنص قصير.")
    assert (found.id, found.date) == ("خبر", "2024")


def test_a_second_id_ends_an_article_that_has_no_sentence() -> None:
    assert read("# id: أ\n# id: ب\nنص.") == [Article(id="أ", text=""), Article(id="ب", text="نص.", sentences=((0, 3),))]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", " "])
def test_a_sentence_may_end_in_white_space(end: str) -> None:
    article = Article(id="x", text=f"نص{end}", sentences=((0, 2 + len(end)),))
    assert read(write_markup(article)) == [article]


def test_a_header_form_after_a_sentence_is_a_sentence() -> None:
    (found,) = read("أول.\n# note: ثان.")
    assert [found.surface(s) for s in found.sentences] == ["أول.", "# note: ثان."]


def test_an_empty_file_holds_no_article() -> None:
    assert read("\n  \n\n") == []


def test_escapes() -> None:
    text, mentions = parse_sentence(r"\@\[قال\] a\|b \\ x\ny\rz [ج\]|L1] | د")
    assert text == "@[قال] a|b \\ x\ny\rz ج] | د"
    assert [text[m.start : m.end] for m in mentions] == ["ج]"]


@pytest.mark.parametrize("first", ["@", "#", "# id: ", "@ AID", "\\", "[", "]", "|A1:MIL]"])
def test_a_sentence_may_begin_with_a_sign_of_the_markup(first: str) -> None:
    text = f"{first}قال\nثم"
    written = write_markup(Article(id="x", text=text, sentences=((0, len(text)),)))
    (found,) = read(written)
    assert (found.text, found.events, found.meta) == (text, (), {})


def test_mentions_of_the_same_span_keep_their_labels() -> None:
    mentions = (Mention(0, 5, "ACTOR", "A1", "GOV"), Mention(0, 5, "LOCATION", "L1"))
    article = Article(id="x", text="روسيا قالت", sentences=((0, 10),), mentions=mentions)
    assert read(write_markup(article)) == [article]


def test_what_stands_between_sentences_is_not_written() -> None:
    article = Article(
        id="x", text="  أول.  \n ثان.", sentences=((2, 6), (10, 14)), mentions=(Mention(10, 13, "LOCATION", "L1"),)
    )
    (found,) = read(write_markup(article))
    assert found.text == "أول.\nثان."
    assert found.mentions == (Mention(5, 8, "LOCATION", "L1"),)


LETTERS = "ابتجحدرسعقلمنهوي"
NASTY = LETTERS + " []|\\@#;:,.nrA1\n\r\t\u2028\x0b\x85\u200f\u064b"


@st.composite
def articles(draw: st.DrawFn) -> Article:
    inner = st.text(NASTY, max_size=6)
    core = st.tuples(st.sampled_from(LETTERS + "@#[]|\\"), inner, st.sampled_from(LETTERS + "]|\\n")).map("".join)
    text, sentences, mentions, events = "", [], [], []
    for index in range(draw(st.integers(1, 3))):
        text += "\n" if index else ""
        start = len(text)
        known: dict[str, list[str]] = {"A": [], "L": []}
        for number in range(draw(st.integers(0, 3))):
            text += draw(inner)
            actor, nested = draw(st.booleans()), draw(st.booleans())
            outer = len(text)
            text += draw(core)
            middle = (len(text), len(text := text + draw(core)))
            text += draw(core)
            spans = [(outer, len(text), actor), *([(*middle, not actor)] if nested else [])]
            for left, right, is_actor in spans:
                prefix = "A" if is_actor else "L"
                known[prefix].append(f"{prefix}{index}{number}")
                mentions.append(
                    Mention(left, right, "ACTOR", known["A"][-1], "MIL")
                    if is_actor
                    else Mention(left, right, "LOCATION", known["L"][-1])
                )
        text += draw(inner.map(lambda s: s + "."))
        sentences.append((start, len(text)))
        kind, mode = draw(st.sampled_from([("AID", None), ("ASSAULT", "suicide-attack"), ("COERCE", "martial-law")]))
        actors, places = (
            st.lists(st.sampled_from(known[p]), unique=True).map(tuple) if known[p] else st.just(()) for p in "AL"
        )
        events += [Event(kind, index, mode, draw(actors), draw(actors), draw(places))] if draw(st.booleans()) else []
    header = st.text(LETTERS + " :;#@[]|\\", max_size=8).map(str.strip)
    return Article(
        id=draw(header.filter(bool)),
        text=text,
        date=draw(header),
        sentences=tuple(sentences),
        mentions=tuple(mentions),
        events=tuple(events),
        meta={"outlet": value} if (value := draw(header)) else {},
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(articles(), min_size=1, max_size=2))
def test_round_trip(given_articles: list[Article]) -> None:
    markup = "\n".join(write_markup(a) for a in given_articles)
    assert read(markup) == given_articles


@settings(max_examples=60, deadline=None)
@given(st.text("[]|\\A1L:MIL@; قال", max_size=25))
def test_any_line_is_read_or_refused_with_its_column(line: str) -> None:
    try:
        text, mentions = parse_sentence(line)
    except DataError as error:
        assert error.column is not None and 1 <= error.column <= len(line)
    else:
        assert len(text) <= len(line)
        assert all(m.end <= len(text) for m in mentions)


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("قصف [الجيش", 5, "never closed"),
        ("قصف [الجيش [السوري|L1]", 5, "never closed"),
        ("قصف الجيش]", 10, "closing bracket without a tag"),
        ("قصف [الجيش|A1:M] حلب", 11, r"a tag such as |A1:MIL] or |L2] was expected, got '|A1:M] حلب'"),
        ("قصف [الجيش|X1]", 11, "a tag such as"),
        ("قصف [الجيش|A1]", 5, "actor A1 has no sector"),
        ("قصف [الجيش|A1:ZZZ]", 5, "unknown sector 'ZZZ' of A1"),
        ("قصف [|L1]", 5, "0 <= start < end"),
        ("قصف\\", 4, "a backslash at the end of the line"),
        ("@ AID ; A1 ; A", 14, "'A' is no id"),
        ("@ AID ; A1, 1", 13, "'1' is no id"),
        ("@ AID ;;; تركيا", 11, "'تركيا' is no id"),
        ("@ AID ; A1 ; A2 ; L1 ; L2", 1, "three role fields"),
        ("@قال", 1, "an event line is"),
    ],
)
def test_a_fault_names_file_line_and_column(line: str, column: int, message: str) -> None:
    error = fault(f"# id: خبر\n\nجملة سليمة.\n{line}\nجملة أخرى.")
    assert place(error) == ("أخبار.txt", 4, column)
    assert message in error.message
    assert str(error).startswith(f"أخبار.txt:4:{column}: ")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("@ FIGHT ; A1", "unknown event type 'FIGHT'"),
        ("@ AID.aerial", "unknown mode 'aerial' of AID"),
        ("@ AID ; L1", "source 'L1' of AID"),
    ],
)
def test_an_event_against_the_scheme_names_its_line(line: str, message: str) -> None:
    error = fault(f"جملة.\n{line}")
    assert (error.source, error.line) == ("أخبار.txt", 2)
    assert message in error.message


def test_an_event_before_the_first_sentence() -> None:
    assert place(fault("# id: خبر\n@ AID")) == ("أخبار.txt", 2, 1)


def test_a_sentence_of_escaped_line_breaks_only() -> None:
    assert place(fault("نص.\n \\n ")) == ("أخبار.txt", 2, 1)


def test_a_fault_of_the_whole_article_names_its_id_and_first_line() -> None:
    error = fault("# id: أ\nنص.\n# id: ب\nنص.\n@ AID ; A5\n# id: ج\nنص.")
    assert (error.source, error.line) == ("أخبار.txt (ب)", 3)
    assert "names A5, which has no mention" in error.message


def test_articles_before_a_fault_are_given() -> None:
    reader = read_markup(["# id: أ", "نص.", "# id: ب", "نص]"], "f")
    assert next(reader).id == "أ"
    with pytest.raises(DataError, match="f:4:3: a closing bracket"):
        next(reader)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("@ AID", Event("AID", 3)),
        ("@AID;A1,A2;;L1", Event("AID", 3, None, ("A1", "A2"), (), ("L1",))),
        ("@ PROTEST.demo ; A1 ; , A2 ,", Event("PROTEST", 3, "demo", ("A1",), ("A2",))),
        ("@ AID ; ; ; ; ", Event("AID", 3)),
    ],
)
def test_forms_of_an_event_line(line: str, event: Event) -> None:
    assert parse_event(line, 3) == event


def crossing() -> Article:
    mentions = (Mention(0, 12, "ACTOR", "A1", "MIL"), Mention(6, 16, "LOCATION", "L1"))
    return Article(id="x", text="الجيش السوري حلب", sentences=((0, 16),), mentions=mentions)


@pytest.mark.parametrize(
    ("article", "message"),
    [
        (crossing(), "x: brackets cannot cross: 'الجيش السوري' and 'السوري حلب'"),
        (Article(id="x", text="حلب", sentences=((0, 3),), mentions=(Mention(0, 3, "ACTOR", "A1"),)), "x: A1"),
        (Article(id="x", text="حلب", sentences=((0, 3),), mentions=(Mention(0, 3, "LOCATION", "Lx"),)), "x: Lx"),
        (Article(id="x", text="أ ب", sentences=((0, 1), (1, 2), (2, 3))), "x: sentence .1, 2. is blank"),
        (Article(id="x", text="حلب", mentions=(Mention(0, 3, "LOCATION", "L1"),)), "x: .*lies in no sentence"),
        (Article(id="x", text="أ", sentences=((0, 1),), meta={"عنوان": "حلب"}), "cannot be a header"),
        (Article(id="x", text="أ", sentences=((0, 1),), meta={"url": "a\nقصف"}), "cannot be a header"),
        (Article(id="x\ny", text="أ", sentences=((0, 1),)), "cannot be a header"),
        (Article(id="x", text="أ\ud800", sentences=((0, 2),)), r"x: a lone surrogate \('\\ud800'\)"),
    ],
)
def test_what_the_markup_cannot_hold_is_not_written(article: Article, message: str) -> None:
    with pytest.raises(DataError, match=message):
        write_markup(article)
