from itertools import pairwise

import numpy as np
import pytest

from core.errors import TableError
from core.schema import make_conversation
from core.training.groups import (
    SWAPPED,
    SWAPPED_FLAWED,
    epoch_batches,
    make_groups,
    readable_data,
    swapped_responses,
    template_encoder,
    under_foreign_prompts,
    validation_split,
    with_fewer_swapped,
)
from core.training.preferences import AuthoredPrompt
from core.training.recipe import CHATML
from core.training.sources import TrainingData, authored_group
from tests import tiny


def test_encoded_text_is_what_the_template_renders_without_added_tokens():
    seen = []

    class Recorder:
        def apply_chat_template(self, *args, **options):
            return tiny.chat_tokenizer().apply_chat_template(*args, **options)

        def __call__(self, text, *, add_special_tokens):
            seen.append((text, add_special_tokens))
            return {"input_ids": [1, 2]}

    template_encoder(Recorder(), CHATML, max_length=8)(
        make_conversation("  Hi\n", "Ho", system="S")
    )
    text = (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n  Hi\n<|im_end|>\n"
        "<|im_start|>assistant\nHo<|im_end|>\n"
    )
    assert seen == [(text, False)]


def test_a_text_beyond_max_length_is_refused():
    encode = template_encoder(tiny.chat_tokenizer(), CHATML, max_length=4)
    with pytest.raises(TableError, match="more than the 4"):
        encode(make_conversation("What is the capital of France?", "Paris."))


def test_groups_hold_the_good_text_first_then_flawed_then_swapped(groups):
    assert [text.kind for text in groups[0].texts] == [
        "good",
        "rude",
        "truncated",
        "swapped",
        "swapped",
    ]


def test_swapped_responses_are_good_ones_of_other_prompts_of_the_category(prompts):
    good = {prompt.good: prompt for prompt in prompts}
    swaps = swapped_responses(prompts, n_swapped=2, seed=3)
    for prompt, swapped in zip(prompts, swaps, strict=True):
        assert len(set(swapped)) == 2
        assert all(good[text].id != prompt.id for text in swapped)
        assert all(good[text].category == prompt.category for text in swapped)
    assert swaps == swapped_responses(prompts, n_swapped=2, seed=3)
    assert swaps != swapped_responses(prompts, n_swapped=2, seed=4)


def test_nearest_swapped_responses_come_from_the_prompts_most_alike():
    wording = ["How do I bake bread?", "How do I bake rye bread?", "Name three rivers of Asia."]
    prompts = [
        AuthoredPrompt(f"p{n}", "chat", text, good=f"good {n}", flawed=())
        for n, text in enumerate(wording)
    ]
    swaps = swapped_responses(prompts, n_swapped=1, n_nearest=1)
    assert swaps[:2] == [["good 1"], ["good 0"]]
    both = swapped_responses(prompts, n_swapped=2, n_nearest=1)
    assert both[0] == ["good 1", "good 2"]


def test_no_swapped_response_where_a_category_has_one_prompt(prompts):
    assert swapped_responses(prompts[:2], n_swapped=1, seed=0) == [[], []]


def test_validation_prompts_are_taken_out_of_the_prompts_to_fit(prompts):
    groups = [authored_group(prompt) for prompt in prompts]
    fit, validation = validation_split(groups, share=0.25, seed=0)
    assert len(validation) == 3
    ids = [{group.prompt_id for group in part} for part in (fit, validation)]
    assert ids[0] | ids[1] == {prompt.id for prompt in prompts}
    assert not ids[0] & ids[1]


def test_groups_of_one_prompt_stay_on_one_side_of_the_validation_split(prompts):
    groups = [authored_group(prompt) for prompt in prompts]
    fit, validation = validation_split([*groups, *groups], share=0.25, seed=0)
    assert len(validation) == 6
    assert not {g.prompt_id for g in fit} & {g.prompt_id for g in validation}


def test_a_draw_of_swapped_texts_leaves_all_others(groups):
    drawn = {
        with_fewer_swapped(groups[0], 1, np.random.default_rng(seed)).texts for seed in range(20)
    }
    assert {texts[:3] for texts in drawn} == {groups[0].texts[:3]}
    assert {texts[3:] for texts in drawn} == {groups[0].texts[3:4], groups[0].texts[4:5]}
    assert with_fewer_swapped(groups[0], 1).texts == groups[0].texts[:4]
    assert with_fewer_swapped(groups[0], 9) == groups[0]


def test_an_epoch_has_every_group_once(groups):
    batches = epoch_batches(groups, prompts_per_batch=5, rng=np.random.default_rng(0))
    assert sorted(len(batch) for batch in batches) == [2, 5, 5]
    assert sorted(g.prompt_id for batch in batches for g in batch) == [g.prompt_id for g in groups]


