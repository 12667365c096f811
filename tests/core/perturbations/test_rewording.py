"""A paraphrase by rule keeps the meaning, the case and everything that must stay verbatim."""

import pytest

from core.perturbations import apply
from core.schema import make_conversation


def paraphrased(text: str, seed: int = 0) -> str:
    outcome = apply("paraphrase", make_conversation("Well?", text), seed)
    assert outcome.applied, outcome.reason
    return outcome.conversation[-1]["content"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("We don't know.", "We do not know."),
        ("We don’t know.", "We do not know."),
        ("I can't come.", "I cannot come."),
        ("I'm here.", "I am here."),
        ("It's a bird.", "It is a bird."),
        ("I'd rather stay.", "I would rather stay."),
        ("Do not open it.", "Don't open it."),
        ("You cannot win.", "You can't win."),
        ("It is a good day.", "It's a good day."),
        ("For example, bees.", "For instance, bees."),
        ("He left early, because it rained.", "He left early, since it rained."),
        ("About 20 came.", "Around 20 came."),
        ("It takes over Paris until noon.", "It takes over Paris till noon."),
        ("Perhaps later.", "Maybe later."),
        ("It sells lots of bread.", "It sells a lot of bread."),
        ("The colour fades.", "The color fades."),
        ("the gray sky", "the grey sky"),
        ("Make sure to rest.", "Be sure to rest."),
    ],
)
def test_words_of_one_meaning_are_swapped(before: str, after: str) -> None:
    assert paraphrased(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "Isn't it warm?",
        "Don't you see?",
        "It's been raining.",
        "He'd gone.",
        "That's who they are.",
        "because of the rain",
        "It happened because he slept.",
        "no more than 5",
        "quite a lot of noise",
        "more often than not",
        "almost never",
        "He gave to Save the Children.",
        "DO NOT ENTER",
        "`don't` and https://a.org/don't",
        "She said “I don't know”.",
        "```\nuntil = 5\n```",
        "Nichts.",
        "",
    ],
)
def test_no_rule_fires_where_its_sides_could_differ(text: str) -> None:
    assert not apply("paraphrase", make_conversation("Well?", text)).applied


def test_the_curly_apostrophe_is_kept() -> None:
    assert paraphrased("It’s “so” and it is not so.").count("'") == 0


def test_seeds_make_different_choices_and_the_share_is_kept() -> None:
    text = "Perhaps they don't know. It's a bird. We don't fly, for example. About 5 left."
    results = {paraphrased(text, seed) for seed in range(10)}
    assert len(results) > 1
    assert text not in results


def test_the_prompt_has_a_paraphrase_of_its_own() -> None:
    outcome = apply("paraphrase-prompt", make_conversation("Why don't bees sleep?", "They don't."))
    assert [m["content"] for m in outcome.conversation] == ["Why do not bees sleep?", "They don't."]
