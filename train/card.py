"""The model card that goes with a trained model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rasid.data.errors import DataError
from rasid.data.schema import Article
from rasid.inference.evaluation.scores import Scores
from rasid.inference.report.scores import table
from rasid.train.config import RASID_BASE, TrainConfig
from rasid.train.note import name_of, read_note, with_teachers, write_note

# Corpora that stand-off labels may belong to, with the licences of their texts.
_LICENCES: Final = {
    "antcorpus": "ANT Corpus, Tunisian and international news, Apache-2.0",
    "syrian-archive-reports": "reports of the Syrian Archive, CC BY-SA 4.0",
}
_BEGIN: Final = "<!-- held-out scores: written by `rasid train card` -->"
_END: Final = "<!-- end of held-out scores -->"
_TEMPLATE: Final = """---
language: ar
license: apache-2.0
library_name: rasid
tags: [arabic, token-classification, event-extraction, plover, conflict]
---

# {name}

Tags Arabic news with actors (and their sectors), locations, PLOVER event types with modes by sentence, and the source,
target and place of each event. Load it with `rasid.inference.tagger.Tagger.from_pretrained(FOLDER)`.

## What it learnt from

- Encoder: {encoder}.{before}{begun}
- {articles} labelled articles, {sentences} sentences, {words} words:
{sources}{teachers}{taught}
- Chosen on {dev_articles} dev articles ({dev_sentences} sentences): the epoch, the thresholds of events and modes and
  the calibration, nothing else.

The labels were made by the project's guidelines (`data/GUIDELINES.md`) with a language model as annotator. Articles of
the corpus that say `"fiction": true` are invented and must not be taken for reports.

## How

Configuration (seed {seed}, best epoch {best_epoch} of {epochs}, {minutes:.0f} minutes of training on {hardware}):

```
{configuration}
```

## Scores on the run's dev articles

The epoch and the thresholds were chosen on these articles, so these figures flatter; 95% intervals by bootstrap over
articles (1,000 resamples, seed 0).

```
{scores}
```

{begin}
{end}

## Limits

A small model: names it has not seen, dialect, irony and long chains of participants are where it errs. One event of a
type per sentence is reported. Feared, planned and denied events are sometimes taken for real ones. Mentions are
joined into entities by rules on their words. Scores are probabilities calibrated on the dev articles.
It describes what texts say, not what happened: do not use it to target or to accuse anyone.
"""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run says of itself.

    Args:
        seconds: of training.
        best_epoch: whose weights were kept.
        hardware: that it ran on, in words.
        encoder: the folder that it began from.
        unlabelled: texts without labels that a teacher tagged for it.
    """

    seconds: float
    best_epoch: int
    hardware: str
    encoder: Path
    unlabelled: int = 0


