"""Small tables that the tests of the invariance lab share: pairs, and scorers that are known."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from core.schema import Conversation

Scorer = Callable[[Conversation], float]

_PLACES = ("the harbour", "the old library", "the market", "the botanical garden", "the museum")
_THINGS = ("a map", "an umbrella", "good shoes", "some water", "a camera", "a ticket")


def made_pairs(n: int) -> pd.DataFrame:
    """Pairs of English answers of about equal length, one a prompt."""
    rows = []
    for at in range(n):
        place, thing = _PLACES[at % 5], _THINGS[at % 6]
        question = f"What should I take along when I visit {place} on day {at + 1} of my trip?"
        good = (
            f"You should take {thing} along. It is open from {at % 9 + 1} to 18 every day, "
            f"and the way there takes about {at + 10} minutes. People like to go in the morning."
        )
        bad = (
            f"There are many things near {place}. Some of them cost {at + 3} euros to see, "
            f"but I cannot say which are worth it. You will find out when you arrive there."
        )
        rows.append((f"pair-{at}", f"prompt-{at}", [_user(question)], good, bad))
    return pd.DataFrame(rows, columns=["pair_id", "prompt_id", "prompt", "chosen", "rejected"])


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def noisy(scorer: Scorer, seed: int, noise: float) -> Scorer:
    """Adds noise that is the same for the same conversation."""
    rng = np.random.default_rng(seed)
    seen: dict[str, float] = {}

    def score(conversation: Conversation) -> float:
        key = repr(conversation)
        if key not in seen:
            seen[key] = float(rng.normal(scale=noise))
        return scorer(conversation) + seen[key]

    return score


def scored_pairs(
    rewards: np.ndarray, prompt_ids: list[object] | None = None, errors: list[str] | None = None
) -> pd.DataFrame:
    """(n, 2) rewards of chosen and rejected as a scored table, one prompt a pair by default."""
    n = len(rewards)
    prompts = prompt_ids if prompt_ids is not None else [f"prompt-{at}" for at in range(n)]
    return pd.DataFrame(
        {
            "pair_id": np.repeat(np.arange(n), 2),
            "prompt_id": np.repeat(np.array(prompts, dtype=object), 2),
            "side": np.tile(["chosen", "rejected"], n),
            "reward": np.asarray(rewards, dtype=float).ravel(),
            "error": errors if errors is not None else [""] * (2 * n),
        }
    )
