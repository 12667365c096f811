"""The self-rewarding page on a recorded collection whose numbers are known by hand."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from streamlit.testing.v1 import AppTest

from app_pages.common.self_rewarding.audit_view import AUDIT
from app_pages.common.self_rewarding.setup import NAME, with_source
from core.embeddings import Embedded
from core.engine.service import RewardService
from core.labs.self_rewarding.estimates import POOLED
from core.rollouts import recorded
from core.runs import list_runs
from tests.core.labs.self_rewarding.made import recorded_pairs, rollouts
from tests.pages.conftest import ROOT, TIMEOUT_S, n_words, until

PAGE = "app_pages/labs/self_rewarding.py"
TABS = {
    "overview": ":material/trending_down: Pairs over iterations",
    "builder": ":material/construction: Build the pairs",
    "drift": ":material/balance: Judge against outsider",
}
PAIRS = (
    {"prompt": "a?", "chosen": "one two three", "rejected": "one", "r_chosen": 2, "r_rejected": 1},
    {"prompt": "b?", "chosen": "one", "rejected": "one two", "r_chosen": 5, "r_rejected": 1},
    {"prompt": "c?", "chosen": "x y", "rejected": "z w", "r_chosen": 0, "r_rejected": 3},
    {"prompt": "d?", "chosen": "same", "rejected": "same", "r_chosen": 1, "r_rejected": 1},
)
"""By words the gaps are 2, -1, 0, 0; by the columns 1, 4, -3, 0."""


class Letters:
    """Embeds a text by its first letter: alike for the same letter, at right angles else."""

    def embed(self, texts: list[str], **_options: object) -> Embedded:
        letters = sorted({text[:1] for text in texts})
        vectors = np.eye(len(letters))[[letters.index(text[:1]) for text in texts]]
        return Embedded(vectors.astype(np.float32), np.zeros(len(texts), bool), "first letters")


def write(folder: Path, table: pd.DataFrame, pairs: pd.DataFrame | None) -> None:
    folder.mkdir(parents=True)
    table.drop(columns="prompt").to_parquet(folder / "rollouts.parquet")
    problems = table[["problem_id", "prompt"]].drop_duplicates()
    problems.to_parquet(folder / "problems.parquet")
    if pairs is not None:
        pairs.to_parquet(folder / "pairs.parquet")
    card = {
        "title": "Made runs", "description": "made for a test", "command": "none",
        "findings": ["found by hand"], "tables": [] if pairs is None else ["pairs"],
        "runs": [
            {"run": run, "method": run.partition("/")[0], "seed": 0, "base": False, "recipe": "x"}
            for run in table["run"].unique()
        ],
    }  # fmt: skip
    (folder / "card.yaml").write_text(yaml.safe_dump(card))


@pytest.fixture
def collection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setattr(recorded, "rollouts_folder", lambda: tmp_path / "recorded")
    recorded.collections.cache_clear()
    yield tmp_path / "recorded" / NAME
    recorded.collections.cache_clear()


@pytest.fixture
def samples() -> pd.DataFrame:
    """Scores of the current model halve their spread at each of three iterations."""
    table = rollouts(n_problems=6, n_iterations=3)
    return table.loc[(table["source"] != "Mf") | table["run"].str.startswith("temporal")]


@pytest.fixture
def lab(service: RewardService, collection: Path, samples: pd.DataFrame) -> AppTest:
    write(collection, samples, recorded_pairs(samples))
    return opened(app())


def app() -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    test.session_state[f"{AUDIT}-models"] = ["words"]
    return test.run()


def opened(test: AppTest) -> AppTest:
    return settled(test.switch_page(PAGE).run())


def settled(test: AppTest) -> AppTest:
    waiting = ("hourglass_empty", "Counting what it takes")
    return until(test, lambda: not any(word in marked(test) for word in waiting))


def tab(test: AppTest, name: str) -> AppTest:
    test.session_state[f"{NAME}-tab"] = TABS[name]
    return settled(test.run())


def marked(test: AppTest) -> str:
    """What stands on the page, without the marks that keep texts from being read as markup."""
    parts = [*test.markdown, *test.caption, *test.info, *test.warning, *test.error]
    return "\n".join(part.value for part in parts).replace("\\", "")


def control(test: AppTest, key: str):
    return next(each for each in test.get("button_group") if str(each.key).startswith(key))


def choose(test: AppTest, key: str, value: object) -> AppTest:
    control(test, f"{NAME}-{key}").set_value(value)
    return settled(test.run())


def audited(test: AppTest, monkeypatch: pytest.MonkeyPatch, *rows: dict[str, object]) -> AppTest:
    """The audit of an uploaded set."""
    monkeypatch.setattr("app_pages.common.self_rewarding.audit_view.default_embedder", Letters)
    choose(test, "look", "A preference set")
    control(test, f"{AUDIT}-pairs").set_value("My file")
    settled(test.run())
    data = "\n".join(json.dumps(row) for row in rows or PAIRS).encode()
    test.file_uploader(key=f"{AUDIT}-file").set_value([("set.jsonl", data, "text/plain")])
    return settled(test.run())


def executed(test: AppTest, word: str) -> dict[str, object]:
    """The names that the Python shown on the page leaves."""
    code = next(block.value for block in test.code if word in block.value)
    scope: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, scope)
    return scope


def mean_gap(samples: pd.DataFrame, method: str, step: int) -> float:
    """Best minus worst sample of the current model, mean over runs and problems."""
    rows = samples.loc[
        samples["run"].str.startswith(method)
        & (samples["step"] == step)
        & (samples["source"] == "Mi")
    ]
    groups = rows.groupby(["run", "problem_id"])["reward"]
    return float((groups.max() - groups.min()).mean())


def test_the_first_screen_asks_and_shows_the_recorded_gap(
    lab: AppTest, samples: pd.DataFrame
) -> None:
    shown = marked(lab)
    assert "Why does training on one's own preferences run dry?" in shown
    first, last = (mean_gap(samples, "classic", step) for step in (0, 2))
    assert f"classic: the mean gap went from {first:.3f} to {last:.3f}" in shown
    assert "it shrank." in shown
    assert "100% of the problems gave a pair" in shown
    assert "found by hand" in shown
    assert len(lab.get("plotly_chart")) >= 6


def test_loss_and_weight_can_be_seen_before_the_updates(lab: AppTest) -> None:
    choose(lab, "moment", "before")
    shown = marked(lab)
    # Policy and reference are one model then: margin 0, loss log 2.
    assert "Loss before" in shown
    assert "gradient scale before the updates went from" in shown


def test_a_click_on_a_pair_reads_it(lab: AppTest, samples: pd.DataFrame) -> None:
    best = samples.query("run == 'classic/seed-0' and step == 0 and source == 'Mi'")
    best = best.loc[best["problem_id"] == "p0"].sort_values("reward")
    texts = "\n".join(str(each.proto.body) for each in lab.get("html"))
    assert best["response"].iloc[-1] in texts
    assert best["response"].iloc[0] in texts
    assert "Question 0?" in texts


def test_the_builder_makes_the_pairs_of_the_rule_chosen(
    lab: AppTest, samples: pd.DataFrame
) -> None:
    tab(lab, "builder")
    anchored = marked(lab)
    assert "classic: no samples of a future model were recorded" in anchored
    assert "the first model wrote 100% of the rejected" in anchored
    lab.toggle(key=f"{NAME}-anchored").set_value(False)
    lab.toggle(key=f"{NAME}-future").set_value(False)
    settled(lab.run())
    plain = marked(lab)
    assert "classic: at iteration 2 the first model wrote 0% of the rejected" in plain
    # The samples shown first are those of a temporal run.
    first, last = (mean_gap(samples, "temporal", step) for step in (0, 2))
    assert f"Gap, first to last iteration: classic {first:.2f} to {last:.2f}" in plain


def test_the_samples_of_a_problem_say_which_became_the_pair(
    lab: AppTest, samples: pd.DataFrame
) -> None:
    tab(lab, "builder")
    table = lab.dataframe[-1].value
    own = samples.query("run == 'temporal/seed-0' and step == 0 and problem_id == 'p0'")
    scores = own.groupby("source")["reward"].agg(["min", "max"])
    chosen = table.loc[table["became"] == "chosen", "judge_score"].item()
    rejected = table.loc[table["became"] == "rejected", "judge_score"].item()
    assert chosen == pytest.approx(max(scores.loc["Mi", "max"], scores.loc["Mf", "max"]))
    assert rejected == pytest.approx(min(scores.loc["Mi", "min"], scores.loc["M0", "min"]))
    assert f"The gap is {chosen - rejected:.3f}" in marked(lab).replace("*", "")


def test_noise_widens_the_gap_that_the_recorded_scores_do_not_confirm(lab: AppTest) -> None:
    tab(lab, "builder")
    lab.slider(key=f"{NAME}-noise").set_value(2.0)
    settled(lab.run())
    assert "judge's noise 2 standard deviations" in marked(lab)
    found = executed(lab, "rebuilt = rebuild(")["rebuilt"].estimates
    rows = found.loc[(found["run"] == POOLED) & (found["iteration"] == 2)]
    means = rows.groupby("measure")["value"].mean()
    assert means["gap"] > means["recorded_gap"]


def test_whole_points_tie_and_the_problems_lost_are_counted(lab: AppTest) -> None:
    tab(lab, "builder")
    for name in ("anchored", "future"):
        lab.toggle(key=f"{NAME}-{name}").set_value(False)
    lab.toggle(key=f"{NAME}-points").set_value(True)
    settled(lab.run())
    assert "Problems without a pair, over runs and iterations" in marked(lab)


def test_embeddings_give_the_rebuilt_pairs_a_cosine(
    lab: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app_pages.common.self_rewarding.work.default_embedder", Letters)
    tab(lab, "builder")
    lab.toggle(key=f"{NAME}-embeds").set_value(True)
    settled(lab.run())
    choose(lab, "rules-measure", "cosine")
    # Every response begins with the M of its source's name.
    assert "classic 1.00 to 1.00" in marked(lab)


def test_the_judge_is_held_against_the_outsider(lab: AppTest, samples: pd.DataFrame) -> None:
    tab(lab, "drift")
    shown = marked(lab)
    assert "classic: over the iterations the judge's mean score moved by" in shown
    current = samples.loc[samples["source"] == "Mi"]
    first = current.loc[current["step"] == 0, "reward"]
    of_method = current.loc[current["run"].str.startswith("classic")].groupby("step")["reward"]
    moved = (of_method.mean()[2] - of_method.mean()[0]) / first.std(ddof=0)
    assert f"classic: over the iterations the judge's mean score moved by {moved:+.2f}" in shown


def test_the_python_that_is_shown_gives_the_same_numbers(
    lab: AppTest, samples: pd.DataFrame
) -> None:
    tab(lab, "drift")
    scope = executed(lab, "judged = drift.run")
    rows = scope["recorded"].estimates.query("measure == 'gap' and method == 'classic'")
    pooled = rows.loc[rows["run"] == POOLED].set_index("iteration")["value"]
    assert pooled[0] == pytest.approx(mean_gap(samples, "classic", 0), rel=1e-6)
    assert len(scope["judged"].estimates) > 0


def test_samples_without_pairs_are_paired_by_the_classic_rule(
    service: RewardService, collection: Path, samples: pd.DataFrame
) -> None:
    table = samples.loc[samples["source"] == "Mi"].drop(columns=["source", "outside"])
    write(collection, table, None)
    test = opened(app())
    shown = marked(test)
    assert "No column source says who drew each sample" in shown
    assert "pairs are built from them by the classic rule" in shown
    first = mean_gap(samples, "classic", 0)
    assert f"classic: the mean gap went from {first:.3f}" in shown
    assert "Loss and weight need the log-probabilities" in shown
    scope = executed(test, "recorded = rebuild(")
    assert set(scope["recorded"].pairs["chosen_source"]) == {"Mi"}
    tab(test, "drift")
    assert "no rewards of an outside model" in marked(test)
    tab(test, "builder")
    assert "the first model wrote 100% of the rejected" in marked(test)


def test_damaged_scores_and_a_single_problem_are_told(
    service: RewardService, collection: Path, samples: pd.DataFrame
) -> None:
    table = samples.loc[samples["problem_id"] == "p0"].copy()
    table.loc[table["step"] == 2, "reward"] = float("nan")
    write(collection, table, None)
    test = opened(app())
    assert "too few problems for an interval" in marked(test)
    assert "no scored sample of the current model" in marked(test)
    for name in ("builder", "drift"):
        tab(test, name)
        assert not test.exception


def test_a_source_of_another_name_is_left_out_and_counted() -> None:
    table = rollouts(n_problems=1, n_iterations=1)
    table.loc[:2, "source"] = "teacher"
    _, notes = with_source(table)
    assert notes == ("3 rollouts left out: their source is none of M0, Mi, Mf.",)
    assert with_source(table.drop(columns="source"))[0]["source"].eq("Mi").all()


def test_without_recorded_runs_the_page_says_so_and_still_audits(
    service: RewardService, collection: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened(app())
    assert "no recorded runs" in marked(test)
    audited(test, monkeypatch)
    assert "What DPO would find in these 4 pairs" in marked(test)


def test_an_audit_tells_likeness_before_anything_is_scored(
    lab: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited(lab, monkeypatch)
    shown = marked(lab)
    # By first letters: alike, alike, at right angles, alike.
    assert "The responses of a pair have a mean cosine of 0.750" in shown
    assert "Near-parallel pairs: 3 of 4 pairs" in shown
    assert "Identical responses: 1 of 4 pairs" in shown
    assert "weight beta / 2 = 0.05" in shown
    assert "The expected gradient is spread as if over 1 equal pairs of 4" in shown
    assert "sentence embeddings (first letters) of the response texts alone" in shown
    assert "The gap needs rewards" in shown


def test_an_audit_scores_the_set_with_the_model_chosen(
    lab: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited(lab, monkeypatch)
    until(lab, lambda: any(button.key == f"{AUDIT}-run" for button in lab.button))
    lab.button(key=f"{AUDIT}-run").click().run()
    until(lab, lambda: not any(button.key == f"{AUDIT}-stop" for button in lab.button))
    settled(lab)
    gaps = [len(row["chosen"].split()) - len(row["rejected"].split()) for row in PAIRS]
    assert gaps == [2, -1, 0, 0]
    assert n_words([{"role": "assistant", "content": "one two"}]) == 2
    shown = marked(lab)
    # One pair won, one lost, two ties.
    assert "The reward model prefers the chosen response in 50% of 4 pairs" in shown
    assert "the mean gap is 0.250" in shown
    assert "Reversed: 1 of 4 pairs" in shown
    assert "Ties: 2 of 4 pairs" in shown
    order = lab.dataframe[0].value
    assert order["chosen"].iloc[-1] == "x y"
    lab.button(key=f"{NAME}-save").click().run()
    until(lab, lambda: "Saved as" in marked(lab))
    (run,) = list_runs().runs
    assert run.kind == NAME


def test_an_audit_takes_rewards_from_the_file_and_its_python_runs(
    lab: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    audited(lab, monkeypatch)
    choose(lab, "audit-rewards", "Columns of the file")
    assert "the mean gap is 0.500" in marked(lab)
    (tmp_path / "set.jsonl").write_text("\n".join(json.dumps(row) for row in PAIRS))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("core.embeddings.default_embedder", Letters)
    result = executed(lab, "audit_sentences")["result"]
    assert result.pairs["gap"].tolist() == [1, 4, -3, 0]
    assert result.estimates["gap"].value == 0.5


def test_log_probabilities_of_the_file_give_margins(
    lab: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The hand-checked pair: margin 0.3, weight 0.042556; the second is saturated.
    names = ("policy_chosen", "policy_rejected", "reference_chosen", "reference_rejected")
    rows = [
        {**pair, **dict(zip(names, values, strict=True))}
        for pair, values in zip(PAIRS, ((-10, -15, -12, -14), (-10, -90, -10, -20)), strict=False)
    ]
    audited(lab, monkeypatch, *rows)
    assert "Saturated pairs: 1 of 2 pairs" in marked(lab)
    table = lab.dataframe[0].value.set_index("pair_id")
    assert table["weight"].max() == pytest.approx(0.042556, abs=1e-6)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b'{"prompt": "a?", "text": "b"}\n', "set.jsonl"),
        (b"\x00\xff{", "set.jsonl"),
    ],
)
def test_damaged_uploads_are_explained(lab: AppTest, data: bytes, told: str) -> None:
    choose(lab, "look", "A preference set")
    control(lab, f"{AUDIT}-pairs").set_value("My file")
    settled(lab.run())
    lab.file_uploader(key=f"{AUDIT}-file").set_value([("set.jsonl", data, "text/plain")])
    settled(lab.run())
    assert told in "\n".join(each.value for each in lab.error).replace("\\", "")
