"""Numbers as people read them: tables whose columns say what they mean, and what was left out."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app_pages.common.background import look_again
from app_pages.common.markup import Piece, plain, show_pieces
from app_pages.common.service import conformance, model_titles, noise_floor
from core.diff import word_diff
from core.schema import Conversation
from core.stats import Estimate

FEW_ROWS = 8

COLUMNS: dict[str, tuple[str, str | None]] = {
    "model": ("model", None),
    "group_title": ("group", "What the edit should do to the reward."),
    "title": ("name", None),
    "dose": ("dose", "How much of the edit: for padding, sentences added."),
    "verdict": (
        "verdict",
        "Given only where the change is clear after correction and beyond the noise floor, or "
        "where "
        "a change that matters would probably have been found. Otherwise: cannot say.",
    ),
    "change": ("change", "Mean of reward(edited) - reward(unedited), in the model's own unit."),
    "low": ("from", "Lower end of the interval, whole prompts resampled."),
    "high": ("to", "Upper end of the interval, whole prompts resampled."),
    "in_spreads": ("in spreads", "The change in standard deviations of the unedited rewards."),
    "p_value": ("p", "Before correction."),
    "p_adjusted": ("corrected p", "With false-discovery control (Benjamini-Hochberg)."),
    "detectable": (
        "detectable",
        "The smallest true change these responses would have shown with 80 % power.",
    ),
    "n": ("n", "Responses it is made of."),
    "n_prompts": ("prompts", "Prompts among them: what the interval resamples."),
    "n_applied": ("applied", "Responses the edit could change."),
    "flip_edited": ("edited side", "Whose edit the flip rate is about."),
    "flip_share": (
        "flips",
        "Share of pairs whose preference turns round when that side is edited; half where it "
        "becomes "
        "a tie.",
    ),
    "n_flip": ("of pairs", "Pairs that had a preference and still have one prompt."),
    "n_prompts_differ": (
        "prompts differ",
        "Pairs left out of the flips: after the edit their two sides answer different prompts.",
    ),
    "slope": ("per dose", "Change of reward for one more dose, in the model's own unit."),
    "doses": ("doses", None),
    "pair_id": ("pair", None),
    "side": ("side", "Which response was edited."),
    "before": ("before", "Reward of the unedited response."),
    "after": ("after", "Reward of the edited response."),
    "note": ("what changed", None),
    "attribute": ("attribute", None),
    "kind": ("test", "Over all responses, or within chosen and within rejected ones."),
    "n_bins": ("bins", "Bins with enough responses to be compared."),
    "mmd": (
        "MMD²",
        "Unbiased squared MMD summed over pairs of bins; at most 0 where none is seen.",
    ),
    "depends": ("depends", "Whether the corrected p-value is at most 5 %."),
    "bin": ("bin", "Values of the attribute."),
    "mean": ("mean reward", None),
    "sd": ("spread", "Standard deviation of the rewards in the bin."),
    "estimator": ("estimate", "How the effect was estimated."),
    "effect": (
        "effect on",
        "ATT: responses that have the attribute; ATU: those that do not; ATE: all.",
    ),
    "value": ("value", None),
    "standard_error": ("standard error", "Responses taken as independent."),
    "clustered_error": ("clustered error", "Whole prompts taken as independent."),
    "coefficient": ("λ", "Weight of the penalty; 0 is the plain head."),
    "accuracy": ("accuracy", "Held-out pairs whose chosen response gets more reward."),
    "with_attribute": (
        "chosen has more",
        "Accuracy where the chosen response is in the higher bin.",
    ),
    "against_attribute": ("chosen has less", "Accuracy where it is in the lower bin."),
    "n_with": ("n more", "Pairs whose chosen response is in the higher bin."),
    "n_against": ("n less", "Pairs whose chosen response is in the lower bin."),
    "n_pairs": ("pairs", None),
    "n_edits": ("edits", None),
    "n_as_it_should": ("as they should", None),
    "n_not": ("not as they should", None),
    "n_cannot_say": ("cannot say", None),
    "n_not_applied": ("not applied", "Edits that could change no response."),
    "offenders": ("which", None),
    "reason": ("reason", None),
}
"""Label and meaning of the columns, by the name they have in the results."""

PERCENT = frozenset({"flip_share", "accuracy", "with_attribute", "against_attribute"})


def named_table(
    table: pd.DataFrame, *, key: str, labels: Mapping[str, str] | None = None, **options: Any
) -> Any:
    """A table whose columns carry their meaning; returns what `st.dataframe` does."""
    config = {}
    shown = table.copy(deep=False)
    for name in table.columns:
        label, meaning = COLUMNS.get(str(name), (str(name).replace("_", " "), None))
        label = (labels or {}).get(str(name), label)
        if name in PERCENT:
            shown[name] = 100 * table[name].astype(float)
            config[name] = st.column_config.NumberColumn(label, help=meaning, format="%.0f%%")
        elif name == "coefficient":
            config[name] = st.column_config.NumberColumn(label, help=meaning, format="%g")
        elif pd.api.types.is_float_dtype(table[name]):
            config[name] = st.column_config.NumberColumn(label, help=meaning, format="%.3f")
        else:
            config[name] = st.column_config.Column(label, help=meaning)
    if len(table) <= FEW_ROWS:
        options.pop("height", None)  # empty rows would look like missing ones
    return st.dataframe(shown, hide_index=True, column_config=config, key=key, **options)


def selected_row(event: Any, n_rows: int) -> int | None:
    """The row of a table that was clicked; None where none was."""
    rows = [row for row in event["selection"]["rows"] if row < n_rows]
    return rows[0] if rows else None


def p_text(p_value: float) -> str:
    """A p-value as people write it."""
    if not math.isfinite(p_value):
        return "p not known"
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def interval_text(estimate: Estimate, form: str = "+.3f") -> str:
    """Value, interval, n and prompts in one line."""
    if not math.isfinite(estimate.value):
        return "not known"
    text = f"{estimate.value:{form}}"
    if math.isfinite(estimate.low):
        text += (
            f" ({estimate.confidence:.0%} interval {estimate.low:{form}} to {estimate.high:{form}})"
        )
    return f"{text}, n = {estimate.n}, {estimate.n_prompts} prompts"


def left_out_note(left_out: Mapping[str, int]) -> None:
    """What a result could not use, by reason."""
    if left_out:
        reasons = "; ".join(f"{plain(str(why))} ({n:,})" for why, n in left_out.items())
        st.caption(f":material/info: Left out: {reasons}.")


def noise_note(model: str) -> None:
    """The model's noise floor, or that it is being measured."""
    outcome = conformance(model)
    name = plain(model_titles().get(model, model))
    if outcome.state == "running":
        st.caption(f":material/graphic_eq: Noise floor · {name}: being measured.")
        look_again()
    elif outcome.state == "failed":
        st.caption(f":material/graphic_eq: Noise floor · {name}: could not be measured.")
    else:
        st.caption(
            f":material/graphic_eq: Noise floor · {name}: ±{noise_floor(model):.2g}. A smaller "
            f"change "
            "is never called one.",
            help="The largest reward change that batching alone makes.",
        )


def difference(before: Conversation, after: Conversation) -> None:
    """The turns of two conversations that differ, the changes marked."""
    pieces: list[Piece] = []
    looks = {"insert": "added", "delete": "removed"}
    for at in range(max(len(before), len(after))):
        old = before[at]["content"] if at < len(before) else ""
        new = after[at]["content"] if at < len(after) else ""
        if old == new:
            continue
        role = (after[at] if at < len(after) else before[at])["role"]
        pieces.append(Piece(f"{role}\n", "muted"))
        pieces += [
            Piece(part.text, looks.get(part.op, "same"))  # type: ignore[arg-type]
            for part in word_diff(old, new)
        ]
        pieces.append(Piece("\n\n"))
    show_pieces(pieces or [Piece("(no difference)", "muted")])
