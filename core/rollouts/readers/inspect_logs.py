"""Logs of Inspect evaluations: `.eval` (a ZIP file with a JSON file a sample) and `.json`.

New versions of Inspect pack a log with Zstandard, older ones with Deflate; both are read.

An evaluation has no training step. Where the model's name ends in a checkpoint ("checkpoint-200",
"step_40") that is the step; otherwise it is 0. Each epoch of a sample is one sample of its problem.
"""

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.errors import TableError
from core.rollouts.files import INSPECT_SUFFIX, LoadedFile, RolloutFile
from core.rollouts.messages import as_messages
from core.rollouts.readers.base import (
    ANSWER_TEXT,
    HELD_OUT,
    REFERENCE,
    Converted,
    Reader,
    conversation_columns,
    placed,
)
from core.rollouts.table import FILE, ROW, RolloutProblem

MAX_SAMPLE_BYTES = 64_000_000
MAX_LOG_BYTES = 4_000_000_000
"""What one sample, and all samples, of a log may unpack to."""

_ZSTANDARD = 93
"""The method's number in ZIP files."""

_LOCAL_HEADER = struct.Struct("<26sHH")
"""What stands before a member's name and extra fields, whose lengths end it."""

_DAMAGED = (zipfile.BadZipFile, NotImplementedError, OSError, zlib.error, ValueError)
"""What reading a damaged archive raises; pyarrow's errors are among these."""

_CHECKPOINT = re.compile(r"(?:checkpoint|ckpt|step|iter)[-_ ]?(\d+)", re.IGNORECASE)
_VALUES: Mapping[str, float] = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""Inspect's letters: correct, incorrect, partial, no answer."""


def is_log(file: RolloutFile) -> bool:
    """Whether a file is an Inspect log, by its ending or, of a JSON file, by how it begins."""
    name = file.name.lower()
    if name.endswith(INSPECT_SUFFIX):
        return True
    if not name.endswith(".json"):
        return False
    start = file.read()[:4000]
    return start.lstrip().startswith(b"{") and b'"eval"' in start


def load(file: RolloutFile) -> LoadedFile:
    """The samples of a log, one a row; a damaged sample is a problem beside the others.

    Raises:
        TableError: when the log is damaged or holds no sample.
    """
    if file.name.lower().endswith(INSPECT_SUFFIX):
        header, samples, problems = _unpack(file)
    else:
        content = _parsed(file.read(), file.name)
        header = content
        samples = [(str(place), each) for place, each in enumerate(content.get("samples") or (), 1)]
        problems = []
    if not samples:
        told = f"; {problems[0]}" if problems else ""
        raise TableError(f"{file.name}: the log holds no sample that can be read{told}.")
    evaluated = header.get("eval") or {}
    frame = pd.DataFrame(
        {
            "sample": [each for _, each in samples],
            "model": str(evaluated.get("model") or "model"),
            "task": str(evaluated.get("task") or ""),
            FILE: pd.Categorical([f"{file.name}, sample"] * len(samples)),
            ROW: [name for name, _ in samples],
        }
    )
    return LoadedFile(file, frame, tuple(problems))


def recognises(columns: Sequence[str], _name: str) -> bool:
    """Whether a frame is one that `load` made."""
    return {"sample", "model", "task", FILE} == set(columns) - {ROW}


def convert(loaded: LoadedFile) -> Converted:
    """The samples of one log."""
    frame = loaded.frame
    samples = [each if isinstance(each, Mapping) else {} for each in frame["sample"]]
    said = pd.DataFrame(
        {"input": [each.get("input") for each in samples], "said": [_said(s) for s in samples]},
        index=frame.index,
        dtype=object,
    )
    made = conversation_columns(said, "input", "said")
    model = str(frame["model"].iloc[0])
    checkpoint = _CHECKPOINT.findall(model)
    made["run"] = _CHECKPOINT.sub("", model).strip("-_/ ") or model
    made["step"] = int(checkpoint[-1]) if checkpoint else 0
    made["problem_id"] = [str(each["id"]) if "id" in each else None for each in samples]
    made["sample"] = [
        each["epoch"] - 1 if isinstance(each.get("epoch"), int) else None for each in samples
    ]
    made["split"] = HELD_OUT
    made["task"] = frame["task"]
    scores = [_score(each) for each in samples]
    made["reward"] = [value for value, _ in scores]
    made["answer"] = [answer for _, answer in scores]
    made["correct"] = [
        None if value is None or value not in (0, 1) else value == 1 for value, _ in scores
    ]
    made[REFERENCE] = [_target(each) for each in samples]
    made[ANSWER_TEXT] = [_completion(each) for each in samples]
    made["truncated"] = [_stop_reason(each) in ("max_tokens", "model_length") for each in samples]
    made["tokens"] = [_tokens(each) for each in samples]
    dropped = [name for name in ("answer", "tokens") if all(each is None for each in made[name])]
    for name in dropped:
        del made[name]
    note = "" if checkpoint else f"{model}: an evaluation names no step; its rows stand at step 0."
    return Converted(placed(made, loaded), (note,) if note else ())


