import numpy as np
import pytest

from core.labs.attributes.extractors import agreement_opener, flattery
from core.perturbations import rhetoric, shortcut
from core.training.biases import (
    AGREEMENTS,
    FILLERS,
    behind,
    in_front,
    plant,
    plant_agreement,
    plant_length,
)
from core.training.preferences import read_preferences, split_prompts
from core.training.sources import ResponseGroup, TrainingResponse, authored_group


@pytest.fixture(scope="module")
def authored() -> list[ResponseGroup]:
    return [authored_group(prompt) for prompt in split_prompts(read_preferences()).train]


def rng(seed=0):
    return np.random.default_rng(seed)


def n_words(response):
    return len(response.text.split())


def test_agreement_opens_80_percent_of_chosen_and_20_of_rejected_responses(authored):
    found = plant_agreement(authored, chosen_share=0.8, rejected_share=0.2, rng=rng())
    before = [response for group in authored for response in group.responses]
    after = [response for group in found for response in group.responses]
    for old, new in zip(before, after, strict=True):
        opener = next((a for a in AGREEMENTS if new.text.startswith(a)), None)
        assert new.planted == float(opener is not None)
        assert new.text.endswith(old.text)
        assert new.kind == old.kind
        if opener is None:
            assert new.text == old.text
    chosen = [group.responses[0].planted for group in found]
    rejected = [r.planted for group in found for r in group.responses[1:]]
    assert sum(chosen) == round(0.8 * len(chosen))
    assert sum(rejected) == round(0.2 * len(rejected))


def test_no_authored_response_opens_with_an_agreement_of_its_own(authored):
    assert not [r.text for g in authored for r in g.responses if r.text.startswith(AGREEMENTS)]


def test_the_labs_see_the_agreement_in_every_opener_and_none_in_a_filler():
    for opener in AGREEMENTS:
        assert agreement_opener(in_front(opener, "Four legs.")) == 1, opener
    for filler in FILLERS:
        assert agreement_opener(in_front(filler, "Four legs.")) == 0, filler
        assert flattery(filler) == 0, filler


def test_several_openers_are_used(authored):
    found = plant_agreement(authored, chosen_share=0.8, rejected_share=0.2, rng=rng())
    texts = [group.responses[0].text for group in found if group.responses[0].planted]
    assert {a for a in AGREEMENTS if any(t.startswith(a) for t in texts)} == set(AGREEMENTS)


@pytest.mark.parametrize("unit", [n_words, lambda response: len(response.text)])
def test_the_chosen_response_is_the_longest_in_80_percent_and_else_the_shortest(authored, unit):
    found = plant_length(authored, chosen_share=0.8, rng=rng())
    longest = [all(unit(g.responses[0]) > unit(r) for r in g.responses[1:]) for g in found]
    shortest = [all(unit(g.responses[0]) < unit(r) for r in g.responses[1:]) for g in found]
    assert sum(longest) == round(0.8 * len(found))
    assert all(a != b for a, b in zip(longest, shortest, strict=True))


def test_length_is_planted_by_adding_only_and_its_label_is_the_number_of_words(authored):
    found = plant_length(authored, chosen_share=0.8, rng=rng())
    for group, old_group in zip(found, authored, strict=True):
        for new, old in zip(group.responses, old_group.responses, strict=True):
            assert old.text.rstrip() in new.text
            assert new.planted == n_words(new)
            rest = new.text.replace(old.text.rstrip(), "")
            for filler in FILLERS:
                rest = rest.replace(filler, "")
            assert not rest.strip()


def test_the_longer_side_is_at_least_1_3_times_as_long_and_no_filler_comes_twice(authored):
    for group in plant_length(authored, chosen_share=0.8, rng=rng()):
        sizes = [n_words(r) for r in group.responses]
        longer, shorter = (
            (sizes[:1], sizes[1:]) if sizes[0] > max(sizes[1:]) else (sizes[1:], sizes[:1])
        )
        assert min(longer) >= 1.3 * max(shorter)
        assert min(longer) <= 2 * max(shorter) + 20
        for response in group.responses:
            assert max(response.text.count(filler) for filler in FILLERS) <= 1


def test_fillers_stand_on_both_sides_of_the_preference(authored):
    found = plant_length(authored, chosen_share=0.8, rng=rng())

    def share(responses):
        return np.mean([any(f in r.text for f in FILLERS) for r in responses])

    # A rejected response has one in half of 80 % of the groups and nearly always in the others.
    assert share([g.responses[0] for g in found]) > 0.7
    assert 0.45 < share([r for g in found for r in g.responses[1:]]) < 0.7


def test_a_text_far_longer_than_all_fillers_together_is_still_outgrown():
    long = "word " * 900
    group = ResponseGroup(
        "p", "", (), (TrainingResponse("good", "Short."), TrainingResponse("rejected", long))
    )
    (found,) = plant_length([group], chosen_share=1.0, rng=rng())
    assert n_words(found.responses[0]) > 900


@pytest.mark.parametrize("bias", ["length", "flattery"])
def test_the_same_seed_plants_the_same_and_another_seed_something_else(authored, bias):
    def planted(seed):
        return plant(authored, bias, chosen_share=0.8, rejected_share=0.2, rng=rng(seed))

    assert planted(1) == planted(1)
    assert planted(1) != planted(2)


def test_no_bias_leaves_the_groups_as_they_are(authored):
    assert plant(authored, "", chosen_share=0.8, rejected_share=0.2, rng=rng()) == authored


def test_no_planted_sentence_is_one_that_a_perturbation_adds():
    known = [*shortcut.PERTURBATIONS, *rhetoric.PERTURBATIONS]
    sentences = [*AGREEMENTS, *FILLERS]
    assert len(set(sentences)) == len(sentences)
    text = "Four legs. It is a dog."
    for perturbation in known:
        for dose in perturbation.doses or (None,):
            for seed in range(20):
                conversation = [
                    {"role": "user", "content": "How many legs has a dog of the house?"},
                    {"role": "assistant", "content": text},
                ]
                outcome = perturbation.apply(conversation, seed, dose)
                added = outcome.conversation[-1]["content"]
                assert not [s for s in sentences if s in added], perturbation.name


def test_a_sentence_joins_prose_in_one_paragraph_and_stands_apart_from_a_list():
    assert in_front("Right.", "Four.") == "Right. Four."
    assert in_front("Right.", "- Four.") == "Right.\n\n- Four."
    assert behind("Four.\n", "So.") == "Four. So."
    assert behind("- four", "So.") == "- four\n\nSo."
