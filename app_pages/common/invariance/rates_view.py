"""Tab: what an attribute does to the reward, with rewrites on both arms (RATE)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.invariance.results import run_rates
from app_pages.common.invariance.setup import NAME, Setup, number_of_pairs, one_model, one_of
from app_pages.common.invariance.words import left_out_note, named_table, p_text
from app_pages.common.markup import plain
from app_pages.common.pair_choice import ChosenPairs
from core.figures.invariance import rate_bars, rewrite_sanity
from core.labs.attributes import attribute
from core.labs.invariance import rate
from core.labs.invariance.rate import RateResult
from core.labs.pairs import SIDES
from core.labs.plan import Plan
from core.perturbations import get

GIVEN = "the table's own rewrites"
GIVEN_COLUMNS = ("rewrite", "double_rewrite", "has_attribute")
WHAT_IT_DOES = (
    "Rewrites each response so that it has the attribute or has it no more, then rewrites it back. "
    "Comparing the two rewritten texts leaves out the marks of rewriting itself."
)


@dataclass(frozen=True)
class Rewriter:
    """Two rules that undo each other, and what has the attribute.

    Attributes:
        adds: the edit that gives a response the attribute.
        removes: the edit that takes it away.
        has: which of the responses have it.
        meaning: what "has it" means, in words.
    """

    adds: str
    removes: str
    has: Callable[[pd.Series], pd.Series]
    meaning: str


def _above_median(texts: pd.Series) -> pd.Series:
    lengths = texts.map(attribute("words"))
    return lengths > lengths.median()


def _can(edit: str) -> Callable[[pd.Series], pd.Series]:
    """Texts on which an edit finds something to do."""

    def applies(texts: pd.Series) -> pd.Series:
        prompt = [{"role": "user", "content": "?"}]
        return texts.map(
            lambda text: (
                get(edit).apply([*prompt, {"role": "assistant", "content": text or "?"}]).applied
            )
        )

    return applies


REWRITERS = {
    "contractions": Rewriter(
        "contract", "expand-contractions", _can("expand-contractions"), "it has a contraction"
    ),
    "markdown": Rewriter(
        "markdown", "plain-text", lambda texts: texts.map(attribute("markdown_density")) > 0,
        "it has some markdown",
    ),
    "empty sentences": Rewriter(
        "padding", "concise", _above_median, "it is longer than the median response"
    ),
}  # fmt: skip


def rates_view(setup: Setup) -> None:
    """The whole tab."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        n_pairs = number_of_pairs(setup, "rates")
        chosen = setup.wide(n_pairs)
        choices = list(REWRITERS)
        if set(GIVEN_COLUMNS) <= set(chosen.pairs.columns):
            choices.append(GIVEN)
        name = one_of(
            "Attribute",
            choices,
            "rewriter",
            hint="Rewrites by rule, where one rule adds what another takes away; or the columns "
            "rewrite, double_rewrite and has_attribute of a table of yours.",
        )
    if name in REWRITERS:
        each = REWRITERS[name]
        st.caption(
            f"Adds by “{plain(get(each.adds).title)}”, removes by "
            f"“{plain(get(each.removes).title)}”. "
            f"A response has the attribute when {each.meaning}."
        )
    found = run_rates(
        setup,
        [chosen.key, name, setup.options.seed],
        lambda: rate_plan(chosen, name, setup.options.seed),
        setup.options.seed,
    )
    if found is None:
        st.caption(WHAT_IT_DOES)
        return
    model = one_model(setup.models)
    _result(found[model], name)


def rate_plan(chosen: ChosenPairs, name: str, seed: int) -> Plan:
    """The responses with their rewrites.

    Args:
        chosen: the pairs.
        name: a key of `REWRITERS`, or `GIVEN`.
        seed: of the rules' choices.
    """
    table = responses_of(chosen.pairs)
    if name == GIVEN:
        given = chosen.pairs.assign(
            response=chosen.pairs["chosen"], response_id=chosen.pairs["pair_id"]
        )
        has = given["has_attribute"].map(_truth)
        return rate.plan(given.assign(has_attribute=has))
    each = REWRITERS[name]
    table["has_attribute"] = each.has(table["response"]).astype(bool)
    rewriter = rate.perturbation_rewriter(get(each.adds), get(each.removes), seed=seed)
    return rate.plan(table, rewriter)


def _truth(value: object) -> object:
    """A cell of a file as true or false; NaN where it is neither."""
    spelt = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return spelt.get(str(value).strip().lower().removesuffix(".0"), float("nan"))


def responses_of(pairs: pd.DataFrame) -> pd.DataFrame:
    """Each response to each prompt once: `response_id, prompt_id, prompt, response`."""
    return pd.DataFrame(list(_responses(pairs)))


def _responses(pairs: pd.DataFrame) -> Iterator[dict[str, object]]:
    seen: set[tuple[str, str]] = set()
    for row in pairs.to_dict(orient="records"):
        for side in SIDES:
            key = (str(row["prompt_id"]), str(row[side]))
            if key not in seen:
                seen.add(key)
                yield {
                    "response_id": f"{row['pair_id']}, {side}",
                    "prompt_id": row["prompt_id"],
                    "prompt": row["prompt"],
                    "response": row[side],
                }


def _result(result: RateResult, name: str) -> None:
    if result.responses.empty:
        st.info("No response could be rewritten both ways.", icon=":material/info:")
        left_out_note(result.left_out)
        return
    best = result.effects.loc[
        (result.effects["estimator"] == "double rewrite") & (result.effects["effect"] == "ATE")
    ].iloc[0]
    st.markdown(
        f"**Having {plain(name)} changes the reward by {best['value']:+.3f}** "
        f"(95% interval {best['low']:+.3f} to {best['high']:+.3f}, {p_text(best['p_value'])}, "
        f"n = {int(best['n'])} responses of {int(best['n_prompts'])} prompts; smallest effect that "
        f"would probably have been found {best['detectable']:.3g})."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            rate_bars(result), key=f"{NAME}-rate-bars", alt="Effects by three estimates"
        )
        st.caption(
            "Naive: different responses with and without it. Single rewrite: an original against "
            "its "
            "rewrite, which also counts the marks of rewriting. Double rewrite: both rewritten. "
            "ATT: "
            "on responses that have it, ATU: on those that do not, ATE: on all."
        )
    with right:
        st.plotly_chart(
            rewrite_sanity(result), key=f"{NAME}-sanity", alt="Reward of double rewrites"
        )
        st.caption(
            "A response rewritten and rewritten back, against itself. Where this is not centred on "
            "0 the rewriter leaves marks, and the single rewrite cannot be trusted."
        )
    left_out_note(result.left_out)
    with st.expander("All estimates", icon=":material/table:"):
        named_table(result.effects.drop(columns="method"), key=f"{NAME}-rate-effects")
        named_table(result.sanity, key=f"{NAME}-rate-sanity")
