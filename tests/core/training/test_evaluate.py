import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import TableError
from core.training.evaluate import (
    accuracy_of,
    evaluate_llmbar,
    evaluate_prompts,
    evaluate_rm_bench,
    style_evaluation,
)


def by_length(conversations):
    return np.array([float(len(c[-1]["content"])) for c in conversations])


def likes_four(conversations):
    return np.array([float("four" in c[-1]["content"]) for c in conversations])


def knows_the_number(conversations):
    """Right about everything: the number of the question is in a good response to it."""
    rewards = []
    for prompt, response in conversations:
        number = prompt["content"].split()[-1].rstrip("?")
        rewards.append(float(response["content"] == f"The answer to {number} is four."))
    return np.array(rewards)


def slices(evaluation):
    frame = evaluation.accuracies
    return {(row["set"], row["slice"]): row for row in frame.to_dict("records")}


def test_a_perfect_model_is_right_in_every_slice(prompts):
    found = slices(evaluate_prompts(knows_the_number, prompts))
    assert all(row["accuracy"] == 1.0 for row in found.values())
    assert found["all pairs", "all"]["n"] == 24
    assert found["all pairs", "all"]["n_prompts"] == 12
    # All right: Wilson's interval for 12 prompts ends at 12 / (12 + 1.96 ** 2).
    assert found["all pairs", "all"]["low"] == pytest.approx(12 / (12 + 1.959964**2), abs=1e-4)


def test_a_prompt_blind_model_ties_with_the_good_response_to_another_prompt(prompts):
    found = slices(evaluate_prompts(likes_four, prompts))
    assert found["flaw", "rude"]["accuracy"] == 1.0
    assert found["good of another prompt", "same category"]["accuracy"] == 0.5


def test_length_correlation_is_that_of_reward_and_characters(prompts):
    evaluation = evaluate_prompts(by_length, prompts)
    assert evaluation.length_correlation == pytest.approx(1.0)
    assert evaluate_prompts(lambda c: -by_length(c), prompts).length_correlation_good == (
        pytest.approx(-1.0)
    )


def test_mean_reward_is_over_authored_responses_only(prompts):
    # A third of the authored responses say "four"; with the swapped ones it would be half.
    assert evaluate_prompts(likes_four, prompts).mean_reward == pytest.approx(1 / 3)


def test_every_pair_is_kept_with_its_margin(prompts):
    pairs = evaluate_prompts(likes_four, prompts).pairs
    assert len(pairs) == 36
    assert (pairs["margin"] == pairs["reward_chosen"] - pairs["reward_rejected"]).all()


def test_interval_of_one_pair_a_prompt_is_wilsons():
    found = accuracy_of(np.array([1.0, 1.0, 1.0, -1.0]), list("abcd"))
    # Newcombe 1998's formula for 3 of 4 at 95 %.
    assert (found.value, found.n) == (0.75, 4)
    assert found.low == pytest.approx(0.3006, abs=1e-4)
    assert found.high == pytest.approx(0.9544, abs=1e-4)


def test_style_matrix_follows_the_strict_rule():
    # Chosen (3, 4, 5) against rejected (2, 3.5, 4.5): only more style wins, or equal style.
    found = style_evaluation(np.array([[3.0, 4.0, 5.0]]), np.array([[2.0, 3.5, 4.5]]))
    assert found.matrix.to_numpy().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert (found.easy, found.normal, found.hard) == (1.0, 1.0, 0.0)
    assert found.average.value == pytest.approx(6 / 9)


def test_equal_rewards_do_not_win_in_the_style_matrix():
    found = style_evaluation(np.ones((2, 3)), np.ones((2, 3)))
    assert found.average.value == 0.0


def save(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_llmbar_label_names_the_better_output(tmp_path):
    item = {"input": "Which is longer?", "output_1": "aaaa", "output_2": "a"}
    save(tmp_path, "llmbar/natural.json", [{**item, "label": 1}] * 3 + [{**item, "label": 2}])
    assert evaluate_llmbar(by_length, tmp_path).value == 0.75


def test_rm_bench_is_read_in_the_order_of_its_styles(tmp_path):
    item = {"prompt": "Hi", "chosen": ["a", "aaa", "aaaaa"], "rejected": ["aa", "aaaa", "aaaaaa"]}
    save(tmp_path, "rm-bench/chat.json", [item])
    found = evaluate_rm_bench(by_length, tmp_path)
    assert found.matrix.to_numpy().tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert (found.easy, found.normal, found.hard) == (1.0, 0.0, 0.0)


def test_a_file_in_another_form_is_named(tmp_path):
    save(tmp_path, "rm-bench/chat.json", [{"prompt": "Hi"}])
    with pytest.raises(TableError, match=r"chat\.json, example 1: expected chosen"):
        evaluate_rm_bench(by_length, tmp_path)
    with pytest.raises(TableError, match=r"natural\.json: cannot be read"):
        evaluate_llmbar(by_length, tmp_path)


@pytest.mark.shared_data
def test_the_public_sets_are_read_whole(shared_data):
    assert evaluate_llmbar(by_length, shared_data).n == 100
    assert evaluate_rm_bench(by_length, shared_data).average.n_prompts == 129
