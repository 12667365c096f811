"""Pairs made in code and reward models that are a formula, to be scored without an engine."""

import hashlib
from collections.abc import Callable

import numpy as np
import pandas as pd

from core.labs.pairs import PAIR_TEXT_COLUMNS
from core.labs.plan import Plan
from core.schema import Message, split_conversation

Scorer = Callable[[list[Message], str], float]
"""Reward of a response (second) to a prompt (first)."""

SUBJECTS = (
    "bread", "violins", "volcanoes", "bicycles", "taxes", "owls", "chess", "glass", "tides",
    "vaccines", "bridges", "honey", "comets", "opera", "rice", "sailing", "maps", "coral",
    "clocks", "paper", "salt", "wolves", "steam", "silk",
)  # fmt: skip


def make_pairs(n_prompts: int = 12, pairs_a_prompt: int = 1) -> pd.DataFrame:
    """Pairs on distinct subjects; a response names its subject, and how good it is."""
    rows = []
    for number in range(n_prompts):
        subject = SUBJECTS[number % len(SUBJECTS)] + "!" * (number // len(SUBJECTS))
        prompt = [{"role": "user", "content": f"Please tell me something about {subject} today."}]
        for version in range(pairs_a_prompt):
            rows.append(
                {
                    "pair_id": f"{number}-{version}",
                    "prompt_id": f"p{number}",
                    "prompt": prompt,
                    "chosen": f"good {version} {subject}",
                    "rejected": f"bad {version} {subject}",
                }
            )
    return pd.DataFrame(rows, columns=list(PAIR_TEXT_COLUMNS))


def scored(plan: Plan, scorer: Scorer) -> pd.DataFrame:
    """The plan with the scorer's rewards."""
    rewards = [scorer(*split_conversation(conversation)) for conversation in plan.conversations()]
    return plan.scored(rewards)


def subject_of(response: str) -> str:
    return response.rsplit(maxsplit=1)[-1]


def is_on_topic(prompt: list[Message], response: str) -> bool:
    """Whether the prompt is the one that the response was written for."""
    return any(f" {subject_of(response)} today" in message["content"] for message in prompt)


def noise(*parts: str) -> float:
    """A fixed standard normal number for these texts."""
    digest = hashlib.sha256("\x00".join(parts).encode()).digest()
    return float(np.random.default_rng(list(digest)).normal())


def quality(_: list[Message], response: str) -> float:
    """Ignores the prompt: what the response says alone decides."""
    return (2.0 if response.startswith("good") else 0.0) + noise(response)


def prompt_text_of(prompt: list[Message]) -> str:
    return "\n".join(message["content"] for message in prompt)
