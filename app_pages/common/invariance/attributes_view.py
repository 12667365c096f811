"""Tab: does the reward depend on an attribute of the response? All at once, then one closely."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.invariance.planted_view import planted_view
from app_pages.common.invariance.results import forget, keep, score_pairs
from app_pages.common.invariance.setup import NAME, Setup, number_of_pairs, one_model, one_of
from app_pages.common.invariance.words import (
    interval_text,
    left_out_note,
    named_table,
    p_text,
    selected_row,
)
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.service import model_titles
from core.figures.invariance import attribute_scatter, mmd_heatmap, reward_densities
from core.labs.attributes import Attribute, attributes, concept_attribute
from core.labs.invariance import densities, dependence, mmd
from core.labs.invariance.attribute_scan import (
    KINDS,
    ScanOptions,
    ScanResult,
    bin_labels,
    response_values,
    scan,
)
from core.labs.invariance.dependence import DependenceResult
from core.labs.invariance.mmd import ALL, MmdResult
from core.labs.invariance.tables import AttributeFinding
from core.labs.pairs import SIDES
from core.schema import content_id

CONCEPT = "concept"
OPTIMISTIC = (
    "Flattery, refusal and agreement are found by phrases that were written on texts of the kind "
    "of "
    "the authored pairs. How well they find them there is optimistic for other texts: praise or a "
    "refusal in words of its own is missed."
)
WHAT_IT_DOES = (
    "Scores the pairs as they are, reads eleven attributes off every response, and tests for each "
    "whether rewards differ between its bins."
)
WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
Tables = Mapping[str, pd.DataFrame]


def attributes_view(setup: Setup) -> None:
    """The whole tab."""
    reading = one_of(
        "Responses",
        ("written", "planted"),
        "reading",
        {"written": "as they were written", "planted": "with the attribute put in"},
        hint="As written: do rewards follow an attribute in these texts? Put in: does the reward "
        "move when one response is given the attribute?",
    )
    if reading == "planted":
        planted_view(setup)
    else:
        _as_written(setup)


def _as_written(setup: Setup) -> None:
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        n_pairs = number_of_pairs(setup, "attributes")
        words = st.text_input(
            "Words of a concept of yours",
            key=f"{NAME}-concept",
            placeholder="price, cost*, cheap",
            help="Counted as one more attribute. Words or phrases, separated by commas; a star "
            "stands for any ending.",
            persist_state="session",
        )
        n_bins = st.number_input(
            "Bins",
            2,
            10,
            3,
            key=f"{NAME}-bins",
            persist_state="session",
            help="At most; equal values are never parted, so there may be fewer. More bins see "
            "finer differences and have fewer responses each.",
        )
    chosen = setup.wide(n_pairs)
    scored = score_pairs(setup, chosen)
    if scored is None:
        forget(setup, "scans", "attributes")
        st.caption(WHAT_IT_DOES)
        return
    every = all_attributes(words or "")
    key = [chosen.key, sorted(scored), _states(scored), words, int(n_bins), setup.options.seed]
    options = ScanOptions(int(n_bins), seed=setup.options.seed)
    outcome = tasks().outcome(
        ("scan", content_id(key)),
        lambda: {model: scan(table, every, options) for model, table in scored.items()},
    )
    if not is_there(outcome, "Testing every attribute …"):
        return
    scans: Mapping[str, ScanResult] = keep("scans", setup.source_key, outcome.value)
    model = one_model(setup.models)
    attribute = _scan_table(scans[model], model, every)
    _closely(setup, scored, model, attribute, key)


def _states(scored: Tables) -> list[int]:
    """Changes as rewards come in after a stop."""
    return [int(table["reward"].notna().sum()) for table in scored.values()]


def all_attributes(words: str) -> list[Attribute]:
    """The registered attributes, and the concept of these words where there are any."""
    listed = [word for word in words.split(",") if word.strip().strip("*")]
    own = [concept_attribute(CONCEPT, listed, title="Your concept")] if listed else []
    return [*attributes(), *own]


def _scan_table(found: ScanResult, model: str, every: list[Attribute]) -> Attribute:
    """All attributes, and the one that is looked at closely."""
    table = found.table
    title = plain(model_titles().get(model, model))
    wide = table.pivot(index="attribute", columns="kind", values=["mmd", "p_adjusted", "n_bins"])
    shown = pd.DataFrame(
        {
            "title": [each.title for each in every],
            "attribute": [each.description for each in every],
        },
        index=[each.name for each in every],
    )
    for kind in KINDS:
        shown[f"MMD² {kind}"] = wide[("mmd", kind)].astype(float)
        shown[f"corrected p, {kind}"] = wide[("p_adjusted", kind)].astype(float)
    shown["n_bins"] = wide[("n_bins", "unconditional")].astype(int)
    shown = shown.sort_values("corrected p, unconditional", kind="stable", na_position="last")
    depends = table.loc[(table["kind"] == "unconditional") & table["depends"].fillna(False)]
    names = ", ".join(plain(str(name)) for name in depends["title"])
    n = int(table["n"].max())
    st.markdown(
        f"**{title}: rewards differ between the bins of {names or 'none of the attributes'}** "
        f"({found.options.level:.0%} of such findings may be false)."
    )
    st.caption(
        f"{n} responses. Unconditional: over all of them; conditional: within chosen and within "
        "rejected ones, which leaves a true relation of the attribute and quality alone. "
        "p-values by "
        f"{found.options.n_permutations:,} permutations, corrected over {len(every)} attributes. "
        "Select a row to look closely.",
        help=OPTIMISTIC,
    )
    event = named_table(
        shown,
        key=f"{NAME}-scan",
        labels={"title": "attribute", "attribute": "what is counted"},
        on_select="rerun",
        selection_mode="single-row",
        height="content",
    )
    untested = table.loc[table["p_value"].isna() & (table["kind"] == "unconditional"), "title"]
    if len(untested):
        st.caption(
            ":material/info: Not tested, fewer than two bins of "
            f"{found.options.fewest_members} responses or more: {plain(', '.join(untested))}."
        )
    at = selected_row(event, len(shown))
    name = str(shown.index[at if at is not None else 0])
    return next(each for each in every if each.name == name)


def _closely(
    setup: Setup, scored: Tables, model: str, attribute: Attribute, key: list[object]
) -> None:
    st.markdown(f"##### {plain(attribute.title)}, closely")
    st.caption(plain(attribute.description), help=OPTIMISTIC)
    left, right = st.columns(2, gap="medium", vertical_alignment="bottom")
    with left:
        conditional = st.toggle(
            "Within chosen and rejected separately",
            False,
            key=f"{NAME}-conditional",
            persist_state="session",
            help="Conditional MMD: better responses may rightly have more of the attribute; this "
            "looks for a difference beyond that.",
        )
    with right:
        width = st.select_slider(
            "Kernel width",
            WIDTHS,
            1.0,
            format_func=lambda value: f"{value:g} × the median distance",
            key=f"{NAME}-width",
            persist_state="session",
            help="The scale of reward at which bins are compared. The median distance between two "
            "rewards is the usual choice.",
        )
    n_bins, seed = int(str(key[-2])), setup.options.seed
    outcome = tasks().outcome(
        ("attribute", content_id([key, attribute.name, conditional, width])),
        lambda: {
            each: attribute_finding(
                table, attribute, n_bins=n_bins, conditional=conditional, width=width, seed=seed
            )
            for each, table in scored.items()
        },
    )
    if not is_there(outcome, "Comparing the bins …"):
        return
    found: Mapping[str, AttributeFinding] = keep("attributes", setup.source_key, outcome.value)
    _bins(found[model])
    _line(found[model])


def attribute_finding(
    scored: pd.DataFrame,
    attribute: Attribute,
    *,
    n_bins: int,
    conditional: bool,
    width: float,
    seed: int,
) -> AttributeFinding:
    """MMD, densities and dependence of one attribute.

    Args:
        scored: pairs with one model's rewards.
        attribute: what is read off the responses.
        n_bins: bins at most.
        conditional: chosen and rejected responses apart.
        width: of the kernel, in median distances.
        seed: of permutations and resampling.
    """
    values = response_values(scored, [attribute])[attribute.name].to_numpy()
    labels, _ = bin_labels(values, n_bins)
    options = mmd.MmdOptions(
        conditional=conditional, fewest_members=ScanOptions.fewest_members, seed=seed
    )
    found = mmd.run(scored, labels, options)
    if width != 1.0 and found.bandwidth.value > 0:
        found = mmd.run(scored, labels, replace(options, bandwidth=width * found.bandwidth.value))
    return AttributeFinding(
        attribute.title,
        found,
        densities.run(scored, labels, densities.DensityOptions(seed=seed)),
        dependence.run(scored, values, dependence.DependenceOptions(seed=seed)),
    )


def _bins(found: AttributeFinding) -> None:
    result = found.mmd
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            reward_densities(found.densities),
            key=f"{NAME}-densities",
            alt="Density of the reward in each bin of the attribute",
        )
        st.caption(
            "Curves that lie on each other: the reward does not tell the bins apart. Dotted: means."
        )
    with right:
        conditions = [each for each in (ALL, *SIDES) if (result.sums["condition"] == each).any()]
        for condition in conditions:
            st.plotly_chart(
                mmd_heatmap(result, condition=condition),
                key=f"{NAME}-mmd-{condition}",
                alt="Squared MMD between bins",
            )
        if conditions:
            st.caption(_mmd_words(result))
        else:
            st.info("Fewer than two bins with enough responses.", icon=":material/info:")
    left_out_note(result.left_out)


def _mmd_words(result: MmdResult) -> str:
    total = result.total
    interval = (
        f" ({total.confidence:.0%} interval {total.low:.3f} to {total.high:.3f})"
        if math.isfinite(total.low)
        else ""
    )
    return (
        f"Squared MMD {total.value:.3f}{interval}, {p_text(result.test.p_value)}, n = {total.n}, "
        f"{total.n_prompts} prompts; above {result.critical:.3f} it would be significant. "
        f"Kernel width {result.bandwidth.value:.3g}. {plain(result.test.method.capitalize())}."
    )


def _line(found: AttributeFinding) -> None:
    result = found.dependence
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            attribute_scatter(result, found.title),
            key=f"{NAME}-scatter",
            alt="Reward of each response against the attribute",
        )
        st.caption(
            f"Slope {interval_text(result.slope)}; smallest slope that would probably have been "
            f"found {result.detectable:.3g}. Among responses to one prompt: "
            f"{interval_text(result.within_slope)}."
        )
    with right:
        st.plotly_chart(
            attribute_scatter(result, found.title, residual=True),
            key=f"{NAME}-residual",
            alt="What is left of the reward without a straight line through the attribute",
        )
        st.caption(_accuracies(result))
    left_out_note(result.left_out)


def _accuracies(result: DependenceResult) -> str:
    names = {
        "reward": "by the reward",
        "residual": "by what is left without the line",
        "attribute": "by the line alone",
    }
    parts = [
        f"{name} {result.accuracy[key].accuracy.value:.0%}"
        for key, name in names.items()
        if key in result.accuracy
    ]
    n = next((each.accuracy.n for each in result.accuracy.values()), 0)
    return (
        f"Pairs judged right: {', '.join(parts)} (n = {n}). Where the line alone does as well as "
        f"the "
        "reward, the reward may know little else. Taking a straight line out, fitted on other "
        "prompts, is our reading of ODIN."
    )
