"""Do two cards give the same rewards? The same ten texts through both, before numbers are mixed.

Meant for one model behind two engines, or here and behind a server: a template, an activation or a
number format that differs shows at once. Two different models differ, and this says how.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from core.engine.service import RewardService
from core.errors import ScoringError
from core.models.base import Capability, FloatArray, RewardModel
from core.models.remote import RemoteReading, RemoteRewardModel
from core.schema import Conversation, make_conversation
from core.stats.clusters import Estimate
from core.stats.intervals import clustered_statistic

PARITY_TEXTS: tuple[tuple[str, str], ...] = (
    ("What is the capital of France?", "The capital of France is Paris."),
    ("Name three primary colours.", "Bananas are best stored at room temperature."),
    (
        "How do I boil an egg?",
        "Put the egg into boiling water and wait: six minutes for a soft yolk, ten for a firm "
        "one. Then cool it under cold water, which stops the cooking and makes it easy to peel.",
    ),
    ("Say hello.", "No."),
    ("What is 12 times 12?", "12 times 12 is 144."),
    ("Write a haiku about rain.", "Rain on the tin roof\nthe cat lifts one ear, then sleeps\nmore"),
    ("What is 3 + 4 in Python?", "```python\nprint(3 + 4)  # 7\n```"),
    ("Why is the sky blue?", "Because air scatters short wavelengths of light more than long."),
    ("Is the earth flat?", "Yes, of course it is, and whoever says otherwise is a fool!!!"),
    ("Übersetze: good morning", "Guten Morgen! 🌞"),
)
"""Different lengths, scripts and quality, one prompt each."""

ROUNDING = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
STEPS = 4.0
"""Roundings in the number format by which equal models may differ. Our choice: it allows 0.1 on a
reward of 7 in bfloat16, about what engines were seen to differ by."""
LEAST_TOLERANCE = 1e-4
"""What the conformance check allows in float32."""

ParityVerdict = Literal[
    "same", "same but for offset and scale", "same order", "different", "unclear"
]


@dataclass(frozen=True)
class Line:
    """second = offset + scale × first, by least squares.

    Attributes:
        offset: with its 95 % interval in `offset_low`, `offset_high`.
        scale: likewise.
        residual: largest distance of a reward of the second model from the line.
        n: texts it is fitted to.
    """

    offset: float
    offset_low: float
    offset_high: float
    scale: float
    scale_low: float
    scale_high: float
    residual: float
    n: int


@dataclass(frozen=True)
class ParityReport:
    """Two models on the same texts.

    Attributes:
        table: columns prompt, response, first, second, difference, error (of either).
        dtypes: number format of each, "" where it is not known.
        tolerance: largest difference that the number formats explain.
        largest: largest absolute difference, NaN without a text that both score.
        rank_correlation: Spearman's, over prompts.
        line: None with fewer than three texts, or where the first model's rewards are all equal.
        left_out: texts that one of the two could not score, by whose error it was.
        verdict: what the numbers say, within the tolerance.
        reading: the same in a sentence, with a guess at the cause where the numbers show one.
        reads: what is compared of each model: where it runs, and what was undone.
    """

    first: str
    second: str
    table: pd.DataFrame
    dtypes: tuple[str, str]
    tolerance: float
    largest: float
    rank_correlation: Estimate
    line: Line | None
    left_out: dict[str, int]
    verdict: ParityVerdict
    reading: str
    reads: tuple[str, str] = ("", "")


def parity_conversations() -> list[Conversation]:
    """The ten conversations both models score."""
    return [make_conversation(prompt, response) for prompt, response in PARITY_TEXTS]


def check_parity(service: RewardService, first: str, second: str) -> ParityReport:
    """Scores the ten texts with both models and compares (blocking).

    A server is asked anew: rewards kept from an earlier answer would hide what it does now.

    Raises:
        WorkbenchError: when a model cannot be loaded.
    """
    models = (service.model(first), service.model(second))
    found = [_rewards(service, name) for name in (first, second)]
    report = compare_rewards(
        (first, found[0].rewards, found[0].errors),
        (second, found[1].rewards, found[1].errors),
        dtypes=(number_format(models[0]), number_format(models[1])),
        uncertain=found[0].half_width + found[1].half_width,
    )
    return replace(report, reads=(_how(models[0], found[0]), _how(models[1], found[1])))


@dataclass(frozen=True)
class _Found:
    rewards: FloatArray
    errors: list[str]
    half_width: float = 0.0


def _rewards(service: RewardService, name: str) -> _Found:
    texts = parity_conversations()
    if isinstance(service.model(name), RemoteRewardModel):
        readings = service.exclusive(name, lambda model: _read(model, texts))
        rewards = np.array([reading.reward for reading in readings])
        widths = [reading.half_width for reading in readings if not reading.error]
        return _Found(rewards, [reading.error for reading in readings], max(widths, default=0.0))
    rows = service.score(name, texts).sort_values("index")
    return _Found(rows["reward"].to_numpy(dtype=np.float64), list(rows["error"]))


def _read(model: RewardModel, texts: list[Conversation]) -> list[RemoteReading]:
    if not isinstance(model, RemoteRewardModel):
        raise ScoringError(f"{model.card.id} is not behind a server any more: compare again.")
    return model.read_all(texts)


def _how(model: RewardModel, found: _Found) -> str:
    """What is compared of a model, in words."""
    if not isinstance(model, RemoteRewardModel):
        return "computed here"
    start = f"{model.identity.title} {model.client.route}"
    if model.undoes_sigmoid:
        return f"{start}, its sigmoid undone (±{found.half_width:.2g} at most)"
    return f"{start}, as the server gives them"


def number_format(model: RewardModel) -> str:
    """The number format a model computes in; "" where a server does not say it."""
    if Capability.REMOTE in model.capabilities:
        return str(getattr(getattr(model, "identity", None), "dtype", ""))
    precision = getattr(model, "precision", None)
    return "float64" if precision is None else str(precision.name).removesuffix("-matmul")


def tolerance_of(dtypes: tuple[str, str], size: float) -> float:
    """The difference that rounding explains: that of the coarser format, at rewards of this size.

    A format that is not known is taken for bfloat16, the coarsest in use.
    """
    rounding = max(ROUNDING.get(dtype, ROUNDING["bfloat16"]) for dtype in dtypes)
    return max(LEAST_TOLERANCE, STEPS * rounding) * max(1.0, size)


def compare_rewards(
    first: tuple[str, FloatArray, list[str]],
    second: tuple[str, FloatArray, list[str]],
    *,
    dtypes: tuple[str, str],
    uncertain: float = 0.0,
    seed: int = 0,
) -> ParityReport:
    """Two models' rewards of `PARITY_TEXTS`.

    Args:
        first: name, (n,) rewards and (n,) errors ("" for none) in the order of the texts.
        second: likewise.
        dtypes: number format of each, "" where it is not known.
        uncertain: by how much more they may differ because a sigmoid was undone.
        seed: of the interval's resampling.
    """
    (name_a, a, errors_a), (name_b, b, errors_b) = first, second
    table = pd.DataFrame(list(PARITY_TEXTS), columns=["prompt", "response"])
    table["first"], table["second"], table["difference"] = a, b, b - a
    table["error"] = [x or y for x, y in zip(errors_a, errors_b, strict=True)]
    usable = np.isfinite(a) & np.isfinite(b)
    left_out = {
        f"no reward by {name}": int((~np.isfinite(values)).sum())
        for name, values in ((name_a, a), (name_b, b))
        if not np.isfinite(values).all()
    }
    x, y = a[usable], b[usable]
    prompts = [prompt for (prompt, _), kept in zip(PARITY_TEXTS, usable, strict=True) if kept]
    size = float(np.abs(np.concatenate([x, y])).max()) if len(x) else 1.0
    tolerance = tolerance_of(dtypes, size) + uncertain
    largest = float(np.abs(y - x).max()) if len(x) else float("nan")
    rank = clustered_statistic(
        lambda weights: _spearman(x, y, weights),
        prompts,
        rng=np.random.default_rng(seed),
        left_out=left_out,
        vectorized=True,
    )
    line = _fit(x, y)
    verdict = _verdict(len(x), largest, tolerance, rank.value, line)
    reading = _reading((name_a, x), (name_b, y), verdict, tolerance, largest, line)
    return ParityReport(
        name_a, name_b, table, dtypes, tolerance, largest, rank, line, left_out, verdict, reading
    )


def _spearman(x: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    """Spearman's correlation for each of (k, n) rows of counts that add up to n; NaN for a tie."""
    n = len(x)
    picked = np.stack([np.repeat(np.arange(n), row.astype(int)) for row in weights])
    ranks = [stats.rankdata(values[picked], axis=1) - (n + 1) / 2 for values in (x, y)]
    spread = np.sqrt((ranks[0] ** 2).sum(axis=1) * (ranks[1] ** 2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((ranks[0] * ranks[1]).sum(axis=1) / spread, dtype=np.float64)


def _fit(x: FloatArray, y: FloatArray) -> Line | None:
    if len(x) < 3 or float(np.ptp(x)) == 0.0:
        return None
    fit = stats.linregress(x, y)
    reach = float(stats.t.ppf(0.975, len(x) - 2))
    offset, scale = float(fit.intercept), float(fit.slope)
    wide, steep = reach * float(fit.intercept_stderr), reach * float(fit.stderr)
    residual = float(np.abs(y - offset - scale * x).max())
    return Line(
        offset,
        offset - wide,
        offset + wide,
        scale,
        scale - steep,
        scale + steep,
        residual,
        len(x),
    )


def _verdict(
    n: int, largest: float, tolerance: float, rank: float, line: Line | None
) -> ParityVerdict:
    if n < 3:
        return "unclear"
    if largest <= tolerance:
        return "same"
    if line is not None and line.scale > 0 and line.residual <= tolerance * max(1.0, line.scale):
        return "same but for offset and scale"
    return "same order" if rank >= 1.0 - 1e-9 else "different"


def _reading(
    first: tuple[str, FloatArray],
    second: tuple[str, FloatArray],
    verdict: ParityVerdict,
    tolerance: float,
    largest: float,
    line: Line | None,
) -> str:
    (name_a, x), (name_b, y) = first, second
    n = len(x)
    if verdict == "unclear":
        return f"Only {n} of {len(PARITY_TEXTS)} texts have a reward from both: too few to say."
    start = f"On {n} texts rewards differ by up to {largest:.3g}"
    if verdict == "same":
        return f"{start}, which their number formats explain (up to {tolerance:.3g})."
    start += f", more than their number formats explain ({tolerance:.3g})."
    cause = _squashed(name_a, x, y) or _squashed(name_b, y, x)
    if cause:
        return f"{start} {cause}"
    if verdict == "same but for offset and scale" and line is not None:
        return (
            f"{start} {name_b} is {line.offset:+.3g} {line.scale:+.3g} × {name_a}: one of the two "
            "normalises its rewards. Order and margins up to that scale agree."
        )
    if verdict == "same order":
        return (
            f"{start} All texts are in the same order, but not on a line: look for an activation."
        )
    return (
        f"{start} Texts are also ordered differently: another template, another truncation or "
        "another model. Compare what each of them reads."
    )


def _squashed(name: str, values: FloatArray, other: FloatArray) -> str:
    """A remark when `values` are the sigmoid of the other model's."""
    inside = bool(((values >= 0) & (values <= 1)).all())
    outside = bool(((other < 0) | (other > 1)).any())
    near = np.abs(values - 1 / (1 + np.exp(-other))).max() <= 0.02
    if inside and outside and near:
        return f"{name} gives the sigmoid of the other's rewards: have it return raw values."
    return ""
