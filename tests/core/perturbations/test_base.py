"""A perturbation is a named edit: what it is given, what it gives back, how one adds one's own."""

import time
from collections.abc import Iterator

import pytest

from core.errors import ConversationError, PerturbationError
from core.perturbations import (
    GROUPS,
    Edited,
    EditRequest,
    NotApplicable,
    Perturbation,
    apply,
    get,
    perturbations,
    register,
    unregister,
)
from core.perturbations.base import replace_ranges
from core.schema import Message, make_conversation


def shout(request: EditRequest) -> Edited:
    if request.text.isupper():
        raise NotApplicable("It is loud already.")
    return Edited(request.text.upper(), "all capitals")


def choose(request: EditRequest) -> Edited:
    return Edited(f"{request.text} {request.rng.random()}", "a number")


def make(name: str = "shout", target: str = "response", edit: object = shout) -> Perturbation:
    return Perturbation(name, "Shout", "shortcut", "Writes in capitals.", target, edit)  # type: ignore[arg-type]


@pytest.fixture
def registered() -> Iterator[Perturbation]:
    yield register(make())
    unregister("shout")


def test_ones_own_is_found_by_name_and_group(registered: Perturbation) -> None:
    assert get("shout") is registered
    assert perturbations("shortcut")[-1] is registered
    outcome = apply("shout", make_conversation("Hi", "be quiet"))
    assert (outcome.conversation[-1]["content"], outcome.note) == ("BE QUIET", "all capitals")


def test_a_name_is_taken_once_unless_replaced(registered: Perturbation) -> None:
    assert register(registered) is registered
    other = make(edit=choose)
    with pytest.raises(PerturbationError, match="already a perturbation named 'shout'"):
        register(other)
    assert register(other, replace=True) is get("shout")


def test_the_reason_of_the_edit_is_handed_on() -> None:
    outcome = make().apply(make_conversation("Hi", "LOUD"))
    assert (outcome.applied, outcome.reason, outcome.note) == (False, "It is loud already.", "")


def test_an_edit_that_changes_nothing_does_not_count_as_applied() -> None:
    same = make(edit=lambda request: Edited(request.text, "nothing"))
    assert (
        same.apply(make_conversation("Hi", "x")).reason == "The edit would leave the text as it is."
    )


def test_the_last_user_turn_is_the_prompt() -> None:
    turns: list[Message] = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
        {"role": "assistant", "content": "four"},
    ]
    outcome = make(target="prompt").apply(turns)
    assert [m["content"] for m in outcome.conversation] == ["one", "two", "THREE", "four"]
    assert turns[2]["content"] == "three"


def test_without_a_user_turn_there_is_no_prompt_to_edit() -> None:
    alone: list[Message] = [{"role": "assistant", "content": "x"}]
    assert make(target="prompt").apply(alone).reason == "There is no user turn to edit."
    assert make().apply(alone).conversation[0]["content"] == "X"


def test_a_conversation_without_a_response_is_an_error() -> None:
    with pytest.raises(ConversationError):
        make().apply([{"role": "user", "content": "x"}])


def test_chance_depends_on_name_seed_and_prompt_but_not_on_the_response() -> None:
    def drawn(name: str = "a", seed: int = 0, prompt: str = "p", response: str = "r") -> str:
        outcome = make(name, edit=choose).apply(make_conversation(prompt, response), seed)
        return outcome.conversation[-1]["content"].split()[-1]

    assert drawn() == drawn() == drawn(response="another")
    assert len({drawn(), drawn(name="b"), drawn(seed=1), drawn(prompt="q")}) == 4


def test_unpaired_surrogates_do_no_harm() -> None:
    assert make().apply(make_conversation("\ud800", "a\udfff")).applied


def test_replacements_at_one_place_keep_their_order() -> None:
    assert replace_ranges("abc", [(1, 2, "X"), (0, 0, "1"), (0, 0, "2")]) == "12aXc"


def test_every_perturbation_names_a_group_a_title_and_a_sentence() -> None:
    assert len({p.title for p in perturbations()}) == len(perturbations()) >= 32
    assert all(p.description.endswith(".") for p in perturbations())
    assert all(p.default_dose in (p.doses or (1,)) for p in perturbations())
    assert {p.group for p in perturbations()} == set(GROUPS)


@pytest.mark.parametrize("perturbation", perturbations(), ids=lambda p: p.name)
def test_twenty_thousand_words_are_handled(perturbation: Perturbation) -> None:
    text = "The cat isn't on 12 mats, because it sleeps in Rome until 5. " * 1_700
    started = time.perf_counter()
    outcome = perturbation.apply(make_conversation(text, text))
    assert outcome.applied or outcome.reason
    assert time.perf_counter() - started < 20


def mark(request: EditRequest) -> Edited:
    if "x" not in request.text:
        raise NotApplicable("There is no x.")
    return Edited(request.text + str(request.rng.random()), "marked")


def test_an_edit_of_the_conversation_edits_every_turn_with_the_same_chance() -> None:
    turns: list[Message] = [
        {"role": "system", "content": "x:"},
        {"role": "user", "content": "no"},
        {"role": "assistant", "content": "x:"},
    ]
    outcome = make(target="conversation", edit=mark).apply(turns)
    first, second, third = (message["content"] for message in outcome.conversation)
    assert first == third != "x:"
    assert second == "no"
    assert outcome.note == "marked"


def test_an_edit_of_the_conversation_that_no_turn_allows_is_refused() -> None:
    outcome = make(target="conversation", edit=mark).apply(make_conversation("a", "b"))
    assert (outcome.applied, outcome.reason) == (False, "There is no x.")
    empty = make(target="conversation", edit=mark).apply(make_conversation(" ", ""))
    assert empty.reason == "The conversation is empty."


def test_an_edit_of_the_conversation_knows_what_all_turns_say() -> None:
    seen = []

    def look(request: EditRequest) -> Edited:
        seen.append(request.conversation)
        return Edited(request.text + "!", "")

    make(target="conversation", edit=look).apply(make_conversation("a", "b"))
    assert seen == [("a", "b"), ("a", "b")]