def write_card(
    folder: Path,
    config: TrainConfig,
    train: Sequence[Article],
    dev: Sequence[Article],
    scores: Scores,
    facts: RunFacts,
) -> None:
    """Write `README.md` into a model folder: what it learnt from, how, and how it scores on the run's dev articles."""
    note = with_teachers(read_note(facts.encoder), config.paths(config.distil.teachers))
    named = config.model.encoder if config.model.encoder == RASID_BASE else name_of(Path(config.model.encoder))
    encoder = str(note.get("encoder", named))
    if encoder == RASID_BASE:
        encoder = "rasid-base, intfloat/multilingual-e5-small (MIT) trimmed to Arabic by `rasid train base`"
    text = _TEMPLATE.format(
        name=f"rasid tagger on {config.model.encoder}",
        encoder=encoder,
        before=_before(note),
        begun=f"\n- That tagger is {named}, begun from with its heads." if config.model.heads else "",
        articles=f"{len(train):,}",
        sentences=f"{sum(len(a.sentences) for a in train):,}",
        words=f"{sum(len(a.text.split()) for a in train):,}",
        sources="\n".join(f"  - {line}" for line in _sources(train)),
        teachers=_teachers(config, facts.unlabelled),
        taught=_taught(note),
        dev_articles=len(dev),
        dev_sentences=sum(len(a.sentences) for a in dev),
        seed=config.optim.seed,
        best_epoch=facts.best_epoch,
        epochs=config.optim.epochs,
        minutes=facts.seconds / 60,
        hardware=facts.hardware,
        configuration=_configuration(config),
        scores=table(scores),
        begin=_BEGIN,
        end=_END,
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    # who learns from this model goes on from what it learnt
    own: dict[str, Any] = {"articles": len(train), "unlabelled": facts.unlabelled, "sources": list(_sources(train))}
    if facts.unlabelled:
        own["places"] = [Path(name).name for name in config.distil.texts]
    write_note(folder, {"encoder": named, **note, "labels": [*note.get("labels", ()), own]})


def write_held_out(folder: Path, parts: Sequence[tuple[str, str]]) -> None:
    """Write scores on articles that the model has not learnt from into its card, in place of those that it has.

    Args:
        folder: of the model.
        parts: what each table is of, in a sentence, and the table.

    Raises:
        DataError: where the folder has no card, or a card without a place for them.
    """
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    if _BEGIN not in text or _END not in text:
        raise DataError("there is no model card with a place for held-out scores", source=str(card))
    before, _, rest = text.partition(_BEGIN)
    shown = "\n\n".join(f"{name}\n\n```\n{scores}\n```" for name, scores in parts)
    section = f"## Scores on articles that nothing was trained on\n\n{shown}"
    card.write_text(f"{before}{_BEGIN}\n{section}\n{_END}{rest.partition(_END)[2]}", encoding="utf-8")


def _before(note: Mapping[str, Any]) -> str:
    """Say what the encoder learnt from before, a line for each time and one for each source."""
    lines: list[str] = []
    for said, sources in _steps(note):
        lines += [f"- It {'then' if lines else 'first'} {said}:", *(f"  - {source}" for source in sources)]
    return "".join(f"\n{line}" for line in lines)


def _taught(note: Mapping[str, Any]) -> str:
    """Say what the encoders of teachers learnt from before, a line for each that differs."""
    lines: list[str] = []
    for entry in note.get("teachers", ()):
        steps = "; then ".join(f"{said}: {'; '.join(sources)}" for said, sources in _steps(entry["learnt"]))
        lines.append(f"  - The encoder of {', '.join(entry['names'])} first {steps}.")
    head = "- What taggers that taught it, or what it began from, had learnt from before:"
    return "".join(f"\n{line}" for line in (head, *lines)) if lines else ""


def _steps(note: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield what an encoder did, in the order of its note, and the sources."""
    for key, value in note.items():
        if key == "pretraining":
            for run in value:
                how = f"{run['pieces']:,} pieces, {run['epochs']} epochs, rate {run['lr']}, seed {run['seed']}"
                said = f"read {run['texts']:,} texts by masked language modelling, by `rasid train pretrain` ({how})"
                yield said, [_LICENCES.get(name, name) for name in run["places"]]
        if key == "labels":
            for run in value:
                count = run["unlabelled"]
                more = f" and {count:,} texts without labels that a teacher tagged" if count else ""
                places = [_LICENCES.get(name, name) for name in run.get("places", ())]
                yield f"learnt to tag from {run['articles']:,} labelled articles{more}", [*run["sources"], *places]
        if key == "vocabulary":
            yield (
                f"was given {value['words']:,} words as pieces, by `rasid train words`, the commonest of",
                [_LICENCES.get(name, name) for name in value["places"]],
            )
        if key == "corpora":
            how = f"{note['epochs']} epochs, rate {note['lr']}, seed {note['seed']}"
            said = f"learnt the named entities of public corpora, by `rasid train auxiliary` ({how})"
            yield said, [f"{c['title']}: {c['sentences']:,} sentences" for c in value.values()]


def _teachers(config: TrainConfig, unlabelled: int) -> str:
    distil = config.distil
    if not distil.teachers:
        return ""
    names = ", ".join(name_of(Path(name)) for name in distil.teachers)
    line = f"\n- Its teachers, {len(distil.teachers)} trained taggers ({names}): {distil.weight} of the loss."
    if not unlabelled:
        return line
    places = ", ".join(_LICENCES.get(Path(name).name, Path(name).name) for name in distil.texts)
    return f"{line}\n- {unlabelled:,} texts without labels, tagged by the first of them: {places}."


def _sources(articles: Sequence[Article]) -> list[str]:
    counts = Counter(
        str(a.meta.get("corpus", "written for rasid" if a.meta.get("fiction") else "other")) for a in articles
    )
    return [f"{n:,} articles: {_LICENCES.get(name, name)}" for name, n in counts.most_common()]


def _configuration(config: TrainConfig) -> str:
    lines = []
    for name, values in asdict(config).items():
        if isinstance(values, dict):
            lines.append(f"[{name}]")
            lines += [f"{key} = {value!r}" for key, value in values.items()]
    return "\n".join(lines)
