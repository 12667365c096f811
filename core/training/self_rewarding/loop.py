"""A self-rewarding run: the policy answers, a judge ranks, DPO trains on best against worst.

Each iteration begins with K samples of the current model (Mi) for every prompt. The first model's
samples (M0) are those of iteration 0, where the current model is the first one. The judge stays
the same throughout; the paper's is the policy itself.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from core.engine.service import RewardService
from core.labs.self_rewarding.pairs import BuiltPairs, build_pairs
from core.schema import content_id
from core.training.classifier import base_path
from core.training.policy import AdapterShape, Policy, Sampling, draw, load_policy
from core.training.policy.judging import rewards_of
from core.training.policy.prompts import OpenPrompt, read_open_prompts
from core.training.self_rewarding.recipe import SelfRewardingRecipe
from core.training.self_rewarding.record import PairRow, SampleRow, pair_rows, write_run
from core.training.self_rewarding.update import TokenPair, update

Progress = Callable[[str], None]

STATE = "state.pt"


def run_self_rewarding(
    recipe: SelfRewardingRecipe,
    folder: Path,
    progress: Progress | None = None,
    *,
    prompts: Sequence[OpenPrompt] | None = None,
    service: RewardService | None = None,
) -> None:
    """Trains by the recipe and writes `rollouts.parquet`, `pairs.parquet` and `run.json`.

    A run that was interrupted goes on from its last whole iteration when it is started again with
    the same recipe, prompts and folder.

    Args:
        recipe: every choice.
        folder: of this run; made where it is not there.
        progress: told a line at each step of the work.
        prompts: the package's own by default.
        service: what scores; the process's own by default.

    Raises:
        WorkbenchError: base, reward model or recipe cannot be used; says what to do.
    """
    loop = SelfRewardingLoop(
        recipe,
        _some_of(prompts or read_open_prompts(), recipe.prompts_per_task),
        folder,
        service=service,
        progress=progress or (lambda _line: None),
    )
    loop.run()


class SelfRewardingLoop:
    """One run; see `run_self_rewarding`."""

    def __init__(
        self,
        recipe: SelfRewardingRecipe,
        prompts: Sequence[OpenPrompt],
        folder: Path,
        *,
        service: RewardService | None,
        progress: Progress,
    ) -> None:
        self.recipe = recipe
        self.prompts = list(prompts)
        self.folder = folder
        self.service = service
        self.say = progress
        self.policy = _policy(recipe)
        self.iteration = 0
        self.seconds = 0.0
        self.samples: list[SampleRow] = []
        self.pairs: list[PairRow] = []
        self.left_out: list[dict[str, Any]] = []

    def run(self) -> None:
        """Takes up what `folder` holds, trains to the end, and writes the record."""
        self._resume()
        while self.iteration < self.recipe.iterations:
            started = time.perf_counter()
            self._iterate(self.iteration)
            self.iteration += 1
            self.seconds += time.perf_counter() - started
            self._save()
        started = time.perf_counter()
        self._draw(self.iteration, "Mi")
        self.seconds += time.perf_counter() - started
        details = {"seconds": round(self.seconds), "left_out": self.left_out}
        write_run(self.recipe, self.samples, self.pairs, self.prompts, details, self.folder)
        (self.folder / STATE).unlink(missing_ok=True)
        self.say(f"{self.recipe.run}: {self.seconds:.0f} s, record in {self.folder}")

    def _iterate(self, iteration: int) -> None:
        self._draw(iteration, "Mi")
        temporal = self.recipe.method == "temporal"
        if temporal:
            before = self.policy.adapter_state()
            self._train(iteration, self._build(iteration, future=False), phase=1)
            self._draw(iteration, "Mf")
            self.policy.load_adapter_state(before)
        built = self._build(iteration, future=temporal)
        rows = self._train(iteration, built, phase=2)
        self.pairs += rows
        for reason, count in built.left_out.items():
            self.left_out.append({"iteration": iteration, "reason": reason, "n": count})

    def _draw(self, iteration: int, source: str) -> None:
        """Adds K scored samples of the policy as it is now for every prompt."""
        recipe = self.recipe
        texts = [each.prompt for each in self.prompts]
        how = Sampling(recipe.temperature, recipe.top_p, recipe.max_new_tokens)
        seed = (recipe.seed, iteration, int(source == "Mf"))
        drawn = draw(self.policy, texts, recipe.samples, how, seed=seed)
        asked = [texts[each.prompt] for each in drawn]
        answers = [each.text for each in drawn]
        judged = rewards_of(recipe.judge, asked, answers, service=self.service)
        outside = [float("nan")] * len(drawn)
        if source == "Mi":
            outside = rewards_of(recipe.outside, asked, answers, service=self.service).tolist()
        columns = zip(drawn, judged.tolist(), outside, strict=True)
        self.samples += [
            SampleRow(
                iteration, source, self.prompts[each.prompt].problem_id, each.sample, each.text,
                each.tokens, reward, other, each.log_probability, each.entropy,
                each.truncated,
            )
            for each, reward, other in columns
        ]  # fmt: skip
        self.say(f"{recipe.run}, iteration {iteration}: {len(drawn)} samples of {source}, "
                 f"mean reward {judged.mean():.2f}")  # fmt: skip

    def _visible(self, iteration: int) -> dict[tuple[str, str, int], SampleRow]:
        """By problem, source and number: the samples that this iteration's pairs can be made of."""
        rows = {(r.problem_id, r.source, r.sample): r for r in self.samples if r.step == iteration}
        if self.recipe.method == "temporal":
            first = [r for r in self.samples if r.step == 0 and r.source == "Mi"]
            rows |= {(r.problem_id, "M0", r.sample): r for r in first}
        return rows

    def _build(self, iteration: int, *, future: bool) -> BuiltPairs:
        table = pd.DataFrame(
            [
                {
                    "problem_id": problem,
                    "source": source,
                    "sample": number,
                    "judge_score": row.reward,
                    "response": row.response,
                }
                for (problem, source, number), row in self._visible(iteration).items()
            ]
        )
        anchored = self.recipe.method == "temporal"
        return build_pairs(table, anchored=anchored, future=future)

    def _train(self, iteration: int, built: BuiltPairs, *, phase: int) -> list[PairRow]:
        """Updates the policy on the pairs; gives their rows with all that was measured."""
        recipe, visible = self.recipe, self._visible(iteration)
        by_id = {each.problem_id: each.prompt for each in self.prompts}
        prompts = {name: self.policy.encode_prompt(text) for name, text in by_id.items()}
        sides = [
            tuple(
                visible[
                    str(row["problem_id"]), str(row[f"{side}_source"]), int(row[f"{side}_sample"])
                ]
                for side in ("chosen", "rejected")
            )
            for row in built.pairs.to_dict("records")
        ]
        tokens = [
            TokenPair(prompts[high.problem_id], high.token_ids, low.token_ids)
            for high, low in sides
        ]
        seed = (recipe.seed, iteration, phase)
        say = lambda line: self.say(f"{recipe.run}, iteration {iteration}, phase {phase}: {line}")  # noqa: E731
        records = update(self.policy, tokens, recipe, seed=seed, after=phase == 2, progress=say)
        if phase == 1:
            return []
        asked = [by_id[row.problem_id] for side in sides for row in side]
        texts = [row.response for side in sides for row in side]
        outside = rewards_of(recipe.outside, asked, texts, service=self.service)
        return pair_rows(recipe, iteration, built, sides, records, outside.reshape(-1, 2))

    def _fingerprint(self) -> str:
        return content_id([asdict(self.recipe), [asdict(each) for each in self.prompts]])

    def _save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {
            "fingerprint": self._fingerprint(),
            "iteration": self.iteration,
            "seconds": self.seconds,
            "adapter": self.policy.adapter_state(),
            "samples": [asdict(row) for row in self.samples],
            "pairs": self.pairs,
            "left_out": self.left_out,
        }
        scratch = self.folder / "state.partial"
        torch.save(content, scratch)
        scratch.replace(self.folder / STATE)

    def _resume(self) -> None:
        file = self.folder / STATE
        if not file.is_file():
            return
        content: dict[str, Any] = torch.load(file, weights_only=True)
        if content["fingerprint"] != self._fingerprint():
            return
        self.iteration, self.seconds = content["iteration"], content["seconds"]
        self.policy.load_adapter_state(content["adapter"])
        self.samples = [SampleRow(**row) for row in content["samples"]]
        self.pairs, self.left_out = content["pairs"], content["left_out"]
        self.say(f"{self.recipe.run}: goes on with iteration {self.iteration}")


def _some_of(prompts: Sequence[OpenPrompt], per_task: int) -> list[OpenPrompt]:
    """The first prompts of each task, in the order of the list."""
    found: list[OpenPrompt] = []
    for each in prompts:
        if sum(other.task == each.task for other in found) < per_task:
            found.append(each)
    return found


def _policy(recipe: SelfRewardingRecipe) -> Policy:
    shape = AdapterShape(
        rank=recipe.lora_rank,
        alpha=recipe.lora_alpha,
        first_layer=recipe.first_layer,
        targets=recipe.lora_targets,
    )
    return load_policy(
        base_path(recipe.base),
        adapter=shape,
        seed=recipe.seed,
        prompt_template=recipe.prompt_template,
    )
