"""The tagger's network: one encoder, one pass, several heads.

All heads are functions of the token states and of sentence masks alone, so the whole network is one graph: arrays in,
logits out. What needs spans (the sector of a mention, its roles) is given for each token and averaged over the
span's tokens by whoever decodes; the heads are linear there, so this equals scoring the averaged states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from rasid.data.scheme import EVENT_TYPES, ROLES, SECTORS
from rasid.inference.layout import BIO, MAX_DISTANCE, MAX_GAP, MODE_COLUMNS, TYPE_OF_COLUMN
from rasid.inference.pieces import MAX_PROCLITICS


class RasidConfig(PretrainedConfig):
    """Configuration of `RasidModel`.

    Args:
        encoder: the configuration of the encoder, as a dictionary with its `model_type`.
        window: the most pieces that the model reads at once, special tokens left out.
        role_size: width of the space in which mentions and events meet.
        head_dropout: dropout before the heads.
        event_threshold: probability from which an event type is reported.
        mode_threshold: probability from which a further mode of an event type is reported beside its likeliest; None
            reports the likeliest alone.
        calibration: scale and shift of the calibration curve of each layer that has one.
    """

    model_type = "rasid"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        window: int = 254,
        role_size: int = 128,
        head_dropout: float = 0.1,
        event_threshold: float = 0.5,
        mode_threshold: float | None = None,
        calibration: dict[str, list[float]] | None = None,
        **kwargs: Any,  # noqa: ANN401 - the base class takes anything
    ) -> None:
        """Keep the settings; see the class."""
        self.encoder = encoder or {}
        self.window = window
        self.role_size = role_size
        self.head_dropout = head_dropout
        self.event_threshold = event_threshold
        self.mode_threshold = mode_threshold
        self.calibration = calibration or {}
        super().__init__(**kwargs)


@dataclass(slots=True)
class Logits:
    """What the network says of B windows of T tokens and S sentences.

    Args:
        actor: (B, T, 3), O, B, I of the ACTOR layer.
        location: (B, T, 3), of the LOCATION layer.
        proclitic: (B, T, MAX_PROCLITICS + 1), letters before the span that begins with this token's word.
        sector: (B, T, sectors).
        event: (B, S, types), independent: a sigmoid each.
        mode: (B, S, len(MODE_COLUMNS)), independent: a sigmoid each; those of a type that is reported count.
        token_role: (B, T, roles + 1, role_size), a token's side of the role score.
        event_role: (B, S, types, role_size), an event's side.
        event_at: (B, S, types), the token that the event's words centre on: where the type's attention lies on average.
        role_bias: (2 * MAX_DISTANCE + 1, roles + 1), added by how far the mention's sentence lies from the event's.
        gap_bias: (2 * MAX_GAP + 1, roles + 1), added by how far the mention's first token lies from `event_at`.
    """

    actor: Tensor
    location: Tensor
    proclitic: Tensor
    sector: Tensor
    event: Tensor
    mode: Tensor
    token_role: Tensor
    event_role: Tensor
    event_at: Tensor
    role_bias: Tensor
    gap_bias: Tensor


class RasidModel(PreTrainedModel):
    """Encoder with the heads for actors, locations, proclitics, sectors, events, modes and roles."""

    config_class = RasidConfig
    base_model_prefix = "encoder"

    def __init__(self, config: RasidConfig, encoder: PreTrainedModel | None = None) -> None:
        """Build the network; the encoder is random unless one is given."""
        super().__init__(config)
        if encoder is None:
            encoder = build_encoder(config.encoder)
        self.encoder = encoder
        width = encoder.config.hidden_size
        self.dropout = nn.Dropout(config.head_dropout)
        self.actor = nn.Linear(width, len(BIO))
        self.location = nn.Linear(width, len(BIO))
        self.proclitic = nn.Linear(width, MAX_PROCLITICS + 1)
        self.sector = nn.Linear(width, len(SECTORS))
        self.event_query = nn.Linear(width, len(EVENT_TYPES))
        self.event = nn.Parameter(torch.empty(len(EVENT_TYPES), width))
        self.event_bias = nn.Parameter(torch.zeros(len(EVENT_TYPES)))
        self.mode = nn.Parameter(torch.empty(len(MODE_COLUMNS), width))
        self.mode_bias = nn.Parameter(torch.zeros(len(MODE_COLUMNS)))
        self.token_role = nn.Linear(width, (len(ROLES) + 1) * config.role_size)
        self.event_role = nn.Linear(width, config.role_size)
        self.type_role = nn.Parameter(torch.zeros(len(EVENT_TYPES), config.role_size))
        self.role_bias = nn.Parameter(torch.zeros(2 * MAX_DISTANCE + 1, len(ROLES) + 1))
        self.gap_bias = nn.Parameter(torch.zeros(2 * MAX_GAP + 1, len(ROLES) + 1))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, RasidModel):
            nn.init.normal_(module.event, std=0.02)
            nn.init.normal_(module.mode, std=0.02)
            # most sentences do not report most types: begin from one in twelve
            nn.init.constant_(module.event_bias, -2.5)
            nn.init.zeros_(module.mode_bias)
            nn.init.zeros_(module.role_bias)
            nn.init.zeros_(module.gap_bias)
            # what the type alone says of who takes part: states of words do not name it
            nn.init.zeros_(module.type_role)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, sentence_mask: Tensor) -> Logits:
        """Score a batch of windows.

        Args:
            input_ids: int64 (B, T), special tokens included.
            attention_mask: int64 (B, T), 0 where padded.
            sentence_mask: bool (B, S, T), the tokens of each sentence; a row may be all False.

        Returns:
            The logits of every head.
        """
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        states = self.dropout(states)
        weights = self._attend(states, sentence_mask)
        pooled = torch.einsum("bset,btw->bsew", weights, states)
        event = (pooled * self.event).sum(-1) + self.event_bias
        of_type = torch.tensor(TYPE_OF_COLUMN, device=pooled.device)
        mode = (pooled[:, :, of_type] * self.mode).sum(-1) + self.mode_bias
        batch, tokens, _ = states.shape
        token_role = self.token_role(states).view(batch, tokens, len(ROLES) + 1, self.config.role_size)
        return Logits(
            actor=self.actor(states),
            location=self.location(states),
            proclitic=self.proclitic(states),
            sector=self.sector(states),
            event=event,
            mode=mode,
            token_role=token_role,
            event_role=self.event_role(pooled) + self.type_role,
            # a sum rather than a product: autocast would round the positions
            event_at=(weights.float() * torch.arange(tokens, device=weights.device)).sum(-1),
            role_bias=self.role_bias,
            gap_bias=self.gap_bias,
        )

    def _attend(self, states: Tensor, sentence_mask: Tensor) -> Tensor:
        """Return (B, S, types, T): how each event type attends to the tokens of each sentence."""
        scores = self.event_query(states).transpose(1, 2).unsqueeze(1)
        mask = sentence_mask.unsqueeze(2)
        # a finite floor: a sentence without tokens gets a plain average, never a NaN
        weights: Tensor = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
        return weights


def build_encoder(settings: dict[str, Any]) -> PreTrainedModel:
    """Return a randomly initialised encoder of the given configuration, without a pooler if it can do without."""
    rest = dict(settings)
    config = AutoConfig.for_model(rest.pop("model_type"), **rest)
    encoder: PreTrainedModel
    try:
        encoder = AutoModel.from_config(config, add_pooling_layer=False)
    except TypeError:
        encoder = AutoModel.from_config(config)
    return encoder


def load_encoder(name_or_path: str) -> PreTrainedModel:
    """Load a pretrained encoder, or that of a trained `RasidModel`; see `load_pretrained`."""
    return encoder_of(load_pretrained(name_or_path))


def encoder_of(model: PreTrainedModel) -> PreTrainedModel:
    """Return the encoder of a `RasidModel`; any other model is one."""
    return model.encoder if isinstance(model, RasidModel) else model


def load_pretrained(name_or_path: str) -> PreTrainedModel:
    """Load a trained `RasidModel` or a pretrained encoder, from a folder or, by name, from the hub; safetensors only.

    Returns:
        The model, in float32.

    Raises:
        OSError, ValueError: where there is none.
    """
    kind = PretrainedConfig.get_config_dict(name_or_path)[0].get("model_type")
    if kind == RasidConfig.model_type:
        whole: RasidModel = RasidModel.from_pretrained(name_or_path, use_safetensors=True, dtype=torch.float32)
        return whole
    encoder: PreTrainedModel
    try:
        encoder = AutoModel.from_pretrained(
            name_or_path, use_safetensors=True, dtype=torch.float32, add_pooling_layer=False
        )
    except TypeError:
        encoder = AutoModel.from_pretrained(name_or_path, use_safetensors=True, dtype=torch.float32)
    return encoder
