"""Models under a memory budget: the longest unused idle one leaves first."""

import gc
import threading
import weakref
from collections.abc import Callable

import pytest

from core.engine.residency import Residency, card_bytes
from core.engine.service import RewardService
from core.errors import ModelLoadError
from core.models.card import RewardModelCard
from tests.core.engine.conftest import CountingModel, texts

MakeService = Callable[..., RewardService]


def load(name: str) -> CountingModel:
    return CountingModel(name, size=40)


def ids(service: RewardService) -> list[str]:
    return sorted(model.id for model in service.resident())


def test_the_least_recently_used_model_leaves_first(make_service: MakeService) -> None:
    service = make_service(loader=load, budget_bytes=100)
    service.score("a", texts(1))
    service.score("b", texts(1))
    service.score("a", texts(2))  # now b is the longest unused
    service.score("c", texts(1))
    assert ids(service) == ["a", "c"]
    service.score("d", texts(1))
    assert ids(service) == ["c", "d"]


def test_a_model_that_left_is_loaded_again_when_asked_for(make_service: MakeService) -> None:
    service = make_service(loader=load, budget_bytes=50)
    for name in ("a", "b", "a"):
        assert service.score(name, texts(2))["reward"].tolist() == [1.0, 2.0]
    assert ids(service) == ["a"]


def test_a_model_in_use_stays_and_the_budget_is_met_afterwards(make_service: MakeService) -> None:
    gate = threading.Event()
    busy = CountingModel("busy", size=40, gate=gate)
    service = make_service(
        loader=lambda name: busy if name == "busy" else load(name), budget_bytes=50
    )
    job = service.submit("busy", texts(1))
    assert busy.started.wait(10)
    service.score("other", texts(1))
    assert ids(service) == ["busy"]
    assert service.unload("busy") is False
    gate.set()
    assert job.wait(10)
    service.score("other", texts(2))
    assert ids(service) == ["other"]


def test_a_registered_model_is_never_unloaded_by_the_budget(make_service: MakeService) -> None:
    service = make_service(CountingModel("mine", size=90), loader=load, budget_bytes=100)
    service.score("a", texts(1))
    assert "mine" in ids(service)
    assert service.unload("mine") is True
    assert "mine" not in ids(service)


def test_an_unloaded_model_is_really_gone(make_service: MakeService) -> None:
    kept: list[weakref.ref[CountingModel]] = []

    def load_watched(name: str) -> CountingModel:
        model = load(name)
        model.itself = model  # a cycle, as modules with hooks have
        kept.append(weakref.ref(model))
        return model

    service = make_service(loader=load_watched)
    service.score("a", texts(20))
    assert service.unload("a") is True
    gc.collect()
    assert kept[0]() is None
    assert service.resident() == []


def test_a_replaced_model_answers_with_the_new_formula(make_service: MakeService) -> None:
    service = make_service(CountingModel("mine"))
    assert service.score("mine", texts(2))["reward"].tolist() == [1.0, 2.0]
    service.register(CountingModel("mine", version="2", formula=lambda _c: 0.5))
    assert service.score("mine", texts(2))["reward"].tolist() == [0.5, 0.5]


def test_a_model_that_can_never_fit_is_refused_before_it_is_loaded() -> None:
    def never(_name: str) -> CountingModel:
        raise AssertionError("must not be loaded")

    residency = Residency(never, 8 * 1024**3, expected_bytes=lambda _name: 54 * 10**9)
    with pytest.raises(ModelLoadError, match=r"big needs about 50\.3 GB.*budget is 8\.0 GB"):
        residency.acquire("big")


def test_room_is_made_before_a_model_of_known_size_is_loaded() -> None:
    seen: list[list[str]] = []

    def watch(name: str) -> CountingModel:
        seen.append([model.id for model in residency.resident()])
        return load(name)

    residency = Residency(watch, 50, expected_bytes=lambda _name: 40)
    for name in ("a", "b"):
        residency.acquire(name)
        residency.release(name)
    assert seen == [[], []]


def test_shared_memory_counts_once() -> None:
    class OnBase(CountingModel):
        residence = "base"
        shared_bytes = 100

    left: list[str] = []
    residency = Residency(
        lambda name: OnBase(name, size=5), 115, on_unload=lambda model: left.append(model.card.id)
    )
    for name in ("a", "b", "c"):
        residency.acquire(name)
        residency.release(name)
    assert left == []  # 100 + 3 * 5
    residency.acquire("d")
    assert left == ["a"]


@pytest.mark.parametrize(
    ("parameters", "dtype", "expected"),
    [("0.6B", "auto", 1.2e9), ("435M", "float32", 1.74e9), ("", "auto", 0), ("large", "auto", 0)],
)
def test_memory_is_estimated_from_the_card(parameters: str, dtype: str, expected: float) -> None:
    card = RewardModelCard.model_validate(
        {
            "id": "m",
            "source": {"kind": "hub", "repo": "o/m"},
            "family": "sequence-classifier",
            "parameters": parameters,
            "dtype": dtype,
        }
    )
    assert card_bytes(card) == pytest.approx(expected)
