"""Preference pairs for other tools: for training (TRL's DPO), and as annotated pairs."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.schema import Message
from core.tables import INPUT_SUFFIX
from core.tables.files import plain_value
from core.tables.writing import json_ready, write_atomically

PAIR_INPUT = ("pair_id", "prompt", "chosen", "rejected")
"""Columns that pairs need here: `prompt` holds the messages before the response."""

ANNOTATED_PAIRS_VERSION = "2.0"

LABEL_ANNOTATOR = "ba751e7b"
"""The id under which readers of annotated pairs look for the reference annotator: the first eight
digits of the MD5 of the description that the format's own writer gives it."""

_RESERVED = ("comparison_id", "prompt", "text_a", "text_b", "weight")
"""Metadata keys that would overwrite a reader's own columns."""

_SAME = "chosen and rejected are the same text"
_EMPTY = "a response is empty"
_NOT_TEXT = "a response is not text"
_NO_PROMPT = "the prompt is not a list of messages"


@dataclass(frozen=True)
class PairExport:
    """Pairs in another tool's form.

    Attributes:
        content: the records (a list, for DPO) or the whole document (for annotated pairs).
        n: pairs in it.
        left_out: pairs that the form cannot hold, counted by reason.
    """

    content: Any
    n: int
    left_out: Mapping[str, int] = field(default_factory=dict)


def dpo_records(pairs: pd.DataFrame, *, columns: Sequence[str] = ()) -> PairExport:
    """Pairs as TRL's DPOTrainer reads them: conversational, with an explicit prompt.

    Each record has `prompt` (the messages before the response), `chosen` and `rejected` (each one
    assistant message). A pair of equal, empty or missing responses teaches nothing and is left out.

    Args:
        pairs: `PAIR_INPUT`, one row a pair.
        columns: further columns to keep in each record, such as pair_id.

    Raises:
        TableError: when a column is missing.

    Source: TRL documentation, "Dataset formats and types", preference, conversational.
    """
    _check_columns(pairs, (*PAIR_INPUT, *columns))
    records: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    for row in _rows(pairs):
        reason = _unusable(row) or (_SAME if row["chosen"] == row["rejected"] else "")
        if reason:
            left_out[reason] += 1
            continue
        kept = {name: json_ready(row[name]) for name in columns}
        records.append(
            kept
            | {
                "prompt": _messages(row["prompt"]),
                "chosen": [{"role": "assistant", "content": row["chosen"]}],
                "rejected": [{"role": "assistant", "content": row["rejected"]}],
            }
        )
    return PairExport(records, len(records), dict(left_out))


def write_dpo(pairs: pd.DataFrame, path: Path, *, columns: Sequence[str] = ()) -> PairExport:
    """Writes `dpo_records` as JSON lines and returns them.

    Raises:
        TableError: when a column is missing or the file cannot be written.
    """
    export = dpo_records(pairs, columns=columns)
    data = dpo_bytes(export)
    write_atomically(path, lambda file: file.write(data))
    return export


def dpo_bytes(export: PairExport) -> bytes:
    """The JSON lines of `dpo_records`."""
    return b"".join(_json(record) + b"\n" for record in export.content)


def annotated_pairs(
    pairs: pd.DataFrame,
    *,
    name: str,
    description: str = "",
    margins: Mapping[str, npt.ArrayLike] | None = None,
    metadata: Sequence[str] | None = None,
    created: datetime | None = None,
) -> PairExport:
    """Pairs in the AnnotatedPairs form 2.0 of feedback-forensics and Inverse Constitutional AI.

    The label (chosen, rejected) is the reference annotator; each reward model is one more, which
    prefers the response with the higher reward. A margin of zero is no preference
    ("not_applicable"), one without a number is "invalid". Which response stands first is decided by
    the pair's id, evenly: were the chosen one always first, readers that correct for chance
    agreement (Cohen's kappa) would find no information in the labels.

    The form has one text for a prompt: a prompt of several turns becomes a transcript, and its
    messages are kept as JSON in the comparison's metadata under `prompt_messages`.

    Args:
        pairs: `PAIR_INPUT`, one row a pair.
        name: name of the data set.
        description: what it is.
        margins: for each reward model (n,) reward(chosen) - reward(rejected).
        metadata: columns to keep as metadata of each comparison, as text; by default all others.
        created: when it was made; by default now.

    Raises:
        TableError: when a column is missing.
        ValueError: when a model has not one margin a pair.

    Source: rdnfn/icai, src/inverse_cai/data/annotated_pairs_format.py, FORMAT_VERSION 2.0.
    """
    values = {model: _margins(model, each, len(pairs)) for model, each in (margins or {}).items()}
    extra = metadata
    if extra is None:
        extra = [str(column) for column in pairs.columns if column not in PAIR_INPUT]
    _check_columns(pairs, (*PAIR_INPUT, *extra))
    comparisons: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    for place, row in enumerate(_rows(pairs)):
        # Readers drop comparisons with an empty response without a word; here they are counted.
        reason = _unusable(row)
        if reason:
            left_out[reason] += 1
            continue
        own = {model: float(each[place]) for model, each in values.items()}
        comparisons.append(_comparison(row, own, extra))
    _make_ids_unique(comparisons)
    keys = list(dict.fromkeys(key for each in comparisons for key in each["metadata"]))
    moment = created or datetime.now(UTC)
    document = {
        "metadata": {
            "version": ANNOTATED_PAIRS_VERSION,
            "description": description,
            "created_at": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "dataset_name": name,
            "default_annotator": LABEL_ANNOTATOR,
            "available_metadata_keys_per_comparison": keys,
        },
        # A reader expects every annotator to have annotated something.
        "annotators": _annotators(list(values)) if comparisons else {},
        "comparisons": comparisons,
    }
    return PairExport(document, len(comparisons), dict(left_out))


