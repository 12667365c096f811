"""A page's state as a link: in the address itself when short, in a session file when long."""

import base64
import binascii
import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ShareError, TableError
from core.paths import user_folder
from core.schema import content_id
from core.tables.writing import write_atomically

SCHEMA = 1
MAX_TOKEN_LENGTH = 1_800
"""Longer links are cut by proxies and mail programs."""
MAX_STATE_BYTES = 5_000_000

_SESSION_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class ShareLink:
    """What goes into the address: `s` holds the state itself, `session` names a saved file."""

    name: str
    value: str


def share(state: dict[str, Any], *, folder: Path | None = None) -> ShareLink:
    """The link parameter that reproduces `state`.

    Args:
        state: JSON-like values.
        folder: where long states are saved; by default the user's sessions folder.

    Raises:
        ShareError: when the state is larger than a link may carry.
    """
    text = json.dumps({"schema": SCHEMA, "state": state}, ensure_ascii=False, sort_keys=True)
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > MAX_STATE_BYTES:
        raise ShareError(
            f"The session is {len(data) / 1e6:.1f} MB, more than a link can carry.",
            fix="Export the table of versions instead.",
        )
    token = base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")
    if len(token) <= MAX_TOKEN_LENGTH:
        return ShareLink("s", token)
    name = content_id(state)
    try:
        write_atomically(_folder(folder) / f"{name}.json", lambda file: file.write(data))
    except (TableError, OSError) as error:
        raise ShareError(
            f"The session is too long for a link, and could not be saved: {error}",
            fix="Make room, or set REWARD_WORKBENCH_HOME to a folder that can be written to.",
        ) from error
    return ShareLink("session", name)


def open_link(name: str, value: str, *, folder: Path | None = None) -> Any:
    """The state behind a link parameter.

    Raises:
        ShareError: says what is wrong with the link.
    """
    data = _inflate(value) if name == "s" else _read_session(value, _folder(folder))
    try:
        content = json.loads(data.decode("utf-8", "surrogatepass"))
    # Not JSON, not text, brackets in brackets, or a number of more digits than Python reads.
    except (ValueError, RecursionError) as error:
        raise ShareError("The link's content is damaged.", fix="Copy the whole link.") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ShareError("The link was made by another version of the workbench.")
    return content.get("state")


def _inflate(token: str) -> bytes:
    try:
        packed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        stream = zlib.decompressobj()
        data = stream.decompress(packed, MAX_STATE_BYTES)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ShareError("The link is cut off or damaged.", fix="Copy the whole link.") from error
    if stream.unconsumed_tail or not stream.eof:
        raise ShareError("The link is cut off, or holds more than can be read.")
    return data


def _read_session(name: str, folder: Path) -> bytes:
    # The name comes from an address line: nothing but our own ids may become a path.
    if not _SESSION_ID.fullmatch(name):
        raise ShareError("The link names no session of this workbench.")
    try:
        return (folder / f"{name}.json").read_bytes()
    except OSError as error:
        raise ShareError(
            f"Session {name} is not on this server.",
            fix="Long sessions are kept where they were made: open the link there.",
        ) from error


def _folder(folder: Path | None) -> Path:
    target = folder or user_folder() / "sessions"
    target.mkdir(parents=True, exist_ok=True)
    return target
