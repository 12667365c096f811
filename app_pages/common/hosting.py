"""Whether the app serves the person at this machine or a room of visitors, and what that allows."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from core.settings import load_settings

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PROXIED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded")


def is_local() -> bool:
    """Whether only the person at this machine can be asking.

    The server must listen on this machine alone, and the browser must have asked for it by this
    machine's own name, with no sign of a proxy in between.
    """
    if not _is_loopback(str(st.get_option("server.address") or "")):
        return False
    headers = st.context.headers
    if any(name in headers for name in _PROXIED):
        return False
    named = [headers.get("Host"), headers.get("Origin")]
    return all(_is_loopback(_host(each)) for each in named if each)


def data_roots() -> Sequence[Path]:
    """Folders of this machine whose files this visitor may evaluate on."""
    folders = load_settings().data_folders
    if folders is not None:
        return folders
    return (Path.home(),) if is_local() else ()


def _host(header: str) -> str:
    address = header if "//" in header else f"//{header}"
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    return host.lower() in LOOPBACK
