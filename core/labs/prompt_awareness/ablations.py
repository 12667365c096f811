"""What a reward loses when the question goes, and what it loses when the reasoning breaks.

"Reward models identify consistency, not causality" (arXiv 2502.14619) reports that taking the
question away moves rewards little while changed numbers and broken steps move them much. Each
ablation here is an edit of one conversation; the change is paired with the unedited reward.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from core import perturbations
from core.labs.pairs import SIDE, SIDES
from core.labs.plan import CONVERSATION, ERROR, REWARD, Plan
from core.labs.prompt_awareness.intake import read_scored, usable_pairs
from core.labs.prompt_awareness.measures import Measured, mean_of, share_of
from core.perturbations import Edited, EditRequest, Perturbation
from core.perturbations.numbers import change_number
from core.schema import with_response
from core.stats import FloatArray, TestResult, false_discovery, sign_flip_test

ORIGINAL = "original"
"""The `ablation` of the rows that carry the unedited conversation."""

REMOVE_QUESTION = "remove-question"

_KEYS = ("pair_id", SIDE, "ablation")


def _no_question(_: EditRequest) -> Edited:
    return Edited("", "the user's last turn is empty")


PROMPT_ABLATIONS: Final = {
    REMOVE_QUESTION: Perturbation(
        name=REMOVE_QUESTION,
        title="Question removed",
        group="lower",
        description="Takes the words of the user's last turn away.",
        target="prompt",
        edit=_no_question,
    ),
    "question-number": Perturbation(
        name="question-number",
        title="Number in the question changed",
        group="lower",
        description="Replaces a number in the user's last turn, so that the response is wrong.",
        target="prompt",
        edit=change_number,
    ),
}
"""Ablations of the prompt; those of the response are the perturbations of the same name."""

DEFAULT_ABLATIONS: Final = (
    *PROMPT_ABLATIONS,
    "wrong-number",
    "drop-step",
    "swap-steps",
    "drop-sentence",
    "truncate",
)


@dataclass(frozen=True)
class AblationOptions:
    """What to take away, and from which responses.

    Attributes:
        ablations: names from `PROMPT_ABLATIONS` or of any perturbation.
        sides: responses to edit: "chosen", "rejected" or both.
        seed: of the edits and the intervals.
        confidence: coverage of the intervals.
    """

    ablations: tuple[str, ...] = DEFAULT_ABLATIONS
    sides: tuple[str, ...] = ("chosen",)
    seed: int = 0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not self.sides or not set(self.sides) <= set(SIDES):
            raise ValueError(f"Sides must be some of {', '.join(SIDES)}, not {self.sides}.")


def ablation(name: str) -> Perturbation:
    """The edit of this name.

    Raises:
        PerturbationError: there is none.
    """
    return PROMPT_ABLATIONS.get(name) or perturbations.get(name)


def plan(pairs: pd.DataFrame, options: AblationOptions | None = None) -> Plan:
    """Each response as it is and after each ablation that applies to it.

    Returns:
        Requests with `pair_id`, `prompt_id`, `side`, `ablation` ("original" or its name), `note`
        (what was changed). Left out are damaged pairs, and edits with nothing to work on.

    Raises:
        TableError: a column is missing.
        PerturbationError: an ablation does not exist.
    """
    options = options or AblationOptions()
    edits = {name: ablation(name) for name in options.ablations}
    usable, reasons = usable_pairs(pairs)
    left_out = Counter[str](reasons)
    rows: list[dict[str, Any]] = []
    for record in usable.to_dict("records"):
        for side in options.sides:
            rows.extend(_readings(record, side, edits, options.seed, left_out))
    columns = ["pair_id", "prompt_id", SIDE, "ablation", "note", CONVERSATION]
    return Plan(pd.DataFrame(rows, columns=columns), dict(left_out))


def _readings(
    record: Mapping[Any, Any],
    side: str,
    edits: Mapping[str, Perturbation],
    seed: int,
    left_out: Counter[str],
) -> Iterator[dict[str, Any]]:
    keys = {"pair_id": record["pair_id"], "prompt_id": record["prompt_id"], SIDE: side}
    conversation = with_response(record["prompt"], record[side])
    yield {**keys, "ablation": ORIGINAL, "note": "", CONVERSATION: conversation}
    for name, edit in edits.items():
        outcome = edit.apply(conversation, seed)
        if outcome.applied:
            yield {
                **keys, "ablation": name, "note": outcome.note,
                CONVERSATION: outcome.conversation,
            }  # fmt: skip
        else:
            left_out[f"{name}: {outcome.reason}"] += 1


@dataclass(frozen=True)
class AblationEffect:
    """What one ablation does to the reward of one side's responses.

    Attributes:
        change: mean of edited minus unedited reward; negative where the reward drops.
        in_spreads: the same in standard deviations of the unedited rewards, which models share.
        drop_rate: share of responses whose reward drops, ties half.
        test: sign-flip test that the mean change is zero.
        adjusted_p: its p-value with false-discovery control over all ablations.
        beyond_question: mean of |this change| minus |change without the question|, over responses
            that have both. Above zero: this ablation matters more than the question does. None for
            the removal of the question itself, or where it was not made.
    """

    change: Measured
    in_spreads: Measured
    drop_rate: Measured
    test: TestResult
    adjusted_p: float
    beyond_question: Measured | None


@dataclass(frozen=True)
class AblationResult:
    """One model's reward changes.

    Attributes:
        changes: one row a response and ablation: `reward`, `ablated_reward`, `change` (NaN with a
            reason in `error`), `note`.
        effects: the aggregates by ablation and side.
        left_out: rows that could not be used, by reason.
    """

    changes: pd.DataFrame
    effects: Mapping[tuple[str, str], AblationEffect]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """The aggregates, one row an ablation and side."""
        rows = []
        for (name, side), effect in self.effects.items():
            change, beyond = effect.change.estimate, effect.beyond_question
            rows.append(
                {
                    "ablation": name, SIDE: side, "change": change.value, "low": change.low,
                    "high": change.high, "n": change.n, "n_prompts": change.n_prompts,
                    "smallest_detectable": effect.change.smallest_detectable,
                    "in_spreads": effect.in_spreads.estimate.value,
                    "drop_rate": effect.drop_rate.estimate.value,
                    "p_value": effect.test.p_value, "adjusted_p": effect.adjusted_p,
                    "beyond_question": beyond.estimate.value if beyond else np.nan,
                    "beyond_question_low": beyond.estimate.low if beyond else np.nan,
                    "beyond_question_high": beyond.estimate.high if beyond else np.nan,
                    "left_out": sum(change.left_out.values()),
                }
            )  # fmt: skip
        return pd.DataFrame(rows)


def run(scored: pd.DataFrame, options: AblationOptions | None = None) -> AblationResult:
    """Reward changes of one model.

    Args:
        scored: the plan with rewards, or any table with its keys and `reward`.
        options: seed and confidence of the intervals.

    Raises:
        TableError: a column is missing, a row stands twice, or there are several models.
    """
    options = options or AblationOptions()
    changes = _changes(read_scored(scored, _KEYS))
    spread = _spreads(changes)
    rng = np.random.default_rng(options.seed)
    groups = dict(iter(changes.groupby(["ablation", SIDE], sort=False)))
    tests = {
        keys: sign_flip_test(_numbers(group), _prompts(group), rng=rng)
        for keys, group in groups.items()
    }
    adjusted = false_discovery([test.p_value for test in tests.values()])
    effects: dict[tuple[str, str], AblationEffect] = {}
    for ((name, side), group), adjusted_p in zip(groups.items(), adjusted, strict=True):
        question = groups.get((REMOVE_QUESTION, side))
        beyond = (
            _beyond(group, question, rng, options.confidence)
            if question is not None and name != REMOVE_QUESTION
            else None
        )
        effects[str(name), str(side)] = _effect(
            group, spread[side], tests[name, side], float(adjusted_p), beyond, rng, options
        )
    failed = changes.loc[changes["error"] != "", ["ablation", "error"]].astype(str)
    reasons = Counter(failed["ablation"] + ": " + failed["error"])
    return AblationResult(changes, effects, dict(reasons))


def _changes(scored: pd.DataFrame) -> pd.DataFrame:
    """One row a response and ablation, beside its unedited reward."""
    keys = ["pair_id", SIDE]
    original = scored.loc[scored["ablation"] == ORIGINAL].set_index(keys)
    edited = scored.loc[scored["ablation"] != ORIGINAL].reset_index(drop=True)
    at = pd.MultiIndex.from_frame(edited[keys])
    reward = original[REWARD].reindex(at).to_numpy(dtype=np.float64)
    unedited = original[ERROR].reindex(at).fillna("not scored")
    errors = [
        error or (f"unedited response: {reason}" if reason else "")
        for error, reason in zip(edited[ERROR], unedited, strict=True)
    ]
    ablated = edited[REWARD].to_numpy(dtype=np.float64)
    return edited[["pair_id", "prompt_id", SIDE, "ablation"]].assign(
        note=edited["note"] if "note" in edited.columns else "",
        reward=reward,
        ablated_reward=ablated,
        change=ablated - reward,
        error=errors,
    )


def _spreads(changes: pd.DataFrame) -> dict[object, float]:
    """Standard deviation of the unedited rewards of each side."""
    once = changes.drop_duplicates(["pair_id", SIDE])
    return {side: float(group["reward"].std(ddof=1)) for side, group in once.groupby(SIDE)}


def _numbers(group: pd.DataFrame) -> FloatArray:
    return group["change"].to_numpy(dtype=np.float64)


def _prompts(group: pd.DataFrame) -> list[str]:
    return [str(prompt) for prompt in group["prompt_id"]]


def _effect(
    group: pd.DataFrame,
    spread: float,
    test: TestResult,
    adjusted_p: float,
    beyond: Measured | None,
    rng: np.random.Generator,
    options: AblationOptions,
) -> AblationEffect:
    usable = group.loc[group["change"].notna()]
    left_out = dict(Counter(group.loc[group["change"].isna(), "error"]))
    changes, prompts = _numbers(usable), _prompts(usable)
    change = mean_of(changes, prompts, rng, options.confidence, left_out)
    scaled = changes / spread if spread > 0 else np.full(len(changes), np.nan)
    dropped = (1 - np.sign(changes)) / 2
    return AblationEffect(
        change,
        mean_of(scaled, prompts, rng, options.confidence, left_out),
        share_of(dropped, prompts, rng, options.confidence, left_out),
        test,
        adjusted_p,
        beyond,
    )


def _beyond(
    group: pd.DataFrame, question: pd.DataFrame, rng: np.random.Generator, confidence: float
) -> Measured:
    """Paired: how much larger a response's change is than without its question."""
    without = question.set_index("pair_id")["change"].abs()
    size = without.reindex(group["pair_id"]).to_numpy(dtype=np.float64)
    return mean_of(np.abs(_numbers(group)) - size, _prompts(group), rng, confidence, {})
