"""Background work: computed once, never waited for, its failure told in words."""

import threading
import time

import pytest

from app_pages.common import background
from app_pages.common.background import Tasks
from core.errors import ModelNotFoundError


def finished(tasks: Tasks, key: str, compute):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        outcome = tasks.outcome(key, compute)
        if outcome.state != "running":
            return outcome
        time.sleep(0.005)
    pytest.fail("the work did not end")


def test_asking_does_not_wait_and_computes_once():
    gate, calls = threading.Event(), []

    def compute():
        calls.append(1)
        gate.wait(5)
        return 42

    tasks = Tasks()
    assert tasks.outcome("a", compute).state == "running"
    gate.set()
    assert finished(tasks, "a", compute).value == 42
    assert calls == [1]


def test_known_starts_nothing():
    tasks = Tasks()
    assert tasks.known("a") is None
    finished(tasks, "a", lambda: 1)
    assert tasks.known("a").value == 1


def test_an_error_a_user_can_act_on_is_told_as_it_is():
    def compute():
        raise ModelNotFoundError("There is no model 'x'.", fix="Give a folder.")

    outcome = finished(Tasks(), "a", compute)
    assert outcome.state == "failed"
    assert outcome.error == "There is no model 'x'. Give a folder."


def test_any_other_error_is_named():
    outcome = finished(Tasks(), "a", lambda: 1 / 0)
    assert outcome.error == "ZeroDivisionError: division by zero"


def test_a_failure_is_tried_again_after_a_while(monkeypatch):
    answers = iter([ValueError("not yet"), 7])

    def compute():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    tasks = Tasks()
    assert finished(tasks, "a", compute).state == "failed"
    assert tasks.outcome("a", compute).state == "failed"
    monkeypatch.setattr(background, "RETRY_S", 0.0)
    assert finished(tasks, "a", compute).value == 7


def test_forgotten_work_is_computed_again():
    numbers = iter([1, 2])
    tasks = Tasks()
    assert finished(tasks, "a", lambda: next(numbers)).value == 1
    tasks.forget("a")
    assert finished(tasks, "a", lambda: next(numbers)).value == 2


def test_only_the_latest_outcomes_are_kept():
    tasks = Tasks(max_outcomes=3)
    for name in "abcde":
        finished(tasks, name, lambda name=name: name)
    assert tasks.known("a") is None
    assert tasks.known("e").value == "e"
