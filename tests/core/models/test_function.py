from pathlib import Path

import numpy as np
import pytest

from core.engine.cache import RewardCache
from core.engine.service import RewardService
from core.models.function import FunctionRewardModel, function_model, source_version
from core.schema import Conversation, make_conversation

TEXTS = [make_conversation("Q", text) for text in ("short", "a longer one", "")]
BONUS = 1.0


def words(conversation: Conversation) -> float:
    return len(conversation[-1]["content"].split()) + BONUS


def picky(conversation: Conversation) -> float:
    if not conversation[-1]["content"]:
        raise ValueError("nothing to score")
    return float(len(conversation[-1]["content"]))


def test_one_line_makes_it_a_model_like_any_other() -> None:
    service = RewardService()
    try:
        service.register(function_model(words))
        frame = service.score("words", TEXTS)
    finally:
        service.close()
    assert frame["reward"].tolist() == [2.0, 4.0, 1.0]


def test_an_error_fails_its_row_alone() -> None:
    service = RewardService()
    try:
        service.register(function_model(picky))
        frame = service.score("picky", TEXTS).sort_values("index")
    finally:
        service.close()
    assert frame["error"].tolist() == ["", "", "ValueError: nothing to score"]
    assert np.isfinite(frame["reward"]).tolist() == [True, True, False]


def test_the_function_is_called_once_for_each_conversation() -> None:
    calls: list[str] = []

    def counted(conversation: Conversation) -> float:
        calls.append(conversation[-1]["content"])
        return 1 / len(conversation[-1]["content"])

    output = FunctionRewardModel("counted", counted).conversation_rewards(TEXTS)
    assert len(calls) == 3
    assert output.errors[2].startswith("ZeroDivisionError")


def made(source: str, **names: object) -> object:
    scope: dict[str, object] = dict(names)
    exec(source, scope)
    return scope["reward"]


PLAIN = "def reward(c):\n    return len(c[-1]['content']) * 2.0\n"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (PLAIN, True),
        ("# a comment\n\n" + PLAIN, True),
        (PLAIN.replace("2.0", "3.0"), False),
        (PLAIN.replace("len", "sum"), False),
        (PLAIN.replace("(c)", "(c, d=1)"), False),
    ],
)
def test_the_version_follows_what_is_computed(other: str, same: bool) -> None:
    assert (source_version(made(PLAIN)) == source_version(made(other))) is same  # type: ignore[arg-type]


def test_the_version_follows_helpers_globals_and_closures() -> None:
    source = "def reward(c):\n    return helper(c) * factor\n"
    one = made(source, helper=words, factor=1)
    assert source_version(one) == source_version(made(source, helper=words, factor=1))  # type: ignore[arg-type]
    assert source_version(one) != source_version(made(source, helper=picky, factor=1))  # type: ignore[arg-type]
    assert source_version(one) != source_version(made(source, helper=words, factor=2))  # type: ignore[arg-type]

    def scaled(by: float) -> object:
        return lambda conversation: by * len(conversation)

    assert source_version(scaled(1)) != source_version(scaled(2))  # type: ignore[arg-type]


def test_a_function_that_calls_itself_has_a_version() -> None:
    source = "def reward(c):\n    return 0.0 if not c else 1 + reward(c[1:])\n"
    assert source_version(made(source)) == source_version(made(source))  # type: ignore[arg-type]


def test_callables_and_methods_have_versions() -> None:
    class Scorer:
        def __init__(self, weight: float) -> None:
            self.weight = weight

        def __call__(self, conversation: Conversation) -> float:
            return self.weight * len(conversation)

        def method(self, conversation: Conversation) -> float:
            return self.weight * len(conversation)

    assert source_version(Scorer(1)) != source_version(Scorer(2))
    assert source_version(Scorer(1)) == source_version(Scorer(1))
    assert source_version(Scorer(1).method) != source_version(Scorer(2).method)


def test_a_changed_function_of_the_same_name_is_not_served_from_the_cache(tmp_path: Path) -> None:
    cache = RewardCache(tmp_path / "cache.sqlite", 10_000_000)
    service = RewardService(cache=cache)
    try:
        service.register(function_model(made(PLAIN), name="mine"))  # type: ignore[arg-type]
        first = service.score("mine", TEXTS[:2])["reward"].tolist()
        again = service.score("mine", TEXTS[:2])
        other = made(PLAIN.replace("2.0", "3.0"))
        service.register(function_model(other, name="mine"))  # type: ignore[arg-type]
        changed = service.score("mine", TEXTS[:2])["reward"].tolist()
    finally:
        service.close()
    assert first == [10.0, 24.0]
    assert again["cached"].all()
    assert changed == [15.0, 36.0]
