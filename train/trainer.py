"""How a model comes to be: features, epochs, dev scores, checkpoints that resume, and the folder that ships.

The folder of a run holds `log.jsonl` (a line every few steps and a line an epoch), `last/` (all that resuming needs),
`best.safetensors` (the weights of the best epoch) and, when it is done, `model/` (what `Tagger.from_pretrained` loads).
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from tqdm.auto import tqdm

from rasid.data.errors import DataError
from rasid.data.schema import Article
from rasid.inference.batches import Batch, Special, by_length
from rasid.inference.calibration import calibrate, calibration_errors, fit_curve, outcomes
from rasid.inference.evaluation.scores import Scores, score
from rasid.inference.loading import backend, special_tokens
from rasid.inference.model import RasidModel
from rasid.inference.runtime.torch import TorchRuntime
from rasid.inference.tagger import Runtime, Tagger
from rasid.train.augment import augment, collect_names
from rasid.train.average import Average, swapped
from rasid.train.base import build_from_registry
from rasid.train.card import RunFacts, write_card
from rasid.train.checkpoint import drop_checkpoints, find_checkpoint, read_state, weights_of, write_checkpoint
from rasid.train.config import RASID_BASE, TrainConfig
from rasid.train.corpus import load_corpus
from rasid.train.distil import digests, mix, read_unlabelled, soft_losses, tag_unlabelled
from rasid.train.features import Features, TrainingBatch, collate, plan_epoch
from rasid.train.log import append_log
from rasid.train.losses import losses, total
from rasid.train.optim import make_optimizer, optimizer_tensors, restore_optimizer, set_rate
from rasid.train.setup import load_tokenizer, new_model, precision_of
from rasid.train.teaching import Reader, Teaching, to_tensors
from rasid.train.views import View

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_LOG_EVERY: Final = 20
# The layers whose mean F1 decides which epoch is best.
_CHOOSE_BY: Final = ("ACTOR", "LOCATION", "event type", "role")
# Events are calibrated from here on; those of a lower probability are never reported.
_LOWEST: Final = 0.05
_THRESHOLDS: Final = tuple(round(0.2 + 0.05 * i, 2) for i in range(11))


@dataclass(slots=True)
class Progress:
    """Where a run stands; kept with each checkpoint."""

    epoch: int = 0
    step: int = 0
    best: float = -1.0
    best_epoch: int = 0
    seconds: float = 0.0


class Training:
    """One run, from a configuration to a model folder."""

    def __init__(
        self,
        config: TrainConfig,
        out: Path,
        device: str = "auto",
        texts_at: Sequence[Path] = (),
        *,
        quiet: bool = True,
    ) -> None:
        """Load the encoder and the corpus; nothing is trained yet.

        Args:
            config: what to do.
            out: the folder of the run; created where it is not there.
            device: `auto` or `cpu`.
            texts_at: places with the texts of stand-off labels, beside those that the configuration names.
            quiet: without a progress bar while a teacher tags.

        Raises:
            DataError: where the encoder or the corpus cannot be had.
        """
        self.config = config
        self.out = out
        self.corpus = load_corpus(config, texts_at)
        out.mkdir(parents=True, exist_ok=True)
        self.accelerator = Accelerator(
            cpu=device == "cpu", mixed_precision=precision_of(config.optim.precision, device)
        )
        set_seed(config.optim.seed)
        self.encoder_path = self._encoder_path()
        self.tokenizer: PreTrainedTokenizerBase = load_tokenizer(self.encoder_path)
        self.special: Special = special_tokens(self.tokenizer)
        self.model = new_model(config, self.encoder_path)
        self.teaching = self._teaching()
        self.articles = [*self.corpus.train, *self._unlabelled(quiet)]
        self.features = [reader.read(self.articles) for reader in self.teaching.readers]
        self.names = collect_names(self.articles if config.augment else ())
        self.progress = Progress()

    def run(self, *, resume: bool = True, quiet: bool = False) -> Path:
        """Train to the end, or from the last checkpoint to the end, and write the model folder.

        Args:
            resume: go on from `last/` where it is there; False starts anew.
            quiet: without a progress bar.

        Returns:
            The folder of the trained model.
        """
        optim = self.config.optim
        optimizer = make_optimizer(self.model, optim)
        model, optimizer = self.accelerator.prepare(self.model, optimizer)
        average = Average(self.model, optim.average) if optim.average else None
        if resume and (last := find_checkpoint(self.out)):
            self._restore(last, optimizer, average)
        else:
            drop_checkpoints(self.out)
            (self.out / "log.jsonl").unlink(missing_ok=True)
            self._log({"begin": {"articles": len(self.corpus.train), "corpus": self.corpus.fingerprint()}})
        while self.progress.epoch < optim.epochs and not self._out_of_patience():
            self._epoch(model, optimizer, average, quiet)
            self._close_epoch(optimizer, average)
        return self._finish()

    def _epoch(self, model: RasidModel, optimizer: torch.optim.Optimizer, average: Average | None, quiet: bool) -> None:
        optim = self.config.optim
        number = self.progress.epoch
        # every epoch draws from its own seed, so that a resumed run goes the way of an uninterrupted one
        set_seed(optim.seed + 1000 * number)
        rng = np.random.default_rng([optim.seed, number])
        features = self._features_of_epoch(number)
        size = self.config.model.window
        windows = plan_epoch(features[0], size, rng, self.teaching.sizes(self.articles, features, size))
        groups = by_length([len(window) + 2 for _, window in windows], optim.batch_tokens)
        order = rng.permutation(len(groups))
        started = time.monotonic()
        model.train()
        running: dict[str, float] = {}
        bar = tqdm(order, desc=f"epoch {number + 1}/{optim.epochs}", unit="batch", disable=quiet, dynamic_ncols=True)
        for index, group in enumerate(bar):
            rate = set_rate(optimizer, (number + index / len(groups)) / optim.epochs, optim.warmup)
            own = [windows[i] for i in groups[group]]
            labels = collate(features[0], own, self.special)
            parts = self._step(model, optimizer, labels, self.teaching.views(features, own, labels))
            if average:
                average.update(self.model, self.progress.step)
            self.progress.step += 1
            for name, value in parts.items():
                running[name] = 0.95 * running.get(name, value) + 0.05 * value
            if self.progress.step % _LOG_EVERY == 0:
                shown = {name: round(value, 4) for name, value in running.items()}
                self._log({"step": self.progress.step, "epoch": number + 1, "rate": round(rate, 5), "loss": shown})
                bar.set_postfix({name: f"{value:.2f}" for name, value in running.items()}, refresh=False)
        self.progress.seconds += time.monotonic() - started
        self.progress.epoch += 1

    def _features_of_epoch(self, number: int) -> list[list[Features]]:
        """Return the features of the articles by reader, of those that are changed in this epoch anew."""
        how = self.config.augment
        if not how:
            return self.features
        rng = np.random.default_rng([self.config.optim.seed, number, 1])
        changed = [augment(article, how, self.names, rng) for article in self.articles]
        new = {i: own for i, (own, old) in enumerate(zip(changed, self.articles, strict=True)) if own is not old}
        found = [list(known) for known in self.features]
        for features, reader in zip(found, self.teaching.readers, strict=True):
            for index, fresh in zip(new, reader.read(list(new.values())), strict=True):
                features[index] = fresh
        return found

    def _unlabelled(self, quiet: bool) -> list[Article]:
        """Return texts without labels as the first teacher tags them."""
        distil = self.config.distil
        if not distil.texts:
            return []
        known = digests([*self.corpus.train, *self.corpus.dev]) | self.corpus.forbidden
        found = read_unlabelled(self.config.paths(distil.texts), distil.limit, known)
        if not found:
            raise DataError("there is no text to be tagged", source=", ".join(distil.texts))
        device = str(self.accelerator.device)
        tagger = Tagger.from_pretrained(self.config.paths(distil.teachers)[0], device, precision="fp32")
        return tag_unlabelled(found, tagger, quiet)

    def _teaching(self) -> Teaching:
        distil = self.config.distil
        own = Reader(backend(self.tokenizer), self.special, self.config.model.window)
        folders = self.config.paths(distil.teachers if distil.weight else ())
        # rounding the weights of teachers once is what autocast would do in every step
        dtype = torch.bfloat16 if self.accelerator.mixed_precision == "bf16" else torch.float32
        teaching = Teaching(own, folders, self.accelerator.device, dtype)
        if distil.states:
            teaching.watch_states(self.model)
        return teaching

    def _step(
        self, model: RasidModel, optimizer: torch.optim.Optimizer, labels: TrainingBatch, views: Sequence[View]
    ) -> dict[str, float]:
        with self.accelerator.autocast():
            logits = model(*to_tensors(labels.batch, self.accelerator.device))
            taught = self.teaching.ask(views)
        parts = losses(logits, labels, self.config.loss.focus)
        if taught:
            parts = mix(parts, soft_losses(logits, taught, labels), self.config.distil.weight)
        whole = total(parts, self.config.loss)
        states = self.teaching.state_loss(views)
        if states is not None:
            parts["states"] = states
            whole = whole + self.config.distil.states * states
        self.accelerator.backward(whole)
        self.accelerator.clip_grad_norm_(model.parameters(), self.config.optim.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        # together: each transfer waits for the GPU
        return dict(zip(parts, torch.stack([value.detach() for value in parts.values()]).tolist(), strict=True))

    def _close_epoch(self, optimizer: torch.optim.Optimizer, average: Average | None) -> None:
        """Score dev, keep the weights where they are the best so far, and write the checkpoint to resume from."""
        progress = self.progress
        if progress.epoch >= self.config.optim.evaluate_from or progress.epoch == self.config.optim.epochs:
            with swapped(self.model, average):
                settings = self.model.config
                tagged = self._tag_dev(self._runtime(), settings.event_threshold, settings.mode_threshold)
                scores = score(self.corpus.dev, tagged)
                value = _choose(scores)
                if value > progress.best:
                    progress.best, progress.best_epoch = value, progress.epoch
                    save_file(weights_of(self.model), self.out / "best.safetensors")
            line = {"epoch": progress.epoch, "dev": _brief(scores), "choose": round(value, 4)}
            self._log(line)
        self._checkpoint(optimizer, average)

    def _tag_dev(self, runtime: Runtime, threshold: float, mode_threshold: float | None) -> list[Article]:
        tagger = Tagger(
            runtime,
            backend(self.tokenizer),
            self.special,
            window=self.config.model.window,
            event_threshold=threshold,
            mode_threshold=mode_threshold,
        )
        return tagger.tag(self.corpus.dev)

    def _runtime(self) -> TorchRuntime:
        # dev is scored in the precision that the run trains in
        half = self.accelerator.mixed_precision != "no"
        return TorchRuntime(self.accelerator.unwrap_model(self.model), str(self.accelerator.device), half=half)

    def _out_of_patience(self) -> bool:
        progress, patience = self.progress, self.config.optim.patience
        return bool(patience and progress.best_epoch and progress.epoch - progress.best_epoch >= patience)

    def _checkpoint(self, optimizer: torch.optim.Optimizer, average: Average | None) -> None:
        tensors = {"model": weights_of(self.model), "optimizer": optimizer_tensors(optimizer)}
        if average:
            tensors["average"] = average.tensors
        write_checkpoint(self.out, tensors, {**asdict(self.progress), "config": plain_config(self.config)})

    def _restore(self, last: Path, optimizer: torch.optim.Optimizer, average: Average | None) -> None:
        state = read_state(last)
        if state.pop("config") != plain_config(self.config):
            raise DataError(
                "this run was begun with another configuration; give another --out or --restart",
                source=str(last),
            )
        self.progress = Progress(**state)
        self.model.load_state_dict(load_file(last / "model.safetensors"))
        restore_optimizer(optimizer, load_file(last / "optimizer.safetensors"))
        if average:
            average.tensors = load_file(last / "average.safetensors", device=str(self.accelerator.device))

    def _finish(self) -> Path:
        """Fit calibration and thresholds on dev with the best weights, and write the model folder."""
        best = self.out / "best.safetensors"
        if best.is_file():
            self.model.load_state_dict(load_file(best))
        model = self.accelerator.unwrap_model(self.model).cpu()
        runtime = _Remembering(self._runtime())
        settings = model.config
        tagged = self._tag_dev(runtime, _LOWEST, None)
        before = calibration_errors(self.corpus.dev, tagged)
        curves = {layer: fit_curve(*pair) for layer, pair in outcomes(self.corpus.dev, tagged).items()}
        settings.calibration = {layer: [round(c.scale, 4), round(c.shift, 4)] for layer, c in curves.items()}
        tagged = [calibrate(article, curves) for article in tagged]
        found = {t: [_events_from(article, t) for article in tagged] for t in _THRESHOLDS}
        settings.event_threshold = self._best(found, "event type")
        found = {}
        for threshold in _THRESHOLDS:
            tagged = [calibrate(a, curves) for a in self._tag_dev(runtime, _LOWEST, threshold)]
            found[threshold] = [_events_from(article, settings.event_threshold) for article in tagged]
        settings.mode_threshold = self._best(found, "mode")
        tagged = found[settings.mode_threshold]
        scores = score(self.corpus.dev, tagged, resamples=1000)
        folder = self.out / "model"
        shutil.rmtree(folder, ignore_errors=True)
        model.to(torch.float16).save_pretrained(folder)
        model.to(torch.float32)
        self.tokenizer.save_pretrained(folder)
        run = self.progress
        unlabelled = len(self.articles) - len(self.corpus.train)
        facts = RunFacts(run.seconds, run.best_epoch, self._hardware(), Path(self.encoder_path), unlabelled)
        write_card(folder, self.config, self.corpus.train, self.corpus.dev, scores, facts)
        calibration = {"before": before, "after": calibration_errors(self.corpus.dev, tagged)}
        thresholds = {"threshold": settings.event_threshold, "mode threshold": settings.mode_threshold}
        chosen = {**thresholds, "calibration error": calibration}
        self._log({"done": True, **chosen, "dev": _brief(scores)})
        return folder

    def _best(self, found: dict[float, list[Article]], layer: str) -> float:
        """Return the threshold whose articles score best in a layer, of equals the nearest to a half."""
        f1 = {threshold: score(self.corpus.dev, articles).counts[layer].f1 for threshold, articles in found.items()}
        return max(f1, key=lambda threshold: (round(f1[threshold], 4), -abs(threshold - 0.5)))

    def _log(self, line: dict[str, Any]) -> None:
        append_log(self.out / "log.jsonl", {**line, "seconds": round(self.progress.seconds, 1)})

    def _hardware(self) -> str:
        if self.accelerator.device.type == "cuda":
            return f"a GPU ({torch.cuda.get_device_name()})"
        return f"a CPU ({torch.get_num_threads()} threads)"

    def _encoder_path(self) -> str:
        name = self.config.model.encoder
        if name != RASID_BASE:
            local = self.config.folder / name
            return str(local) if local.is_dir() else name
        folder = self.out / RASID_BASE
        if not (folder / "model.safetensors").is_file():
            build_from_registry(folder)
        return str(folder)


class _Remembering:
    """A runtime that computes each batch once, for dev articles that are decoded again and again."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.sizes = runtime.sizes
        self.parallel = runtime.parallel
        self._known: dict[bytes, dict[str, NDArray[np.float32]]] = {}

    def __call__(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        name = b"".join((batch.input_ids.tobytes(), batch.sentence_mask.tobytes()))
        if name not in self._known:
            self._known[name] = self._runtime(batch)
        return self._known[name]


def plain_config(config: TrainConfig) -> dict[str, Any]:
    """Return a configuration as JSON holds it, without the folder that its paths are relative to."""
    plain = json.loads(json.dumps({k: v for k, v in asdict(config).items() if k != "folder"}))
    return dict(plain)


def _events_from(article: Article, threshold: float) -> Article:
    """Leave out the events below a threshold."""
    return replace(article, events=tuple(e for e in article.events if (e.score or 0.0) >= threshold))


def _choose(scores: Scores) -> float:
    return sum(scores.counts[name].f1 for name in _CHOOSE_BY) / len(_CHOOSE_BY)


def _brief(scores: Scores) -> dict[str, float]:
    named = {name: round(c.f1, 4) for name, c in scores.counts.items() if not name.startswith("type/")}
    return {**named, "event macro": round(scores.macro, 4)}
