"""Text of unknown origin on a page: shown exactly as it is, never run, never read as markup."""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_DIRECTIVE = re.compile(r":(?=[A-Za-z_]+[\[:/])")
_WORD_JOINER = "\u2060"

RAISES = (37, 99, 235)
LOWERS = (217, 119, 6)
"""Blue raises the reward and orange lowers it: a pair that colour-blind readers can tell apart."""

_BOX = (
    "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.75;max-height:26rem;"
    "overflow-y:auto;font-size:0.95rem"
)
_STYLES = {
    "same": "",
    "added": "background:rgba(34,160,90,.22);text-decoration:underline;"
    "text-decoration-color:rgba(34,160,90,.9);border-radius:3px",
    "removed": "background:rgba(220,60,60,.2);text-decoration:line-through;border-radius:3px;"
    "opacity:.85",
    "special": "background:rgba(139,92,246,.2);border-radius:3px;font-size:.85em",
    "token-0": "background:rgba(128,138,160,.10);border-radius:3px",
    "token-1": "background:rgba(128,138,160,.26);border-radius:3px",
    "read": "background:rgba(34,160,90,.35);border-radius:3px;outline:2px solid rgba(34,160,90,.9)",
    "verdict": "background:rgba(100,116,180,.28);border-radius:3px;"
    "outline:2px solid rgba(100,116,180,.85);font-weight:600",
    "unread": "border-left:3px dashed rgba(128,138,160,.9);padding-left:.6rem;display:block",
    "cut": "background:rgba(220,60,60,.2);color:rgb(220,60,60);text-decoration:line-through",
    "muted": "opacity:.6",
}

Style = Literal[
    "same", "added", "removed", "special", "token-0", "token-1", "read", "verdict", "unread", "cut",
    "muted",
]  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A stretch of text with a look and, on hovering, a word about it."""

    text: str
    style: Style = "same"
    hint: str = ""


def plain(text: str) -> str:
    """Text for a label that Streamlit reads as Markdown, made to come out as written."""
    return _PUNCTUATION.sub(r"\\\1", _DIRECTIVE.sub(":" + _WORD_JOINER, text))


def pieces_html(pieces: Iterable[Piece]) -> str:
    """Pieces of text as HTML in which every character stands for itself."""
    spans = "".join(_span(piece.text, _STYLES[piece.style], piece.hint) for piece in pieces)
    return f'<div dir="auto" style="{_BOX}">{spans}</div>'


def heat_html(pieces: Sequence[tuple[str, float, str]]) -> str:
    """Stretches of text coloured by a signed weight, the strongest in full colour.

    Args:
        pieces: text, weight (positive raises the reward) and hint of each stretch.
    """
    strongest = max((abs(weight) for _, weight, _ in pieces), default=0.0)
    spans = []
    for text, weight, hint in pieces:
        share = abs(weight) / strongest if strongest else 0.0
        red, green, blue = RAISES if weight > 0 else LOWERS
        look = f"background:rgba({red},{green},{blue},{0.5 * share:.3f});border-radius:3px"
        # White space between units stays bare, so that neighbours of one colour can be told apart.
        core = text.rstrip()
        spans.append(_span(core, look if share >= 0.02 else "", hint) + _e(text[len(core) :]))
    return f'<div dir="auto" style="{_BOX}">{"".join(spans)}</div>'


def show_pieces(pieces: Iterable[Piece]) -> None:
    """Draws pieces of text."""
    st.html(pieces_html(pieces))


def table_html(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """A small table of plain texts."""
    cell = "padding:.35rem .7rem .35rem 0;vertical-align:top;overflow-wrap:anywhere"
    head = "".join(f'<th style="{cell};text-align:left;opacity:.65">{_e(h)}</th>' for h in header)
    body = "".join(
        "<tr>" + "".join(f'<td style="{cell}">{_e(value)}</td>' for value in row) + "</tr>"
        for row in rows
    )
    return (
        '<table style="border-collapse:collapse;font-size:.88rem;line-height:1.4;border:0">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _span(text: str, style: str, hint: str) -> str:
    if not style and not hint:
        return _e(text)
    title = f' title="{_e(hint)}"' if hint else ""
    return f'<span style="{style}"{title}>{_e(text)}</span>'


def _e(text: str) -> str:
    return html.escape(text, quote=True)
