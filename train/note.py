"""The note beside an encoder or a model of what taught it before the project's own labels did.

It goes on into the folder, and so the card, of every model trained from there. Its keys stand in the order in which
they were learnt from: `pretraining` (`rasid train pretrain`), `corpora` (`rasid train auxiliary`), `vocabulary`
(`rasid train words`), `labels` (runs that made it a tagger) and `teachers` (what the encoders of those taggers learnt
from that the model, or what it began from, was distilled from).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from rasid.data.errors import DataError

NOTE: Final = "auxiliary.json"
_TEACHERS: Final = "teachers"
_LABELS: Final = "labels"
_LEARNT: Final = frozenset({"pretraining", "corpora", "vocabulary"})


def read_note(folder: Path) -> dict[str, Any]:
    """Return the note in a folder, empty where there is none (as for a name on the hub).

    Raises:
        DataError: where it is no JSON object.
    """
    path = folder / NOTE
    if not path.is_file():
        return {}
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"not JSON: {error}", source=str(path)) from None
    if not isinstance(note, dict):
        raise DataError("not a JSON object", source=str(path))
    return note


def write_note(folder: Path, note: Mapping[str, Any]) -> None:
    """Write a note into a folder."""
    (folder / NOTE).write_text(json.dumps(note, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def note_of_encoder(encoder: str) -> dict[str, Any]:
    """Return what is to be noted of whatever is trained from an encoder: its name, and all that its own note says."""
    return {"encoder": Path(encoder).name, **read_note(Path(encoder))}


def name_of(model: Path) -> str:
    """Return what to call a trained model: the run whose folder `model` it is, else its own folder."""
    return model.parent.name if model.name == "model" else model.name


def with_teachers(note: Mapping[str, Any], teachers: Iterable[Path]) -> dict[str, Any]:
    """Return a note that also says what the encoders of teachers learnt from, and those of the teachers' teachers.

    Args:
        note: of the student's encoder.
        teachers: folders of trained models; those without a note have nothing to tell.
    """
    names: dict[str, list[str]] = {}
    learnt: dict[str, dict[str, Any]] = {}
    for entry in [*note.get(_TEACHERS, ()), *(e for folder in teachers for e in _entries(folder))]:
        # teachers often differ in the seed alone: those who learnt the same are named together
        key = json.dumps(entry["learnt"], sort_keys=True)
        learnt[key] = entry["learnt"]
        names[key] = list(dict.fromkeys([*names.get(key, ()), *entry["names"]]))
    found = [{"names": names[key], "learnt": learnt[key]} for key in learnt]
    return {**note, _TEACHERS: found} if found else dict(note)


def _entries(folder: Path) -> list[dict[str, Any]]:
    note = read_note(folder)
    own = {key: value for key, value in note.items() if key not in (_TEACHERS, _LABELS)}
    entries: list[dict[str, Any]] = [{"names": [name_of(folder)], "learnt": own}] if own.keys() & _LEARNT else []
    return entries + list(note.get(_TEACHERS, ()))
