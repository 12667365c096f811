"""The report of the counterfactual invariance lab, drawn again from its tables (`to_tables`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from core.figures import invariance as figures
from core.figures.style import literal
from core.labs.invariance.battery import BatteryOptions, BatteryResult
from core.labs.invariance.battery_changes import largest_changes
from core.labs.invariance.densities import DensityResult
from core.labs.invariance.dependence import DependenceResult
from core.labs.invariance.discrepancy import Estimator
from core.labs.invariance.frontier import FrontierOptions, FrontierResult
from core.labs.invariance.kernel import Bandwidth
from core.labs.invariance.mmd import TOTAL, MmdOptions, MmdResult
from core.labs.invariance.rate import RateResult
from core.report import Section, register_report
from core.stats import Estimate, TestResult

KIND = "invariance"

Tables = Mapping[str, pd.DataFrame]

BATTERY = (
    "Each response is edited by rules of which it is known what they should do to the reward. A "
    "change is reward(edited) minus reward(unedited), paired. Intervals resample whole prompts; "
    "p-values are corrected over all edits. A verdict is only given where the change is clear, or "
    "where a change that matters would probably have been found."
)
ATTRIBUTES = (
    "Do rewards differ between the bins of an attribute? The squared maximum mean discrepancy "
    "(MMD) "
    "is 0 where their distributions are the same. Independence is necessary for invariance, not "
    "sufficient, and dependence is no bias by itself: better responses may well be longer."
)
PLANTED = (
    "Every response was read as it is and with one attribute put in by an edit. Squared MMD "
    "between the bins of the attribute; labels change places among the versions of one "
    "response only, so `n_prompts` counts responses. It is large in either direction."
)
RATES = (
    "What the attribute does to the reward when a response is rewritten to have it or not. The "
    "double rewrite compares two rewritten texts, so that the rewriter's own marks cancel."
)
HEADS = (
    "Linear heads trained on the model's final hidden states with a growing penalty on the MMD "
    "between the attribute's bins; accuracy and MMD on prompts the head has not seen."
)
PAIRS_PER_EDIT = 3
ROWS_SHOWN = 3_000
"""Rows of a table of single responses in the report; all of them are in the run's own tables."""


def invariance_sections(tables: Tables, options: Mapping[str, Any]) -> Sequence[Section]:
    """Sections of what was found; a part that was not run has none.

    Args:
        tables: of `core.labs.invariance.tables.to_tables`.
        options: of the page: `attribute` names what was looked at closely.
    """
    makers = (
        ("battery_effects", _battery),
        ("attribute_scan", _scan),
        ("attribute_planted", _planted),
        ("dependence", _attribute),
        ("rate_effects", _rates),
        ("head_points", _heads),
        ("biased_head_points", _biased_heads),
    )
    found = [
        section for name, make in makers if name in tables for section in make(tables, options)
    ]
    if "left_out" in tables:
        caption = {"Left out, by part and reason": tables["left_out"]}
        found.append(Section("What was left out", tables=caption))
    return found


def _battery(tables: Tables, _: Mapping[str, Any]) -> list[Section]:
    drawn: list[go.Figure] = []
    for model, effects in tables["battery_effects"].groupby("model", sort=False):
        result = battery_of(tables, str(model), effects)
        drawn.append(_titled(figures.battery_forest(result), model))
        if len(result.doses):
            drawn.append(_titled(figures.dose_lines(result), model))
    named = {
        "Verdicts by group": "battery_groups",
        "Effects": "battery_effects",
        "Slopes over doses": "battery_doses",
        "Flips and accuracy": "battery_flips",
        "By side": "battery_by_side",
        "What the verdicts are held against": "battery_scale",
    }
    shown = _some(tables, named)
    if "battery_changes" in tables:
        shown["Responses that moved the most under each edit"] = _largest(tables["battery_changes"])
    text = "\n\n".join([BATTERY, *_in_words(tables)])
    return [Section("Edits of which it is known what they should do", text, figures=drawn,
                    tables=shown)]  # fmt: skip


def _in_words(tables: Tables) -> list[str]:
    """One sentence a model and group."""
    if "battery_groups" not in tables:
        return []
    return [
        f"{row['model']}, {row['title']}: {group_sentence(row)}"
        for row in tables["battery_groups"].to_dict("records")
    ]


