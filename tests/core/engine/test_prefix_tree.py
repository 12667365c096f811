"""Plans cover every sequence once, start where texts part, and save what they can."""

import random

from hypothesis import given
from hypothesis import strategies as st

from core.engine.prefix_tree import PassCost, Tree, plan_reading, shared_length
from core.models.base import TokenSequence

tokens = st.integers(1, 3)
sequences = st.lists(st.lists(tokens, min_size=1, max_size=40).map(tuple), min_size=1, max_size=14)


@given(first=st.lists(tokens, max_size=20), second=st.lists(tokens, max_size=20))
def test_shared_length_equals_a_plain_count(first: list[int], second: list[int]) -> None:
    expected = 0
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        expected += 1
    assert shared_length(first, second) == expected


def check_tree(tree: Tree, texts: list[tuple[int, ...]], below: tuple[int, ...]) -> None:
    own = texts[tree.position]
    assert own[: tree.start] == below[: tree.start]
    assert tree.start < len(own)
    for limb in tree.limbs:
        text = texts[limb.position]
        assert text[: limb.start] == own[: limb.start]
        assert limb.start < len(text)
    for child in tree.children:
        check_tree(child, texts, own)


@given(bodies=sequences, prefix=st.lists(tokens, max_size=30).map(tuple))
def test_plans_cover_everything_once_and_start_in_shared_text(
    bodies: list[tuple[int, ...]], prefix: tuple[int, ...]
) -> None:
    texts = [prefix + body for body in bodies]
    plan = plan_reading([TokenSequence(t) for t in texts], [len(t) - 1 for t in texts])
    seen = sorted([p for tree in plan.trees for p in tree.positions()] + list(plan.plain))
    assert seen == list(range(len(texts)))
    for tree in plan.trees:
        check_tree(tree, texts, ())
    assert plan.n_tokens <= plan.n_plain == sum(len(t) for t in texts)


def random_tokens(generator: random.Random, count: int) -> tuple[int, ...]:
    return tuple(generator.randrange(10_000) for _ in range(count))


def plan_tokens(texts: list[tuple[int, ...]]) -> int:
    shuffled = random.Random(1).sample(texts, len(texts))
    plan = plan_reading([TokenSequence(t) for t in shuffled], [len(t) - 1 for t in shuffled])
    return plan.n_tokens


def test_one_prompt_with_many_responses_reads_the_prompt_once() -> None:
    generator = random.Random(0)
    prompt = random_tokens(generator, 200)
    texts = [prompt + random_tokens(generator, 60) for _ in range(32)]
    assert plan_tokens(texts) == 200 + 32 * 60


def test_leaving_out_each_word_reads_only_what_follows_it() -> None:
    generator = random.Random(0)
    text = random_tokens(generator, 50)
    variants = [text, *(text[:i] + text[i + 1 :] for i in range(50))]
    # The whole text once, then for each i the 49 - i tokens after the gap, and at least the last.
    least = 50 + sum(max(49 - i, 1) for i in range(50))
    assert least <= plan_tokens(variants) <= 1.15 * least


def test_two_levels_share_prompt_and_response() -> None:
    generator = random.Random(0)
    prompt = random_tokens(generator, 100)
    texts = []
    for _ in range(4):
        response = prompt + random_tokens(generator, 50)
        texts += [response + random_tokens(generator, 5) for _ in range(6)]
    assert plan_tokens(texts) == 100 + 4 * 50 + 24 * 5


def test_unrelated_texts_are_read_plainly() -> None:
    generator = random.Random(0)
    texts = [TokenSequence(random_tokens(generator, 30)) for _ in range(10)]
    plan = plan_reading(texts, [29] * 10)
    assert plan.trees == ()
    assert sorted(plan.plain) == list(range(10))


def test_a_small_saving_is_not_worth_more_passes():
    beginning = tuple(range(100, 150))
    texts = [TokenSequence((*beginning, *range(200 * n, 200 * n + 45))) for n in (1, 2)]
    reads = [94, 94]
    free = plan_reading(texts, reads)
    assert len(free.trees) == 1
    assert free.n_tokens == 2 * 95 - 50
    # Two passes of 64 tokens' fixed work for 50 tokens saved.
    dear = plan_reading(texts, reads, PassCost(pass_tokens=64, batch_tokens=640))
    assert not dear.trees
    assert sorted(dear.plain) == [0, 1]


def test_many_responses_to_one_prompt_are_worth_their_passes():
    prompt = tuple(range(100, 300))
    texts = [TokenSequence((*prompt, *range(1000 * n, 1000 * n + 60))) for n in range(1, 33)]
    plan = plan_reading(texts, [259] * 32, PassCost(pass_tokens=64, batch_tokens=640))
    assert plan.n_tokens == 200 + 32 * 60
