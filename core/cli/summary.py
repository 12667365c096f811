"""What the command prints at its end: how many, how good, how sure, and what was left out."""

import numpy as np
import pandas as pd

from core.stats import PairAccuracy, pair_accuracy
from core.tables import ConversationTable

SHOWN_ERRORS = 5


def score_lines(table: ConversationTable, rewards: pd.DataFrame) -> list[str]:
    """For each model: conversations scored, from the cache, truncated and failed."""
    lines = []
    n_bad = len({problem.row for problem in table.problems})
    scorable = table.scorable()
    for model, part in rewards.groupby("model", sort=False):
        failed = part[part["error"] != ""]
        lines.append(
            f"{model}: {len(part) - len(failed):,} of {len(scorable):,} conversations scored, "
            f"{int(part['cached'].sum()):,} of them from the cache; "
            f"{int((part['truncated'] > 0).sum()):,} truncated, {len(failed):,} failed; "
            f"{n_bad:,} bad rows"
        )
        for index, error in failed[["index", "error"]].head(SHOWN_ERRORS).itertuples(index=False):
            entry = table.entries[scorable[int(index)]]
            number = table.source.rows[entry.row].number
            first_line = str(error).partition("\n")[0]
            lines.append(f"  {table.source.unit} {number}, {entry.role}: {first_line}")
    return lines


def pair_lines(pairs: pd.DataFrame, *, seed: int) -> list[str]:
    """For each model: the accuracy with ties as half, its interval over prompts, what was left out.

    Every model's interval starts from the same seed, so that it does not depend on the others.
    """
    lines = []
    for model, part in pairs.groupby("model", sort=False):
        result = pair_accuracy(
            part["margin"].to_numpy(),
            part["prompt_id"].tolist(),
            rng=np.random.default_rng(seed),
            reasons=part["error"].tolist(),
        )
        lines += _accuracy_lines(str(model), result, seed)
        cut = (part["truncated_chosen"] > 0) | (part["truncated_rejected"] > 0)
        if cut.any():
            n_ties = int((part.loc[cut, "margin"] == 0).sum())
            lines.append(
                f"  truncated: {int(cut.sum()):,} pairs have a text cut at the model's limit, "
                f"{n_ties:,} of them are ties"
            )
    return lines


def _accuracy_lines(model: str, result: PairAccuracy, seed: int) -> list[str]:
    estimate = result.accuracy
    lines = [f"{model}: n = {estimate.n:,} pairs of {estimate.n_prompts:,} prompts"]
    if estimate.n:
        lines += [
            f"  accuracy, ties as half: {estimate.value:.4f}, {estimate.confidence:.0%} interval "
            f"{estimate.low:.4f} to {estimate.high:.4f} ({estimate.method}, seed {seed})",
            f"  chosen higher {result.n_wins:,}, ties {result.n_ties:,}, "
            f"rejected higher {result.n_losses:,}",
        ]
    lines.append(f"  left out: {sum(estimate.left_out.values()):,} pairs")
    for reason, count in sorted(estimate.left_out.items(), key=lambda item: -item[1]):
        lines.append(f"    {count:,}: {reason}")
    return lines