def group_sentence(row: Mapping[Any, Any]) -> str:
    """What is said of one group of edits, from a row of `group_verdicts`."""
    parts = [f"{row['n_as_it_should']} of {row['n_edits']} edits did as they should"]
    if row["n_not"]:
        parts.append(f"{row['n_not']} did not ({row['offenders']})")
    if row["n_cannot_say"]:
        parts.append(f"of {row['n_cannot_say']} nothing can be said")
    if row["n_not_applied"]:
        parts.append(f"{row['n_not_applied']} applied to no response")
    return "; ".join(parts) + "."


def battery_of(tables: Tables, model: str, effects: pd.DataFrame) -> BatteryResult:
    """What the battery's figures need of a result, from its tables."""
    scale = _of_model(tables, "battery_scale", model).iloc[0]
    options = BatteryOptions(noise_floor=float(scale["noise_floor"]))
    good = effects["as_it_should"].astype("boolean")
    return BatteryResult(
        options,
        effects.assign(as_it_should=good, flip_edited=effects["flip_edited"].fillna("")),
        by_side=pd.DataFrame(),
        flips=pd.DataFrame(),
        doses=_of_model(tables, "battery_doses", model),
        applied=pd.DataFrame(),
        reward_spread=float(scale["reward_spread"]),
        relevant_change=float(scale["relevant_change"]),
        n_pairs=int(scale["n_pairs"]),
        n_prompts=int(scale["n_prompts"]),
        left_out={},
    )


def _largest(changes: pd.DataFrame) -> pd.DataFrame:
    """The responses that each edit moved the most, of each model."""
    parts = [
        largest_changes(rows, str(name), most=PAIRS_PER_EDIT)
        for (_, name), rows in changes.groupby(["model", "perturbation"], sort=False)
    ]
    return pd.concat(parts, ignore_index=True)


def _scan(tables: Tables, _: Mapping[str, Any]) -> list[Section]:
    return [_scanned("Attributes", ATTRIBUTES, tables["attribute_scan"])]


def _planted(tables: Tables, _: Mapping[str, Any]) -> list[Section]:
    return [_scanned("Attributes put in by an edit", PLANTED, tables["attribute_planted"])]


def _scanned(title: str, meaning: str, table: pd.DataFrame) -> Section:
    lines = [meaning]
    for (model, kind), rows in table.groupby(["model", "kind"], sort=False):
        found = rows.loc[rows["depends"].fillna(False).astype(bool)]
        names = ", ".join(f"{row.title} (p = {row.p_adjusted:.2g})" for row in found.itertuples())
        lines.append(f"{model}, {kind}: rewards depend on {names or 'none of the attributes'}.")
    return Section(title, "\n\n".join(lines), tables={f"{title}: all": table})


def _attribute(tables: Tables, _: Mapping[str, Any]) -> list[Section]:
    drawn: list[go.Figure] = []
    title = str(tables["dependence"]["attribute"].iloc[0])
    for name in tables["dependence"]["model"].unique():
        model = str(name)
        sums = _of_model(tables, "mmd_sums", model)
        if len(sums):
            result = _mmd_of(tables, model, sums)
            conditions = [each for each in sums["condition"] if each != TOTAL]
            maps = [figures.mmd_heatmap(result, condition=each) for each in conditions]
            drawn += [_titled(figure, model) for figure in maps]
        curves = _of_model(tables, "density_curves", model)
        if curves.empty:
            curves = pd.DataFrame(columns=["bin", "reward", "density"])
        bins = _of_model(tables, "density_bins", model)
        bins = bins.assign(note=bins["note"].fillna(""))
        drawn.append(_titled(figures.reward_densities(DensityResult(curves, bins, {})), model))
        drawn.append(_titled(figures.attribute_scatter(_line_of(tables, model), title), model))
    named = {
        "Distances between bins": "mmd_matrix",
        "Bins": "mmd_bins",
        "Sums and test": "mmd_sums",
        "Rewards by bin": "density_bins",
        "Dependence": "dependence",
    }
    shown = _some(tables, named)
    if "dependence_points" in tables:
        shown["Responses"] = tables["dependence_points"].head(ROWS_SHOWN)
    return [Section(f"{title} against the reward", figures=drawn, tables=shown)]


