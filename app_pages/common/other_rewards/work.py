"""What the other rewards page computes in the background, and the names it shares."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from app_pages.common.service import reward_service
from core.errors import TableError
from core.labs.implicit.length import responses_of
from core.labs.process.planted import PlantedSolution, planted_solutions
from core.models.card import RewardModelCard, RubricPart
from core.models.catalogue import list_cards
from core.models.implicit import ImplicitRewardModel, TokenRatios
from core.models.process import ProcessRewardModel, StepRewards
from core.models.rubric import RubricReading, RubricRewardModel
from core.paths import data_folder
from core.schema import Message, make_conversation
from core.stats import Estimate
from core.training.preferences import read_preferences, split_prompts

NAME = "other-rewards"
"""Of the page: begins the keys of its widgets."""

DPO = "pocket-dpo"


def recorded_rewards(name: str = DPO) -> pd.DataFrame:
    """Implicit rewards of the held-out pairs, as measured when the adapter was trained.

    Returns:
        One row a response, for `core.labs.implicit.length.length_report`, with its flaw.
    """
    path = data_folder() / "adapters" / name / "held_out.csv"
    if not path.is_file():
        raise TableError(f"There are no recorded rewards of {name}.")
    return responses_of(pd.read_csv(path))


def cards_of(family: str) -> dict[str, RewardModelCard]:
    """Cards of one family by id: those over an embedded model first, they need no download."""
    found = [card for card in list_cards() if card.family == family]
    found.sort(key=lambda card: ("embedded" not in card.source.model_dump_json(), card.id))
    return {card.id: card for card in found}


def token_ratios(model: str, conversation: list[Message]) -> tuple[TokenRatios, float]:
    """A response token by token, and its reward."""

    def read(loaded: object) -> tuple[TokenRatios, float]:
        if not isinstance(loaded, ImplicitRewardModel):
            raise TableError(f"{model} gives no implicit reward.")
        reading = loaded.token_ratios([conversation])[0]
        return reading, loaded.reward_of(reading)

    return reward_service().exclusive(model, read)


def step_rewards(model: str, conversations: list[list[Message]]) -> list[StepRewards]:
    """Step scores, one conversation at a time, so that live edits get their turn."""

    def read(loaded: object, conversation: list[Message]) -> StepRewards:
        if not isinstance(loaded, ProcessRewardModel):
            raise TableError(f"{model} scores no steps.")
        return loaded.step_rewards([conversation])[0]

    service = reward_service()
    return [
        service.exclusive(model, lambda loaded, each=each: read(loaded, each))
        for each in conversations
    ]


@dataclass(frozen=True)
class ScoredChains:
    """Planted solutions with a process model's scores."""

    solutions: list[PlantedSolution]
    readings: list[StepRewards]

    @property
    def table(self) -> pd.DataFrame:
        """For `core.labs.process.benchmark`."""
        return pd.DataFrame(
            {
                "problem_id": [each.problem_id for each in self.solutions],
                "scores": [each.scores for each in self.readings],
                "label": [each.label for each in self.solutions],
            }
        )


def score_chains(model: str, separator: str, n_problems: int, seed: int) -> ScoredChains:
    """Scores chains of arithmetic with a planted error and their sound twins."""
    solutions = planted_solutions(n_problems, rng=np.random.default_rng(seed))
    joiner = separator or "\n"
    texts = [make_conversation(each.prompt, joiner.join(each.steps)) for each in solutions]
    return ScoredChains(solutions, step_rewards(model, texts))


@dataclass(frozen=True)
class ScoredRubric:
    """Held-out responses with a rubric's readings and a scalar model's rewards."""

    prompt_ids: list[str]
    texts: list[str]
    kinds: list[str]
    readings: list[RubricReading]
    scalar: list[float]

    @property
    def yes(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
        """(n, k) probability that each criterion holds."""
        return np.array([each.yes for each in self.readings])


@dataclass(frozen=True)
class RubricTexts:
    """Responses that a rubric is asked about.

    Attributes:
        prompt_ids: of each.
        texts: the responses.
        kinds: "good" or the flaw.
        conversations: with their prompts.
    """

    prompt_ids: list[str]
    texts: list[str]
    kinds: list[str]
    conversations: list[list[Message]]


def rubric_texts(n_prompts: int, seed: int) -> RubricTexts:
    """The responses of held-out authored prompts."""
    prompts = split_prompts(read_preferences()).held_out
    picked = np.random.default_rng(seed).permutation(len(prompts))[:n_prompts]
    rows = []
    for index in sorted(picked):
        prompt = prompts[index]
        rows.append((prompt, prompt.good, "good"))
        rows += [(prompt, each.response, each.flaw) for each in prompt.flawed]
    return RubricTexts(
        [prompt.id for prompt, _, _ in rows],
        [text for _, text, _ in rows],
        [kind for _, _, kind in rows],
        [make_conversation(prompt.prompt, text) for prompt, text, _ in rows],
    )


def read_rubric(model: str, part: RubricPart, conversation: list[Message]) -> RubricReading:
    """What a card's language model says of a response by these criteria."""

    def read(loaded: object) -> RubricReading:
        if not isinstance(loaded, RubricRewardModel):
            raise TableError(f"{model} has no rubric.")
        return loaded.with_rubric(part).read([conversation])[0]

    return reward_service().exclusive(model, read)


def scored_rubric(
    asked: RubricTexts, readings: Mapping[int, RubricReading], scalar: str
) -> ScoredRubric:
    """Readings beside a scalar model's rewards, of prompts whose responses are all read.

    Raises:
        TableError: there is no such prompt.
    """
    missing = {name for i, name in enumerate(asked.prompt_ids) if i not in readings}
    kept = [i for i, name in enumerate(asked.prompt_ids) if name not in missing]
    if not kept:
        raise TableError("No prompt has all its responses read.", fix="Let the run go on.")
    conversations = [asked.conversations[i] for i in kept]
    rewards = reward_service().score(scalar, conversations).sort_values("index")["reward"].tolist()
    return ScoredRubric(
        [asked.prompt_ids[i] for i in kept],
        [asked.texts[i] for i in kept],
        [asked.kinds[i] for i in kept],
        [readings[i] for i in kept],
        rewards,
    )


def told(found: Estimate, form: str = ".2f") -> str:
    """An estimate in words: value, interval, n."""
    if not np.isfinite(found.value):
        return "not estimable"
    interval = (
        f" [{found.low:{form}}, {found.high:{form}}]"
        if np.isfinite(found.low)
        else " (no interval)"
    )
    return f"{found.value:{form}}{interval}"
