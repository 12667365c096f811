"""Numbers as people read them: with their interval, their n, what was left out, and a sentence."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app_pages.common.background import look_again
from app_pages.common.markup import plain
from app_pages.common.service import conformance, model_titles, noise_floor
from core.labs.prompt_awareness.measures import Measured

MEASURE_HELP: dict[str, tuple[str, str]] = {
    "own_gap": (
        "Own gap",
        "Mean of reward(chosen) - reward(rejected) under the pairs' own prompts, in the model's "
        "own unit.",
    ),
    "retention": (
        "Retention",
        "Sum of the gaps under other prompts over the sum of the own gaps. 100 %: the model "
        "ignores the prompt. 0 %: its preference vanishes where the prompt does not support it.",
    ),
    "slope": ("Slope", "Retention by least squares through zero; large gaps rule it more."),
    "flip_rate": (
        "Flip rate",
        "Share of other prompts under which the preference turns round, ties half. A pair whose "
        "own gap is zero has none to turn.",
    ),
    "own_accuracy": ("Accuracy, own", "Share of pairs with a positive own gap, ties half."),
    "swapped_accuracy": (
        "Accuracy, swapped",
        "The same under other prompts. Near 50 % is good where the other prompt makes both "
        "responses equally wrong.",
    ),
    "accuracy_drop": ("Accuracy lost", "Own minus swapped accuracy, paired."),
    "correlation": (
        "Correlation",
        "Of own gaps with mean gaps under other prompts, over pairs. 1: the same ranking of pairs "
        "whatever was asked.",
    ),
    "interaction_share": (
        "Interaction",
        "Share of the rewards' variance that is about prompt and response together: the only "
        "prompt-related part.",
    ),
    "prompt_share": ("Prompt alone", "Share of variance between prompts; cancels in every gap."),
    "response_share": ("Response alone", "Share of variance between responses, whatever is asked."),
    "own_response_rank": (
        "Rank of the own response",
        "Among all responses read under its prompt; 1 is best.",
    ),
    "own_response_reciprocal_rank": (
        "Own response, MRR",
        "Mean of 1 / rank of the own response among all under its prompt; 1 is best.",
    ),
    "own_prompt_rank": (
        "Rank of the own prompt",
        "Among all prompts a response is read under; 1 is best. A prompt's own effect does not "
        "cancel here.",
    ),
    "own_prompt_reciprocal_rank": (
        "Own prompt, MRR",
        "Mean of 1 / rank of the own prompt among all; 1 is best.",
    ),
    "prompt_free": ("Prompt-free gap", "Mean of the part of the gap that needs no prompt."),
    "prompt_related": ("Prompt-related gap", "Mean of own gap minus prompt-free gap."),
    "free_share": (
        "Prompt-free share",
        "Sum of prompt-free gaps over sum of own gaps; 100 % where the prompt adds nothing.",
    ),
}
"""Label and meaning of each measure."""

PERCENT = frozenset(
    {
        "retention", "flip_rate", "own_accuracy", "swapped_accuracy", "accuracy_drop",
        "interaction_share", "prompt_share", "response_share", "free_share",
    }
)  # fmt: skip

FEW_ROWS = 6

COLUMN_WORDS = {
    "model": ("model", None),
    "pair_id": ("pair", None),
    "prompt_id": ("prompt", "Id of the prompt."),
    "prompt_text": ("prompt it is read under", None),
    "own_gap": ("own gap", "reward(chosen) - reward(rejected) under the pair's own prompt."),
    "gap": ("gap", "reward(chosen) - reward(rejected) under this prompt."),
    "gap_excess": ("ahead by", "Gap under the wrong prompt minus own gap."),
    "reward_excess": ("ahead by", "Reward of the chosen response above that under its own prompt."),
    "n_candidates": ("among", "Responses ranked under this prompt."),
    "best_other": ("highest other", "The other response with the most reward under this prompt."),
    "own_reward": ("own reward", "Reward of the own response."),
    "prompt_free": ("prompt-free gap", "The part of the gap that needs no prompt."),
    "kind": ("other prompts", "Kind of other prompt."),
    "slice": ("slice", None),
    "measure": ("measure", None),
    "value": ("value", None),
    "low": ("from", "Lower end of the interval."),
    "high": ("to", "Upper end of the interval."),
    "n": ("n", "Rows it is made of."),
    "n_prompts": ("prompts", "Prompts among them: what the interval resamples."),
    "smallest_detectable": (
        "detectable",
        "The smallest true difference these pairs would have shown with 80 % power.",
    ),
    "left_out": ("left out", "Rows that could not be used."),
    "method": ("method", "How the interval was made."),
    "confidence": ("interval", "Its nominal coverage."),
    "chance": ("by chance", "What a reward that knows nothing would get."),
    "adjusted_p": ("adjusted p", "With false-discovery control over all ablations."),
    "n_saturated": ("undetermined", "Pairs whose prompt-free gap many values fit as well."),
}


def measure_metric(name: str, measured: Measured, *, note: str = "") -> None:
    """A measure as a big number, with its interval, n and power below."""
    label, meaning = MEASURE_HELP[name]
    st.metric(label, number(name, measured.estimate.value), help=meaning)
    st.caption(evidence_line(name, measured) + (f" · {note}" if note else ""))


def evidence_line(name: str, measured: Measured) -> str:
    """Interval, n, smallest detectable difference and what was left out, in one line."""
    estimate = measured.estimate
    parts = [
        f"{estimate.confidence:.0%} interval {number(name, estimate.low)} to "
        f"{number(name, estimate.high)}"
        if math.isfinite(estimate.low)
        else plain(estimate.method),
        f"n = {estimate.n}, {estimate.n_prompts} prompts",
    ]
    if measured.smallest_detectable == 0:
        parts.append("no spread among these prompts, so no telling what others would show")
    elif math.isfinite(measured.smallest_detectable):
        parts.append(f"smallest detectable ±{number(name, measured.smallest_detectable)}")
    if estimate.left_out:
        parts.append(f"{sum(estimate.left_out.values())} left out")
    return " · ".join(parts)


def number(name: str, value: float) -> str:
    """A measure's value in its unit; a dash for none."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.0%}" if name in PERCENT else f"{value:.2f}"


