"""The labs find the flaws that were planted in the embedded family, and where they were mended.

These are real adapters on real texts; analytic scorers are in the tests of each lab.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from core.engine.cache import RewardCache
from core.engine.plans import score_conversations
from core.engine.service import RewardService
from core.labs.invariance import battery, planted
from core.labs.plan import Plan
from core.labs.prompt_awareness import matrix, swaps
from core.labs.prompt_awareness.leaderboard import Evidence, compare
from core.models.embedded import package_file, prepare_base
from core.pair_sources import authored_pairs, first_prompts
from core.stats import Estimate

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

N_PAIRS = 20
FLAWS = {"length": ("padding", "words"), "flattery": ("agreement", "agreement_opener")}
"""The edit that shows each flaw, and the attribute that follows it."""


@pytest.fixture(scope="module")
def pairs() -> pd.DataFrame:
    return first_prompts(authored_pairs().pairs, N_PAIRS)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RewardService]:
    if package_file() is None:
        pytest.skip("the embedded language model's package is not installed")
    prepare_base()
    file: Path = tmp_path_factory.mktemp("cache") / "rewards.sqlite"
    made = RewardService(cache=RewardCache(file, 10**8))
    yield made
    made.close()


def scored(service: RewardService, model: str, plan: Plan) -> pd.DataFrame:
    found = score_conversations(service, model, plan.conversations())
    return plan.scored(found["reward"], list(found["error"]))


@pytest.mark.parametrize("flaw", FLAWS)
def test_the_planted_bias_is_found_and_the_invariant_model_has_at_most_half_of_it(
    service: RewardService, pairs: pd.DataFrame, flaw: str
) -> None:
    edit, attribute = FLAWS[flaw]
    options = battery.BatteryOptions(perturbations=(edit,), doses="all")
    plan = battery.plan(pairs, options)
    effects, distances = {}, {}
    for model in (f"pocket-{flaw}", f"pocket-{flaw}-invariant"):
        table = scored(service, model, plan)
        assert table["reward"].notna().all()
        effects[model] = battery.run(table, options).effects.set_index("dose")
        scan = planted.scan(table).table.set_index(["kind", "attribute"])
        distances[model] = scan.loc[("unconditional", attribute)]
    biased, mended = effects.values()
    assert (biased["p_adjusted"] < 0.01).all()
    assert biased["verdict"].tolist() == ["rewarded"] * 3
    assert distances[f"pocket-{flaw}"]["p_adjusted"] < 0.01
    assert (mended["in_spreads"] <= biased["in_spreads"] / 2).all()
    far, near = (each["mmd"] for each in distances.values())
    assert near <= far / 2


def test_models_are_ordered_by_how_much_they_read_the_prompt(service: RewardService) -> None:
    pairs = first_prompts(authored_pairs().pairs, 2 * N_PAIRS)
    cells = matrix.MatrixOptions(most_prompts=12)
    other = swaps.SwapOptions(kinds=("random",), n_prompts=2)
    found = {
        model: Evidence(
            swaps.run(scored(service, model, swaps.plan(pairs, other)), other),
            matrix.run(scored(service, model, matrix.plan(pairs, cells)), cells),
        )
        for model in ("pocket-blind", "pocket", "pocket-aware")
    }
    blind, plain, aware = found.values()
    assert shares_of(blind).value < 0.15
    assert retention_of(blind).low > 0.7
    assert shares_of(blind).high < shares_of(plain).low
    assert retention_of(plain).high < retention_of(blind).low
    # The two that read the prompt are told apart on the same pairs.
    difference = compare(plain, aware).set_index("measure")
    assert difference.loc["retention", "high"] < 0
    assert difference.loc["interaction_share", "low"] > 0


def shares_of(evidence: Evidence) -> Estimate:
    assert evidence.matrix is not None
    return evidence.matrix.shares.interaction.estimate


def retention_of(evidence: Evidence) -> Estimate:
    return evidence.swaps.measures["random"].retention.estimate
