"""How well a reward model ranks responses: the held-out authored prompts and two public sets.

Public sets are read from a folder the caller names (`llmbar/natural.json`, `rm-bench/chat.json`).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from core.errors import TableError
from core.models.base import FloatArray
from core.schema import Conversation, make_conversation
from core.stats import Estimate, pair_accuracy, wilson_interval
from core.training.groups import SWAPPED, swapped_responses
from core.training.preferences import AuthoredPrompt

Score = Callable[[Sequence[Conversation]], FloatArray]
"""Rewards (n,) of conversations, in the order given."""

STYLES = ("concise", "detailed", "markdown")
"""RM-Bench's three styles, in the order of its lists."""

ACCURACY_COLUMNS = ("set", "slice", "n", "n_prompts", "accuracy", "low", "high")


@dataclass(frozen=True)
class HeldOutEvaluation:
    """Results on authored prompts.

    Attributes:
        pairs: a row a pair: prompt_id, category, flaw, reward_chosen, reward_rejected, margin.
        accuracies: a row a slice, columns `ACCURACY_COLUMNS`.
        mean_reward: over all authored responses.
        reward_spread: standard deviation over them.
        length_correlation: Spearman's correlation of reward with the response's characters.
        length_correlation_good: the same over good responses only.
    """

    pairs: pd.DataFrame
    accuracies: pd.DataFrame
    mean_reward: float
    reward_spread: float
    length_correlation: float
    length_correlation_good: float


@dataclass(frozen=True)
class StyleEvaluation:
    """Results on RM-Bench.

    Attributes:
        matrix: (3, 3) share of prompts whose chosen response in the row's style beats the rejected
            one in the column's style.
        easy: mean of the cells where the chosen response has more style than the rejected one.
        normal: mean of the diagonal.
        hard: mean of the cells where it has less.
        average: mean of all nine, with its interval over prompts.
    """

    matrix: pd.DataFrame
    easy: float
    normal: float
    hard: float
    average: Estimate


def accuracy_of(margins: FloatArray, prompt_ids: Sequence[str], *, seed: int = 0) -> Estimate:
    """Share of positive margins, ties as half, with a 95 % interval over prompts.

    Where every prompt gives one pair the interval is Wilson's, else prompts are resampled.
    """
    found = pair_accuracy(margins, prompt_ids, rng=np.random.default_rng(seed)).accuracy
    if found.n != found.n_prompts or not found.n:
        return found
    low, high = wilson_interval(found.value * found.n, found.n)
    return replace(found, low=low, high=high, method="Wilson over prompts")


def evaluate_prompts(
    score: Score, prompts: Sequence[AuthoredPrompt], *, seed: int = 0
) -> HeldOutEvaluation:
    """Ranks every good response against its flawed ones and against another prompt's good one."""
    swaps = swapped_responses(prompts, n_swapped=1, seed=seed)
    conversations: list[Conversation] = []
    rows: list[tuple[str, str, str, int, int]] = []
    lengths: list[int] = []
    for prompt, swapped in zip(prompts, swaps, strict=True):
        chosen = len(conversations)
        texts = [("good", prompt.good), *((f.flaw, f.response) for f in prompt.flawed)]
        texts += [(SWAPPED, response) for response in swapped]
        for kind, response in texts:
            if kind != "good":
                rows.append((prompt.id, prompt.category, kind, chosen, len(conversations)))
            conversations.append(make_conversation(prompt.prompt, response))
            lengths.append(len(response))
    rewards = np.asarray(score(conversations), dtype=float)
    pairs = _pair_frame(rows, rewards)
    swapped_positions = {row[4] for row in rows if row[2] == SWAPPED}
    authored = np.array([i for i in range(len(rewards)) if i not in swapped_positions])
    good = np.array(sorted({row[3] for row in rows}))
    length = np.array(lengths)
    return HeldOutEvaluation(
        pairs=pairs,
        accuracies=_slices(pairs),
        mean_reward=float(rewards[authored].mean()),
        reward_spread=float(rewards[authored].std()),
        length_correlation=float(stats.spearmanr(rewards[authored], length[authored]).statistic),
        length_correlation_good=float(stats.spearmanr(rewards[good], length[good]).statistic),
    )


