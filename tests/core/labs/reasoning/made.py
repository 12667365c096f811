"""Judgements of a judge whose chances are known: made for tests, never shown as results."""

import numpy as np
import pandas as pd

from core.labs.reasoning.ballots import NO_VOTE, Ballot
from core.labs.reasoning.judgements import LETTERS, Judgements, check_judgements


def made_items(n: int, *, size: int = 2, seed: int = 0) -> pd.DataFrame:
    """Items in two subsets whose right winner is drawn."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "item_id": [f"item-{at}" for at in range(n)],
            "prompt": [f"Question {at}?" for at in range(n)],
            "responses": [
                [f"Answer {LETTERS[place]} to {at}." for place in range(size)] for at in range(n)
            ],
            "best": [LETTERS[int(at)] for at in rng.integers(size, size=n)],
            "subset": ["maths" if at % 2 else "chat" for at in range(n)],
            "source": ["made"] * n,
        }
    )


def made_judgements(
    n: int = 20,
    samples: int = 4,
    *,
    chance: float = 0.7,
    first: float = 0.0,
    unread: float = 0.0,
    scores: bool = False,
    seed: int = 0,
) -> Judgements:
    """A pair judge in both orders.

    Args:
        n: items.
        samples: of each order.
        chance: that it names the right one.
        first: that it names the one shown first whatever it is.
        unread: that nothing can be read.
        scores: whether it gives scores from 1 to 10 besides.
        seed: of all draws.
    """
    rng = np.random.default_rng(seed)
    items = made_items(n, seed=seed)
    rows = []
    for item in items.to_dict("records"):
        for order in ("AB", "BA"):
            for sample in range(samples):
                other = "B" if item["best"] == "A" else "A"
                verdict = item["best"] if rng.random() < chance else other
                verdict = order[0] if rng.random() < first else verdict
                lost = rng.random() < unread
                high, low = rng.integers(6, 11), rng.integers(1, 6)
                given = [high, low] if verdict == "A" else [low, high]
                rows.append(
                    {
                        "judge": "made",
                        "item_id": item["item_id"],
                        "sample": sample,
                        "order": order,
                        "format": "made",
                        "verdict": None if lost else verdict,
                        "scores": [float(each) for each in given] if scores and not lost else None,
                        "confidence": float(rng.uniform(0.5, 1)),
                        "mass": 1.0,
                        "meta_score": float(verdict == item["best"]) + float(rng.normal(0, 0.1)),
                        "n_tokens": int(rng.integers(20, 200)),
                        "truncated": False,
                        "seed": 0,
                        "raw": f"I looked at both. [[{verdict}]]",
                        "problem": "no verdict" if lost else "",
                    }
                )
    return check_judgements(pd.DataFrame(rows), items)


def ballot(
    votes: list[int], *, right: int = 0, size: int = 2, scores: list | None = None,
    weights: list[float] | None = None, tokens: list[float] | None = None,
) -> Ballot:  # fmt: skip
    """One item's votes from plain lists."""
    nothing = [float("nan")] * len(votes)
    return Ballot(
        item_id="made",
        subset="all",
        n_candidates=size,
        right=right,
        votes=np.array([NO_VOTE if vote is None else vote for vote in votes]),
        ties=np.zeros(len(votes), dtype=bool),
        scores=np.array(scores or [[float("nan")] * size] * len(votes), dtype=float),
        weights=np.array(weights or nothing, dtype=float),
        tokens=np.array(tokens or nothing, dtype=float),
    )
