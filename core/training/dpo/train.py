"""DPO on the authored pairs, and how the policy's implicit reward ranks the held-out ones.

The reference is the policy's own base, which an adapter that is switched off gives back, so one set
of weights serves both. Loss: `core.training.self_rewarding.update.dpo_losses`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from core.errors import SettingsError
from core.training.classifier import base_path
from core.training.dpo.recipe import DpoRecipe
from core.training.policy import AdapterShape, Policy, load_policy
from core.training.preferences import AuthoredPrompt
from core.training.self_rewarding.update import TokenPair, dpo_losses, log_probabilities

WARM_UP = 0.1

Progress = Callable[[str], None]


@dataclass(frozen=True)
class DpoResult:
    """What training left.

    Attributes:
        policy: the trained policy.
        steps: one row a step: step, loss, margin (mean of beta times the difference of log-ratios)
            and accuracy of the pairs of the step, just before it, and the seconds since the start.
        seconds: of training.
    """

    policy: Policy
    steps: pd.DataFrame
    seconds: float


def train_dpo(
    recipe: DpoRecipe, prompts: Sequence[AuthoredPrompt], progress: Progress | None = None
) -> DpoResult:
    """Trains an adapter on the pairs of the prompts.

    Args:
        recipe: every choice.
        prompts: with one good and at least one flawed response each.
        progress: told a line after each step.

    Raises:
        SettingsError: the loss is not finite, or the adapter does not fit the base.
    """
    say = progress or (lambda _line: None)
    policy = load_policy(
        base_path(recipe.base),
        adapter=adapter_shape(recipe),
        seed=recipe.seed,
        prompt_template=recipe.prompt_template,
        dtype=recipe.dtype,
    )
    rng = np.random.default_rng(recipe.seed)
    pairs = chosen_pairs(policy, prompts, recipe.pairs_per_prompt, rng)
    optimizer = torch.optim.AdamW(
        policy.adapter_parameters(), lr=recipe.learning_rate, weight_decay=0.0
    )
    orders = [rng.permutation(len(pairs)) for _ in range(recipe.epochs)]
    batches = [
        order[start : start + recipe.pairs_per_step]
        for order in orders
        for start in range(0, len(pairs), recipe.pairs_per_step)
    ]
    rows, begin = [], time.monotonic()
    for number, batch in enumerate(batches):
        share = min((number + 1) / (WARM_UP * len(batches)), 1 - number / len(batches))
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * min(1.0, share)
        row = _step(policy, [pairs[i] for i in batch], recipe, optimizer)
        rows.append({"step": number + 1, **row, "seconds": time.monotonic() - begin})
        say(f"step {number + 1} of {len(batches)}: loss {row['loss']:.3f}")
    return DpoResult(policy, pd.DataFrame(rows), time.monotonic() - begin)


def adapter_shape(recipe: DpoRecipe) -> AdapterShape:
    """The adapter that a recipe trains."""
    return AdapterShape(
        recipe.lora_rank, recipe.lora_alpha, recipe.first_layer, recipe.lora_targets
    )


def chosen_pairs(
    policy: Policy, prompts: Sequence[AuthoredPrompt], n: int, rng: np.random.Generator
) -> list[TokenPair]:
    """Token pairs: the good response of each prompt against n of its flawed ones at random."""
    pairs = []
    for prompt in prompts:
        head = policy.encode_prompt(prompt.prompt)
        good = response_tokens(policy, prompt.good)
        for index in rng.permutation(len(prompt.flawed))[:n]:
            bad = response_tokens(policy, prompt.flawed[index].response)
            pairs.append(TokenPair(head, good, bad))
    return pairs


def response_tokens(policy: Policy, text: str) -> tuple[int, ...]:
    """Tokens of a response by itself, with the token that ends the turn."""
    ids = policy.tokenizer.encode(text, add_special_tokens=False)
    return (*ids, policy.tokenizer.eos_token_id)


def held_out_margins(
    policy: Policy, prompts: Sequence[AuthoredPrompt], beta: float
) -> pd.DataFrame:
    """Implicit rewards of all pairs of the prompts.

    Returns:
        One row a pair: prompt_id, flaw, and for chosen and rejected the log-ratio in nats times
        beta (`sum_chosen`, ...) and the same per token (`mean_chosen`, ...), and tokens.
    """
    rows = [(prompt, flawed) for prompt in prompts for flawed in prompt.flawed]
    good = _rewards(policy, [(prompt.prompt, prompt.good) for prompt in prompts], beta)
    good.index = pd.Index([prompt.id for prompt in prompts])
    flawed = _rewards(policy, [(prompt.prompt, flaw.response) for prompt, flaw in rows], beta)
    table = pd.DataFrame(
        {
            "prompt_id": [prompt.id for prompt, _ in rows],
            "flaw": [flaw.flaw for _, flaw in rows],
        }
    )
    chosen = good.loc[table["prompt_id"]].reset_index(drop=True)
    return pd.concat([table, chosen.add_suffix("_chosen"), flawed.add_suffix("_rejected")], axis=1)


def _rewards(policy: Policy, texts: Sequence[tuple[str, str]], beta: float) -> pd.DataFrame:
    """Implicit rewards of (prompt, response) texts: sum, mean, tokens."""
    heads = [policy.encode_prompt(prompt) for prompt, _ in texts]
    tokens = [response_tokens(policy, response) for _, response in texts]
    own = np.array(log_probabilities(policy, heads, tokens))
    with policy.untrained():
        reference = np.array(log_probabilities(policy, heads, tokens))
    sizes = np.array([len(each) for each in tokens])
    total = beta * (own - reference)
    return pd.DataFrame({"sum": total, "mean": total / sizes, "tokens": sizes})


def _step(
    policy: Policy,
    pairs: Sequence[TokenPair],
    recipe: DpoRecipe,
    optimizer: torch.optim.AdamW,
) -> dict[str, float]:
    prompts = [pair.prompt for pair in pairs] * 2
    responses = [*(pair.chosen for pair in pairs), *(pair.rejected for pair in pairs)]
    with torch.no_grad(), policy.untrained():
        reference = policy.read(prompts, responses).log_probabilities.reshape(2, -1).T
    own = policy.read(prompts, responses).log_probabilities.reshape(2, -1).T
    losses = dpo_losses(own, reference, recipe.beta)
    loss = losses.mean()
    if not bool(torch.isfinite(loss)):
        raise SettingsError(
            f"Recipe {recipe.name}: the loss is not finite.", fix="Lower the learning_rate."
        )
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(policy.adapter_parameters(), recipe.max_grad_norm)
    optimizer.step()
    moved = (own - reference).detach()
    margins = recipe.beta * (moved[:, 0] - moved[:, 1])
    return {
        "loss": float(loss.detach()),
        "margin": float(margins.mean()),
        "accuracy": float((margins > 0).float().mean()),
    }