def _pair_frame(rows: list[tuple[str, str, str, int, int]], rewards: FloatArray) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["prompt_id", "category", "flaw", "chosen", "rejected"])
    frame["reward_chosen"] = rewards[frame.pop("chosen").to_numpy()]
    frame["reward_rejected"] = rewards[frame.pop("rejected").to_numpy()]
    frame["margin"] = frame["reward_chosen"] - frame["reward_rejected"]
    return frame


def _slices(pairs: pd.DataFrame) -> pd.DataFrame:
    authored = pairs[pairs["flaw"] != SWAPPED]
    slices = [("all pairs", "all", authored)]
    slices += [("flaw", str(flaw), part) for flaw, part in authored.groupby("flaw")]
    slices += [("category", str(name), part) for name, part in authored.groupby("category")]
    slices.append(("good of another prompt", "same category", pairs[pairs["flaw"] == SWAPPED]))
    rows = []
    for name, part_name, part in slices:
        if len(part):
            found = accuracy_of(part["margin"].to_numpy(dtype=float), part["prompt_id"].tolist())
            shares = (found.value, found.low, found.high)
            rows.append((name, part_name, found.n, found.n_prompts, *shares))
    return pd.DataFrame(rows, columns=list(ACCURACY_COLUMNS))


def evaluate_llmbar(score: Score, folder: Path, *, subset: str = "natural") -> Estimate:
    """Accuracy on a subset of LLMBar: `label` names the better of two outputs.

    Raises:
        TableError: the file is not there or not in LLMBar's form.
    """
    items = _read_list(folder / "llmbar" / f"{subset}.json", {"input", "output_1", "output_2"})
    outputs = [(item["output_1"], item["output_2"]) for item in items]
    rewards = score(
        [
            make_conversation(item["input"], output)
            for item, pair in zip(items, outputs, strict=True)
            for output in pair
        ]
    ).reshape(-1, 2)
    first_is_better = np.array([item["label"] == 1 for item in items])
    margins = np.where(first_is_better, 1.0, -1.0) * (rewards[:, 0] - rewards[:, 1])
    return accuracy_of(margins, [str(index) for index in range(len(items))])


def evaluate_rm_bench(score: Score, folder: Path, *, domain: str = "chat") -> StyleEvaluation:
    """Accuracy on a domain of RM-Bench, by the styles of the chosen and the rejected response.

    Source: Liu et al. 2025, section 3.3 (a chosen response must have strictly more reward).

    Raises:
        TableError: the file is not there or not in RM-Bench's form.
    """
    items = _read_list(folder / "rm-bench" / f"{domain}.json", {"prompt", "chosen", "rejected"})
    conversations = [
        make_conversation(item["prompt"], response)
        for item in items
        for response in [*item["chosen"], *item["rejected"]]
    ]
    rewards = score(conversations).reshape(-1, 2, len(STYLES))
    return style_evaluation(rewards[:, 0], rewards[:, 1])


def style_evaluation(chosen: FloatArray, rejected: FloatArray) -> StyleEvaluation:
    """The style matrix of rewards (n, 3) of chosen and of rejected responses."""
    wins = (chosen[:, :, None] > rejected[:, None, :]).astype(float)
    matrix = wins.mean(axis=0)
    n_prompts, n_styles = chosen.shape
    prompt_ids = np.repeat(np.arange(n_prompts), n_styles**2).astype(str).tolist()
    average = accuracy_of(np.where(wins.reshape(-1) > 0, 1.0, -1.0), prompt_ids)
    return StyleEvaluation(
        matrix=pd.DataFrame(matrix, index=list(STYLES), columns=list(STYLES)),
        easy=float(matrix[np.tril_indices(n_styles, -1)].mean()),
        normal=float(np.diag(matrix).mean()),
        hard=float(matrix[np.triu_indices(n_styles, 1)].mean()),
        average=average,
    )


def _read_list(path: Path, needed: set[str]) -> list[dict[str, Any]]:
    try:
        items = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: cannot be read: {error}") from error
    if not isinstance(items, list) or not items:
        raise TableError(f"{path}: expected a list of examples.")
    for position, item in enumerate(items, start=1):
        if not isinstance(item, dict) or not needed <= set(item):
            raise TableError(f"{path}, example {position}: expected {', '.join(sorted(needed))}.")
    return items