def _mmd_of(tables: Tables, model: str, sums: pd.DataFrame) -> MmdResult:
    last = sums.iloc[-1]
    nothing = Estimate(
        float(last["total"]), float(last["low"]), float(last["high"]), 0.95, int(last["n"]),
        int(last["n_prompts"]), "see the table", {},
    )  # fmt: skip
    conditional = not (sums["condition"] == "all").any()
    estimator: Estimator = "biased" if last["estimator"] == "biased" else "unbiased"
    return MmdResult(
        MmdOptions(conditional=conditional, estimator=estimator),
        Bandwidth(float(last["bandwidth"]), "see the table"),
        _of_model(tables, "mmd_bins", model).astype({"used": bool}),
        _of_model(tables, "mmd_matrix", model),
        sums,
        nothing,
        TestResult(nothing.value, float(last["p_value"]), nothing.n, nothing.n_prompts, "see"),
        float("nan"),
        None,
        {},
    )


def _line_of(tables: Tables, model: str) -> DependenceResult:
    table = _of_model(tables, "dependence", model)
    found = {str(row["measure"]): _estimate(row) for row in table.to_dict("records")}
    return DependenceResult(
        found["slope"],
        found["correlation"],
        found["rank_correlation"],
        found["within_slope"],
        float("nan"),
        float(table["intercept"].iloc[0]),
        found["residual_correlation"],
        {},
        _of_model(tables, "dependence_points", model),
        {},
    )


def _rates(tables: Tables, _: Mapping[str, Any]) -> list[Section]:
    drawn: list[go.Figure] = []
    for model, effects in tables["rate_effects"].groupby("model", sort=False):
        sanity = _of_model(tables, "rate_sanity", str(model))
        responses = _of_model(tables, "rate_responses", str(model))
        result = RateResult(effects, sanity, responses, {})
        drawn.append(_titled(figures.rate_bars(result), model))
        if len(responses):
            drawn.append(_titled(figures.rewrite_sanity(result), model))
    named = {"Effects": "rate_effects", "Sanity": "rate_sanity"}
    shown = _some(tables, named)
    if "rate_responses" in tables:
        shown["Responses"] = tables["rate_responses"].head(ROWS_SHOWN)
    return [Section("Effects by rewriting", RATES, figures=drawn, tables=shown)]


def _heads(tables: Tables, options: Mapping[str, Any]) -> list[Section]:
    return [_head_section(tables["head_points"], "Heads on the pairs as they are", options)]


def _biased_heads(tables: Tables, options: Mapping[str, Any]) -> list[Section]:
    heading = "Heads on pairs with a planted bias"
    return [_head_section(tables["biased_head_points"], heading, options)]


def _head_section(points: pd.DataFrame, heading: str, options: Mapping[str, Any]) -> Section:
    drawn = [
        _titled(figures.accuracy_frontier(FrontierResult(FrontierOptions(), rows, {}, rows, {})), m)
        for m, rows in points.groupby("model", sort=False)
    ]
    n_folds = options.get("n_folds", FrontierOptions().n_folds)
    notes = [
        f"Cross-validation over {n_folds} parts of the prompts; heads are trained on the rest."
    ]
    return Section(heading, HEADS, figures=drawn, tables={"Heads": points}, notes=notes)


def _titled(figure: go.Figure, model: object) -> go.Figure:
    """The figure with the model's name in front of its title."""
    own = figure.layout.title.text or ""
    name = literal([str(model)])[0]
    return figure.update_layout(title={"text": f"{name}: {own}"})


def _estimate(row: Mapping[Any, Any]) -> Estimate:
    value, low, high, confidence = (
        float(row[name]) for name in ("value", "low", "high", "confidence")
    )
    n, n_prompts = int(row["n"]), int(row["n_prompts"])
    return Estimate(value, low, high, confidence, n, n_prompts, str(row["method"]), {})


def _of_model(tables: Tables, name: str, model: str) -> pd.DataFrame:
    table = tables.get(name)
    if table is None or table.empty:
        return pd.DataFrame()
    return table.loc[table["model"] == model].reset_index(drop=True)


def _some(tables: Tables, named: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    return {caption: tables[name] for caption, name in named.items() if name in tables}


register_report(KIND, invariance_sections)
