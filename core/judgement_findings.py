"""The sentences of a recording's card, worked out from its two tables.

`python -m core.judgement_findings FOLDER` writes them into the folder's `card.yaml`; a test holds
every shipped card against its tables.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from core.stats import Estimate, clustered_share

PAIRS, SCORES, PAIR_WORDS, SCORE_WORDS = (
    "smollm2-pair-judge",
    "smollm2-judge",
    "smollm2-pair-words",
    "smollm2-score-words",
)
SCALAR = "pocket"
"""The judges of the shipped recording, and the reward model beside them."""

SEED = 0
LAST = (
    "A model of 135 million parameters is a poor judge. What is here shows how votes, orders and "
    "unreadable texts are counted; it says nothing about trained judges."
)


def findings(judgements: pd.DataFrame, items: pd.DataFrame) -> tuple[str, ...]:
    """What the shipped judges' verdicts and scores come to, a sentence or two each.

    Intervals are 95 % percentile bootstraps that draw whole items; Wilson's where all items are
    alike.

    Args:
        judgements: `core.schema.JUDGEMENT_COLUMNS`, of the four judges above.
        items: `core.schema.ITEM_COLUMNS`, with `scalar_rewards`.
    """
    table = judgements.merge(items[["item_id", "best"]], on="item_id", validate="many_to_one")
    by = {str(name): group for name, group in table.groupby("judge")}
    return (
        *_written_pairs(by[PAIRS]),
        *_pairs_by_words(by[PAIR_WORDS]),
        *_scores(by[SCORES], by[SCORE_WORDS], items),
        LAST,
    )


def _written_pairs(pairs: pd.DataFrame) -> list[str]:
    read = pairs[pairs["verdict"].notna()]
    unread = share(pairs["verdict"].isna(), pairs["item_id"])
    right = share(read["verdict"] == read["best"], read["item_id"])
    first = share(read["verdict"] == read["order"].str[0], read["item_id"])
    votes = {str(item): majority(group) for item, group in read.groupby("item_id")}
    none = pairs["item_id"].nunique() - len(votes)
    left_out = f" {_items(none)} without a readable vote {_is(none)} left out." if none else ""
    n_cut = int((pairs["verdict"].isna() & pairs["truncated"]).sum())
    return [
        f"Asked for pairs in writing, the judge wrote {len(pairs):,} texts; {told(unread)} gave no "
        f"verdict that could be read: {n_cut:,} of them are cut at "
        f"{int(pairs['n_tokens'].max())} tokens, the others end without a verdict in the form "
        "asked for.",
        f"Of the verdicts that could be read, {told(right)} name the right response; chance is "
        "50 %.",
        f"The response shown first wins {told(first)} of them, each verdict counted once. (The tab "
        "Both orders gives each item the same weight.)",
        "The majority of all readable votes of an item, over both orders, is right for "
        f"{told(share(list(votes.values()), list(votes)))}, ties as half.{left_out}",
    ]


def _pairs_by_words(words: pd.DataFrame) -> list[str]:
    right = words["verdict"] == words["best"]
    first = words["verdict"] == words["order"].str[0]
    orders = words.assign(right=right).groupby("item_id")
    flips = orders["verdict"].nunique() > 1
    both = orders["right"].all()
    return [
        "With the verdict read from the probabilities of A and B, every item has one in each "
        f"order; they capture {words['mass'].mean():.1%} of the probability on average (least "
        f"{words['mass'].min():.1%}). {told(share(right, words['item_id']))} are right, and the "
        f"response shown first wins {told(share(first, words['item_id']))}.",
        f"There the order alone changes the verdict of {told(share(flips, flips.index))}, and "
        f"{told(share(both, both.index))} are right in both orders.",
    ]


def _scores(written: pd.DataFrame, words: pd.DataFrame, items: pd.DataFrame) -> list[str]:
    unread = share(written["scores"].isna(), written["item_id"])
    means, expected = ranked(written), ranked(words)
    scalar = {
        str(row["item_id"]): _ranks(
            dict(zip("AB", row["scalar_rewards"], strict=True)), row["best"]
        )
        for row in items.to_dict("records")
    }
    none = items["item_id"].nunique() - len(means)
    lacking = (
        f" {_items(none)} {'has' if none == 1 else 'have'} no score for one response and "
        f"{_is(none)} left out."
        if none
        else ""
    )
    return [
        f"Mean scores in writing rank {told(share(list(means.values()), list(means)))} rightly, "
        f"ties as half; {told(unread)} of the {len(written):,} texts could not be read.{lacking}",
        "Expected scores by the digits' probabilities rank "
        f"{told(share(list(expected.values()), list(expected)))} rightly, ties as half.",
        f"The embedded reward model {SCALAR}, of the same size but trained on pairs like these "
        f"(not on these), ranks {told(share(list(scalar.values()), list(scalar)))} rightly with "
        "one forward pass a response.",
    ]


def majority(votes: pd.DataFrame) -> float:
    """1 where most votes of one item name its best response, one half for a tie, else 0."""
    right = int((votes["verdict"] == votes["best"]).sum())
    wrong = int(len(votes) - right)
    return 0.5 if right == wrong else float(right > wrong)


def ranked(scores: pd.DataFrame) -> dict[str, float]:
    """By item: 1 where the best response has the highest mean score, one half for a tie, else 0.

    Items of which a response has no score are not there.
    """
    found: dict[str, float] = {}
    for item, group in scores[scores["scores"].notna()].groupby("item_id"):
        means = {
            str(order): float(np.mean([each[0] for each in rows["scores"]]))
            for order, rows in group.groupby("order")
        }
        if len(means) == 2:
            found[str(item)] = _ranks(means, group["best"].iloc[0])
    return found


def _ranks(values: Mapping[str, float], best: str) -> float:
    top = max(values.values())
    firsts = [letter for letter, value in values.items() if value == top]
    return float(best in firsts) / len(firsts)


def share(hits: object, items: object) -> Estimate:
    """A share with an interval over items."""
    values = np.asarray(hits, dtype=float)
    return clustered_share(values, list(np.asarray(items)), rng=np.random.default_rng(SEED))


def told(estimate: Estimate) -> str:
    """A share in words."""
    n = f"n = {estimate.n:,} over {estimate.n_prompts} items"
    return f"{estimate.value:.1%} (95 % interval {estimate.low:.1%} to {estimate.high:.1%}, {n})"


def _items(n: int) -> str:
    return f"{n} item" if n == 1 else f"{n} items"


def _is(n: int) -> str:
    return "is" if n == 1 else "are"


def write_findings(folder: Path) -> tuple[str, ...]:
    """Puts the findings of a recording into its card, and gives them."""
    found = findings(
        pd.read_parquet(folder / "judgements.parquet"), pd.read_parquet(folder / "items.parquet")
    )
    card = folder / "card.yaml"
    told_there = yaml.safe_load(card.read_text(encoding="utf-8"))
    told_there["findings"] = list(found)
    card.write_text(
        yaml.safe_dump(told_there, sort_keys=False, width=100, allow_unicode=True),
        encoding="utf-8",
    )
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join(write_findings(Path(sys.argv[1]))) + "\n")
