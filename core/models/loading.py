"""From a card to a reward model that can score: files, weights, tokenizer, the right family."""

import contextlib
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.modeling_layers import GenericForSequenceClassification
from transformers.utils import logging as transformers_logging

from core.errors import ModelLoadError
from core.models import weights
from core.models.adapters import AdapterHost, borrow_host
from core.models.base import RewardModel
from core.models.card import (
    AdapterSource,
    BaseSource,
    HubSource,
    RemoteSource,
    RewardModelCard,
)
from core.models.causal import CausalRewardModel
from core.models.derive import derive_card, is_unrefined, read_tokenizer_config
from core.models.encoder import EncoderRewardModel
from core.models.packing import pack_matrices, packed_bytes
from core.models.precision import Precision, default_device, resolve


def load_card_model(
    card: RewardModelCard, *, device: str | None = None, trusted_code: Collection[str] = ()
) -> RewardModel:
    """Loads the model a card describes.

    Args:
        card: what to load and how to read it.
        device: "cpu", "cuda:0", ...; by default the first GPU, else the CPU.
        trusted_code: "repo@revision" of repositories whose own code may run (operator's settings).

    Raises:
        ModelLoadError: names what is missing or refused, and what to do.
    """
    source = card.source
    if isinstance(source, RemoteSource):
        if card.family == "judge":
            return _load_other(card, "cpu")
        from core.models.remote import load_remote

        return load_remote(card)
    target = default_device(device)
    if card.family in _OTHER_FAMILIES:
        return _load_other(card, str(target))
    precision = resolve(card.dtype, target)
    if isinstance(source, AdapterSource):
        return _load_adapter(card, source, target, precision)
    folder = weights.fetch(source)
    if is_unrefined(card):
        config = weights.read_json(folder / "config.json")
        card = derive_card(config, read_tokenizer_config(folder), source, card_id=card.id)
        precision = resolve(card.dtype, target)
    trust = _may_run_code(source, folder, trusted_code)
    tokenizer = load_tokenizer(folder, card)
    model = load_classifier(folder, card, precision, target, trust_remote_code=trust)
    pad_id = settle_padding(card, tokenizer, model)
    family = CausalRewardModel if is_causal(model) else EncoderRewardModel
    return family(
        card,
        model,
        tokenizer,
        fingerprint=f"{weights.folder_hash(folder)}:{_reading_key(card)}:{precision.name}",
        pad_id=pad_id,
        precision=precision,
        n_bytes=model.get_memory_footprint() + packed_bytes(model),
    )


_OTHER_FAMILIES = ("judge", "implicit", "process", "rubric")
"""Families that stand on a language model and not on a classification head."""


def _load_other(card: RewardModelCard, device: str) -> RewardModel:
    if card.family == "judge":
        from core.models.judges import load_judge

        return load_judge(card, device=device)
    if card.family == "implicit":
        from core.models.implicit import load_implicit

        return load_implicit(card, device=device)
    if card.family == "process":
        from core.models.process import load_process

        return load_process(card, device=device)
    from core.models.rubric import load_rubric

    return load_rubric(card, device=device)