def write_annotated_pairs(export: PairExport, path: Path) -> None:
    """Writes an `annotated_pairs` document as JSON.

    Raises:
        TableError: when the file cannot be written.
    """
    data = annotated_bytes(export)
    write_atomically(path, lambda file: file.write(data))


def annotated_bytes(export: PairExport) -> bytes:
    """The JSON of `annotated_pairs`."""
    return _json(export.content, indent=2) + b"\n"


def model_annotator(model: str) -> str:
    """The id of a reward model as an annotator."""
    return hashlib.md5(f"reward_model_{model}".encode(), usedforsecurity=False).hexdigest()[:8]


def _annotators(models: Sequence[str]) -> dict[str, dict[str, str]]:
    annotators = {
        LABEL_ANNOTATOR: {
            "name": "chosen",
            "description": "Which response the table calls chosen",
            "type": "unknown",
        }
    }
    for model in models:
        annotators[model_annotator(model)] = {
            "name": model,
            "description": f"Prefers the response to which {model} gives the higher reward",
            "type": "reward_model",
        }
    return annotators


def _comparison(
    row: Mapping[str, Any], margins: Mapping[str, float], extra: Sequence[str]
) -> dict[str, Any]:
    messages = _messages(row["prompt"])
    chosen_first = _chosen_first(str(row["pair_id"]))
    first, second = (
        (row["chosen"], row["rejected"]) if chosen_first else (row["rejected"], row["chosen"])
    )
    sides = ("a", "b") if chosen_first else ("b", "a")
    annotations: dict[str, dict[str, str | None]] = {LABEL_ANNOTATOR: {"pref": sides[0]}}
    for model, margin in margins.items():
        annotations[model_annotator(model)] = _preference(margin, sides)
    return {
        "id": hashlib.sha256(_json([messages, first, second])).hexdigest()[:12],
        "prompt": transcript(messages),
        "response_a": {"text": first},
        "response_b": {"text": second},
        "annotations": annotations,
        "metadata": _metadata(row, messages, extra),
    }


def _metadata(
    row: Mapping[str, Any], messages: Sequence[Message], extra: Sequence[str]
) -> dict[str, str]:
    metadata = {"pair_id": str(row["pair_id"])}
    for name in extra:
        value = json_ready(row[name])
        if value is not None:
            key = name + INPUT_SUFFIX if name in _RESERVED else name
            metadata[key] = value if isinstance(value, str) else _json(value).decode()
    if len(messages) > 1:
        metadata["prompt_messages"] = _json(messages).decode()
    return metadata


def _preference(margin: float, sides: tuple[str, str]) -> dict[str, str | None]:
    if np.isnan(margin):
        return {"pref": None, "no_pref_reason": "invalid"}
    if margin == 0:
        return {"pref": None, "no_pref_reason": "not_applicable"}
    return {"pref": sides[0] if margin > 0 else sides[1]}


def _chosen_first(pair_id: str) -> bool:
    return hashlib.sha256(pair_id.encode("utf-8", "surrogatepass")).digest()[0] % 2 == 0


def _make_ids_unique(comparisons: Sequence[dict[str, Any]]) -> None:
    # Readers keep only the first comparison of an id; a pair that stands there twice counts twice.
    seen: Counter[str] = Counter()
    for comparison in comparisons:
        seen[comparison["id"]] += 1
        if seen[comparison["id"]] > 1:
            comparison["id"] += f"-{seen[comparison['id']]}"


def transcript(messages: Sequence[Message]) -> str:
    """A prompt as one text: a lone user message as it is, several turns with their roles."""
    if len(messages) == 1 and messages[0]["role"] == "user":
        return messages[0]["content"]
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)


def _rows(pairs: pd.DataFrame) -> Iterator[dict[str, Any]]:
    names = [str(name) for name in pairs.columns]
    for row in pairs.itertuples(index=False, name=None):
        yield dict(zip(names, row, strict=True))


def _unusable(row: Mapping[str, Any]) -> str:
    if not all(isinstance(row[side], str) for side in ("chosen", "rejected")):
        return _NOT_TEXT
    if not (row["chosen"] and row["rejected"]):
        return _EMPTY
    prompt = plain_value(row["prompt"])
    is_messages = isinstance(prompt, list) and all(
        isinstance(message, Mapping)
        and isinstance(message.get("role"), str)
        and isinstance(message.get("content"), str)
        for message in prompt
    )
    return "" if is_messages and prompt else _NO_PROMPT


def _messages(value: Any) -> list[Message]:
    prompt = plain_value(value)
    return [{"role": message["role"], "content": message["content"]} for message in prompt]


def _margins(model: str, values: npt.ArrayLike, n: int) -> npt.NDArray[np.float64]:
    margins = np.asarray(values, dtype=np.float64)
    if margins.shape != (n,):
        raise ValueError(f"{model}: {n} pairs but margins of shape {margins.shape}.")
    return margins


def _check_columns(pairs: pd.DataFrame, needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in pairs.columns]
    if missing:
        found = ", ".join(map(str, pairs.columns)) or "none"
        raise TableError(f"The pairs lack: {', '.join(missing)}. Columns found: {found}.")


def _json(value: Any, indent: int | None = None) -> bytes:
    text = json.dumps(json_ready(value), ensure_ascii=False, indent=indent)
    return text.encode("utf-8", "backslashreplace")
