"""Over-optimisation figures: curves, fits and peaks that the result trusts, and no others."""

import numpy as np
import pandas as pd

from core.figures.best_of_n import gold_curves, policy_plane, proxy_against_gold
from core.labs.best_of_n import BestOfNOptions, BestOfNResult, plan, run


def hacked(n_prompts: int = 40) -> BestOfNResult:
    """A proxy whose very favourite is a bad response, and one that is faithful."""
    rng = np.random.default_rng(0)
    gold = rng.normal(size=(n_prompts, 16))
    proxy = gold.copy()
    proxy[:, 0], gold[:, 0] = 10, -3
    rows = [
        {"prompt_id": str(p), "prompt": [], "response": str(k), "gold": gold[p, k]}
        for p in range(n_prompts)
        for k in range(16)
    ]
    made = plan(pd.DataFrame(rows))
    rewards = {"<hacked>": made.scored(proxy.ravel()), "faithful": made.scored(gold.ravel())}
    return run(rewards, BestOfNOptions(n_resamples=50, ensembles=()))


def test_each_proxy_has_a_curve_and_only_a_trusted_fit_has_a_peak() -> None:
    result = hacked()
    figure = gold_curves(result.curves, result.fits, gold=result.gold, title="t")
    named = {trace.name: trace for trace in figure.data if trace.name}
    assert set(named) == {"&lt;hacked&gt;", "faithful", "oracle"}
    first = result.curves[result.curves["proxy"] == "<hacked>"]
    assert list(named["&lt;hacked&gt;"].y) == first["gain"].tolist()
    peaks = [trace for trace in figure.data if trace.marker.symbol == "star"]
    seen = result.fits[result.fits["problem"] == ""]
    assert seen["proxy"].tolist() == ["<hacked>"]
    assert [float(trace.x[0]) for trace in peaks] == seen["peak_distance"].tolist()


def test_one_prompt_is_drawn_without_bands() -> None:
    result = hacked(1)
    figure = gold_curves(result.curves, result.fits, gold=result.gold, title="t")
    assert not any(trace.fill for trace in figure.data)


def test_proxy_and_gold_have_an_axis_each() -> None:
    result = hacked()
    figure = proxy_against_gold(result.curves, "<hacked>", gold="<gold>", title="t")
    assert [trace.yaxis for trace in figure.data] == [None, "y2"]
    assert figure.layout.yaxis2.title.text == "&lt;gold&gt;"
    rising = np.diff(figure.data[0].y)
    assert (rising > 0).all()


def test_the_plane_has_a_dot_a_proxy() -> None:
    result = hacked()
    figure = policy_plane(result.policies, title="t")
    assert list(figure.data[0].y) == result.policies["accuracy"].tolist()
    assert list(figure.data[0].text) == ["&lt;hacked&gt;", "faithful"]
