"""The policy of the recorded runs: a small Llama, pre-trained until its skill is uneven.

Pre-training stops early on purpose: some problems are then solved often, some rarely and some
never, which is where training against a reward has something to do.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from core.paths import cache_folder
from core.schema import content_id
from core.training.rollouts import tokens
from core.training.rollouts.problems import Problem
from core.training.rollouts.tasks import ALL_TASKS

Tick = Callable[[int, int, str], None]
"""Called with what is done, how much there is, and what it is."""


@dataclass(frozen=True)
class Pretraining:
    """How the policy is made; what depends on it is kept under its key.

    Attributes:
        tasks: weight of each task among the demonstrations.
        steps: optimiser steps.
        batch: demonstrations a step.
        learning_rate: AdamW's, after a warm-up of 50 steps constant.
        hidden: width; the feed-forward part is three times as wide.
        layers: how many.
        heads: of the attention.
        seed: of weights and demonstrations.
    """

    tasks: Mapping[str, float]
    steps: int
    batch: int = 128
    learning_rate: float = 1e-3
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    seed: int = 0

    @property
    def key(self) -> str:
        """Changes with anything the weights depend on."""
        return content_id([asdict(self), tokens.TOKENS])


def new_policy(recipe: Pretraining) -> LlamaForCausalLM:
    """An untrained policy."""
    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=len(tokens.TOKENS),
        hidden_size=recipe.hidden,
        intermediate_size=3 * recipe.hidden,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=160,
        tie_word_embeddings=True,
        pad_token_id=tokens.PAD_ID,
        bos_token_id=tokens.BOS_ID,
        eos_token_id=tokens.EOS_ID,
    )
    return LlamaForCausalLM(config)


def pretrained_policy(recipe: Pretraining, tick: Tick | None = None) -> LlamaForCausalLM:
    """The pre-trained policy, made once and then read from the user's cache folder."""
    path = policy_path(recipe)
    policy = new_policy(recipe)
    if path.is_file():
        policy.load_state_dict(load_file(path), strict=False)
        return policy.eval()
    for step in pretraining_steps(policy, recipe):
        if tick is not None:
            tick(step, recipe.steps, "pre-training the policy")
    save_policy(policy, path)
    return policy.eval()


def copied(policy: LlamaForCausalLM) -> LlamaForCausalLM:
    """A policy with the same weights that is trained on its own.

    A deep copy will not do: trainers put wrapped methods on the instance, and those of the copy
    would go on computing with the weights of the original.
    """
    copy = LlamaForCausalLM(policy.config)
    copy.load_state_dict(policy.state_dict())
    return copy.train(policy.training)


def policy_path(recipe: Pretraining) -> Path:
    """Where the pre-trained weights are kept."""
    return cache_folder() / "policies" / f"{recipe.key}.safetensors"


def save_policy(policy: LlamaForCausalLM, path: Path) -> None:
    """Writes the weights so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    tied = {"lm_head.weight"}
    weights = {name: value for name, value in policy.state_dict().items() if name not in tied}
    save_file(weights, partial)
    partial.replace(path)


def pretraining_steps(policy: LlamaForCausalLM, recipe: Pretraining) -> Iterator[int]:
    """Trains on demonstrations; yields the number of steps done, after each."""
    rng = Random(recipe.seed)  # noqa: S311 - no secret
    optimizer = torch.optim.AdamW(policy.parameters(), lr=recipe.learning_rate, weight_decay=0.01)
    names, weights = list(recipe.tasks), list(recipe.tasks.values())
    policy.train()
    for step in range(1, recipe.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * min(1.0, step / 50)
        drawn = [ALL_TASKS[name].draw(rng) for name in rng.choices(names, weights, k=recipe.batch)]
        loss = _loss(policy, drawn, rng)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        yield step


def _loss(policy: LlamaForCausalLM, problems: list[Problem], rng: Random) -> torch.Tensor:
    """Mean cross-entropy of the demonstrations' own tokens: what a tool said is not learned."""
    rows, learned = [], []
    for problem in problems:
        prompt = [tokens.BOS_ID, *tokens.encode(problem.prompt)]
        text = ALL_TASKS[problem.task].demonstrate(problem, rng)
        response = [*tokens.encode(text), tokens.EOS_ID]
        rows.append([*prompt, *response])
        learned.append([0] * len(prompt) + own_tokens(response))
    ids, mask = (torch.tensor(each) for each in tokens.left_padded(rows))
    own = torch.tensor(tokens.left_padded(learned)[0])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    logits = policy(ids, attention_mask=mask, position_ids=positions).logits
    labels = ids.masked_fill(own == 0, -100)[:, 1:]
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].reshape(-1, logits.shape[-1]), labels.reshape(-1), ignore_index=-100
    )


def own_tokens(response: list[int]) -> list[int]:
    """1 for the policy's own tokens, 0 for those of a tool's response, its tags included."""
    begin, end = tokens.IDS[tokens.RESPONSE], tokens.IDS[tokens.END_RESPONSE]
    own, inside = [], False
    for token in response:
        inside = inside or token == begin
        own.append(0 if inside else 1)
        inside = inside and token != end
    return own
