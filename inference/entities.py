"""Which mentions of an article mean the same actor or place: rules on their words, for want of a learnt model.

Mentions are read in the order of the text, and each joins an entity that came before or begins its own. In turn: the
same words in another spelling; names and titles of one person; the known short and long names of armed groups and
bodies; a name with and without its class noun (`حركة حماس`, `حماس`) or its last adjectives (`قوات النظام السوري`);
a definite noun that takes up an earlier one (`المصادر` for `مصادر محلية`); a title and the name that it stands beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rasid.data.scheme import ACTOR, LABELS
from rasid.inference.normalise import key

# Names that mean one body though they share no word; as `normalise.key` writes them.
_ALIASES: Final = (
    ("قوات سوريا الديمقراطيه", "قسد"),
    ("تنظيم الدوله الاسلاميه", "داعش", "تنظيم الدوله", "الدوله الاسلاميه", "تنظيم الدوله الاسلاميه داعش", "isis"),
    ("النظام السوري", "النظام", "نظام الاسد", "نظام بشار الاسد", "حكومه النظام"),
    ("قوات النظام السوري", "قوات النظام", "قوات الاسد", "قوات نظام الاسد", "جيش النظام"),
    ("الحوثيين", "جماعه الحوثي", "جماعه انصار الله", "انصار الله", "مليشيا الحوثي", "ميليشيا الحوثي"),
    ("ميليشيات الحوثي", "الحوثيين", "مليشيات الحوثي"),
    ("هيئه تحرير الشام", "تحرير الشام", "هتش"),
    ("الجيش الوطني السوري", "الجيش الوطني"),
    ("المرصد السوري لحقوق الانسان", "المرصد السوري", "المرصد"),
    ("الدفاع المدني السوري", "الخوذ البيضاء", "الدفاع المدني"),
    ("وحدات حمايه الشعب", "ypg", "واي بي جي"),
    ("حزب العمال الكردستاني", "pkk", "بي كي كي"),
    ("التحالف الدولي", "قوات التحالف الدولي", "قوات التحالف", "التحالف"),
    ("قوات الدعم السريع", "الدعم السريع"),
    ("منظمه الامم المتحده للطفوله", "يونيسف", "اليونيسف"),
)
_CANONICAL: Final = {name: names[0] for names in reversed(_ALIASES) for name in names}
_CLASSES: Final = frozenset(
    (
        *("حركه", "تنظيم", "جماعه", "حزب", "ميليشيا", "ميليشيات", "مليشيا", "مليشيات", "فصيل", "منظمه", "جهاز"),
        *("صحيفه", "وكاله", "قناه", "شبكه", "موقع", "دوله", "جمهوريه", "مملكه", "تلفزيون", "اذاعه"),
    )
)
_TITLES: Final = frozenset(
    (
        *("العميد", "اللواء", "العقيد", "المقدم", "الرائد", "النقيب", "الملازم", "الفريق", "المشير", "الجنرال"),
        *("القيادي", "القائد", "الشيخ", "الدكتور", "المدعو", "المحامي", "الناشط", "الصحفي", "المهندس", "الشاب"),
        *("السيد", "السيده", "الرئيس", "الوزير", "الشهيد", "البطل", "الارهابي", "المتهم", "ابو", "الحاج", "الشابه"),
    )
)
# Heads of titles that mean one person, as in `رئيس فرع الأمن العسكري`.
_OFFICES: Final = frozenset(
    (
        *("رئيس", "رئيسه", "قائد", "مدير", "مديره", "وزير", "وزيره", "امين", "محافظ", "المتحدث", "المتحدثه"),
        *("الناطق", "الناطقه", "مسؤول", "المسؤول", "قيادي", "القياديه", "نائب", "مبعوث", "المبعوث", "سفير", "السفير"),
        *("والي", "عضو", "زعيم", "متزعم", "رئيسا", "قياديا", "الباحث", "الامين", "المفوض", "مفوض", "مندوب", "الممثل"),
    )
)
# Heads of bodies and groups, which a person's name does not begin with.
_GENERIC: Final = frozenset(
    (
        *("قوات", "عناصر", "عنصر", "اهالي", "سكان", "ابناء", "وجهاء", "مسلحي", "مقاتلي", "مصدر", "مصادر", "فصائل"),
        *("فرع", "مجلس", "جيش", "لواء", "فرقه", "كتيبه", "كتائب", "سرايا", "مركز", "مكتب", "فريق", "اتحاد", "تحالف"),
        *("حرس", "امن", "مراسل", "رجال", "شبان", "وفد", "تجمع", "ائتلاف", "تيار", "برلمان", "خلايا", "ضباط", "جنود"),
        *("طلاب", "نساء", "اطفال", "ضحايا", "قتلي", "جرحي", "افراد", "وسائل", "دول", "نظام", "طيران", "طائرات"),
        *("فوج", "فيلق", "قوي", "اعضاء", "قاده", "مجموعات", "احد", "دوريات", "شعب", "عشائر", "امراء", "معارضي"),
    )
)
# A definite noun takes up one of the last mentions only.
_LOOK_BACK: Final = 20


@dataclass(frozen=True, slots=True)
class Named:
    """A mention to be joined: its label, sector, surface, and where it stands in the text."""

    label: str
    sector: str | None
    surface: str
    start: int
    end: int


_Form = tuple[str, ...]


@dataclass(slots=True)
class _Entity:
    id: str
    sector: str | None
    forms: list[_Form]
    last: int


class _Known:
    """The entities of one label so far, found by the first and last words that two forms of one entity share."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._count = 0
        self._by_form: dict[_Form, _Entity] = {}
        self._by_word: dict[str, dict[str, _Entity]] = {}

    def new(self, sector: str | None) -> _Entity:
        self._count += 1
        return _Entity(f"{self._label[0]}{self._count}", sector, [], 0)

    def add(self, entity: _Entity, form: _Form, order: int) -> None:
        """Note that an entity was mentioned by this form."""
        entity.last = order
        if form not in entity.forms:
            entity.forms.append(form)
        self._by_form[form] = entity
        for word in {_bare(form[0]), form[-1]}:
            self._by_word.setdefault(word, {})[entity.id] = entity

    def equal(self, form: _Form) -> _Entity | None:
        return self._by_form.get(form)

    def like(self, form: _Form, sector: str | None) -> list[_Entity]:
        """Return the entities of this sector that share the first or last word with the form."""
        found = {**self._by_word.get(_bare(form[0]), {}), **self._by_word.get(form[-1], {})}
        return [entity for entity in found.values() if entity.sector == sector]


