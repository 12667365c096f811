import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from core.engine.conformance import check_model
from core.errors import ModelLoadError, ScoringError, SettingsError, TableError
from core.models.base import Capability
from core.models.card import JudgePart, RewardModelCard
from core.models.judges import (
    ChatBackend,
    Item,
    Judge,
    JudgeRewardModel,
    LocalBackend,
    Record,
    item_table,
    items_from_pairs,
    items_from_table,
    judgement_table,
    load_judge,
)
from core.models.judges.backends import Ask, Words, Written, split_words
from core.schema import ITEM_COLUMNS, JUDGEMENT_COLUMNS, Message, PreferencePair, make_conversation
from tests.tiny import save_language_model, tiny_language_model

ITEM = Item("one", "Capital of France?", ("Paris.", "Bananas."), "A")
OTHER = Item("two", "Two plus two?", ("Five.", "Four."), "B")
THREE = Item("three", "A colour?", ("red", "stone", "blue"), "A")


def part(form: str = "rubric-pair", **settings: Any) -> JudgePart:
    return JudgePart.model_validate({"format": form, "max_new_tokens": 6, **settings})


@pytest.fixture(scope="module")
def backend() -> LocalBackend:
    # Longer questions than a tiny model was made for; its rotary positions reach further.
    model = tiny_language_model()
    model.network.config.max_position_embeddings = 4096
    return LocalBackend(model)


def local(backend: LocalBackend, form: str = "rubric-pair", **settings: Any) -> Judge:
    return Judge("tiny", backend, part(form, **settings))


class Answering:
    """A writer that looks at what it is shown: a judge whose right answer is known."""

    fingerprint = "answering"

    def __init__(self, write: Callable[[str, int], str]) -> None:
        self.write = write
        self.asked = 0

    def complete(
        self, asks: Sequence[Ask], part: JudgePart, *, watch: Any = None
    ) -> list[list[Written | None]]:
        self.asked += sum(ask.n for ask in asks)
        return [
            [
                Written(self.write(ask.messages[-1]["content"], number), 5, False)
                for number in range(ask.first, ask.first + ask.n)
            ]
            for ask in asks
        ]

    def verdict_log_probabilities(
        self, conversations: Sequence[Sequence[Message]], opening: str, words: Sequence[str]
    ) -> list[Words]:
        raise AssertionError("not asked")


def prefers(text: str) -> Callable[[str, int], str]:
    """Wherever it stands, this response wins; without it the first does."""

    def write(question: str, _number: int) -> str:
        others = [each for each in (*ITEM.responses, *THREE.responses) if each in question]
        others.sort(key=question.index)
        return f"Verdict: [[{'AB'[others.index(text)] if text in others else 'A'}]]"

    return write


def test_verdicts_are_turned_back_to_the_responses_own_letters() -> None:
    found = Judge("j", Answering(prefers("Bananas.")), part()).judge([ITEM])
    assert [(each.order, each.verdict) for each in found] == [("AB", "B"), ("BA", "B")]


def test_a_judge_that_always_takes_the_first_flips_with_the_order() -> None:
    found = Judge("j", Answering(lambda *_: "Verdict: [[A]]"), part()).judge([ITEM])
    assert [(each.order, each.verdict) for each in found] == [("AB", "A"), ("BA", "B")]


def test_one_order_only_where_the_card_says_so() -> None:
    judge = Judge("j", Answering(prefers("Paris.")), part(both_orders=False))
    assert [each.order for each in judge.judge([ITEM])] == ["AB"]


def test_pairs_of_a_longer_item_are_all_compared_in_both_orders() -> None:
    found = Judge("j", Answering(prefers("blue")), part()).judge([THREE])
    assert [each.order for each in found] == ["AB", "BA", "AC", "CA", "BC", "CB"]
    assert {each.verdict for each in found if "C" in each.order} == {"C"}


