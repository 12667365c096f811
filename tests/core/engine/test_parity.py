"""Two cards on the same texts: equal, shifted, squashed, reordered, or not comparable."""

import math

import numpy as np
import pytest

from core.engine.parity import (
    PARITY_TEXTS,
    check_parity,
    compare_rewards,
    tolerance_of,
)
from core.engine.service import RewardService
from core.models.function import FunctionRewardModel
from core.schema import Conversation

N = len(PARITY_TEXTS)
BASE = np.array([3.0, -1.5, 2.2, -4.0, 6.5, 0.3, 1.1, 4.4, -2.7, 5.0])
FULL = ("float32", "float32")


def report(other: np.ndarray, dtypes: tuple[str, str] = FULL):
    clean = [""] * N
    return compare_rewards(("a", BASE, clean), ("b", other, clean), dtypes=dtypes)


def test_there_are_ten_texts_of_ten_prompts() -> None:
    assert N == 10
    assert len({prompt for prompt, _ in PARITY_TEXTS}) == 10


def test_the_tolerance_follows_the_coarser_number_format() -> None:
    # float32: what the conformance check allows; bfloat16: four roundings of 2**-8.
    assert tolerance_of(FULL, 7.0) == pytest.approx(7e-4)
    assert tolerance_of(("float32", "bfloat16"), 7.0) == pytest.approx(7 * 4 / 256)
    assert tolerance_of(("float16", "float32"), 0.5) == pytest.approx(4 / 2048)
    assert tolerance_of(("float32", ""), 1.0) == tolerance_of(("bfloat16", "bfloat16"), 1.0)


def test_noise_within_the_number_format_is_the_same() -> None:
    noisy = BASE + 0.05 * (-1) ** np.arange(N)
    assert report(noisy, ("float32", "bfloat16")).verdict == "same"
    assert report(noisy).verdict == "different" or report(noisy).verdict == "same order"
    same = report(BASE)
    assert (same.verdict, same.largest) == ("same", 0.0)
    assert same.rank_correlation.value == pytest.approx(1.0)
    assert (same.rank_correlation.n, same.rank_correlation.n_prompts) == (10, 10)


def test_an_offset_and_scale_are_found() -> None:
    found = report(2.0 * BASE - 3.0)
    assert found.verdict == "same but for offset and scale"
    assert found.line is not None
    assert found.line.offset == pytest.approx(-3.0)
    assert found.line.scale == pytest.approx(2.0)
    assert found.line.residual == pytest.approx(0.0, abs=1e-12)
    assert "normalises" in found.reading


def test_a_line_has_its_interval() -> None:
    rng = np.random.default_rng(0)
    other = 1.0 + 0.5 * BASE + rng.normal(0, 0.3, N)
    line = report(other).line
    assert line is not None
    # Against the closed form.
    x = BASE - BASE.mean()
    slope = float((x * other).sum() / (x * x).sum())
    rest = other - other.mean() - slope * x
    error = math.sqrt(float((rest**2).sum()) / (N - 2) / float((x * x).sum()))
    assert line.scale == pytest.approx(slope)
    assert line.scale_high - line.scale == pytest.approx(2.306004 * error, rel=1e-5)


def test_a_sigmoid_is_recognised() -> None:
    found = report(1 / (1 + np.exp(-BASE)))
    assert found.verdict == "same order"
    assert "b gives the sigmoid" in found.reading


def test_another_model_is_different() -> None:
    found = report(BASE[::-1].copy())
    assert found.verdict == "different"
    assert "ordered differently" in found.reading


def test_texts_without_a_reward_are_counted_and_left_out() -> None:
    other = BASE.copy()
    other[[2, 5]] = np.nan
    errors = ["", "", "late", "", "", "late", "", "", "", ""]
    found = compare_rewards(("a", BASE, [""] * N), ("b", other, errors), dtypes=FULL)
    assert found.left_out == {"no reward by b": 2}
    assert found.rank_correlation.n == 8
    assert list(found.table["error"]) == errors
    assert found.verdict == "same"
    nothing = compare_rewards(
        ("a", BASE, [""] * N), ("b", np.full(N, np.nan), ["x"] * N), dtypes=FULL
    )
    assert nothing.verdict == "unclear"
    assert math.isnan(nothing.largest)
    assert nothing.line is None


def test_two_models_of_the_service_are_compared() -> None:
    def length(conversation: Conversation) -> float:
        return float(len(conversation[-1]["content"]))

    service = RewardService()
    service.register(FunctionRewardModel("length", length))
    service.register(FunctionRewardModel("half", lambda c: length(c) / 2))
    found = check_parity(service, "length", "half")
    service.close()
    assert found.table["first"].tolist() == [float(len(r)) for _, r in PARITY_TEXTS]
    assert found.verdict == "same but for offset and scale"
    assert found.line is not None
    assert found.line.scale == pytest.approx(0.5)


def test_the_rank_correlation_is_spearmans_for_any_resample() -> None:
    from scipy import stats

    from core.engine.parity import _spearman

    rng = np.random.default_rng(1)
    other = BASE + rng.normal(0, 2, N)
    counts = rng.multinomial(N, np.full(N, 1 / N), size=20).astype(float)
    for row, value in zip(counts, _spearman(BASE, other, counts), strict=True):
        picked = np.repeat(np.arange(N), row.astype(int))
        assert value == pytest.approx(stats.spearmanr(BASE[picked], other[picked]).statistic)
