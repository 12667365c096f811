"""Tab: train heads that care less and less for an attribute, and see what that costs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.invariance.heads import (
    COEFFICIENTS,
    DECAY,
    BiasChoices,
    HeadChoices,
    attribute_values,
    biased_features,
    conversations_of,
    paid_for_edit,
    plant,
    real_features,
    train_path,
)
from app_pages.common.invariance.results import forget, keep
from app_pages.common.invariance.setup import NAME, Setup, number_of_pairs, one_of
from app_pages.common.invariance.states import read_states
from app_pages.common.invariance.words import left_out_note, named_table, p_text
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.pair_choice import ChosenPairs
from app_pages.common.service import model_titles
from core.figures.invariance import accuracy_frontier
from core.labs.attributes import attributes
from core.labs.invariance.frontier import FrontierResult
from core.perturbations import get, perturbations
from core.schema import content_id

REAL, PLANTED = "the pairs as they are", "a bias planted on purpose"
FIRST_HEAD_PAIRS = 60
WHAT_IT_DOES = (
    "Reads the model's final hidden states once, then trains linear reward heads on them: each "
    "with "
    "a heavier penalty on the difference of rewards between the bins of an attribute."
)


def heads_view(setup: Setup) -> None:
    """The whole tab."""
    if not setup.models:
        st.caption(":material/arrow_upward: Choose at least one reward model.")
        return
    model = one_of("Hidden states of", list(setup.models), "head-model", model_titles())
    about = one_of("Train on", [REAL, PLANTED], "head-data")
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        chosen = setup.wide(number_of_pairs(setup, "heads", most=FIRST_HEAD_PAIRS))
        choices = _choices(setup)
    if about == REAL:
        _on_real(setup, chosen, model, choices)
    else:
        _on_planted(setup, chosen, model, choices)


def _choices(setup: Setup) -> HeadChoices:
    penalty = one_of(
        "Penalty",
        ["unconditional", "conditional"],
        "penalty",
        hint="Unconditional: rewards may not tell the bins apart at all. Conditional: not within "
        "chosen and within rejected responses, which leaves a true relation with quality alone.",
    )
    n_components = st.number_input(
        "Components",
        2,
        512,
        64,
        key=f"{NAME}-components",
        persist_state="session",
        help="The head reads so many principal components of the hidden states. With few pairs a "
        "head on all of them learns them by heart, and keeps its promise only on those.",
    )
    return HeadChoices(
        "conditional" if penalty == "conditional" else "unconditional",
        int(n_components),
        setup.options.seed,
    )


def _on_real(setup: Setup, chosen: ChosenPairs, model: str, choices: HeadChoices) -> None:
    every = {each.name: each for each in attributes()}
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        name = st.selectbox(
            "Attribute the head shall not see",
            list(every),
            format_func=lambda name: every[name].title,
            key=f"{NAME}-head-attribute",
            persist_state="session",
        )
        n_bins = st.number_input(
            "Bins", 2, 10, 3, key=f"{NAME}-head-bins", persist_state="session",
            help="Of the attribute, at most.",
        )  # fmt: skip
    found = read_states("real", model, conversations_of(chosen.pairs))
    if found is None:
        forget(setup, "heads")
        st.caption(WHAT_IT_DOES)
        return
    attribute = every[str(name)]
    outcome = tasks().outcome(
        ("heads", found.key, content_id([name, int(n_bins), str(choices)])),
        lambda: train_path(
            real_features(
                chosen.pairs,
                found.states,
                attribute_values(chosen.pairs, attribute),
                int(n_bins),
            ),
            choices,
        ),
    )
    if not is_there(outcome, "Training heads …"):
        return
    result: FrontierResult = outcome.value
    keep("heads", setup.source_key, {model: result})
    _frontier(result, choices, attribute.title)


def _on_planted(setup: Setup, chosen: ChosenPairs, model: str, choices: HeadChoices) -> None:
    bias = _bias(setup)
    planted, left_out = plant(chosen.pairs, bias)
    conversations = [*conversations_of(planted), *conversations_of(chosen.pairs)]
    found = read_states("planted", model, conversations)
    if found is None:
        forget(setup, "biased-heads")
        st.caption(
            f"{WHAT_IT_DOES} Here “{plain(get(bias.edit).title)}” is put into "
            f"{bias.p_chosen:.0%} of the chosen and {bias.p_rejected:.0%} of the rejected "
            f"responses "
            "first: a plain head is paid for learning it."
        )
        return
    half = 2 * len(planted)
    outcome = tasks().outcome(
        ("heads", found.key, content_id([str(bias), str(choices)])),
        lambda: train_path(biased_features(planted, found.states[:half]), choices),
    )
    if not is_there(outcome, "Training heads …"):
        return
    result: FrontierResult = outcome.value
    keep("biased-heads", setup.source_key, {model: result})
    flags = planted[["chosen_biased", "rejected_biased"]].to_numpy(dtype=bool).ravel()
    paid = paid_for_edit(result, found.states[half:][flags], found.states[:half][flags])
    _frontier(result, choices, get(bias.edit).title, paid)
    left_out_note(left_out)


def _bias(setup: Setup) -> BiasChoices:
    shortcuts = {
        each.name: each.title
        for each in perturbations()
        if each.group == "shortcut" and each.target == "response"
    }
    first = list(shortcuts).index("agreement") if "agreement" in shortcuts else 0
    left, middle, right = st.columns(3, gap="medium")
    with left:
        edit = st.selectbox(
            "Bias",
            list(shortcuts),
            index=first,
            format_func=lambda name: shortcuts[name],
            key=f"{NAME}-bias",
            persist_state="session",
        )
    with middle:
        p_chosen = st.slider(
            "In so many chosen responses", 0.0, 1.0, 0.8, 0.05, format="percent",
            key=f"{NAME}-p-chosen", persist_state="session",
            help="80 % and 20 % are the rates of the paper's sycophancy experiment.",
        )  # fmt: skip
    with right:
        p_rejected = st.slider(
            "And in so many rejected ones", 0.0, 1.0, 0.2, 0.05, format="percent",
            key=f"{NAME}-p-rejected", persist_state="session",
        )  # fmt: skip
    return BiasChoices(str(edit), float(p_chosen), float(p_rejected), setup.options.seed)


def _frontier(
    result: FrontierResult, choices: HeadChoices, title: str, paid: pd.DataFrame | None = None
) -> None:
    points = result.points
    coefficient = st.select_slider(
        "λ, the weight of the penalty",
        COEFFICIENTS,
        1.0,
        format_func=lambda value: f"{value:g}",
        key=f"{NAME}-lambda",
        persist_state="session",
        help="0 is a plain Bradley-Terry head. The larger, the less the head may tell bins apart.",
    )
    plain_head = points.iloc[0]
    head = points.loc[points["coefficient"] == coefficient].iloc[0]
    _head_metrics(head, plain_head, paid)
    left, right = st.columns([0.6, 0.4], gap="medium")
    with left:
        figure = accuracy_frontier(result)
        figure.add_scatter(
            x=[head["mmd"]], y=[head["accuracy"]], mode="markers", showlegend=False,
            marker={"size": 16, "color": "rgba(0,0,0,0)", "line": {"width": 3, "color": "#e08e2b"}},
            hoverinfo="skip",
        )  # fmt: skip
        st.plotly_chart(figure, key=f"{NAME}-frontier", alt="Held-out accuracy against MMD")
        st.caption(
            "To the left: blinder to the attribute. Up: more pairs right. The ring is the λ above; "
            "bars are 95% intervals over prompts."
        )
    with right:
        st.markdown(_how_measured(result, choices, title))
    shown = points[
        ["coefficient", "accuracy", "mmd", "p_value", "with_attribute", "n_with",
         "against_attribute", "n_against"]
    ]  # fmt: skip
    if paid is not None:
        shown = shown.merge(paid[["coefficient", "paid"]], on="coefficient")
    named_table(shown, key=f"{NAME}-head-points", labels={"paid": "paid for the edit"})
    left_out_note(result.left_out)


def _head_metrics(
    head: "pd.Series[float]", plain_head: "pd.Series[float]", paid: pd.DataFrame | None
) -> None:
    columns = st.columns(4)
    with columns[0]:
        st.metric("Held-out accuracy", f"{head['accuracy']:.0%}", help="On prompts not trained on.")
        st.caption(
            f"{head['accuracy_low']:.0%} to {head['accuracy_high']:.0%}, n = "
            f"{int(head['n_pairs'])} "
            f"pairs; plain head {plain_head['accuracy']:.0%}"
        )
    with columns[1]:
        st.metric(
            "Squared MMD",
            f"{head['mmd']:.3f}",
            help="Between the attribute's bins, on prompts not trained on. The unbiased estimate "
            "can fall below 0, which says that no difference is seen.",
        )
        st.caption(f"{p_text(head['p_value'])}; plain head {plain_head['mmd']:.3f}")
    with columns[2]:
        st.metric(
            "Right where chosen has less",
            "–" if np.isnan(head["against_attribute"]) else f"{head['against_attribute']:.0%}",
            help="Held-out pairs in which the attribute speaks for the wrong response: a head that "
            "was bribed by it fails here.",
        )
        st.caption(
            f"n = {int(head['n_against'])}; plain head "
            + (
                "–"
                if np.isnan(plain_head["against_attribute"])
                else f"{plain_head['against_attribute']:.0%}"
            )
        )
    if paid is not None and len(paid):
        by_coefficient = paid.set_index("coefficient")
        with columns[3]:
            st.metric(
                "Paid for the edit alone",
                f"{by_coefficient.loc[head['coefficient'], 'paid']:+.2f}",
                help="Mean change of the head's reward, in its own standard deviations, when the "
                "bias alone is put into a response. These responses were trained on.",
            )
            st.caption(
                f"n = {int(paid['n'].iloc[0])} responses; plain head {paid['paid'].iloc[0]:+.2f}"
            )


def _how_measured(result: FrontierResult, choices: HeadChoices, title: str) -> str:
    points: Mapping[str, float] = result.points.iloc[0].to_dict()
    n_pairs, n_prompts = int(points["n_pairs"]), int(points["n_prompts"])
    n_bad = int((~result.points["converged"].astype(bool)).sum())
    slow = f" {n_bad} heads had not settled when training ended." if n_bad else ""
    return (
        f"**How sure is this?** {n_pairs} pairs of {n_prompts} prompts; every number on prompts "
        f"the "
        f"head has not seen, by {result.options.n_folds}-fold cross-validation. The head reads "
        f"{choices.n_components} principal components with weight decay {DECAY:g}; the penalty is "
        f"{choices.penalty}, on the bins of “{plain(title)}”. With so few pairs a difference of a "
        f"few points of accuracy is chance: look at the intervals.{slow}"
    )
