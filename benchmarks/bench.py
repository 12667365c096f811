"""What every part of the engine's benchmark is given, and what several of them do."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.peers import Peers
from benchmarks.sample import Sample
from core.engine.scoring import score_sequences
from core.models.base import TokenSequence
from core.models.causal import CausalRewardModel

Say = Callable[[str], None]
"""Told, a line at a time, how far the run is."""


@dataclass(frozen=True)
class Bench:
    """The command's options, the model, its peers and the texts."""

    options: argparse.Namespace
    model: CausalRewardModel
    peers: Peers
    sample: Sample
    say: Say


def by_engine(
    model: CausalRewardModel, sequences: Sequence[TokenSequence], *, reuse: bool
) -> list[float]:
    """Rewards of token sequences straight from the engine, without the service."""
    rewards = np.full(len(sequences), np.nan)
    for positions, output in score_sequences(model, sequences, reuse_prefixes=reuse):
        if isinstance(output, Exception):
            raise output
        rewards[positions] = output.rewards
    return rewards.tolist()


def distance(first: Sequence[float], second: Sequence[float]) -> float:
    """The largest difference between rewards of the same texts."""
    return float(np.max(np.abs(np.subtract(first, second))))
