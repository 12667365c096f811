"""Splicing at token boundaries, and reference likelihoods against a slow plain computation."""

import pytest
import torch

from core.errors import ConversationError
from core.labs.verifier_free.tables import COLUMNS, read_scores
from core.models.language import LanguageModel
from core.models.likelihood import Splice, names, read_problem, read_problems, splice
from core.problems import Problem, Trace
from tests.tiny import CAUSAL_KINDS, tiny_language_model

PROBLEM = Problem(
    "p",
    "maths",
    "What is two plus two?",
    "the number four",
    ("4", "fourÿ日"),
    (
        Trace("a", "Two plus two is four, and the river Seine is long.", True),
        Trace("b", "Numbers such as 17 appear.\n", False),
        Trace("c", "x", None),
    ),
)


def slowly(
    model: LanguageModel, beginning: tuple[int, ...], target: tuple[int, ...]
) -> list[float]:
    """Log-probability of each token by one full pass a token, without cache, batch or padding."""
    found, ids = [], list(beginning)
    for token in target:
        with torch.inference_mode():
            logits = model.network(torch.tensor([ids])).logits[0, -1]
        found.append(float(logits.double().log_softmax(-1)[token]))
        ids.append(token)
    return found


@pytest.mark.parametrize("kind", CAUSAL_KINDS)
def test_every_reading_equals_the_plain_computation(kind: str):
    model = tiny_language_model(kind)
    parts = splice(model, PROBLEM.question, [t.text for t in PROBLEM.traces], PROBLEM.wordings)
    reading = read_problem(model, PROBLEM, paraphrases=True)
    for number, tokens in enumerate(parts.references):
        bare = slowly(model, (*parts.prompt, *parts.bridge_without), tokens)
        assert reading.without[number].log_probabilities == pytest.approx(bare, abs=1e-4)
        for trace, own in zip(reading.traces, parts.traces, strict=True):
            expected = slowly(model, (*parts.prompt, *own, *parts.bridge), tokens)
            got = trace.references[number].log_probabilities
            assert got == pytest.approx(expected, abs=1e-4)
            assert got.sum() == pytest.approx(sum(expected), abs=1e-3)


def test_the_traces_own_tokens_and_entropies_are_those_of_a_plain_pass():
    model = tiny_language_model()
    parts = splice(model, PROBLEM.question, [t.text for t in PROBLEM.traces], ["4"])
    for trace, own in zip(read_problem(model, PROBLEM).traces, parts.traces, strict=True):
        assert trace.n_tokens == len(own)
        plain = slowly(model, parts.prompt, own)
        assert trace.log_probabilities == pytest.approx(plain, abs=1e-4)
        with torch.inference_mode():
            logits = model.network(torch.tensor([[*parts.prompt, *own]])).logits[0].double()
        p = logits.softmax(-1)[len(parts.prompt) - 1 : -1]
        assert trace.entropies == pytest.approx(-(p * p.log()).sum(-1).numpy(), abs=1e-4)


def test_no_token_straddles_a_boundary_and_the_reference_is_the_same_everywhere():
    model = tiny_language_model()
    how = Splice(
        bridge=" Answer:", blank=""
    )  # without a line break, so that whole strings would merge
    texts = ["The quick brown fox", "the reward mod"]
    parts = splice(model, "Which?", texts, ["el reads"], how)
    whole = model.encode(texts[1] + "el reads")
    assert (*parts.traces[1], *parts.references[0]) != whole  # " model" would be one token
    for text, tokens in zip(texts, parts.traces, strict=True):
        assert model.tokenizer.decode(list(tokens)) == text
        spliced = (*tokens, *parts.bridge, *parts.references[0])
        assert model.tokenizer.decode(list(spliced)) == text + " Answer:" + "el reads"
    assert parts.references[0] == model.encode("el reads")


def test_pieces_give_the_reference_again_even_within_a_character():
    model = tiny_language_model()
    reading = read_problem(model, PROBLEM, paraphrases=True)
    for reference, text in zip(reading.without, PROBLEM.wordings, strict=True):
        assert "".join(reference.pieces) == " " + text
        assert len(reference.pieces) == len(reference.log_probabilities)


def test_a_model_without_a_template_reads_the_question_as_it_is(monkeypatch: pytest.MonkeyPatch):
    model = tiny_language_model()
    monkeypatch.setattr(model.tokenizer, "chat_template", None)
    parts = splice(model, "Which?", ["t"], ["r"], Splice(instruction=""))
    assert model.tokenizer.decode(list(parts.prompt)) == "Which?\n\n"


def test_rows_have_the_columns_of_the_lab_and_pass_its_check():
    rows = read_problems(tiny_language_model(), [PROBLEM], paraphrases=True)
    assert len(rows) == 9
    assert set(rows[0]) <= set(COLUMNS)
    import pandas as pd

    scores = read_scores(pd.DataFrame(rows))
    assert not scores.left_out
    assert list(scores.references["correct"]) == [True, False, None]


def test_a_problem_that_cannot_be_read_says_why_and_leaves_the_others():
    broken = Problem("q", "maths", "?", "  ", (), PROBLEM.traces)
    done = []
    rows = read_problems(
        tiny_language_model(), [broken, PROBLEM], progress=lambda *told: done.append(told)
    )
    assert [bool(row["error"]) for row in rows] == [True] * 3 + [False] * 3
    assert "reference number 1 is empty" in rows[0]["error"]
    assert done == [(1, 2), (2, 2)]
    with pytest.raises(ConversationError, match="bridge"):
        read_problem(tiny_language_model(), PROBLEM, how=Splice(bridge="\n"))


def test_naming_ignores_case():
    assert names("It is FOUR.", "four")
    assert not names("It is 4.", "four")