def measures_table(table: pd.DataFrame, *, key: str) -> None:
    """A table of aggregates in plain words."""
    shown = table.assign(
        measure=[MEASURE_HELP.get(str(name), (str(name),))[0] for name in table["measure"]]
    )
    order = [name for name in [*COLUMN_WORDS, *shown.columns] if name in shown.columns]
    named_table(shown[list(dict.fromkeys(order))], key=key)


def named_table(table: pd.DataFrame, *, key: str, **options: Any) -> Any:
    """A table whose columns carry their meaning; returns what `st.dataframe` does."""
    config = {
        name: st.column_config.Column(label, help=meaning)
        for name, (label, meaning) in COLUMN_WORDS.items()
        if name in table.columns
    }
    numbers = table.select_dtypes("float").columns
    config |= {
        name: st.column_config.NumberColumn(
            COLUMN_WORDS.get(name, (str(name).replace("_", " "), None))[0],
            help=COLUMN_WORDS.get(name, ("", None))[1],
            format="%.3f",
        )
        for name in numbers
    }
    if len(table) <= FEW_ROWS:
        options.pop("height", None)  # empty rows would look like missing ones
    return st.dataframe(table, hide_index=True, column_config=config, key=key, **options)


def left_out_note(left_out: Mapping[str, int]) -> None:
    """What a result could not use, by reason."""
    if left_out:
        reasons = "; ".join(f"{plain(why)} ({n:,})" for why, n in left_out.items())
        st.caption(f":material/info: Left out: {reasons}.")


def noise_note(gaps: Mapping[str, "pd.Series[float]"], what: str = "own gaps") -> None:
    """Each model's noise floor and how many of these differences lie within it."""
    titles = model_titles()
    parts, waiting = [], False
    for model, values in gaps.items():
        outcome = conformance(model)
        waiting = waiting or outcome.state == "running"
        name = plain(titles.get(model, model))
        if outcome.state == "running":
            parts.append(f"{name}: being measured")
        elif outcome.state == "failed":
            parts.append(f"{name}: could not be measured")
        else:
            floor = noise_floor(model)
            n_within = int((values.abs() <= floor).sum())
            parts.append(f"{name}: ±{floor:.2g}, {n_within} of {len(values)} {what} within it")
    st.caption(
        f":material/graphic_eq: Noise floor · {'; '.join(parts)}.",
        help="The largest reward change that batching alone makes. A difference within it means "
        "nothing.",
    )
    if waiting:
        look_again()
