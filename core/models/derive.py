"""A card for a checkpoint that has none, from the configuration that lies beside its weights."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import CardError, ModelNotFoundError
from core.models.card import (
    AdapterSource,
    Attention,
    BaseSource,
    Family,
    HubSource,
    InputForm,
    InputPart,
    LocalSource,
    RemoteSource,
    RewardModelCard,
    Source,
    SystemPolicy,
)

UNREFINED = "Derived from the name alone; refined once the files are there."
"""Notes of a card that was made before the checkpoint's configuration could be read."""

ENCODERS = frozenset(
    {"albert", "bert", "deberta", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet"}
    | {"roberta", "xlm-roberta"}
)
"""Model types that read a pair of texts where the tokenizer has no chat template."""

MAX_DERIVED_LENGTH = 16384
"""Bound on a derived card's length: configurations promise far more than reward models saw."""
ENCODER_LENGTH = 512


def is_unrefined(card: RewardModelCard) -> bool:
    """Whether the card was made from a hub id alone, and `derive_card` knows better."""
    return card.notes == UNREFINED


def derive_card(
    config: Mapping[str, Any],
    tokenizer_config: Mapping[str, Any],
    source: Source,
    *,
    card_id: str | None = None,
) -> RewardModelCard:
    """The card a checkpoint's own files suggest.

    Args:
        config: content of `config.json` (of the base, for an adapter).
        tokenizer_config: content of `tokenizer_config.json`; `chat_template` filled in from
            `chat_template.jinja` where the template is a file of its own.
        source: where the weights are.
        card_id: the card's id; by default made from the source.

    Raises:
        CardError: when the files do not say how the model is read, and a card must.
    """
    name = card_id or source_id(source)
    labels = _label_count(config)
    if labels > 1:
        raise CardError(
            f"{name}: the model has {labels} outputs, and nothing says which is the reward.",
            fix="Write a card with reward.index, or with family multi-objective and "
            "reward.objectives.",
        )
    template = _template_text(tokenizer_config)
    model_type = str(config.get("model_type", ""))
    family, form = _reading(name, model_type, template)
    attention: Attention = "eager" if model_type == "gemma2" else "auto"
    return RewardModelCard(
        id=name,
        title=name,
        source=source,
        family=family,
        input=InputPart(form=form, system_prompt=_system_policy(template)),
        max_length=_max_length(config, tokenizer_config, model_type),
        attention=attention,
        notes="Derived from the checkpoint's own configuration.",
    )


def card_of_folder(folder: Path) -> RewardModelCard:
    """The derived card of a local checkpoint, or of a local adapter over the base it names.

    Raises:
        ModelNotFoundError: when the folder holds neither.
        CardError: when its files cannot be read or do not say how the model is read.
    """
    folder = folder.resolve()
    if (folder / "adapter_config.json").is_file():
        return _card_of_adapter(folder)
    if not (folder / "config.json").is_file():
        raise ModelNotFoundError(
            f"{folder} holds no config.json (a checkpoint) and no adapter_config.json.",
            fix="Name the folder that save_pretrained wrote.",
        )
    source = LocalSource(kind="local", path=folder)
    return derive_card(_read_json(folder / "config.json"), read_tokenizer_config(folder), source)


def read_tokenizer_config(folder: Path) -> dict[str, Any]:
    """`tokenizer_config.json` of a folder, with the chat template that may lie beside it."""
    file, template = folder / "tokenizer_config.json", folder / "chat_template.jinja"
    content = _read_json(file) if file.is_file() else {}
    if template.is_file():
        content["chat_template"] = template.read_text(encoding="utf-8")
    return content


def source_id(source: Source) -> str:
    """An id for a source that has no card: the hub id, or the folder's name made unique."""
    if isinstance(source, AdapterSource):
        return source_id(source.adapter)
    if isinstance(source, HubSource):
        return source.repo if source.revision == "main" else f"{source.repo}@{source.revision}"
    if isinstance(source, LocalSource):
        # The last two parts, since every run has a folder "checkpoint-100".
        words = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(source.path.parts[-2:])).strip("-._")
        digest = hashlib.sha256(str(source.path).encode()).hexdigest()[:6]
        return f"{words or 'model'}-{digest}"
    return source.endpoint if isinstance(source, RemoteSource) else source.name