def join_mentions(mentions: Sequence[Named], text: str) -> list[str]:
    """Return the entity id of each mention: `A1`, `A2`, … for actors, `L1`, … for locations.

    Args:
        mentions: in the order of the text.
        text: the raw text, of which the characters between two mentions are looked at.
    """
    known: dict[str, _Known] = {label: _Known(label) for label in LABELS}
    ids: list[str] = []
    before: tuple[Named, _Entity] | None = None
    for order, mention in enumerate(mentions):
        form = _form(mention.surface)
        own = known[mention.label]
        entity = _find(form, mention, own, order)
        if entity is None and before is not None and mention.label == ACTOR:
            entity = _beside(mention, form, before, text)
        if entity is None:
            entity = own.new(mention.sector)
        own.add(entity, form, order)
        ids.append(entity.id)
        if mention.label == ACTOR:
            before = mention, entity
    return ids


@lru_cache(maxsize=16_384)
def _form(surface: str) -> _Form:
    name = " ".join(_case(word) for word in key(surface).split())
    return tuple(_CANONICAL.get(name, name).split()) or (surface,)


def _case(word: str) -> str:
    """Fold the case endings of the sound masculine plural."""
    return word[:-2] + "ين" if len(word) > 4 and word.endswith("ون") else word


def _bare(word: str) -> str:
    return word[2:] if word.startswith("ال") and len(word) > 4 else word


def _find(form: _Form, mention: Named, known: _Known, order: int) -> _Entity | None:
    equal = known.equal(form)
    if equal is not None:
        return equal
    alike = known.like(form, mention.sector)
    for same in (_same_person, _same_class, _shortened) if mention.label == ACTOR else ():
        found = [entity for entity in alike if any(same(form, other) for other in entity.forms)]
        if found:
            return max(found, key=lambda entity: entity.last)
    near = [entity for entity in alike if entity.last >= order - _LOOK_BACK]
    found = [entity for entity in near if any(_takes_up(form, other) for other in entity.forms)]
    return max(found, key=lambda entity: entity.last) if found else None


def _name_of(form: _Form) -> _Form:
    """Return the words after the titles that a form begins with."""
    words = list(form)
    while len(words) > 1 and words[0] in _TITLES:
        words.pop(0)
    return tuple(words)


def _is_person(form: _Form) -> bool:
    """Return whether a form looks like the full name of a person, with or without titles."""
    name = _name_of(form)
    titled = len(name) < len(form)
    head = name[0]
    usual = not head.startswith("ال") and head not in _GENERIC | _CLASSES | _OFFICES and not head.endswith(("ه", "ين"))
    return len(name) <= 4 and (titled or (len(name) >= 2 and usual))


def _same_person(form: _Form, other: _Form) -> bool:
    short, long = sorted((_name_of(form), _name_of(other)), key=len)
    return _is_person(other if len(_name_of(other)) >= len(_name_of(form)) else form) and long[-len(short) :] == short


def _same_class(form: _Form, other: _Form) -> bool:
    plain = [f[1:] if len(f) > 1 and f[0] in _CLASSES else f for f in (form, other)]
    return plain[0] == plain[1]


def _shortened(form: _Form, other: _Form) -> bool:
    short, long = sorted((form, other), key=len)
    return len(short) >= 2 and long[: len(short)] == short


def _takes_up(form: _Form, other: _Form) -> bool:
    """Return whether a definite form repeats the head of an earlier one and no word that it lacks."""
    if not form[0].startswith("ال") or _bare(form[0]) != _bare(other[0]):
        return False
    fresh = form[0] != other[0]
    return (fresh or len(form) < len(other)) and {_bare(w) for w in form} <= {_bare(w) for w in other}


def _beside(mention: Named, form: _Form, before: tuple[Named, _Entity], text: str) -> _Entity | None:
    """Return the entity of the mention right before, where one of the two is an office and the other a name."""
    other, entity = before
    gap = text[other.end : mention.start]
    if gap not in ("، ", " ") or other.sector != mention.sector:
        return None
    last = _form(other.surface)
    pairs = ((form, last), (last, form))
    fits = any(office[0] in _OFFICES and _is_person(name) and name[0] not in _OFFICES for office, name in pairs)
    return entity if fits else None
