"""What a model really reads: rendered text, tokens, where the reward is read, what was cut."""

from collections.abc import Sequence

import streamlit as st

from app_pages.common.background import Outcome
from app_pages.common.markup import Piece, plain, show_pieces
from app_pages.common.service import encoded
from core.engine.templating import EncodedConversation
from core.errors import WorkbenchError
from core.schema import Message

SHOWN_TOKENS = 1500
"""Tokens drawn at most, half from the start and half from the end: a browser tires of more."""

LONG_TEXT = 1200
"""Characters from which the rendered text scrolls in a box of its own."""


def model_view(model: str, title: str, conversation: Sequence[Message]) -> bool:
    """Draws what the model reads; True while it is still being found out."""
    outcome: Outcome = encoded(model, conversation)
    if outcome.state == "running":
        st.caption(":material/hourglass_empty: Loading the model's tokenizer …")
        return True
    if outcome.state == "failed":
        st.text(outcome.error)
        return False
    try:
        draw_encoded(outcome.value, title)
    except WorkbenchError as error:
        st.text(str(error))
    return False


def draw_encoded(encoded: EncodedConversation, title: str) -> None:
    """Draws an encoded conversation: facts, warnings, tokens, rendered text."""
    facts = [
        f"**{encoded.n_tokens}** tokens read",
        f"**{encoded.n_cut}** cut off",
        f"**{encoded.bos_count}** beginning-of-text token{'' if encoded.bos_count == 1 else 's'}",
        f"reward read at token **{encoded.read_position + 1}**",
    ]
    st.markdown(f"{plain(title)}: " + " · ".join(facts))
    for warning in encoded.warnings:
        st.warning(plain(warning), icon=":material/warning:")
    left, right = st.columns(2, gap="medium")
    with left:
        st.caption(
            "Tokens, one shade each. Violet: special tokens. Green frame: the reward is read here. "
            "Red: cut off, never read. ↵: a line break. Hover for the token's number and id."
        )
        show_pieces(token_pieces(encoded))
    with right:
        st.caption("The exact text before it becomes tokens, as the model's template writes it.")
        height = 420 if len(encoded.text) > LONG_TEXT else "content"
        st.code(encoded.text, language=None, wrap_lines=True, height=height)


def token_pieces(encoded: EncodedConversation) -> list[Piece]:
    """The tokens as pieces to draw; the middle of a long sequence is left out and says so."""
    positions = list(range(encoded.n_tokens))
    half = SHOWN_TOKENS // 2
    left_out = max(0, encoded.n_tokens - 2 * half)
    head, tail = (positions[:half], positions[-half:]) if left_out else (positions, [])
    pieces = [_token(encoded, position) for position in head]
    if left_out:
        pieces.append(Piece(f"\n… {left_out:,} tokens not drawn …\n", "muted"))
    pieces += [_token(encoded, position) for position in tail]
    if encoded.n_cut:
        shown = encoded.cut_text[:4000]
        rest = len(encoded.cut_text) - len(shown)
        pieces.append(Piece(shown, "cut", f"{encoded.n_cut} tokens cut off, never read"))
        if rest:
            pieces.append(Piece(f"\n… {rest:,} more characters cut off", "muted"))
    return pieces


def _token(encoded: EncodedConversation, position: int) -> Piece:
    hint = f"token {position + 1}, id {encoded.sequence.ids[position]}"
    # A line break is a token like any other, and often the one the reward is read from.
    text = encoded.tokens[position].replace("\n", "↵\n")
    if position == encoded.read_position:
        return Piece(text, "read", f"{hint}: the reward is read here")
    if encoded.special[position]:
        return Piece(text, "special", f"{hint}, special")
    return Piece(text, "token-0" if position % 2 else "token-1", hint)
