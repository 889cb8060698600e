"""The label scheme: PLOVER event types with their modes, actor sectors, and the two span labels.

Types and modes are those of PLOVER, the political event ontology of the Open Event Data Alliance; sectors are
its actor sectors, with `UNK` for an actor that fits none. `GUIDELINES.md` says when each applies.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, Literal

Label = Literal["ACTOR", "LOCATION"]

ACTOR: Final = "ACTOR"
LOCATION: Final = "LOCATION"
LABELS: Final[tuple[Label, ...]] = (ACTOR, LOCATION)

SECTORS: Final[tuple[str, ...]] = (
    *("GOV", "MIL", "SPY", "COP", "PRM", "REB", "UAF", "PTY", "OPP", "LEG", "JUD", "ELI"),
    *("CVL", "REF", "JRN", "MED", "NGO", "IGO", "REL", "BUS", "LAB", "EDU", "CRM", "UNK"),
)

MODES: Final[MappingProxyType[str, tuple[str, ...]]] = MappingProxyType(
    {
        "AGREE": (),
        "CONSULT": ("visit", "third-party", "multilateral", "phone"),
        "SUPPORT": (),
        "CONCEDE": (),
        "COOPERATE": (),
        "AID": (),
        "RETREAT": ("withdraw", "release", "disarm", "ceasefire", "access", "resign"),
        "REQUEST": ("assist", "change", "yield", "meet"),
        "ACCUSE": ("disapprove", "investigate", "allege"),
        "REJECT": ("assist", "change", "yield", "meet"),
        "THREATEN": ("restrict", "arrest", "relations", "expel", "territory", "violence"),
        "PROTEST": ("demo", "riot", "strike", "hunger", "boycott", "obstruct", "vandalize"),
        "SANCTION": ("convict", "expel", "withdraw", "discontinue"),
        "MOBILIZE": ("troops", "weapons", "police", "militia"),
        "COERCE": (
            *("seize", "restrict", "censor", "curfew", "martial-law"),
            *("arrest", "deport", "withhold", "misinformation", "cyber"),
        ),
        "ASSAULT": (
            *("abduct", "beat", "torture", "sexual", "targeted", "destroy", "primitive", "firearms"),
            *("explosives", "suicide-attack", "aerial", "drone", "heavy-weapons", "crowd-control"),
            "unconventional",
        ),
    }
)

EVENT_TYPES: Final[tuple[str, ...]] = tuple(MODES)

ROLES: Final[tuple[str, ...]] = ("source", "target", "location")

# Section 3 of the guidelines in words: what names no place unless a name stands with it, the directions that belong to
# the name right after them, and the class nouns before which a direction stays outside.
NAMELESS_PLACES: Final = frozenset(
    (
        *("الريف", "ريف", "المدينة", "مدينة", "البلدة", "بلدة", "القرية", "قرية", "المحافظة", "محافظة", "الناحية"),
        *("ناحية", "المنطقة", "المديرية", "البلاد", "الشمالي", "الجنوبي", "الشرقي", "الغربي"),
    )
)
DIRECTIONS: Final = frozenset(("شمال", "جنوب", "شرق", "غرب", "شمالي", "جنوبي", "شرقي", "غربي"))
PLACE_CLASSES: Final = frozenset(
    (
        *("مدينة", "بلدة", "قرية", "محافظة", "ناحية", "منطقة", "مديرية", "حي", "ولاية", "مطار", "طريق", "الطريق"),
        *("معبر", "سجن", "قاعدة", "ميناء", "مرفأ", "مخيم", "نهر", "جسر", "سد", "حاجز", "محطة", "مشفى", "مستشفى"),
        *("قصر", "دوار", "ساحة", "شارع", "جبل", "تل", "وادي", "بحيرة", "بحر", "البحر", "المحيط", "الخط", "خط"),
        *("حقل", "مصفاة", "معسكر", "الحدود", "حدود", "مقر", "مبنى", "مسجد", "جامع", "كنيسة", "سوق", "قلعة", "ريف"),
    )
)
