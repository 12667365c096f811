"""The report of the self-rewarding lab, drawn again from its tables (`to_tables`)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from core.figures import self_rewarding as figures
from core.labs.self_rewarding import audit, drift, in_words, iterations
from core.labs.self_rewarding.audit import AuditResult
from core.labs.self_rewarding.bound import bound_check
from core.labs.self_rewarding.drift import DriftResult
from core.labs.self_rewarding.estimates import POOLED, row_estimate
from core.labs.self_rewarding.iterations import GAP_RATIO, KEPT, IterationResult
from core.labs.self_rewarding.tables import from_tables
from core.report import Section, register_report
from core.stats import Estimate

KIND = "self-rewarding"

QUESTION = (
    "In self-rewarding training a judge picks the best and the worst of a model's own responses, "
    "and DPO trains on the pair. Where the responses become alike, so do the two sides of every "
    "pair, and little is left to learn from. Gap: the judge's score of the chosen minus that of "
    "the rejected."
)
WEIGHT = (
    "DPO's gradient is a weight, beta (1 - sigmoid(margin)), times a difference of two gradients. "
    "A wide gap is not quality by itself: pairs that are easily told apart saturate the margin, "
    "and the weight goes to 0. Gradient scale: weight times the distance of the two responses' "
    "states, our reading of the bound in arXiv 2508.06026."
)
BUILDER = (
    "Pairs built again from the recorded samples, by the rule and with the changes chosen. What "
    "training on them would have led to is not told: the samples stay those of the run as it was."
)
DRIFT = (
    "The same samples by the judge, which picked the pairs, and by a reward model that took no "
    "part, each in standard deviations of its own scores at the first iteration. Praise that only "
    "the judge gives is the judge's taste."
)
AUDIT = (
    "A set of preference pairs as DPO would read it. The expected gradient scale is our reading of "
    "a bound: it ranks pairs and is no prediction of a number."
)


_LEARNING = (
    "cosine",
    "margin_after",
    "loss_after",
    "weight_after",
    "gradient_after",
    "gradient_norm",
)


def self_rewarding_sections(
    tables: Mapping[str, pd.DataFrame], options: Mapping[str, Any]
) -> Sequence[Section]:
    """Sections of what was found; a part that was not run has none.

    Args:
        tables: of `core.labs.self_rewarding.tables.to_tables`.
        options: of the page: `beta`, `parallel`, and `rule`, a sentence on how pairs were rebuilt.
    """
    found = from_tables(tables)
    sections: list[Section] = []
    if found.recorded is not None:
        sections += _pairs(found.recorded, "What happened to the pairs", QUESTION, options)
    if found.rebuilt is not None:
        text = f"{options.get('rule', '')}\n\n{BUILDER}".strip()
        sections += _pairs(found.rebuilt, "Pairs built again", text, options)
    if found.drift is not None:
        sections.append(_drift(found.drift))
    if found.audit is not None:
        sections.append(_audit(found.audit, options))
    return sections


def _pairs(
    result: IterationResult, heading: str, text: str, options: Mapping[str, Any]
) -> Iterator[Section]:
    estimates = result.estimates
    readings = in_words.gap_sentences(estimates, result.changes)
    methods = [str(name) for name in dict.fromkeys(result.pairs["method"])]
    drawn = [figures.over_iterations(estimates, "gap", title="Gap")]
    drawn += [
        figures.score_ridges(result.pairs.loc[result.pairs["method"] == name], title=name)
        for name in methods
    ]
    kept = in_words.kept_sentence(estimates)
    yield Section(
        heading,
        "\n\n".join([text, *readings, kept]).strip(),
        estimates=_changes(result.changes, iterations.MEASURES),
        figures=drawn,
        tables={"All measures": estimates, "Pairs": result.pairs},
        left_out={
            str(why): int(rows["n"].sum()) for why, rows in result.left_out.groupby("reason")
        },
    )
    learned = list(_learning(result, options))
    if learned:
        readings = [
            sentence
            for name in ("cosine", "weight_after", "gradient_after", "gradient_norm")
            if name in result.measures
            for sentence in in_words.change_sentences(estimates, result.changes, name)
        ]
        bound = bound_check(result.pairs)
        if bound is not None:
            readings.append(in_words.bound_sentence(bound))
        yield Section(
            f"{heading}: what DPO makes of them",
            "\n\n".join([WEIGHT, *readings]),
            figures=learned,
        )
    if len(result.slots):
        slots = [
            figures.slot_bars(result.slots, slot, title=f"Who wrote the {slot}")
            for slot in ("rejected", "chosen")
        ]
        told = "\n\n".join(in_words.slot_sentences(result.slots))
        yield Section(f"{heading}: who won the slots", told, figures=slots)


def _learning(result: IterationResult, options: Mapping[str, Any]) -> Iterator[go.Figure]:
    beta = options.get("beta")
    for name in _LEARNING:
        if name in result.measures:
            level = float(beta) / 2 if name == "weight_after" and beta else None
            title = iterations.MEASURES[name][0]
            yield figures.over_iterations(result.estimates, name, title=title, level=level)


def _drift(result: DriftResult) -> Section:
    estimates = result.estimates
    readings = [
        *in_words.drift_sentences(estimates, result.changes),
        *in_words.change_sentences(estimates, result.changes, drift.AGREEMENT),
    ]
    drawn = [
        figures.judge_and_outside(estimates, str(method), title=str(method))
        for method in dict.fromkeys(estimates["method"])
    ]
    drawn.append(figures.over_iterations(estimates, drift.AGREEMENT, title="Agreement"))
    left_out = {"samples without both scores": result.unscored} if result.unscored else {}
    return Section(
        "Judge and outside model",
        "\n\n".join([DRIFT, *readings]),
        estimates=_changes(result.changes, drift.MEASURES),
        figures=drawn,
        tables={"All measures": estimates},
        left_out=left_out,
    )


def _audit(result: AuditResult, options: Mapping[str, Any]) -> Section:
    parallel = options.get("parallel")
    drawn = [
        figures.distribution(
            result.pairs,
            name,
            title=audit.MEASURES[name][0],
            threshold=float(parallel) if name == "cosine" and parallel else None,
        )
        for name in ("gap", "cosine", "gradient")
        if name in result.pairs.columns
    ]
    if {"gap", "cosine"} <= set(result.pairs.columns):
        drawn.append(figures.gap_against_cosine(result.pairs, title="Gap and likeness"))
    return Section(
        "Audit of a preference set",
        "\n\n".join([AUDIT, *in_words.audit_sentences(result)]),
        estimates={audit.MEASURES[name][0]: each for name, each in result.estimates.items()},
        figures=drawn,
        tables={"Flags": result.flags, "Pairs": result.pairs},
        notes=result.missing,
    )


def _changes(changes: pd.DataFrame, named: Mapping[str, tuple[str, str]]) -> Mapping[str, Estimate]:
    """Last against first iteration, in words."""
    labels = {name: f"{label}, last minus first" for name, (label, _) in named.items()}
    labels[GAP_RATIO] = "Gap, last over first"
    rows = changes.loc[(changes["run"] == POOLED) & (changes["measure"] != KEPT)]
    return {
        f"{row['method']}: {labels[str(row['measure'])]}": row_estimate(row)
        for row in rows.to_dict("records")
        if str(row["measure"]) in labels
    }


register_report(KIND, self_rewarding_sections)
