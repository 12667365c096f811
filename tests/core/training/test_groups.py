from itertools import pairwise

import numpy as np
import pytest

from core.errors import TableError
from core.schema import make_conversation
from core.training.groups import (
    epoch_batches,
    swapped_responses,
    template_encoder,
    validation_split,
    with_fewer_swapped,
)
from core.training.preferences import AuthoredPrompt
from core.training.recipe import CHATML
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
    fit, validation = validation_split(prompts, share=0.25, seed=0)
    assert len(validation) == 3
    assert {p.id for p in fit} | {p.id for p in validation} == {p.id for p in prompts}
    assert not {p.id for p in fit} & {p.id for p in validation}


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
