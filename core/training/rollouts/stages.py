"""Training on one task after another, in several orders, with every task tested after every stage.

Orders that begin alike share their first stages: the policy after "a" is trained once and is then
continued with "b" and with "c".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import torch
from transformers import LlamaForCausalLM

from core.schema import content_id
from core.training.rollouts.episodes import Draw, uses_tools
from core.training.rollouts.grpo import RolloutLog, RolloutSource, problem_id, train
from core.training.rollouts.policy import Tick, copied
from core.training.rollouts.problems import Problem
from core.training.rollouts.recipes import RolloutRecipe

JOINT = "joint"


@dataclass
class _Plan:
    """What all stages of a seed share."""

    recipe: RolloutRecipe
    training: Sequence[Problem]
    held_out: Sequence[Problem]
    draw: Draw
    seed: int
    tick: Tick
    n_stages: int
    done: int = 0


def record_stages(
    policy: LlamaForCausalLM,
    training: Sequence[Problem],
    held_out: Sequence[Problem],
    recipe: RolloutRecipe,
    draw: Draw,
    seed: int,
    tick: Tick,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rollouts of all stages, and the tests of all tasks before and after each.

    Returns:
        Rollouts (`run` is "a>b/seed-0": the stages so far), and evaluations: run, seed, order,
        stage (0 is before any), trained, task, problem_id, score (mean over samples, 0..1),
        n_samples, entropy (mean nats per token).
    """
    from core.training.rollouts.record import small

    orders = [order.split(">") for order in recipe.orders if order != JOINT]
    prefixes = {tuple(order[: end + 1]) for order in orders for end in range(len(order))}
    n_joint = len(orders[0]) if JOINT in recipe.orders else 0
    plan = _Plan(recipe, training, held_out, draw, seed, tick, len(prefixes) + n_joint)
    tests: dict[tuple[str, ...], list[dict[str, Any]]] = {(): _tested(policy, plan)}
    logs: list[pd.DataFrame] = []
    policies: dict[tuple[str, ...], LlamaForCausalLM] = {(): policy}
    for prefix in sorted(prefixes, key=len):
        policies[prefix] = copied(policies[prefix[:-1]])
        logs.append(_stage(policies[prefix], prefix, [prefix[-1]], plan))
        tests[prefix] = _tested(policies[prefix], plan)
    if n_joint:
        tasks = sorted(set(orders[0]))
        path: tuple[str, ...] = ()
        for number in range(n_joint):
            path = (*path, JOINT)
            logs.append(_stage(policy, path, tasks, plan, number))
            tests[path] = _tested(policy, plan)
    return small(pd.concat(logs)), _evaluations(recipe.orders, n_joint, tests, seed)


def _stage(
    policy: LlamaForCausalLM,
    path: tuple[str, ...],
    tasks: Sequence[str],
    plan: _Plan,
    part: int = 0,
) -> pd.DataFrame:
    """Trains on the tasks' problems in place; a joint stage takes every task in equal parts."""
    recipe, seed = plan.recipe, plan.seed
    log = RolloutLog(f"{'>'.join(path)}/seed-{seed}", uses_tools(plan.training))
    problems = _balanced([each for each in plan.training if each.task in tasks])
    # A joint stage has the same number of rollouts as the others: a third of each task's problems.
    problems = problems[part :: len(tasks)]
    source = RolloutSource(recipe, problems, plan.draw, log)
    source.seed(hash_of(path, seed))
    source.first_step = (len(path) - 1) * recipe.stage_steps

    def after_step(step: int) -> None:
        done = plan.done * recipe.stage_steps + step
        plan.tick(done, plan.n_stages * recipe.stage_steps, ">".join(path))

    train(
        policy,
        problems,
        replace(recipe, steps=recipe.stage_steps),
        source,
        steps=recipe.stage_steps,
        seed=seed,
        after_step=after_step,
    )
    plan.done += 1
    return log.table()


def _balanced(problems: Sequence[Problem]) -> list[Problem]:
    """Every task as often as the largest: a task with fewer problems repeats them."""
    by_task = {
        task: [each for each in problems if each.task == task]
        for task in dict.fromkeys(each.task for each in problems)
    }
    most = max(len(each) for each in by_task.values())
    return [own[number % len(own)] for own in by_task.values() for number in range(most)]


def hash_of(path: Sequence[str], seed: int) -> int:
    """A seed for the stages so far, the same in every process."""
    return int(content_id(list(path))[:7], 16) + seed


def _tested(policy: LlamaForCausalLM, plan: _Plan) -> list[dict[str, Any]]:
    """Mean score of every held-out problem."""
    generator = torch.Generator()
    generator.manual_seed(7000 + plan.seed)
    was_training = policy.training
    policy.eval()
    n = plan.recipe.checkpoint_samples
    rows = []
    for task in dict.fromkeys(each.task for each in plan.held_out):
        problems = [each for each in plan.held_out if each.task == task]
        episodes = plan.draw(policy, [each for each in problems for _ in range(n)], generator, 1.0)
        for number, problem in enumerate(problems):
            own = episodes[number * n : (number + 1) * n]
            rows.append(
                {
                    "task": task,
                    "problem_id": problem_id(problem),
                    "score": sum(each.score for each in own) / n,
                    "n_samples": n,
                    "entropy": sum(each.entropy for each in own) / n,
                }
            )
    policy.train(was_training)
    return rows


def _evaluations(
    orders: Sequence[str],
    n_joint: int,
    tests: dict[tuple[str, ...], list[dict[str, Any]]],
    seed: int,
) -> pd.DataFrame:
    """Every order with the tests of its stages; shared stages stand in each order that has them."""
    rows = []
    for order in orders:
        stages = (JOINT,) * n_joint if order == JOINT else tuple(order.split(">"))
        for stage in range(len(stages) + 1):
            told = {
                "run": f"{order}/seed-{seed}",
                "seed": seed,
                "order": order,
                "stage": stage,
                "trained": stages[stage - 1] if stage else "",
            }
            rows += [{**told, **each} for each in tests[stages[:stage]]]
    return pd.DataFrame(rows)