def test_batches_put_similar_lengths_together(groups):
    batches = epoch_batches(groups, prompts_per_batch=4, rng=np.random.default_rng(1))
    ranges = sorted((min(g.n_tokens for g in b), max(g.n_tokens for g in b)) for b in batches)
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(ranges))


def encode(conversation):
    return template_encoder(tiny.chat_tokenizer(), CHATML, max_length=128)(conversation)


def test_a_response_to_an_equal_prompt_is_not_swapped_in(prompts):
    same = [prompt for prompt in prompts if prompt.category == "even"][:3]
    twice = [same[0], AuthoredPrompt("x", "even", same[0].prompt, "Four it is.", ()), *same[1:]]
    swaps = swapped_responses(twice, n_swapped=9)
    assert set(swaps[0]) == set(swaps[1]) == {prompt.good for prompt in same[1:]}


def test_a_swapped_response_brings_a_flawed_one_of_the_same_prompt_along(prompts):
    responses = [authored_group(prompt) for prompt in prompts]
    groups = make_groups(responses, encode, n_swapped=3, with_flawed=True, seed=0)
    of_id = {prompt.id: prompt for prompt in prompts}
    for group in groups:
        swapped = group.texts[3:]
        assert [text.kind for text in swapped] == [SWAPPED, SWAPPED_FLAWED] * 3
        for good, flawed in zip(swapped[::2], swapped[1::2], strict=True):
            assert good.source == flawed.source != group.prompt_id
            other = of_id[good.source]
            assert good.response == other.good
            assert flawed.response in {f.response for f in other.flawed}


def test_what_a_swapped_text_brought_along_goes_and_stays_with_it(prompts):
    responses = [authored_group(prompt) for prompt in prompts]
    group = make_groups(responses, encode, n_swapped=3, with_flawed=True, seed=0)[0]
    seen = set()
    for seed in range(20):
        drawn = with_fewer_swapped(group, 2, np.random.default_rng(seed)).texts
        assert drawn[:3] == group.texts[:3]
        assert [text.kind for text in drawn[3:]] == [SWAPPED, SWAPPED_FLAWED] * 2
        assert drawn[3].source == drawn[4].source != drawn[5].source == drawn[6].source
        seen.add(drawn)
    assert len(seen) == 3


def test_under_foreign_prompts_no_response_meets_its_own_and_both_sides_meet_the_same(prompts):
    responses = [authored_group(prompt) for prompt in prompts]
    found = under_foreign_prompts(responses, 3, seed=0)
    assert len(found) == 36
    asked = {group.prompt_id: set() for group in responses}
    for group in found:
        own = next(g for g in responses if g.prompt_id == group.prompt_id)
        assert group.responses == own.responses
        assert group.prompt != own.prompt
        assert group.prompt in {g.prompt for g in responses}
        asked[group.prompt_id].add(group.prompt)
    assert all(len(prompts_met) == 3 for prompts_met in asked.values())
    assert found == under_foreign_prompts(responses, 3, seed=0)
    assert found != under_foreign_prompts(responses, 3, seed=1)


def test_foreign_prompts_need_more_than_one_prompt(prompts):
    with pytest.raises(TableError, match="one prompt only"):
        under_foreign_prompts([authored_group(prompts[0])], 1, seed=0)


def test_pairs_that_are_too_long_are_left_out_and_counted(prompts):
    groups = [authored_group(prompt) for prompt in prompts[:4]]
    sizes = [
        max(
            len(encode([*g.messages, {"role": "assistant", "content": r.text}]))
            for r in g.responses
        )
        for g in groups
    ]
    cut = sorted(sizes)[-1] - 1
    short = template_encoder(tiny.chat_tokenizer(), CHATML, max_length=cut)
    data = readable_data(TrainingData(tuple(groups), tuple(groups), {"other": 1}), short)
    n_gone = sum(size > cut for size in sizes)
    assert len(data.groups) == 4 - n_gone
    assert data.left_out == {"other": 1, "longer than max_length": 2 * n_gone}
    nothing = template_encoder(tiny.chat_tokenizer(), CHATML, max_length=1)
    with pytest.raises(TableError, match="8 pairs longer than max_length"):
        readable_data(TrainingData(tuple(groups), tuple(groups)), nothing)


def test_the_tokenizers_own_template_is_used_where_the_recipe_has_none():
    own = template_encoder(tiny.chat_tokenizer(), "", max_length=128)
    conversation = make_conversation("Hi", "Ho")
    text = tiny.chat_tokenizer().apply_chat_template(conversation, tokenize=False)
    assert own(conversation) == tuple(
        tiny.chat_tokenizer()(text, add_special_tokens=False)["input_ids"]
    )
