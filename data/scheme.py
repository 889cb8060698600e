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