def test_shuffled_lists_are_scored_in_the_responses_own_order() -> None:
    worth = {"red": 9, "stone": 1, "blue": 6}

    def write(question: str, _number: int) -> str:
        shown = sorted(worth, key=lambda text: question.index(f"\n{text}\n"))
        return "\\boxed{" + ", ".join(str(worth[text]) for text in shown) + "}"

    judge = Judge("j", Answering(write), part("deepseek-grm", samples=12))
    found = judge.judge([THREE])
    assert {each.scores for each in found} == {(9.0, 1.0, 6.0)}
    assert {each.verdict for each in found} == {"A"}
    assert len({each.order for each in found}) > 2
    assert [each.order for each in judge.judge([THREE])] == [each.order for each in found]


def test_lone_scores_stand_under_the_letter_of_their_response() -> None:
    def write(question: str, _number: int) -> str:
        return f"Score: {8 if 'Paris.' in question else 2}"

    found = Judge("j", Answering(write), part("rubric-score", samples=2)).judge([ITEM])
    assert [(each.order, each.sample, each.scores) for each in found] == [
        ("A", 0, (8.0,)),
        ("A", 1, (8.0,)),
        ("B", 0, (2.0,)),
        ("B", 1, (2.0,)),
    ]


def test_an_unreadable_text_is_kept_with_its_reason() -> None:
    table = judgement_table(Judge("j", Answering(lambda *_: "Hm."), part()).judge([ITEM]))
    assert list(table.columns) == list(JUDGEMENT_COLUMNS)
    assert table["verdict"].isna().all()
    assert (table["raw"] == "Hm.").all()
    assert table["problem"].str.contains("No verdict").all()


def test_a_drawn_text_does_not_depend_on_what_is_judged_beside_it(backend: LocalBackend) -> None:
    judge = local(backend, samples=3)
    alone = [each.raw for each in judge.judge([OTHER])]
    beside = [each.raw for each in judge.judge([ITEM, OTHER]) if each.item_id == "two"]
    assert alone == beside
    assert len(set(alone)) > 1


def test_later_samples_are_the_ones_a_longer_draw_has(backend: LocalBackend) -> None:
    judge = local(backend, samples=4)
    question = judge.questions([ITEM])[0]
    whole = judge.ask([question])[0]
    later = judge.ask([type(question)(question.item, question.order, 2, 2)])[0]
    assert later == whole[2:]


def test_another_seed_draws_other_texts(backend: LocalBackend) -> None:
    one = [each.raw for each in local(backend, samples=3).judge([ITEM])]
    two = [each.raw for each in local(backend, samples=3, seed=1).judge([ITEM])]
    assert one != two


def test_temperature_zero_takes_the_likeliest_token(backend: LocalBackend) -> None:
    judge = local(backend, temperature=0, samples=5, max_new_tokens=3)
    assert judge.samples == 1
    question = judge.questions([ITEM])[0]
    record = judge.ask([question])[0][0]
    assert record is not None
    model = backend.model
    tokens = list(model.encode(model.render(judge.messages(question))))
    start = len(tokens)
    with torch.no_grad():
        for _ in range(3):
            tokens.append(int(model.network(torch.tensor([tokens])).logits[0, -1].argmax()))
            if tokens[-1] in model.end_ids:
                break
    assert record.text == model.text(tuple(tokens[start:]))


def test_log_probability_verdict_agrees_with_a_plain_computation(backend: LocalBackend) -> None:
    judge = local(backend, verdict="log-probability")
    (question, _) = judge.questions([ITEM])
    judgement = judge.judge([ITEM])[0]
    model = backend.model
    begun = model.render(judge.messages(question)) + "Verdict: [["
    whole = [model.encode(begun + word) for word in "AB"]
    assert whole[0][:-1] == whole[1][:-1]
    with torch.no_grad():
        logits = model.network(torch.tensor([whole[0][:-1]])).logits[0, -1].double()
    shares = logits.softmax(-1)[[whole[0][-1], whole[1][-1]]].numpy()
    assert judgement.mass == pytest.approx(shares.sum(), rel=1e-4)
    assert judgement.confidence == pytest.approx(shares.max() / shares.sum(), rel=1e-4)
    assert judgement.verdict == "AB"[int(shares.argmax())]
    assert judgement.mass < 0.5  # a random model says anything: the page flags it


