"""Records what a policy answers to open prompts at several temperatures, with its rewards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from core.engine.service import RewardService
from core.models.sampling import Sample, Sampling
from core.paths import data_folder
from core.training.classifier import base_path
from core.training.policy.judging import rewards_of
from core.training.policy.model import CHATML_PROMPT, Policy, load_policy
from core.training.policy.prompts import OpenPrompt, read_open_prompts
from core.training.policy.sampler import draw

Progress = Callable[[str], None]


@dataclass(frozen=True)
class TemperaturesRecipe:
    """Every choice behind a collection of samples at several temperatures.

    Attributes:
        name: of the collection.
        base: the policy: the embedded model, a local folder or a hub id.
        temperatures: one run each, `temperature-T`.
        samples: responses for each prompt and temperature.
        max_new_tokens: where a response is cut.
        judge: the reward model whose reward is recorded.
        seed: of all randomness; the same uniform numbers stand behind every temperature.
        prompt_template: see `core.training.policy.model.Policy`.
    """

    name: str = "temperatures"
    base: str = "smollm2-135m-instruct"
    temperatures: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.2)
    samples: int = 8
    max_new_tokens: int = 48
    judge: str = "pocket"
    seed: int = 0
    prompt_template: str = CHATML_PROMPT


def read_temperatures_recipe() -> TemperaturesRecipe:
    """The package's recipe, from `data/rollouts/temperatures/recipes.yaml`."""
    path = data_folder() / "rollouts" / "temperatures" / "recipes.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    values = {**content["shared"], **content["recipes"]["samples"]}
    temperatures = tuple(values.pop("temperatures"))
    return TemperaturesRecipe(temperatures=temperatures, **values)


def record_temperatures(
    recipe: TemperaturesRecipe,
    folder: Path,
    progress: Progress | None = None,
    *,
    prompts: Sequence[OpenPrompt] | None = None,
    service: RewardService | None = None,
) -> None:
    """Draws, scores and writes `rollouts.parquet` and `problems.parquet` into `folder`.

    Args:
        recipe: every choice.
        folder: of the collection; made where it is not there.
        progress: told a line at each temperature.
        prompts: the package's own by default.
        service: what scores; the process's own by default.
    """
    say = progress or (lambda _line: None)
    asked = list(prompts or read_open_prompts())
    policy = load_policy(base_path(recipe.base), prompt_template=recipe.prompt_template)
    frames = []
    for temperature in recipe.temperatures:
        say(f"temperature {temperature:g}: {len(asked) * recipe.samples} responses")
        frames.append(_at(policy, asked, recipe, temperature, service))
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.concat(frames, ignore_index=True)
    table.to_parquet(folder / "rollouts.parquet", index=False, compression="zstd")
    problems = pd.DataFrame([vars(each) for each in asked])
    problems.to_parquet(folder / "problems.parquet", index=False, compression="zstd")
    say(f"{len(table)} rollouts in {folder}")


def _at(
    policy: Policy,
    prompts: Sequence[OpenPrompt],
    recipe: TemperaturesRecipe,
    temperature: float,
    service: RewardService | None,
) -> pd.DataFrame:
    how = Sampling(temperature=temperature, max_new_tokens=recipe.max_new_tokens)
    texts = [each.prompt for each in prompts]
    drawn = draw(policy, texts, recipe.samples, how, seed=recipe.seed)
    table = sample_frame(drawn, [each.problem_id for each in prompts])
    asked = [texts[each.prompt] for each in drawn]
    table["reward"] = rewards_of(recipe.judge, asked, list(table["response"]), service=service)
    table.insert(0, "run", f"temperature-{temperature:g}")
    table.insert(1, "step", 0)
    return table.assign(temperature=temperature)


def sample_frame(drawn: Sequence[Sample], problem_ids: Sequence[str]) -> pd.DataFrame:
    """Samples as rows of a rollout table, without run, step and reward."""
    rows = [
        {
            "problem_id": problem_ids[each.prompt],
            "sample": each.sample,
            "response": each.text,
            "tokens": len(each.tokens),
            "log_probability": each.log_probability,
            "entropy": each.entropy,
            "truncated": each.truncated,
        }
        for each in drawn
    ]
    return pd.DataFrame(rows)
