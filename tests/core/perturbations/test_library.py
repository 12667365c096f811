"""Every perturbation does what it says, or says why it does nothing."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import PerturbationError
from core.perturbations import GROUPS, Perturbation, apply, get, perturbations
from core.schema import make_conversation
from core.segments import sentences, words

PROMPT = "Tell me about the tower. Is it worth a visit?"
RESPONSE = (
    "The Eiffel Tower is in Paris. It was built in 1889 and is 330 metres tall.\n\n"
    "Reasons to go:\n- the view\n- the food\n- the light\n\n"
    "You can visit it every day, because it is open all year."
)
ALL = perturbations()
names = pytest.mark.parametrize("name", [p.name for p in ALL])
unicode_texts = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=120)


def edited(name: str, response: str = RESPONSE, seed: int = 0) -> str:
    outcome = apply(name, make_conversation(PROMPT, response), seed)
    assert outcome.applied, outcome.reason
    target = 0 if get(name).target == "prompt" else -1
    return outcome.conversation[target]["content"]


def test_there_are_thirty_two_or_more_in_four_groups() -> None:
    assert len(ALL) >= 32
    assert {p.group for p in ALL} == set(GROUPS)


@names
@given(prompt=unicode_texts, response=unicode_texts, seed=st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_any_text_is_edited_or_refused_with_a_reason(
    name: str, prompt: str, response: str, seed: int
) -> None:
    conversation = make_conversation(prompt, response)
    outcome = apply(name, conversation, seed)
    assert outcome == apply(name, conversation, seed), "the same seed gives the same edit"
    assert outcome.applied == (outcome.conversation != conversation)
    assert bool(outcome.reason) == (not outcome.applied)
    assert conversation == make_conversation(prompt, response), "the input is left alone"


_PIECES = st.sampled_from(
    [
        "\n", "\n\n", " ", "  ", "- ", "1. ", "2. ", "# ", "**", "*", "_", "`", "```",
        "```python\n", "def f(total):\n    return total\n",
        "\n```\n", "> ", "| a | b |\n", "$", "\\boxed{", "}", "{", "\"", "“", "'", "’", "https://x.org/a",
        "He", "she", "her ", "his", "Emily", "Emily Ray", "a 30-year-old", "I am Kenyan",
        "The the", "teh", "Answer: 5", "#### 7", "x = 1\n", "from India",
        "# note\n", "First,", "Then 2 + 2 = 4.", "so", "You are right.", "colour", "don't",
        "I think", "i", ".", "!", "?", ",", ";", ":", "...", "Sure!", "Let me know.", "for example",
    ]
)  # fmt: skip
written_texts = st.lists(_PIECES, max_size=25).map("".join)


@names
@given(prompt=written_texts, response=written_texts, seed=st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_any_mixture_of_markup_is_edited_or_refused(
    name: str, prompt: str, response: str, seed: int
) -> None:
    conversation = make_conversation(prompt, response)
    for dose in get(name).doses or (1,):
        outcome = apply(name, conversation, seed, dose)
        assert outcome == apply(name, conversation, seed, dose)
        assert outcome.applied == (outcome.conversation != conversation)
        assert bool(outcome.reason) == (not outcome.applied)
        assert outcome.reason == "" or outcome.reason.endswith(".")


@names
def test_only_the_target_turn_changes(name: str) -> None:
    conversation = make_conversation(PROMPT, RESPONSE, system="Be brief.")
    outcome = apply(name, conversation)
    kept = {"prompt": (0, 2), "response": (0, 1), "conversation": ()}[get(name).target]
    for position in kept:
        assert outcome.conversation[position] == conversation[position]


@names
def test_an_empty_response_is_refused(name: str) -> None:
    perturbation = get(name)
    conversation = make_conversation(PROMPT if perturbation.target == "response" else "", "")
    assert not perturbation.apply(conversation).applied


def test_doubled_spaces_change_only_spaces() -> None:
    assert edited("double-spaces").split() == RESPONSE.split()


def test_a_typo_changes_one_word_by_a_letter_or_two() -> None:
    before, after = RESPONSE.split(), edited("typos").split()
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) >= 1
    assert all(abs(len(a) - len(b)) <= 1 and len(a) >= 4 for a, b in changed)


def test_reordering_keeps_the_items_and_the_rest() -> None:
    lines, before = edited("reorder-items").split("\n"), RESPONSE.split("\n")
    assert lines != before
    assert sorted(lines) == sorted(before)
    assert [x for x in lines if not x.startswith("-")] == [
        x for x in before if not x.startswith("-")
    ]


@pytest.mark.parametrize(
    ("statement", "negated"),
    [
        ("The answer is four.", "The answer is not four."),
        ("You can swim here.", "You cannot swim here."),
        ("It will not rain.", "It will rain."),
    ],
)
def test_a_negation_turns_the_statement_around(statement: str, negated: str) -> None:
    assert edited("negate", statement) == negated


@pytest.mark.parametrize("seed", range(8))
def test_a_wrong_number_keeps_the_form_and_differs(seed: int) -> None:
    after = edited("wrong-number", "It costs 1,200 euros.", seed)
    found = re.fullmatch(r"It costs (\d,\d{3}) euros\.", after)
    assert found
    assert found[1] != "1,200"
    decimal = edited("wrong-number", "It weighs 3.5 kg.", seed)
    assert re.fullmatch(r"It weighs \d+\.\d kg\.", decimal)
    assert "3.5" not in decimal


def test_list_numbers_are_not_facts() -> None:
    text = "1. Wash the rice.\n2. Boil it for 12 minutes.\n3. Serve."
    for seed in range(5):
        after = edited("wrong-number", text, seed)
        assert [line[:2] for line in after.split("\n")] == ["1.", "2.", "3."]
        assert "12 minutes" not in after


def test_a_dropped_sentence_is_the_only_loss() -> None:
    pieces = [
        "The first train leaves at nine.",
        "The second bus comes at noon.",
        "A third boat sails at night.",
    ]
    after = edited("drop-sentence", " ".join(pieces))
    assert after in {" ".join(pair) for pair in itertools.combinations(pieces, 2)}


def test_truncation_keeps_a_beginning() -> None:
    after = edited("truncate")
    assert RESPONSE.startswith(after.rstrip("."))
    assert len(after) < len(RESPONSE)


def test_another_questions_answer_shares_nothing_with_this_one() -> None:
    assert "tower" not in edited("answer-another-question").lower()


@pytest.mark.parametrize("name", ["padding", "flattery", "confident-tone", "keyword-stuffing"])
def test_shortcuts_add_and_keep_what_was_there(name: str) -> None:
    after = edited(name)
    assert len(after) > len(RESPONSE)
    assert all(segment.core(RESPONSE) in after for segment in sentences(RESPONSE))


def test_keywords_come_from_the_prompt() -> None:
    added = edited("keyword-stuffing")[len(RESPONSE) :].lower()
    assert "tower" in added
    assert "visit" in added


@pytest.mark.parametrize("perturbation", [p for p in ALL if p.doses], ids=lambda p: p.name)
def test_a_larger_dose_adds_more(perturbation: Perturbation) -> None:
    conversation = make_conversation(PROMPT, RESPONSE)
    lengths = []
    for dose in perturbation.doses:
        outcome = perturbation.apply(conversation, dose=dose)
        if outcome.applied and perturbation.name != "noise-in-prompt":  # it loses letters
            lengths.append(len(words(outcome.conversation[-1]["content"])))
    assert lengths == sorted(set(lengths))


KEPT = (
    "```python\nfor item in basket:\n    print(item,  end='')  # don't\n```",
    "https://example.com/some/long-path?with=query",
    "$a + b = colour$",
    '"Don\'t say the colour of  their hat, she said"',
    "`basket.colour`",
)
SURROUNDED = (
    "He doesn't like the colour of this hat, but it is not new. {} It's old , and they do not "
    "recieve the the mail.  {} Sure, we organise everything. {} Then we can not pay {} first. {} "
    "What a pity. i think so"
)
LEAVES_VERBATIM = [
    name
    for name in (p.name for p in ALL if p.target == "response")
    if name
    not in (
        "answer-another-question", "master-key-mark", "master-key-opening", "truncate",
        "rename-identifiers", "drop-comments", "praise-in-comment", "wrong-number",
    )
]  # fmt: skip


@pytest.mark.parametrize("name", LEAVES_VERBATIM)
@pytest.mark.parametrize("seed", range(3))
def test_code_links_formulas_and_quotations_are_left_alone(name: str, seed: int) -> None:
    fence, *inline = KEPT
    text = SURROUNDED.format(*inline, "And so on.") + f".\n\n{fence}\n\nThat is not all, is it?"
    outcome = apply(name, make_conversation("Tell me more.", text), seed)
    after = outcome.conversation[-1]["content"].replace("”", '"').replace("“", '"')
    lost = [part for part in KEPT if part not in after.replace("**", "")]
    dropped = name in ("drop-sentence", "drop-step", "concise") and len(lost) <= 2
    assert not lost or dropped, lost


def test_an_unknown_dose_or_name_is_explained() -> None:
    with pytest.raises(PerturbationError, match="does not come in dose 99"):
        get("padding").apply(make_conversation(PROMPT, RESPONSE), dose=99)
    with pytest.raises(PerturbationError, match="Did you mean 'flattery'"):
        get("flatery")
