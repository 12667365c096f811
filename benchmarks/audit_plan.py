"""What a full audit is: its texts, its labs, and one run of it through a service."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.engine.plans import score_conversations
from core.engine.service import RewardService
from core.engine.templating import encode
from core.labs.attributes import attributes
from core.labs.invariance import battery
from core.labs.invariance.attribute_scan import scan
from core.labs.pairs import plan_pairs
from core.labs.plan import Plan
from core.labs.prompt_awareness import matrix
from core.models.base import TokenRewardModel
from core.pair_sources import authored_pairs
from core.schema import Conversation, with_response

PERTURBATIONS = (
    *("double-spaces", "typos", "paraphrase", "punctuation-spaces", "homoglyphs", "accents"),
    *("typos-in-prompt", "quoted-prompt", "noise-in-prompt", "ignore-above", "handle-in-prompt"),
    *("link-in-prompt", "introduce-asker"),
    *("negate", "wrong-number", "drop-sentence", "repeat-sentence", "answer-another-question"),
    *("truncate", "master-key-mark", "master-key-opening"),
    *("padding", "flattery", "markdown", "confident-tone", "keyword-stuffing", "agreement"),
    *("self-praise", "authority", "exclamation"),
)
"""The battery: the edits that most of these texts admit, so that hardly any row costs nothing."""

PARTS = ("battery", "matrix", "pairs")
"""Of the pairs as they are the MMD over the attributes is taken."""


@dataclass(frozen=True)
class Size:
    """How large an audit is.

    Attributes:
        pairs: preference pairs.
        tokens: of a conversation, about.
        prompts: sides of the prompt matrix.
        perturbations: edits of the battery.
    """

    pairs: int = 100
    tokens: int = 120
    prompts: int = 30
    perturbations: int = len(PERTURBATIONS)

    @property
    def battery(self) -> battery.BatteryOptions:
        """The battery's options."""
        return battery.BatteryOptions(perturbations=PERTURBATIONS[: self.perturbations])

    @property
    def matrix(self) -> matrix.MatrixOptions:
        """The matrix's options."""
        return matrix.MatrixOptions(most_prompts=self.prompts)


@dataclass(frozen=True)
class Audit:
    """An audit, planned.

    Attributes:
        size: how large it is.
        plans: by part (`PARTS`).
        planning_s: seconds that planning took.
    """

    size: Size
    plans: Mapping[str, Plan]
    planning_s: float

    def conversations(self) -> list[Conversation]:
        """All rows of all parts."""
        return [each for plan in self.plans.values() for each in plan.conversations()]

    def needed(self) -> list[Conversation]:
        """What has to be scored at the least by who scores each text alone.

        Rows of edits that could not be made are not in it, and neither are the unedited pairs a
        second time.
        """
        rows = self.plans["battery"].requests
        needed = rows.loc[(rows["perturbation"] == "") | rows["applied"].astype(bool)]
        return [*needed["conversation"], *self.plans["matrix"].conversations()]


def plan_audit(pairs: pd.DataFrame, size: Size) -> Audit:
    """The conversations of all parts."""
    began = time.perf_counter()
    plans = {
        "battery": battery.plan(pairs, size.battery),
        "matrix": matrix.plan(pairs, size.matrix),
        "pairs": plan_pairs(pairs),
    }
    return Audit(size, plans, time.perf_counter() - began)


def choose_pairs(model: TokenRewardModel, size: Size) -> pd.DataFrame:
    """The authored pairs whose two conversations are nearest to the length asked for in the mean.

    Where all are shorter these are the longest ones.
    """
    pairs = authored_pairs(held_out=False).pairs
    lengths = np.array(
        [
            np.mean(n_tokens(model, [with_response(prompt, text) for text in sides]))
            for prompt, *sides in pairs[["prompt", "chosen", "rejected"]].itertuples(index=False)
        ]
    )
    order = np.argsort(np.abs(lengths - size.tokens), kind="stable")[: size.pairs]
    return pairs.iloc[np.sort(order)].reset_index(drop=True)


def n_tokens(model: TokenRewardModel, conversations: Sequence[Conversation]) -> list[int]:
    """Tokens of each conversation, in the model's template."""
    return [encode(model, conversation).n_tokens for conversation in conversations]


def change_one_response(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs with one word in the middle of the first chosen response replaced.

    A response that stands in several pairs of its prompt is changed in all of them.
    """
    first = pairs.iloc[0]
    words = first["chosen"].split(" ")
    words[len(words) // 2] = "changed"
    same = (pairs["prompt_id"] == first["prompt_id"]) & (pairs["chosen"] == first["chosen"])
    return pairs.assign(chosen=pairs["chosen"].mask(same, " ".join(words)))


@dataclass(frozen=True)
class AuditRun:
    """One audit through a service.

    Attributes:
        seconds: of `planning`, of scoring each part, of the `statistics`.
        rewards: of all rows, in the order of `Audit.conversations`.
        n_results: rows of the labs' tables: effects, cells, tests of attributes.
    """

    seconds: dict[str, float]
    rewards: list[float]
    n_results: int

    @property
    def scoring_s(self) -> float:
        """Seconds from conversations to rewards."""
        return sum(self.seconds[part] for part in PARTS)

    @property
    def whole_s(self) -> float:
        """Seconds from pairs to results."""
        return sum(self.seconds.values())


def run_audit(service: RewardService, model: str, audit: Audit) -> AuditRun:
    """Scores all parts, one after the other as the pages do, and reads the labs' results."""
    seconds = {"planning": audit.planning_s}
    scored: dict[str, pd.DataFrame] = {}
    for part, plan in audit.plans.items():
        began = time.perf_counter()
        frame = score_conversations(service, model, plan.conversations())
        seconds[part] = time.perf_counter() - began
        failed = frame.loc[frame["error"] != "", "error"]
        if len(failed):
            raise SystemExit(f"{part}: {len(failed)} rewards failed: {failed.iloc[0]}")
        scored[part] = plan.scored(frame["reward"], list(frame["error"]))
    began = time.perf_counter()
    tables = (
        battery.run(scored["battery"], audit.size.battery).effects,
        matrix.run(scored["matrix"], audit.size.matrix).cells,
        scan(scored["pairs"], attributes()).table,
    )
    seconds["statistics"] = time.perf_counter() - began
    rewards = [reward for table in scored.values() for reward in table["reward"].tolist()]
    return AuditRun(seconds, rewards, sum(map(len, tables)))