def test_log_probability_score_is_the_expected_one(backend: LocalBackend) -> None:
    judge = local(backend, "rubric-score", verdict="log-probability")
    question = judge.questions([ITEM])[0]
    record = judge.ask([question])[0][0]
    assert record is not None
    assert record.log_probabilities is not None
    shares = {int(word): math.exp(lp) for word, lp in record.log_probabilities.items()}
    assert sorted(shares) == list(range(1, 10))
    expected = sum(score * share for score, share in shares.items()) / sum(shares.values())
    scores = judge.read(question, 0, record).scores
    assert scores is not None
    assert scores[0] == pytest.approx(expected)


def test_words_that_a_tokenizer_joins_with_the_text_before_are_told_apart() -> None:
    assert split_words([(1, 2, 7, 9), (1, 2, 8, 9)]) == ((1, 2), [7, 8])
    assert split_words([(1, 2), (1, 3, 4)]) == ((1,), [2, 3])


def test_a_question_that_is_too_long_says_so_and_harms_no_other(backend: LocalBackend) -> None:
    judge = Judge("tiny", LocalBackend(backend.model, context=900), part())
    long = Item("long", "x " * 900, ("a", "b"))
    found = judge.judge([long, ITEM])
    assert all("more than" in each.problem for each in found if each.item_id == "long")
    assert all(each.n_tokens > 0 for each in found if each.item_id == "one")


def test_a_list_of_scores_has_no_log_probability(backend: LocalBackend) -> None:
    with pytest.raises(SettingsError, match="no single word"):
        local(backend, "deepseek-grm", verdict="log-probability")


def test_watching_shows_growing_texts_and_can_end_them(backend: LocalBackend) -> None:
    seen: dict[tuple[int, int], list[str]] = {}

    def watch(position: int, sample: int, text: Callable[[], str]) -> bool:
        seen.setdefault((position, sample), []).append(text())
        return sample == 1 and len(seen[position, sample]) == 2

    judge = local(backend, samples=2)
    records = judge.ask(judge.questions([ITEM]), watch=watch)
    assert set(seen) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    for (position, sample), texts in seen.items():
        record = records[position][sample]
        if sample == 1 and len(texts) == 2:
            assert record is None or record.n_tokens == 2  # ended by itself with that token
        else:
            assert record is not None
            assert record.text == texts[-1]


def score_card(**judge: Any) -> RewardModelCard:
    return RewardModelCard.model_validate(
        {
            "id": "scorer",
            "source": {"kind": "embedded", "name": "x"},
            "family": "judge",
            "judge": {"format": "rubric-score", **judge},
        }
    )


def as_model(write: Callable[[str, int], str], **judge: Any) -> JudgeRewardModel:
    card = score_card(**judge)
    assert card.judge is not None
    return JudgeRewardModel(card, Judge(card.id, Answering(write), card.judge))


def test_reward_is_the_mean_of_the_scores_that_can_be_read() -> None:
    model = as_model(lambda _, number: ("Score: 3", "Score: 8", "?")[number], samples=3)
    conversation = make_conversation("Q", "R")
    output = model.conversation_rewards([conversation])
    assert output.rewards.tolist() == [5.5]
    assert output.errors == ()
    (tally,) = model.tallies([conversation])
    assert (tally.n_read, tally.n_unread) == (2, 1)
    assert model.capabilities == {Capability.REWARD, Capability.REASONING}


def test_a_conversation_without_a_readable_judgement_fails_alone() -> None:
    model = as_model(lambda text, _: "Score: 4" if "good" in text else "no idea", samples=2)
    texts = ("fine, good", "bad")
    output = model.conversation_rewards([make_conversation("Q", text) for text in texts])
    assert output.rewards[0] == 4
    assert np.isnan(output.rewards[1])
    assert output.errors[0] == ""
    assert "None of 2 judgements could be read" in output.errors[1]


