"""From where to where a judge's scores go: what sums of them can still become rests on it."""

import numpy as np
import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.reasoning.setup import NAME, Setup
from core.errors import WorkbenchError
from core.labs.reasoning.judgements import Judgements
from core.labs.reasoning.score_stops import ScoreScale
from core.models.judges.formats import FORMATS


def scores_alone(judgements: Judgements) -> bool:
    """Whether any text scores one response by itself."""
    return bool((judgements.table["order"].str.len() == 1).any())


def known_scale(setup: Setup) -> ScoreScale | None:
    """The scale of the judge's format; None where the format is unknown or gives no scores."""
    names = set(setup.judgements.table["format"])
    forms = [form for name, form in FORMATS.items() if name in names]
    scale = forms[0].scale if len(names) == len(forms) == 1 else None
    return _scale(setup, *scale) if scale is not None else None


def choose_scale(setup: Setup) -> ScoreScale | None:
    """The format's scale, or the one the visitor gives; None where that is none."""
    known = known_scale(setup)
    if known is not None:
        return known
    given = [each for each in setup.judgements.table["scores"] if isinstance(each, tuple)]
    scores = np.array([score for each in given for score in each if np.isfinite(score)])
    low, high = st.columns(2)
    lowest = low.number_input(
        "Lowest score", value=float(scores.min()), key=f"{NAME}-lowest", persist_state="session",
        help="That the judge may give. The file names no format whose scale is known, so this is "
        "the lowest in it.",
    )  # fmt: skip
    highest = high.number_input(
        "Highest score", value=float(scores.max()), key=f"{NAME}-highest",
        persist_state="session", help="Likewise; the highest in the file.",
    )  # fmt: skip
    try:
        return _scale(setup, float(lowest), float(highest))
    except WorkbenchError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return None


def _scale(setup: Setup, lowest: float, highest: float) -> ScoreScale:
    # Where both orders must agree, a vote is two judgements and its scores are their sums.
    times = 2 if setup.handling == "agree" else 1
    items = setup.ballots.items if setup.ballots is not None else ()
    given = [np.isfinite(item.scores).sum(axis=1) for item in items]
    some = any(
        ((n > 0) & (n < item.n_candidates)).any() for n, item in zip(given, items, strict=True)
    )
    together = not scores_alone(setup.judgements) and not some
    return ScoreScale(times * lowest, times * highest, together)


def scale_words(scale: ScoreScale) -> str:
    """What the bounds rest on."""
    told = (
        f"A score is from {scale.lowest:g} to {scale.highest:g}, so each judgement left can change "
        f"the difference of two sums by {scale.swing:g} at most"
    )
    if scale.together:
        return f"{told}."
    return (
        f"{told}: a score that cannot be read adds nothing to its sum. A judgement is one score of "
        "each response, where each is scored alone."
    )
