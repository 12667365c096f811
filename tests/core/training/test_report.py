import numpy as np

from core.training.evaluate import accuracy_of, evaluate_prompts, style_evaluation
from core.training.report import held_out_text, public_text


def test_every_slice_has_its_row_with_n_and_interval(prompts):
    evaluation = evaluate_prompts(lambda c: np.arange(float(len(c))), prompts)
    text = held_out_text(evaluation)
    # Rewards rise within each prompt, so no good response wins: Wilson's interval of 0 of 12.
    assert "| all pairs | all | 24 | 12 | 0.0% | 0.0% to 24.2% |" in text
    assert "| flaw | rude | 12 | 12 | 0.0% | 0.0% to 24.2% |" in text


def test_public_results_show_the_matrix_in_the_order_of_styles():
    styles = style_evaluation(np.array([[3.0, 4.0, 5.0]]), np.array([[2.0, 3.5, 4.5]]))
    text = public_text(accuracy_of(np.array([1.0, -1.0]), ["a", "b"]), styles)
    assert "| LLMBar natural | 2 | 50.0% |" in text
    assert "| concise | 100.0% | 0.0% | 0.0% |" in text
    assert "easy 100.0%, normal 100.0%, hard 0.0%" in text