def test_a_judge_of_pairs_says_why_one_conversation_has_no_reward() -> None:
    model = as_model(lambda *_: "", format="rubric-pair")
    output = model.conversation_rewards([make_conversation("Q", "R")])
    assert np.isnan(output.rewards).all()
    assert "Reasoning lab" in output.errors[0]
    assert model.capabilities == {Capability.REASONING}


def test_fingerprints_tell_judges_apart() -> None:
    plain = as_model(lambda *_: "")
    for change in ({"samples": 2}, {"rubric": "Rhymes."}, {"seed": 1}, {"temperature": 0.1}):
        assert as_model(lambda *_: "", **change).fingerprint != plain.fingerprint
    assert as_model(lambda *_: "").fingerprint == plain.fingerprint


def test_a_card_loads_a_judge_and_two_cards_share_one_model(tmp_path: Any) -> None:
    folder = save_language_model(tmp_path / "tiny")
    source = {"kind": "local", "path": str(folder)}
    content = {**score_card().model_dump(exclude={"source"}), "source": source}
    card = RewardModelCard.model_validate({**content, "dtype": "float32"})
    one, two = load_judge(card, device="cpu"), load_judge(card, device="cpu")
    backends = [model.judge.backend for model in (one, two)]
    assert all(isinstance(each, LocalBackend) for each in backends)
    assert backends[0].model is backends[1].model  # type: ignore[attr-defined]
    assert one.residence == two.residence


def test_a_judge_cannot_be_an_adapter() -> None:
    embedded = {"kind": "embedded", "name": "x"}
    card = RewardModelCard.model_validate(
        {
            **score_card().model_dump(exclude={"source"}),
            "source": {"kind": "adapter", "adapter": embedded, "base": embedded},
        }
    )
    with pytest.raises(ModelLoadError, match="adapter"):
        load_judge(card)


def test_items_survive_a_table() -> None:
    table = item_table([ITEM, THREE])
    assert list(table.columns) == list(ITEM_COLUMNS)
    assert items_from_table(table) == [ITEM, THREE]
    as_json = table.assign(responses=['["Paris.", "Bananas."]', '["red", "stone", "blue"]'])
    assert items_from_table(as_json) == [ITEM, THREE]


def test_items_say_what_is_missing() -> None:
    with pytest.raises(TableError, match="no column prompt, responses"):
        items_from_table(item_table([ITEM]).drop(columns=["prompt", "responses"]))
    with pytest.raises(TableError, match="Item one: responses"):
        items_from_table(item_table([ITEM]).assign(responses=["text"]))


def test_pairs_put_the_chosen_response_on_either_side() -> None:
    prompt: tuple[Message, ...] = ({"role": "user", "content": "Q"},)
    pairs = [PreferencePair(f"p{i}", prompt, f"good {i}", f"bad {i}") for i in range(4)]
    items = items_from_pairs(pairs)
    assert [item.best for item in items] == ["A", "B", "A", "B"]
    for item in items:
        assert item.responses["AB".index(item.best or "")].startswith("good")


def chat_server(replies: Sequence[dict[str, Any]]) -> tuple[ChatBackend, list[dict[str, Any]]]:
    bodies: list[dict[str, Any]] = []
    waiting = list(replies)

    def ask(body: dict[str, Any]) -> dict[str, Any]:
        bodies.append(body)
        return waiting.pop(0)

    return ChatBackend(ask, "server", 1), bodies


def choice(text: str, reason: str = "stop", **more: Any) -> dict[str, Any]:
    return {"message": {"content": text, **more}, "finish_reason": reason}


def test_a_server_that_gives_fewer_texts_is_asked_again() -> None:
    usage = {"completion_tokens": 7}
    backend, bodies = chat_server(
        [
            {"choices": [choice("Verdict: [[A]]")], "usage": usage},
            {"choices": [choice("Verdict: [[B]]", "length")], "usage": usage},
        ]
    )
    judge = Judge("remote", backend, part(samples=2, both_orders=False))
    found = judge.judge([ITEM])
    assert [each.verdict for each in found] == ["A", "B"]
    assert [each.truncated for each in found] == [False, True]
    assert [body["n"] for body in bodies] == [2, 1]
    assert bodies[0]["seed"] != bodies[1]["seed"]