def load_tokenizer(folder: Path, card: RewardModelCard) -> PreTrainedTokenizerFast:
    """The checkpoint's fast tokenizer (character offsets are needed).

    Raises:
        ModelLoadError: when there is none.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise ModelLoadError(f"{card.id}: the tokenizer cannot be read: {error}") from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast) or not tokenizer.is_fast:
        raise ModelLoadError(
            f"{card.id}: the tokenizer has no fast version, which character positions need.",
            fix="Save the checkpoint with its tokenizer.json.",
        )
    if card.input.form == "chat-template" and not tokenizer.chat_template:
        raise ModelLoadError(
            f"{card.id}: the tokenizer has no chat template.",
            fix="Give the card input.form 'raw-template' with a template, or 'text-pair'.",
        )
    return tokenizer


def load_classifier(
    folder: Path,
    card: RewardModelCard,
    precision: Precision,
    device: torch.device,
    *,
    head_comes_later: bool = False,
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """Loads an `...ForSequenceClassification`, refusing one with missing weights.

    Args:
        head_comes_later: allow the classification head to be missing (an adapter brings it).

    Raises:
        ModelLoadError: names the missing weights, or why the checkpoint cannot be read.
    """
    options: dict[str, Any] = {
        "dtype": precision.weights,
        "use_safetensors": True,
        "trust_remote_code": trust_remote_code,
    }
    attention = _attention(card, folder, device)
    if attention is not None:
        options["attn_implementation"] = attention
    if head_comes_later:
        options["num_labels"] = max(1, len(card.reward.objectives))
    try:
        with _quiet():
            model, info = AutoModelForSequenceClassification.from_pretrained(
                folder, output_loading_info=True, **options
            )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise ModelLoadError(f"{card.id}: the checkpoint cannot be loaded: {error}") from error
    _refuse_missing(card, info, head_comes_later=head_comes_later)
    _check_labels(card, model)
    model.eval().requires_grad_(False)
    precision.prepare(model)
    placed: PreTrainedModel = model.to(device)
    if precision.mixed:
        pack_matrices(placed)
    return placed


def is_causal(model: PreTrainedModel) -> bool:
    """Whether the reward may be read through a prefix: a decoder whose tokens never look ahead."""
    config = model.config.get_text_config()
    looks_ahead = getattr(config, "use_bidirectional_attention", None) or not getattr(
        config, "is_causal", True
    )
    return isinstance(model, GenericForSequenceClassification) and not looks_ahead


def settle_padding(
    card: RewardModelCard, tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel
) -> int | None:
    """Puts one padding token on tokenizer and model, and returns its id (None: there is none).

    The card's token wins, then the model's own setting, then the tokenizer's. A model whose
    configuration names none pools the very last token; so do we, one sequence at a time.

    Raises:
        ModelLoadError: when the card's token is not in the vocabulary.
    """
    config = model.config.get_text_config()
    if card.padding.token is not None:
        pad_id = tokenizer.get_vocab().get(card.padding.token)
        if pad_id is None:
            raise ModelLoadError(
                f"{card.id}: padding.token {card.padding.token!r} is not in the vocabulary."
            )
    else:
        configured = config.pad_token_id
        pad_id = tokenizer.pad_token_id if configured is None else configured
    if isinstance(pad_id, int):
        config.pad_token_id = pad_id
        model.config.pad_token_id = pad_id
        return pad_id
    return None


def _load_adapter(
    card: RewardModelCard, source: AdapterSource, device: torch.device, precision: Precision
) -> RewardModel:
    adapter = weights.fetch(source.adapter)
    base = weights.fetch(source.base)
    base_hash = weights.folder_hash(base)
    labels = max(1, len(card.reward.objectives))
    key = f"{base_hash}:{precision.name}:{device}:{labels}:{card.attention}"

    def load_host() -> AdapterHost:
        model = load_classifier(base, card, precision, device, head_comes_later=True)
        return AdapterHost(model, load_tokenizer(base, card))

    host = borrow_host(key, load_host)
    own_bytes = host.add(card.id, adapter)
    fingerprint = (
        f"{base_hash}:{weights.folder_hash(adapter)}:{_reading_key(card)}:{precision.name}"
    )
    name = card.id
    return CausalRewardModel(
        card,
        host.model,
        host.tokenizer,
        fingerprint=fingerprint,
        pad_id=settle_padding(card, host.tokenizer, host.model),
        precision=precision,
        residence=key,
        n_bytes=own_bytes,
        shared_bytes=host.n_bytes,
        activate=lambda: host.activate(name),
        lock=host.lock,
    )


def _reading_key(card: RewardModelCard) -> str:
    """What of the card changes the reward of given tokens."""
    part = card.reward
    objectives = ",".join(f"{o.name}={o.weight}" for o in part.objectives)
    return f"{part.output}[{part.index}]*{part.sign}({objectives})"


def _may_run_code(source: BaseSource, folder: Path, trusted: Collection[str]) -> bool:
    if not weights.needs_remote_code(folder):
        return False
    name = f"{source.repo}@{source.revision}" if isinstance(source, HubSource) else str(folder)
    if name in trusted:
        return True
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except ValueError:
        config = None
    if config is not None and not _needs_own_class(folder):
        return False
    raise ModelLoadError(
        f"{name} brings Python code of its own, which is not run.",
        fix="The operator can allow it in the settings: trusted_code with this model and a "
        "pinned revision.",
    )


def _needs_own_class(folder: Path) -> bool:
    auto_map = weights.read_json(folder / "config.json").get("auto_map", {})
    return "AutoModelForSequenceClassification" in auto_map


def _attention(card: RewardModelCard, folder: Path, device: torch.device) -> str | None:
    if card.attention != "auto":
        if card.attention == "flash_attention_2" and device.type == "cpu":
            return "sdpa"
        return card.attention
    # Gemma 2 caps its attention scores, which the SDPA kernels cannot do.
    return (
        "eager" if weights.read_json(folder / "config.json").get("model_type") == "gemma2" else None
    )


def _refuse_missing(card: RewardModelCard, info: dict[str, Any], *, head_comes_later: bool) -> None:
    missing = sorted(str(name) for name in info.get("missing_keys", ()))
    mismatched = sorted(str(item[0]) for item in info.get("mismatched_keys", ()))
    if head_comes_later:
        missing = [name for name in missing if name != "score.weight"]
    if missing or mismatched:
        raise ModelLoadError(
            f"{card.id}: the checkpoint lacks weights, which would be random: "
            f"{', '.join([*missing, *mismatched])}.",
            fix="A language model without a reward head is not a reward model; "
            "check the card's source, or name an adapter that brings the head.",
        )


def _check_labels(card: RewardModelCard, model: PreTrainedModel) -> None:
    labels = int(model.config.num_labels)
    if card.reward.objectives and labels != len(card.reward.objectives):
        raise ModelLoadError(
            f"{card.id}: the card names {len(card.reward.objectives)} objectives, "
            f"the model has {labels} outputs."
        )
    if card.reward.index >= labels:
        raise ModelLoadError(
            f"{card.id}: reward.index {card.reward.index} is beyond the model's {labels} outputs."
        )
    if labels > 1 and not card.reward.objectives and "index" not in card.reward.model_fields_set:
        raise ModelLoadError(
            f"{card.id}: the model has {labels} outputs and the card does not say which is the "
            "reward.",
            fix="Set reward.index, or family multi-objective with reward.objectives.",
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps transformers' remarks on new heads, shards and progress out of the log."""
    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
