"""Responses drawn from a policy to prompts of one user turn; see `core.models.sampling`."""

from collections.abc import Sequence

from core.models import sampling
from core.models.sampling import Progress, Sample, Sampling
from core.training.policy.model import Policy


def draw(
    policy: Policy,
    prompts: Sequence[str],
    n: int,
    how: Sampling,
    *,
    seed: int | Sequence[int],
    progress: Progress | None = None,
) -> list[Sample]:
    """n responses for every prompt, in the order of the prompts.

    Args:
        policy: the model, its adapter as it is.
        prompts: user turns.
        n: responses for each.
        how: temperature, top-p and limits.
        seed: of all randomness.
        progress: told how many responses are done, of how many.
    """
    encoded = [policy.encode_prompt(prompt) for prompt in prompts]
    return sampling.draw(policy, encoded, n, how, seed=seed, progress=progress)