def test_scores_of_a_pair_are_turned_back_to_the_responses() -> None:
    text = "<think>x</think><score_A>9</score_A><score_B>2</score_B>"
    for form, more in (("j1-pair-scores", ""), ("j1-pair-both", " [[A]]")):
        backend, _ = chat_server([{"choices": [choice(text + more)]}] * 2)
        own, swapped = Judge("remote", backend, part(form)).judge([ITEM])
        assert (own.order, own.verdict, own.scores) == ("AB", "A", (9.0, 2.0))
        assert (swapped.order, swapped.verdict, swapped.scores) == ("BA", "B", (2.0, 9.0))


@pytest.mark.parametrize("usage", [{}, {"usage": None}, {"usage": {"completion_tokens": 0}}])
def test_tokens_that_a_server_does_not_count_are_unknown(usage: dict[str, Any]) -> None:
    texts = [choice("Verdict: [[A]]"), choice("Verdict", "length")]
    backend, _ = chat_server([{"choices": texts, **usage}])
    judge = Judge("remote", backend, part(samples=2, both_orders=False))
    found = judge.judge([ITEM])
    assert all(math.isnan(each.n_tokens) for each in found)
    assert judgement_table(found)["n_tokens"].isna().all()
    assert found[1].problem.endswith("The text was cut at its limit.")


def test_thinking_that_a_server_took_out_is_put_back() -> None:
    backend, _ = chat_server([{"choices": [choice("[[B]]", reasoning_content="A is wrong.")]}])
    judge = Judge("remote", backend, part("j1-pair", both_orders=False))
    (found,) = judge.judge([ITEM])
    assert found.verdict == "B"
    assert found.raw == "<think>\nA is wrong.\n</think>\n[[B]]"


def test_a_server_that_refuses_leaves_its_reason_in_the_row() -> None:
    def refuse(_body: dict[str, Any]) -> dict[str, Any]:
        raise ScoringError("lab: 503")

    judge = Judge("remote", ChatBackend(refuse, "server", 2), part(samples=2))
    assert [each.problem for each in judge.judge([ITEM])] == ["lab: 503"] * 4


def test_a_servers_log_probabilities_make_the_verdict() -> None:
    top = [
        {"token": "A", "logprob": math.log(0.5)},
        {"token": " B", "logprob": math.log(0.2)},
        {"token": "Well", "logprob": math.log(0.2)},
    ]
    reply = {"choices": [{"logprobs": {"content": [{"top_logprobs": top}]}}]}
    backend, bodies = chat_server([reply, reply])
    judge = Judge("remote", backend, part(verdict="log-probability"))
    found = judge.judge([ITEM])
    assert [each.verdict for each in found] == ["A", "B"]
    assert found[0].mass == pytest.approx(0.7)
    assert found[0].confidence == pytest.approx(5 / 7)
    assert bodies[0]["max_tokens"] == 1


def test_records_without_log_probabilities_are_no_verdict() -> None:
    backend, _ = chat_server([{"choices": [{}]}] * 2)
    judge = Judge("remote", backend, part(verdict="log-probability"))
    assert {each.problem for each in judge.judge([ITEM])} == {
        "The server gives no log-probabilities."
    }
    assert Record("", 0, False).problem == ""


def test_conformance_knows_a_judge_of_pairs_and_one_that_cannot_be_read() -> None:
    pairs = check_model(as_model(lambda *_: "", format="rubric-pair"))
    assert [(line.name, line.verdict) for line in pairs.lines] == [
        ("rewards the probe texts", "not applicable")
    ]
    unread = check_model(as_model(lambda *_: "no idea"))
    assert not unread.holds
    assert "No line with a score" in unread.lines[0].detail
    scored = check_model(as_model(lambda text, _: f"Score: {1 + len(text) % 9}"))
    assert scored.holds
    assert scored.probe_spread > 0