def _card_of_adapter(folder: Path) -> RewardModelCard:
    settings = _read_json(folder / "adapter_config.json")
    named = settings.get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise CardError(
            f"{folder / 'adapter_config.json'}: base_model_name_or_path is missing.",
            fix="Write a card with a source of kind adapter that names the base.",
        )
    base = _base_source(folder, named, settings.get("revision"))
    source = AdapterSource(
        kind="adapter", adapter=LocalSource(kind="local", path=folder), base=base
    )
    if not isinstance(base, LocalSource):
        card = RewardModelCard(
            id=source_id(source), title=folder.name, source=source, family="sequence-classifier"
        )
        return card.model_copy(update={"notes": UNREFINED})
    config = _read_json(base.path / "config.json")
    own = read_tokenizer_config(folder)
    # The head comes with the adapter: what the base says of its outputs does not count.
    plain = {k: v for k, v in config.items() if k not in ("id2label", "num_labels")}
    tokenizer = own if own.get("chat_template") else read_tokenizer_config(base.path)
    return derive_card(plain, tokenizer, source)


def _base_source(folder: Path, named: str, revision: object) -> BaseSource:
    for path in (Path(named).expanduser(), folder / named):
        if (path / "config.json").is_file():
            return LocalSource(kind="local", path=path.resolve())
    if re.fullmatch(r"[\w.-]+/[\w.-]+", named) is None:
        raise CardError(
            f"{folder / 'adapter_config.json'}: the base {named!r} is neither a folder here nor a "
            "hub id.",
            fix="Write a card with a source of kind adapter that names the base.",
        )
    return HubSource(
        kind="hub", repo=named, revision=revision if isinstance(revision, str) else "main"
    )


def _reading(name: str, model_type: str, template: str) -> tuple[Family, InputForm]:
    if template:
        return "sequence-classifier", "chat-template"
    if model_type in ENCODERS:
        return "text-pair", "text-pair"
    raise CardError(
        f"{name}: the tokenizer has no chat template, so nothing says how a conversation is "
        "written for this model.",
        fix="Write a card with input.form raw-template and the template it was trained with.",
    )


def _label_count(config: Mapping[str, Any]) -> int:
    labels = config.get("id2label")
    if isinstance(labels, Mapping):
        return len(labels)
    count = config.get("num_labels", 1)
    return count if isinstance(count, int) else 1


def _template_text(tokenizer_config: Mapping[str, Any]) -> str:
    template = tokenizer_config.get("chat_template") or ""
    if isinstance(template, str):
        return template
    named = {item.get("name"): item.get("template", "") for item in template}
    return str(named.get("default") or next(iter(named.values()), ""))


def _system_policy(template: str) -> SystemPolicy:
    # Templates without a system role say so by raising.
    refuses = re.search(r"raise_exception\([^)]*system[^)]*\)", template, re.IGNORECASE)
    return "merge" if refuses and "not supported" in refuses[0].lower() else "keep"


def _max_length(
    config: Mapping[str, Any], tokenizer_config: Mapping[str, Any], model_type: str
) -> int:
    # A tokenizer without a limit writes a number around 1e30.
    limits = [config.get("max_position_embeddings"), tokenizer_config.get("model_max_length")]
    known = [int(v) for v in limits if isinstance(v, (int, float)) and 8 <= v < 10**7]
    ceiling = ENCODER_LENGTH if model_type in ENCODERS - {"modernbert"} else MAX_DERIVED_LENGTH
    return min([*known, ceiling])


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CardError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise CardError(f"{path}: expected fields, found something else.")
    return content
