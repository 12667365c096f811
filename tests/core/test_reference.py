"""The reference set is fixed, balanced and unseen in training; a standing is a share with its n."""

import math
from collections import Counter

import pytest

from core.reference import Standing, reference_responses, standing
from core.training.preferences import AuthoredPrompt, FlawedResponse, is_held_out


def authored(prompt_id: str, category: str, *flaws: str) -> AuthoredPrompt:
    flawed = tuple(FlawedResponse(flaw, f"{prompt_id} {flaw}") for flaw in flaws)
    return AuthoredPrompt(prompt_id, category, f"ask {prompt_id}", f"good {prompt_id}", flawed)


def held_out_ids(prefix: str, n: int) -> list[str]:
    candidates = (f"{prefix}-{number}" for number in range(1000))
    return [candidate for candidate in candidates if is_held_out(candidate)][:n]


def test_set_is_half_good_half_flawed_and_held_out():
    responses = reference_responses()
    assert len(responses) == 40
    assert sum(response.flaw == "" for response in responses) == 20
    assert all(is_held_out(response.prompt_id) for response in responses)


def test_set_is_the_same_whatever_the_order_of_the_prompts():
    prompts = [authored(name, "facts", "rude") for name in held_out_ids("facts", 6)]
    assert reference_responses(4, prompts) == reference_responses(4, prompts[::-1])


def test_no_category_dominates():
    responses = reference_responses()
    counts = Counter(response.prompt_id.rsplit("-", 1)[0] for response in responses)
    assert len(counts) == 8
    assert max(counts.values()) - min(counts.values()) <= 2


def test_flaws_are_taken_in_turn():
    prompts = [authored(name, "facts", "rude", "unsafe") for name in held_out_ids("facts", 6)]
    counts = Counter(response.flaw for response in reference_responses(6, prompts))
    assert counts == {"": 6, "rude": 3, "unsafe": 3}


def test_prompts_of_the_training_part_are_left_out():
    training = next(f"facts-{n}" for n in range(1000) if not is_held_out(f"facts-{n}"))
    assert reference_responses(5, [authored(training, "facts", "rude")]) == ()


def test_conversation_is_the_prompt_then_the_response():
    (name,) = held_out_ids("facts", 1)
    good, flawed = reference_responses(1, [authored(name, "facts", "rude")])
    assert [message["content"] for message in good.conversation] == [f"ask {name}", f"good {name}"]
    assert flawed.conversation[-1] == {"role": "assistant", "content": f"{name} rude"}


def test_standing_counts_ties_as_half_and_leaves_out_what_is_not_finite():
    assert standing(2.0, [1, 2, 3, 4, math.nan]) == Standing(0.375, 4, 1)


@pytest.mark.parametrize(("reward", "reference"), [(math.nan, [1.0, 2.0]), (1.0, [math.nan])])
def test_standing_is_unknown_without_two_sides(reward, reference):
    assert standing(reward, reference) is None
