"""The invariance report: drawn from saved tables as it was on screen."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.figures import invariance as figures
from core.labs.attributes import attribute
from core.labs.invariance import battery, densities, dependence, mmd, rate
from core.labs.invariance.attribute_scan import ScanOptions, bin_labels, response_values, scan
from core.labs.invariance.battery_changes import changed_responses
from core.labs.invariance.frontier import FrontierOptions, frontier
from core.labs.invariance.linear_head import HeadOptions, PairFeatures
from core.labs.invariance.tables import AttributeFinding, Findings, to_tables
from core.labs.pairs import plan_pairs
from core.labs.plan import Plan
from core.perturbations import get
from core.report import report_kinds, result_sections, run_report, run_sections
from core.report.kinds.invariance import KIND, battery_of
from core.runs import save_run
from tests.core.labs.invariance.made import made_pairs

OPTIONS = battery.BatteryOptions(
    ("padding", "truncate", "paraphrase", "master-key-mark"), doses="all", n_resamples=100
)


def by_words(plan: Plan) -> pd.DataFrame:
    return plan.scored([float(len(c[-1]["content"].split())) for c in plan.conversations()])


def batteries(n: int) -> tuple[dict[str, battery.BatteryResult], dict[str, pd.DataFrame]]:
    table = by_words(battery.plan(made_pairs(n), OPTIONS))
    return {"m": battery.run(table, OPTIONS)}, {"m": changed_responses(table)}


def closely(scored: pd.DataFrame, *, conditional: bool) -> AttributeFinding:
    values = response_values(scored, [attribute("words")])["words"].to_numpy()
    labels, _ = bin_labels(values, 2)
    return AttributeFinding(
        "Words",
        mmd.run(scored, labels, mmd.MmdOptions(conditional=conditional, n_permutations=200)),
        densities.run(scored, labels),
        dependence.run(scored, values, dependence.DependenceOptions(n_resamples=100)),
    )


def rates(n: int) -> rate.RateResult:
    table = made_pairs(n).rename(columns={"chosen": "response", "pair_id": "response_id"})
    table["has_attribute"] = np.arange(n) % 2 == 0
    table["rewrite"] = table["response"] + " Well."
    table["double_rewrite"] = table["response"] + " Oh well."
    return rate.run(by_words(rate.plan(table)))


def heads(n: int):
    rng = np.random.default_rng(0)
    bins = rng.integers(0, 2, (2, n))
    features = rng.normal(size=(2, n, 4)) + bins[:, :, None]
    pairs = PairFeatures(features[0] + 0.5, features[1], bins[0], bins[1], list(range(n)))
    options = FrontierOptions((0.0, 1.0), HeadOptions("unconditional"), 3, n_permutations=50)
    return frontier(pairs, options)


@pytest.fixture(scope="module")
def found() -> Findings:
    pairs = made_pairs(16)
    pairs["rejected"] += [" And more of it." * (at % 4) for at in range(16)]
    pairs["chosen"] += [" And more." * (at % 4) for at in range(16)]
    scored = by_words(plan_pairs(pairs))
    results, changes = batteries(8)
    options = ScanOptions(2, n_permutations=100)
    return Findings(
        batteries=results,
        changes=changes,
        scans={"m": scan(scored, [attribute("words"), attribute("hedging")], options)},
        attributes={"m": closely(scored, conditional=True)},
        rates={"m": rates(10)},
        heads={"m": heads(30)},
        biased_heads={"m": heads(24)},
    )


def figure_texts(section) -> list[str]:
    return [figure.to_json() for figure in section.figures]


def test_the_kind_is_found() -> None:
    assert KIND in report_kinds()


def test_every_part_has_its_section_with_the_verdicts_in_words(found: Findings) -> None:
    sections = {each.heading: each for each in result_sections(KIND, to_tables(found), {})}
    assert list(sections) == [
        "Edits of which it is known what they should do",
        "Attributes",
        "Words against the reward",
        "Effects by rewriting",
        "Heads on the pairs as they are",
        "Heads on pairs with a planted bias",
    ]
    text = sections["Edits of which it is known what they should do"].text
    assert "m, must not pay: 0 of 1 edits did as they should; 1 did not (Pad with empty" in text
    assert "rewards depend on Words" in sections["Attributes"].text


def test_figures_are_those_of_the_results(found: Findings) -> None:
    tables = to_tables(found)
    again = battery_of(tables, "m", tables["battery_effects"])
    for draw in (figures.battery_forest, figures.dose_lines):
        assert draw(again).to_json() == draw(found.batteries["m"]).to_json()
    sections = {each.heading: each for each in result_sections(KIND, tables, {})}
    shown = sections["Words against the reward"].figures
    assert len(shown) == 4  # chosen, rejected, densities, scatter
    original = figures.mmd_heatmap(found.attributes["m"].mmd, condition="chosen")
    assert json.loads(shown[0].to_json())["data"] == json.loads(original.to_json())["data"]
    assert "m: " in shown[0].layout.title.text


def test_a_saved_run_is_told_as_it_was(found: Findings, tmp_path: Path) -> None:
    tables = to_tables(found)
    saved = save_run(KIND, "t", tables, {}, {}, folder=tmp_path)
    now, then = result_sections(KIND, tables, {}), run_sections(saved)
    assert [each.heading for each in now] == [each.heading for each in then]
    assert [each.text for each in now] == [each.text for each in then]
    assert [len(each.figures) for each in now] == [len(each.figures) for each in then]
    assert "Why there are no figures" not in [each.heading for each in then]


def test_an_unconditional_attribute_alone_is_told() -> None:
    scored = by_words(plan_pairs(made_pairs(12)))
    tables = to_tables(Findings(attributes={"m": closely(scored, conditional=False)}))
    (section,) = result_sections(KIND, tables, {})
    assert len(section.figures) == 3


def test_where_no_bins_can_be_compared_the_rest_is_told() -> None:
    scored = by_words(plan_pairs(made_pairs(8)))
    tables = to_tables(Findings(attributes={"m": closely(scored, conditional=True)}))
    assert "mmd_sums" not in tables
    (section,) = result_sections(KIND, tables, {})
    assert len(section.figures) == 2


def test_nothing_found_has_no_tables() -> None:
    assert to_tables(Findings()) == {}
    assert list(result_sections(KIND, {}, {})) == []


@pytest.mark.slow
def test_a_battery_of_thirty_edits_on_500_pairs_is_below_5_megabytes(tmp_path: Path) -> None:
    names = tuple(each for each in _first_edits(30))
    options = battery.BatteryOptions(names, doses="all", n_resamples=100, n_permutations=200)
    table = by_words(battery.plan(made_pairs(500), options))
    results = {"m": battery.run(table, options)}
    tables = to_tables(Findings(batteries=results, changes={"m": changed_responses(table)}))
    saved = save_run(KIND, "t", tables, {}, {}, folder=tmp_path)
    assert len(run_report(saved).encode()) < 5_000_000


def _first_edits(n: int) -> list[str]:
    from core.perturbations import perturbations

    names = [each.name for each in perturbations()][-n:]
    assert all(get(name) for name in names)
    return names
