"""Sentences say what the data show, and no more."""

import numpy as np
import pandas as pd
import pytest

from core.labs.self_rewarding import drift, in_words, iterations
from core.labs.self_rewarding.audit import audit
from core.labs.self_rewarding.iterations import PairRule, rebuild
from core.stats import Estimate
from tests.core.labs.self_rewarding.made import generations
from tests.core.labs.self_rewarding.test_audit import EMBEDDINGS


@pytest.mark.parametrize(
    ("shrink", "verdict"), [(0.5, "it shrank."), (2.0, "it grew."), (1.0, "no change can be told.")]
)
def test_gap_is_told_by_its_interval(shrink: float, verdict: str) -> None:
    found = rebuild(generations(shrink=shrink), PairRule(), n_draws=200)
    sentences = in_words.gap_sentences(found.estimates, found.changes)
    assert len(sentences) == 2
    assert all(sentence.endswith(verdict) for sentence in sentences)
    rows = found.estimates.query("measure == 'gap' and method == 'classic' and run == 'all seeds'")
    ends = rows.sort_values("iteration")["value"].iloc[[0, -1]]
    assert f"went from {ends.iloc[0]:.3f} to {ends.iloc[1]:.3f}" in sentences[0]


def test_one_iteration_tells_no_change() -> None:
    found = rebuild(generations(n_iterations=1), PairRule(), n_draws=50)
    assert "one iteration only" in in_words.gap_sentences(found.estimates, found.changes)[0]


def test_slots_and_kept_are_counted() -> None:
    found = rebuild(generations(), PairRule(anchored=True), n_draws=50)
    assert (
        "wrote 100% of the rejected, the future model 0% of the chosen"
        in (in_words.slot_sentences(found.slots)[0])
    )
    assert in_words.kept_sentence(found.estimates).startswith("100% of the problems")


def test_drift_names_who_praises_more() -> None:
    table = generations().table
    raised = table.assign(judge_score=table["judge_score"] + 5 * table["iteration"])
    found = drift.run(raised, n_draws=100)
    (one, _) = in_words.drift_sentences(found.estimates, found.changes)
    assert "the judge praises the change more" in one
    lowered = table.assign(judge_score=table["outside"])
    found = drift.run(lowered, n_draws=100)
    assert "no difference" in in_words.drift_sentences(found.estimates, found.changes)[0]


def test_audit_says_that_the_start_of_training_has_one_weight_for_all() -> None:
    pairs = pd.DataFrame(
        {"pair_id": list("abcd"), "prompt_id": list("abcd"), "chosen": "x", "rejected": "y"}
    )
    found = audit(pairs, embeddings=EMBEDDINGS, rewards=(np.arange(4), np.ones(4)))
    told = " ".join(in_words.audit_sentences(found))
    assert "weight beta / 2 = 0.05 for every pair" in told
    assert "prefers the chosen response in 62% of 4 pairs" in told
    assert "Near-parallel pairs: 1 of 4" in told


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.8, 0.95, "tells well which pairs"),
        (0.1, 0.9, "tells only in part"),
        (-0.2, 0.4, "does not tell"),
        (-0.9, -0.2, "smaller gradients"),
        (float("nan"), float("nan"), "too few problems"),
    ],
)
def test_the_bound_is_told_by_its_interval(low: float, high: float, verdict: str) -> None:
    value = 0.5 if np.isnan(low) else (low + high) / 2
    told = in_words.bound_sentence(Estimate(value, low, high, 0.95, 40, 8, "by hand"))
    assert verdict in told
    assert f"rank correlation of {value:.2f}" in told


def test_every_measure_that_has_verbs_is_a_measure() -> None:
    assert set(in_words._VERBS) <= {*iterations.MEASURES, *drift.MEASURES}