def _unpack(
    file: RolloutFile,
) -> tuple[Mapping[str, Any], list[tuple[str, Any]], list[RolloutProblem]]:
    samples: list[tuple[str, Any]] = []
    problems: list[RolloutProblem] = []
    try:
        with zipfile.ZipFile(file.path or io.BytesIO(file.data)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MAX_LOG_BYTES:
                raise TableError(f"{file.name}: the log unpacks to more than 4 GB.")
            names = {member.filename for member in members}
            # A log of an evaluation that was cut off has its beginning only.
            start = next(n for n in ("header.json", "_journal/start.json") if n in names)
            header = _parsed(_read(archive, archive.getinfo(start)), f"{file.name}: {start}")
            for member in members:
                name = member.filename
                if not (name.startswith("samples/") and name.endswith(".json")):
                    continue
                try:
                    if member.file_size > MAX_SAMPLE_BYTES:
                        raise TableError("the sample unpacks to more than 64 MB.")
                    samples.append((name, _parsed(_read(archive, member), name)))
                except (TableError, *_DAMAGED) as error:
                    problems.append(RolloutProblem(f"{file.name}, {name}", "", str(error)))
    except (StopIteration, *_DAMAGED) as error:
        raise TableError(
            f"{file.name}: not a complete Inspect log: {error or 'it has no header'}.",
            fix="Copy it again.",
        ) from error
    return header, samples, problems


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member's content; Python's own reader of ZIP files knows no Zstandard before 3.14.

    Raises:
        BadZipFile: when it is damaged.
    """
    if member.compress_type != _ZSTANDARD:
        return archive.read(member)
    import pyarrow as pa

    if member.flag_bits & 1 or archive.fp is None:
        raise zipfile.BadZipFile(f"{member.filename}: encrypted")
    archive.fp.seek(member.header_offset)
    header = archive.fp.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size:
        raise zipfile.BadZipFile(f"{member.filename}: cut off")
    _, n_name, n_extra = _LOCAL_HEADER.unpack(header)
    archive.fp.seek(n_name + n_extra, io.SEEK_CUR)
    packed = archive.fp.read(member.compress_size)
    data: bytes = pa.decompress(packed, member.file_size, codec="zstd", asbytes=True)
    if zlib.crc32(data) != member.CRC:
        raise zipfile.BadZipFile(f"{member.filename}: the checksum does not fit")
    return data


def _parsed(data: bytes, name: str) -> Mapping[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TableError(f"{name}: not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise TableError(f"{name}: expected an object.")
    return content


def _said(sample: Mapping[str, Any]) -> Any:
    """What was said after the input: messages where tools were used, else the completion."""
    given = as_messages(sample.get("input")) or [{}]
    messages = as_messages(sample.get("messages"))
    if messages is not None:
        spoken = [place for place, each in enumerate(messages) if each["role"] == "assistant"]
        first = max(len(given), spoken[0]) if spoken else len(messages)
        if len(messages) - first > 1:
            return messages[first:]
    return _completion(sample)


def _completion(sample: Mapping[str, Any]) -> str | None:
    output = sample.get("output")
    if not isinstance(output, Mapping):
        return None
    completion = output.get("completion")
    if isinstance(completion, str) and completion:
        return completion
    choices = output.get("choices") or ()
    if not choices or not isinstance(choices[0], Mapping):
        return None
    messages = as_messages([choices[0].get("message") or {}])
    return None if messages is None else _text_of(messages[0])


def _text_of(message: Mapping[str, Any]) -> str:
    from core.rollouts.messages import message_text

    return message_text(message)


def _score(sample: Mapping[str, Any]) -> tuple[float | None, Any]:
    """Value and answer of the first score."""
    scores = sample.get("scores") or {}
    if isinstance(sample.get("score"), Mapping):
        scores = {"score": sample["score"], **(scores if isinstance(scores, Mapping) else {})}
    if not isinstance(scores, Mapping) or not scores:
        return None, None
    first = next(iter(scores.values()))
    if not isinstance(first, Mapping):
        return None, None
    value = first.get("value")
    if isinstance(value, str):
        value = _VALUES.get(value)
    number = float(value) if isinstance(value, int | float) else None
    return number, first.get("answer")


def _target(sample: Mapping[str, Any]) -> Any:
    target = sample.get("target")
    if isinstance(target, list):
        return target[0] if len(target) == 1 else None
    return target or None


def _stop_reason(sample: Mapping[str, Any]) -> str:
    choices = (sample.get("output") or {}).get("choices") or [{}]
    return str(choices[0].get("stop_reason") or "")


def _tokens(sample: Mapping[str, Any]) -> int | None:
    usage = (sample.get("output") or {}).get("usage") or {}
    tokens = usage.get("output_tokens")
    return tokens if isinstance(tokens, int) else None


READER = Reader("inspect", "Inspect logs", recognises, convert)
