from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from conftest import wordpiece_tokenizer
from tokenizers import Tokenizer

from rasid.data.schema import Article, Event, Mention
from rasid.data.scheme import EVENT_TYPES, SECTORS
from rasid.inference.calibration import Curve
from rasid.inference.decode import decode_article, decode_spans, sigmoid, softmax, word_probabilities
from rasid.inference.layout import COLUMNS_OF_TYPE, MAX_DISTANCE, MAX_GAP, MODE_COLUMNS
from rasid.inference.merge import Scores
from rasid.inference.pieces import MAX_PROCLITICS, Pieces, to_pieces
from rasid.inference.segment import segment

SURE = 8.0
KNOWN = "قصف الجيش بلدة قوات في من ، . ! قال"
TOKENIZER: Tokenizer = wordpiece_tokenizer([KNOWN, " ".join("ابتثجحخدرسشعفقكلمنهويىةإأؤئطظص")]).backend_tokenizer
ROLE_SIZE = 3


class Network:
    """Logits of an article, written by hand: everything is O and unreported until a test says otherwise."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sentences = segment(text)
        self.pieces: Pieces = to_pieces(text, self.sentences, TOKENIZER)
        pieces, sentences = len(self.pieces.ids), len(self.sentences)
        self.scores = Scores(
            actor=self.tags(""),
            location=self.tags(""),
            proclitic=np.zeros((pieces, MAX_PROCLITICS + 1), np.float32),
            sector=np.zeros((pieces, len(SECTORS)), np.float32),
            token_role=np.zeros((pieces, 4, ROLE_SIZE), np.float32),
            event=np.full((sentences, len(EVENT_TYPES)), -SURE, np.float32),
            mode=np.zeros((sentences, len(MODE_COLUMNS)), np.float32),
            event_role=np.zeros((sentences, len(EVENT_TYPES), ROLE_SIZE), np.float32),
            event_at=np.zeros((sentences, len(EVENT_TYPES)), np.float32),
            role_bias=np.zeros((2 * MAX_DISTANCE + 1, 4), np.float32),
            gap_bias=np.zeros((2 * MAX_GAP + 1, 4), np.float32),
            windows=np.zeros(sentences, np.int64),
        )

    def tags(self, tags: str) -> np.ndarray:
        """Return logits for one of O, B, I a word; words after the last are O."""
        words = ["OBI".index(tag) for tag in tags.replace(" ", "").ljust(len(self.pieces.ends), "O")]
        assert len(words) == len(self.pieces.ends)
        logits = np.full((len(self.pieces.ids), 3), -SURE, np.float32)
        for piece, word in enumerate(self.pieces.words.tolist()):
            first = piece == 0 or self.pieces.words[piece - 1] != word
            logits[piece, words[word] if first or not words[word] else 2] = SURE
        return logits

    def layers(self, actor: str = "", location: str = "") -> Network:
        self.scores = replace(self.scores, actor=self.tags(actor), location=self.tags(location))
        return self

    def of_word(self, word: int) -> slice:
        left, right = np.searchsorted(self.pieces.words, [word, word + 1])
        return slice(int(left), int(right))

    def proclitics(self, word: int, letters: int) -> Network:
        self.scores.proclitic[self.of_word(word).start, letters] = SURE
        return self

    def event(self, sentence: int, kind: str, logit: float = SURE) -> Network:
        self.scores.event[sentence, EVENT_TYPES.index(kind)] = logit
        self.scores.event_role[sentence, EVENT_TYPES.index(kind), 0] = 1.0
        return self

    def role(self, words: Sequence[int], role: int, logit: float = SURE) -> Network:
        for word in words:
            self.scores.token_role[self.of_word(word), role, 0] = logit
        return self

    def article(self, threshold: float = 0.5, min_score: float = 0.0, mode_threshold: float | None = None) -> Article:
        return decode_article(
            Article("a", self.text, "2022-12-05", meta={"url": "u"}),
            self.sentences,
            self.pieces,
            self.scores,
            event_threshold=threshold,
            mode_threshold=mode_threshold,
            min_score=min_score,
        )

    def mentions(self) -> list[str]:
        article = self.article()
        return [article.surface(m) for m in article.mentions]


def event_of(network: Network) -> Event:
    (event,) = network.article().events
    return event


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("OBOOO", ["الجيش"]),
        ("OBIIO", ["الجيش بلدة جاسم"]),
        ("OIIOO", ["الجيش بلدة"]),
        ("OBBIO", ["الجيش", "بلدة جاسم"]),
        ("IOIOB", ["قصف", "بلدة", "اليوم"]),
        ("BBBBB", ["قصف", "الجيش", "بلدة", "جاسم", "اليوم"]),
        ("OOOOO", []),
    ],
)
def test_spans_of_tags(tags: str, expected: list[str]) -> None:
    assert Network("قصف الجيش بلدة جاسم اليوم").layers(actor=tags).mentions() == expected


def test_offsets_are_those_of_the_raw_text() -> None:
    network = Network("  قَصَفَ الجَيشُ بلدةَ جاســمٍ").layers(actor="OB", location="OOOB")
    assert [(m.start, m.end, m.label) for m in network.article().mentions] == [(9, 16, "ACTOR"), (23, 30, "LOCATION")]


def test_a_span_ends_with_its_sentence() -> None:
    network = Network("قصف الجيش! بلدة جاسم").layers(actor="OBIII")
    assert len(network.sentences) == 2
    assert network.mentions() == ["الجيش", "بلدة جاسم"]
    sentences = [network.article().sentence_of(m) for m in network.article().mentions]
    assert sentences == [0, 1]


def test_a_span_may_fill_the_last_word_of_one_sentence_and_the_first_of_the_next() -> None:
    assert Network("قصف الجيش\nبلدة جاسم").layers(location="OIII").mentions() == ["الجيش", "بلدة جاسم"]


def test_punctuation_is_trimmed_at_the_edges_only() -> None:
    network = Network("قصف ، الجيش ، قوات ، . بلدة").layers(actor="OIIIIIIO")
    assert network.mentions() == ["الجيش ، قوات"]


def test_a_span_of_punctuation_is_none() -> None:
    assert Network("قصف ، . الجيش").layers(actor="OBIO").mentions() == []


@pytest.mark.parametrize(
    ("text", "tags", "expected"),
    [
        ("قصف «الجيش» بلدة", "OBIIO", "الجيش"),  # a pair around the whole
        ("قصف قوات «الجيش» بلدة", "OBIIIO", "قوات «الجيش»"),
        ("قصف قوات «الجيش» بلدة", "OBIIOO", "قوات «الجيش»"),  # its closing mark was left out
        ("قصف قوات “الجيش” بلدة", "OBIIOO", "قوات “الجيش”"),
        ("قصف قوات ”الجيش“ بلدة", "OBIIOO", "قوات ”الجيش“"),
        ('قصف "الجيش" بلدة', "OOBIO", "الجيش"),  # half of the pair was taken in
        ('قصف "الجيش" بلدة', "OBIOO", "الجيش"),
        ('قصف " قوات الجيش بلدة', "OBIIO", "قوات الجيش"),
        ('قصف قوات " الجيش بلدة', "OBIIO", 'قوات " الجيش'),  # nothing says where it should close
        ('"قوات" و"الجيش" بلدة', "BIIIIIIO", '"قوات" و"الجيش"'),
    ],
)
def test_quotation_marks_come_in_pairs_or_not_at_all(text: str, tags: str, expected: str) -> None:
    assert Network(text).layers(actor=tags).mentions() == [expected]


def test_a_closing_mark_is_not_taken_from_the_next_span() -> None:
    network = Network('قصف قوات " الجيش " قوات').layers(actor="OBIIBI")
    assert network.mentions() == ['قوات " الجيش', "قوات"]


def test_a_closing_mark_is_not_taken_from_the_next_sentence() -> None:
    network = Network('قال قوات " الجيش.\n" قال').layers(actor="OBIIOOO")
    assert network.mentions() == ['قوات " الجيش']


def test_a_place_without_a_name_is_none() -> None:
    network = Network("قصف الريف الشمالي قال ريف قوات من المدينة").layers(location="OBIOBIOB")
    assert network.mentions() == ["ريف قوات"]


@pytest.mark.parametrize(
    ("text", "tags", "expected"),
    [
        ("قصف شمال شرقي قوات", "OOOB", ["شمال شرقي قوات"]),
        ("قصف شمال مدينة قوات", "OOBI", ["مدينة قوات"]),  # a direction before a class noun is outside
        ("قصف شمال قوات", "OBB", ["شمال", "قوات"]),
        ("قال شمال. قوات من", "OOOBO", ["قوات"]),
    ],
)
def test_a_direction_belongs_to_the_name_right_after_it(text: str, tags: str, expected: list[str]) -> None:
    assert Network(text).layers(location=tags).mentions() == expected


def test_a_direction_before_an_actor_is_outside() -> None:
    assert Network("قصف شمال قوات").layers(actor="OOB").mentions() == ["قوات"]


def test_an_actor_may_have_a_common_name() -> None:
    assert Network("قال المدينة").layers(actor="OB").mentions() == ["المدينة"]


@pytest.mark.parametrize(
    ("word", "letters", "expected"),
    [
        ("وبجاسم", 0, "وبجاسم"),
        ("وبجاسم", 1, "بجاسم"),
        ("وبجاسم", 2, "جاسم"),
        ("للنظام", 1, "لنظام"),
        ("للنظام", 2, "نظام"),
        ("وَلِلنِّظام", 2, "لنِّظام"),
    ],
)
def test_proclitic_letters_are_taken_off(word: str, letters: int, expected: str) -> None:
    assert Network(f"قصف {word} بلدة").layers(location="OBO").proclitics(1, letters).mentions() == [expected]


def test_only_letters_that_may_be_proclitics_are_taken_off() -> None:
    # the network says three of جاسم, which has none, and three of وبجاسم, which has two
    assert Network("قصف جاسم").layers(location="OB").proclitics(1, 3).mentions() == ["جاسم"]
    network = Network("قصف وبجاسم").layers(location="OB").proclitics(1, 3)
    network.scores.proclitic[network.of_word(1).start, 1] = 1.0
    assert network.mentions() == ["بجاسم"]


def test_proclitics_are_those_of_the_first_word() -> None:
    network = Network("قصف بريف وبجاسم").layers(location="OBI").proclitics(1, 1).proclitics(2, 2)
    assert network.mentions() == ["ريف وبجاسم"]


def test_a_location_lies_in_an_actor() -> None:
    article = Network("قال أهالي بلدة جاسم").layers(actor="OBII", location="OOOB").article()
    assert [(article.surface(m), m.label) for m in article.mentions] == [
        ("أهالي بلدة جاسم", "ACTOR"),
        ("جاسم", "LOCATION"),
    ]


def test_two_layers_on_the_same_words() -> None:
    article = Network("قال جاسم").layers(actor="OB", location="OB").article()
    assert [(article.surface(m), m.label, m.entity) for m in article.mentions] == [
        ("جاسم", "ACTOR", "A1"),
        ("جاسم", "LOCATION", "L1"),
    ]


def test_later_pieces_of_a_word_count_as_much_as_its_first() -> None:
    network = Network("قصف جاسم")
    pieces = network.of_word(1)
    assert pieces.stop - pieces.start == 4
    logits = network.tags("OB")
    logits[pieces.start + 1 : pieces.stop] = [0.0, 0.0, SURE]
    probabilities, begins = word_probabilities(logits, network.pieces)
    assert begins.tolist() == [0, 1, 5]
    assert probabilities[1].argmax() == 1
    # a first piece that is barely B does not hold against pieces that are surely outside
    logits[pieces.start] = [0.0, 0.5, 0.0]
    logits[pieces.start + 1 : pieces.stop] = [SURE, 0.0, 0.0]
    assert word_probabilities(logits, network.pieces)[0][1].argmax() == 0


def test_a_word_of_one_piece_has_the_softmax_of_that_piece() -> None:
    network = Network("قصف الجيش")
    logits = np.array([[1.0, 0.0, -1.0], [0.0, 2.0, 1.0]], np.float32)
    np.testing.assert_allclose(word_probabilities(logits, network.pieces)[0], softmax(logits), atol=1e-5)


def test_the_score_of_a_span_is_the_geometric_mean_of_its_words() -> None:
    network = Network("قصف الجيش بلدة")
    logits = np.log(np.array([[0.98, 0.01, 0.01], [0.1, 0.8, 0.1], [0.6, 0.1, 0.3]], np.float32))
    (span,) = decode_spans(logits, "ACTOR", network.pieces, network.text)
    assert (span.words, span.pieces, span.sentence) == ((1, 2), (1, 2), 0)
    assert span.score == pytest.approx(0.9, abs=1e-4)
    logits[2] = np.log([0.4, 0.1, 0.5])
    (span,) = decode_spans(logits, "ACTOR", network.pieces, network.text)
    assert span.words == (1, 3)
    assert span.score == pytest.approx((0.9 * 0.6) ** 0.5, abs=1e-4)


def test_no_words_no_spans() -> None:
    network = Network(" ")
    assert decode_spans(network.scores.actor, "ACTOR", network.pieces, network.text) == []


def test_entities_are_joined_by_their_normalised_name_and_their_label() -> None:
    text = "قصف الجَيشُ قوات «الجيش» في ألمانيا. قال الجيـش في المانيا وحماة ثم حماه"
    network = Network(text).layers(actor="OBBBII OO O OB", location="OOOOOO OB O OO OBBOB")
    network.proclitics(13, 1)
    article = network.article()
    assert [(article.surface(m), m.entity) for m in article.mentions] == [
        ("الجَيشُ", "A1"),
        ("قوات", "A2"),
        ("الجيش", "A1"),
        ("ألمانيا", "L1"),
        ("الجيـش", "A1"),
        ("المانيا", "L1"),
        ("حماة", "L2"),
        ("حماه", "L2"),
    ]


def test_the_sector_is_that_of_the_mean_over_the_pieces() -> None:
    network = Network("قال قوات الجيش جاسم").layers(actor="OBIO", location="OOOB")
    scores = network.scores.sector
    mil, cop, reb = (SECTORS.index(s) for s in ("MIL", "COP", "REB"))
    # each word has another favourite, and MIL is second to both; words outside are sure of REB
    scores[1, [cop, mil]] = [3.0, 2.0]
    scores[2, [cop, mil]] = [0.0, 2.0]
    scores[0, reb] = scores[3:, reb] = 99.0
    assert [(m.label, m.sector) for m in network.article().mentions] == [("ACTOR", "MIL"), ("LOCATION", None)]


def test_events_are_reported_from_the_threshold_on() -> None:
    network = Network("قصف الجيش. قال الجيش.")
    network.event(0, "ASSAULT", 0.0).event(1, "CONSULT", -1.0).event(1, "ACCUSE", 2.0)
    assert [(e.sentence, e.type) for e in network.article().events] == [(0, "ASSAULT"), (1, "ACCUSE")]
    assert [e.score for e in network.article().events] == pytest.approx([0.5, 0.8808], abs=1e-4)
    assert [e.type for e in network.article(threshold=0.51).events] == ["ACCUSE"]
    assert [e.type for e in network.article(threshold=0.2).events] == ["ASSAULT", "CONSULT", "ACCUSE"]
    assert [e.type for e in network.article(threshold=0.2, min_score=0.6).events] == ["ACCUSE"]


def test_min_score_drops_mentions_and_they_take_no_part() -> None:
    network = Network("قصف الجيش قوات").layers(actor="OBB").event(0, "ASSAULT").role([1], 1).role([2], 2)
    network.scores.actor[2] = [0.0, 1.0, 0.0]
    (sure, unsure) = network.article().mentions
    assert (sure.score or 0) > 0.99 > 0.9 > (unsure.score or 0)
    article = network.article(min_score=0.9)
    assert [article.surface(m) for m in article.mentions] == ["الجيش"]
    assert article.events[0].roles == (("A1",), (), ())


@pytest.mark.parametrize(("kind", "mode"), MODE_COLUMNS)
def test_each_mode_column_is_a_mode_of_its_type(kind: str, mode: str | None) -> None:
    network = Network("قصف الجيش.").event(0, kind)
    # whatever the columns of other types say
    network.scores.mode[0] = 50.0
    network.scores.mode[0, list(COLUMNS_OF_TYPE[EVENT_TYPES.index(kind)])] = 0.0
    network.scores.mode[0, MODE_COLUMNS.index((kind, mode))] = 1.0
    assert [(e.type, e.mode) for e in network.article().events] == [(kind, mode)]


@pytest.mark.parametrize(("threshold", "modes"), [(None, ["aerial"]), (0.5, ["aerial", "firearms"]), (0.9, ["aerial"])])
def test_a_further_mode_is_an_event_of_its_own(threshold: float | None, modes: list[str]) -> None:
    network = Network("قصف الجيش.").event(0, "ASSAULT")
    network.scores.mode[0] = -5.0
    network.scores.mode[0, MODE_COLUMNS.index(("COERCE", "arrest"))] = 9.0
    for mode, logit in (("firearms", 1.0), ("aerial", 4.0)):
        network.scores.mode[0, MODE_COLUMNS.index(("ASSAULT", mode))] = logit
    events = network.article(mode_threshold=threshold).events
    assert [e.mode for e in events] == modes
    assert {(e.type, e.roles, e.score) for e in events} == {("ASSAULT", events[0].roles, events[0].score)}


def test_roles_are_source_target_and_location() -> None:
    network = Network("قصف الجيش قوات في جاسم قال بلدة").layers(actor="OBB", location="OOOOBOB")
    network.event(0, "ASSAULT").role([1], 1).role([2], 2).role([4], 3).role([6], 0)
    event = event_of(network)
    assert (event.sources, event.targets, event.locations) == (("A1",), ("A2",), ("L1",))


def test_an_event_without_its_mentions_has_no_roles() -> None:
    assert event_of(Network("قصف الجيش.").event(0, "ASSAULT")).roles == ((), (), ())


def test_an_actor_is_never_a_place_and_a_place_never_acts() -> None:
    network = Network("قصف الجيش في جاسم").layers(actor="OB", location="OOOB").event(0, "ASSAULT")
    network.role([1], 3, 9.0).role([1], 2, 5.0).role([3], 1, 9.0).role([3], 2, 9.0).role([3], 3, 5.0)
    assert event_of(network).roles == ((), ("A1",), ("L1",))


def test_a_forbidden_role_does_not_lift_another_over_none() -> None:
    network = Network("قصف الجيش في جاسم").layers(actor="OB", location="OOOB").event(0, "ASSAULT")
    network.role([1], 3, 9.0).role([1], 0, 1.0).role([3], 1, 9.0).role([3], 0, 1.0)
    assert event_of(network).roles == ((), (), ())


def test_roles_are_asked_of_the_event_and_not_of_its_neighbours() -> None:
    network = Network("قصف الجيش قوات").layers(actor="OBB").event(0, "ASSAULT").event(0, "RETREAT")
    network.scores.event_role[0, EVENT_TYPES.index("RETREAT")] = [0.0, 1.0, 0.0]
    network.role([1], 1).role([2], 2)
    network.scores.token_role[1, 2, 1] = network.scores.token_role[2, 1, 1] = SURE
    roles = {event.type: event.roles for event in network.article().events}
    assert roles == {"ASSAULT": (("A1",), ("A2",), ()), "RETREAT": (("A2",), ("A1",), ())}


def test_the_role_is_that_of_the_mean_over_the_pieces() -> None:
    network = Network("قصف قوات الجيش").layers(actor="OBI").event(0, "ASSAULT")
    network.role([1], 1, 3.0).role([2], 2, 5.0)
    assert event_of(network).roles == ((), ("A1",), ())


def test_mentions_up_to_the_largest_distance_take_part() -> None:
    count = 2 * MAX_DISTANCE + 3
    middle = count // 2
    places = ["جاسم", "حوران", "إدلب", "حماة", "حلب", "دمشق", "درعا", "حمص", "الباب"][:count]
    network = Network("\n".join(f"قصف {place}" for place in places)).layers(location="OB" * count)
    assert len(network.sentences) == count
    network.event(middle, "ASSAULT").role(range(1, 2 * count, 2), 3)
    near = tuple(f"L{i + 1}" for i in range(middle - MAX_DISTANCE, middle + MAX_DISTANCE + 1))
    assert event_of(network).locations == near


def test_the_distance_bears_on_the_role() -> None:
    network = Network("قصف جاسم\nقصف حماة\nقصف حلب").layers(location="OB" * 3).event(1, "ASSAULT")
    bias = network.scores.role_bias
    bias[:, 0] = 3.0
    bias[MAX_DISTANCE - 1, 3] = 4.0
    assert event_of(network).locations == ("L1",)
    bias[MAX_DISTANCE - 1, 3], bias[MAX_DISTANCE + 1, 3] = 0.0, 4.0
    assert event_of(network).locations == ("L3",)


def test_the_gap_to_the_words_of_the_event_bears_on_the_role() -> None:
    network = Network("قصف الجيش قوات في جاسم").layers(actor="OBB").event(0, "ASSAULT")
    pieces = [network.of_word(word).start for word in (1, 2)]
    network.scores.event_at[0] = pieces[1]
    network.scores.gap_bias[MAX_GAP, 2] = SURE
    network.scores.gap_bias[MAX_GAP + pieces[0] - pieces[1], 1] = SURE
    assert event_of(network).roles == (("A1",), ("A2",), ())


def test_an_entity_takes_the_role_it_is_surest_of() -> None:
    network = Network("قصف الجيش قوات الجيش").layers(actor="OBBB").event(0, "ASSAULT")
    network.role([1], 1, 3.0).role([3], 2, 5.0).role([2], 1, 4.0)
    assert event_of(network).roles == (("A2",), ("A1",), ())


def test_a_mention_without_a_role_does_not_take_that_of_another_away() -> None:
    network = Network("قصف الجيش قوات الجيش").layers(actor="OBOB").event(0, "ASSAULT")
    network.role([1], 1, 1.0).role([3], 0, 9.0)
    assert event_of(network).roles == (("A1",), (), ())


def test_what_the_article_brings_is_kept_and_its_labels_are_replaced() -> None:
    network = Network("قصف الجيش.").layers(actor="OB")
    old = Article(
        *("a", network.text, "2022-12-05", ((0, 10),)),
        mentions=(Mention(0, 3, "LOCATION", "L9"),),
        events=(Event("AID", 0, locations=("L9",)),),
        meta={"url": "u"},
    )
    new = decode_article(old, network.sentences, network.pieces, network.scores, event_threshold=0.5)
    assert (new.id, new.text, new.date, new.meta) == (old.id, old.text, old.date, old.meta)
    assert [(m.start, m.end, m.entity) for m in new.mentions] == [(4, 9, "A1")]
    assert (new.sentences, new.events) == (((0, 10),), ())


def test_one_character_of_several_words_breaks_nothing() -> None:
    network = Network("قال النبيﷺ ﷺ")
    assert network.layers(actor="B" * len(network.pieces.ends)).mentions() == ["قال", "النبيﷺ", "ﷺ"]


def test_softmax_and_sigmoid_do_not_overflow() -> None:
    with np.errstate(over="raise", invalid="raise"):
        assert softmax(np.array([1e4, 0.0, -1e4], np.float32)).tolist() == [1.0, 0.0, 0.0]
        assert sigmoid(np.array([-1e4, 0.0, 1e4], np.float32)).tolist() == [0.0, 0.5, 1.0]


def test_a_mention_of_another_window_has_no_role() -> None:
    network = Network("قصف جاسم\nقصف حماة\nقصف حلب").layers(location="OB" * 3).event(1, "ASSAULT").role([1, 3, 5], 3)
    network.scores.windows[:] = [0, 1, 1]
    assert event_of(network).locations == ("L2", "L3")


def test_an_entity_named_in_the_events_sentence_is_judged_there() -> None:
    network = Network("قصف جاسم\nقصف جاسم").layers(location="OB" * 2).event(1, "ASSAULT").role([1], 3)
    assert event_of(network).locations == ()


def test_curves_change_the_probabilities_and_what_the_threshold_lets_through() -> None:
    network = Network("قصف الجيش بلدة").layers(actor="OBO").event(0, "ASSAULT")
    network.scores.event[0, EVENT_TYPES.index("ASSAULT")] = 0.1
    plain = network.article()
    curves = {"ACTOR": Curve(1.0, -3.0), "event type": Curve(1.0, -3.0)}

    def decode(threshold: float) -> Article:
        return decode_article(
            plain, network.sentences, network.pieces, network.scores, event_threshold=threshold, curves=curves
        )

    assert [e.type for e in plain.events] == ["ASSAULT"]
    assert decode(0.5).events == ()
    assert [e.score for e in decode(0.01).events] == [pytest.approx(1 / (1 + np.exp(2.9)), abs=1e-4)]
    assert (decode(0.5).mentions[0].score or 0) < (plain.mentions[0].score or 0)


def test_the_countryside_belongs_to_the_place_without_its_proclitics() -> None:
    network = Network("قصف بريف حلب وبريفي حماة").layers(location="OOBOB")
    assert network.mentions() == ["ريف حلب", "حماة"]
