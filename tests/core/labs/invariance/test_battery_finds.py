"""The battery finds what is planted; where nothing is, it keeps to the alarms it promised."""

import time
from dataclasses import replace

import numpy as np
import pytest

from core.labs.invariance import battery
from core.labs.invariance.battery import BatteryOptions
from core.labs.invariance.battery_rewards import BatteryRewards
from core.labs.invariance.battery_tables import effect_table, flip_table
from core.labs.plan import Plan
from core.perturbations import perturbations

from .made import made_pairs, noisy

FOUND = ("moved", "dropped", "rose", "rewarded")
FAST = {"n_resamples": 200, "n_permutations": 2_000}


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Every perturbation of the library in every dose on 40 pairs."""
    return battery.plan(made_pairs(40), BatteryOptions(doses="all"))


def effects(plan: Plan, scorer, **options):
    rewards = [scorer(conversation) for conversation in plan.conversations()]
    result = battery.run(plan.scored(rewards), BatteryOptions(doses="all", **options))
    return result.effects.set_index(["perturbation", "dose"])


def response(conversation) -> str:
    return conversation[-1]["content"]


def test_a_scorer_that_likes_length_is_found(plan: Plan) -> None:
    def length(conversation) -> float:
        return len(response(conversation).split()) / 30

    found = effects(plan, noisy(length, 0, 0.5))
    assert found.loc[("padding", 4), "p_adjusted"] < 0.01
    assert found.loc[("padding", 4), "verdict"] == "rewarded"
    assert found.loc[("truncate", 1), "verdict"] == "dropped"


def test_a_scorer_that_likes_flattery_is_found_and_length_is_not_blamed(plan: Plan) -> None:
    praise = ("wonderful", "remarkable", "thoughtful", "inspiration", "brilliant", "deeply")

    def flattery(conversation) -> float:
        return float(any(word in response(conversation) for word in praise))

    found = effects(plan, noisy(flattery, 1, 0.5))
    assert found.loc[("flattery", 1), "p_adjusted"] < 0.01
    assert found.loc[("flattery", 1), "verdict"] == "rewarded"
    assert found.loc[("padding", 4), "verdict"] != "rewarded"


def test_a_scorer_without_bias_raises_few_false_alarms(plan: Plan) -> None:
    """200 scorers that know the pair and add noise to each text; an alarm is any finding at all.

    The quality of a pair's sides is real and differs; no edit changes it. Under this null
    Benjamini-Hochberg holds the share of runs with any finding at the level. The table is read once
    and the rewards in it redrawn.
    """
    options = BatteryOptions(doses="all", n_resamples=200, n_permutations=2_000)
    numbers = np.arange(len(plan), dtype=float)
    table = BatteryRewards.of(plan.scored(numbers))
    known = np.isfinite(table.edited)
    flips = flip_table(table, options)
    n_pairs = len(table.pairs)
    alarms = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        quality = rng.normal(size=(n_pairs, 2))
        original = quality + 0.5 * rng.normal(size=quality.shape)
        edited = quality[:, :, None] + 0.5 * rng.normal(size=table.edited.shape)
        drawn = replace(table, original=original, edited=np.where(known, edited, np.nan))
        spread = drawn.spread()
        found = effect_table(
            drawn, flips, replace(options, seed=seed), spread=spread, relevant=0.25 * spread
        )
        alarms += bool(found["verdict"].isin(FOUND).any())
    assert alarms <= 10, f"{alarms} of 200 runs"


def test_a_scorer_that_never_moves_passes_every_test_it_can(plan: Plan) -> None:
    by_text: dict[str, float] = {}

    def constant(conversation) -> float:
        return by_text.setdefault("only", 1.0)

    found = effects(plan, constant, reward_spread=1.0, **FAST)
    many = found[found["n_prompts"] > 1]
    verdicts = many.groupby("group")["verdict"].unique().map(list).to_dict()
    assert verdicts["nothing"] == ["did not move"]
    assert verdicts["shortcut"] == ["not rewarded"]
    assert verdicts["lower"] == ["did not drop"]


def test_a_noisy_scorer_on_few_pairs_cannot_say(plan: Plan) -> None:
    few = battery.plan(made_pairs(4), BatteryOptions(("padding", "typos")))
    rewards = np.random.default_rng(0).normal(size=len(few))
    found = battery.run(few.scored(rewards), BatteryOptions(**FAST)).effects
    assert set(found["verdict"]) == {"cannot say"}


def test_thirty_two_perturbations_of_a_hundred_pairs_take_seconds() -> None:
    names = tuple(p.name for p in perturbations())[:32]
    plan = battery.plan(made_pairs(100), BatteryOptions(names))
    scored = plan.scored(np.random.default_rng(0).normal(size=len(plan)))
    started = time.process_time()
    result = battery.run(scored, BatteryOptions(names))
    assert time.process_time() - started < 5
    assert len(result.effects) == len(names)
