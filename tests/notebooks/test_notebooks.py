"""Every notebook runs from its first cell to its last, in a fresh process, with the real model.

The cells run as they would in Jupyter, one after the other in one namespace; what a cell ends with
is drawn, so that a broken figure or table fails too. Then the results are held against `CHECKS`. No
notebook server is needed for that.
"""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.models.embedded import base_folder, package_file, prepare_base

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TIMEOUT_S = 900

INTERVAL = "[{0}.low <= {0}.value <= {0}.high, {0}.n > 0]"

CHECKS: dict[str, dict[str, str]] = {
    "prompt_awareness": {
        "retention": INTERVAL.format("retention.estimate"),
        "swapped pairs": "result.table()['value'].notna().any()",
        "own rank": "1 <= rank.rank.estimate.value <= 6",
        "interaction": "0 <= share.value <= 1",
        "every ablation": "len(loss.table()) >= 4 and loss.table()['change'].notna().all()",
        "weights": "np.isfinite(weights.table['weight']).all()",
    },
    "invariance": {
        "every edit": "set(result.effects['perturbation']) == set(options.perturbations)",
        "changes": "result.effects.loc[result.effects['n'] > 0, 'change'].notna().all()",
        "verdicts": "(result.effects.loc[result.effects['n'] > 0, 'verdict'] != '').all()",
        "no reward missing": "answers['reward'].notna().all() and rewards['reward'].notna().all()",
        "truncation costs": "result.effects.query('perturbation == \"truncate\"')['change'] < 0",
        "filler doses": (
            "result.effects.query('perturbation == \"padding\"')['dose'].tolist() == [1, 2, 4]"
        ),
        "every attribute twice": "len(found.table) == 2 * len(attributes())",
        "length": "np.isfinite([length.total.value, length.test.p_value]).all()",
        "p-values": "found.table['p_value'].dropna().between(0, 1).all()",
        "slope": INTERVAL.format("line.slope"),
        "states": "np.isfinite(states).all() and not any(problems)",
        "heads": "heads.points['accuracy'].between(0, 1).all() and len(heads.heads) == 3",
        "the penalty bites": "heads.points['penalty'].iloc[-1] < heads.points['penalty'].iloc[0]",
    },
    "compare": {
        "three models": "scores.models == MODELS and len(scores) == N_PAIRS",
        "nothing left out": "all(not scores.left_out([model]) for model in MODELS)",
        "accuracies": "overview['value'].between(0, 1).all() and (overview['n'] == N_PAIRS).all()",
        "models differ": "np.ptp(overview['standard_margin']) > 0",
        "agreement": "agreement.table['value'].between(-1, 1).all()",
        "changes add up": "sum(changed.counts.values()) == N_PAIRS",
        "paired": "[test.accuracy_difference.n == N_PAIRS for test in tests]",
        "p-values": "outcomes['p_adjusted'].between(0, 1).all()",
        "calibration": "np.isfinite(calibration.table.query('model == @MODEL')['value']).all()",
        "slices cover": "slices.accuracy.query('model == @MODEL')['n'].sum() == N_PAIRS",
        "ensembles": "ensembles.accuracy['value'].between(0, 1).all()",
        "steps": "run.steps == (15.0, 45.0, 105.0)",
        "better than its start": "run.line('accuracy')['value'].iloc[-1] > 0.5",
    },
    "collapse": {
        "base is told apart": "result.base_runs == tuple(base_runs)",
        "every method": "method in set(tables['spread']['method'])",
        "solved never falls": (
            "(result.curves.table.query(\"measure == 'solved' and cohort == 'all'\")"
            ".groupby(['method', 'compared'])['value'].diff().dropna() > -1e-12).all()"
        ),
        "pass@k rises with k": (
            "(result.training.table.query(\"measure == 'pass'\")"
            ".groupby('method')['value'].diff().dropna() > -1e-9).all()"
        ),
        "every problem has a class": "moved.to_numpy().sum() == len(runs) * rollouts.query("
        "\"split == 'train'\")['problem_id'].nunique()",
        "the bonus is bounded": "found.table['bonus'].between(-0.5, 0.5).all()",
    },
    "task_order": {
        "worked example": "worked.named(worked.best) == 'c > a > b'",
        "finals": "np.isclose(worked.table['objective'].iloc[0], 2 / 3)",
        "a lower temperature": "0 < temperature < 1",
        "recorded runs": "not RECORDED or 0 <= firm.best_stays <= 1",
        "compared": "not RECORDED or len(seen.agreements) > 0",
    },
    "other_rewards": {
        "a function": "scores[scores['model'] == 'brevity']['reward'].lt(0).all()",
        "one row fails": (
            "failed.sort_values('index')['error'].tolist() == "
            "['', '', 'ZeroDivisionError: division by zero']"
        ),
        "implicit": "np.isfinite(implicit).all() and np.ptp(implicit) > 0",
        "the end of the turn": "all(each.pieces[-1] == '<|im_end|>' for each in readings)",
        "length": "length.effects[0].accuracy.n == N_PAIRS",
        "aggregates": "np.isclose(aggregates['product'], 0.36) and aggregates['min'] == 0.5",
        "steps": "all(len(each.scores) == 4 for each in steps)",
        "first errors": "0 <= found.on_erroneous.value <= 1",
        "criteria": "((yes > 0) & (yes < 1)).all()",
        "ranks": "-1 <= shift.pooled.value <= 1",
    },
    "reasoning": {
        "worked example": "summed.tolist() == [17, 25] and filtered.tolist() == [5, 13]",
        "accuracies": "found.table['value'].between(0, 1).all() and len(found.table) > 0",
        "one judgement": "np.isclose(found.at('majority', 1)['value'], told.single.value)",
        "early": "(early.table['votes'] <= ballots.k_max + 1e-9).all()",
        "compared": "not len(rows) or against.difference.n + sum(against.left_out.values()) > 0",
        "costs": "[each.comparisons for each in played] == [84, 84, 84, 21]",
    },
    "tool_errors": {
        "rollouts": "len(penalised.table) > 0",
        "rates": "right['value'].dropna().between(0, 1).all() and len(right) > 0",
        "the group is thinned": "0 < update.rows['kept'].sum() < len(update.rows)",
        "counts": "paper_counts(7, 25, 16) == code_counts(7, 25, 16) == (4, 12)",
        "the code stops": "stopped.status == 'dropped: counts do not add up'",
        "cleaner": "found['roc-code'].after.value <= found['roc-code'].before.value + 1e-9",
        "meetings": "trap.n_without <= trap.n_right",
    },
    "diversity": {
        "default is the best": "calibration['auc'].idxmax() == 0",
        "a class for each": "len(found_classes.labels) == 8",
        "every group": "len(result.groups) == 120 and not result.left_out",
        "novelty punished until shifted": (
            "result.traps['novelty punished'] > 0 == shifted.traps['novelty punished']"
        ),
        "five temperatures": "trade.points['level'].nunique() == 5",
        "diversity rises": ("trade.differences.query(\"measure == 'vendi'\")['low'].iloc[-1] > 0"),
        "every text has a place": (
            "len(points) == N_PAIRS and np.isfinite(points[['x', 'y']]).all(axis=None)"
        ),
    },
    "self_rewarding": {
        "every method": "set(recorded.pairs['method']) == {'classic', 'temporal'}",
        "the bound is a correlation": "-1 <= bound.low <= bound.value <= bound.high <= 1",
        "by hand": "np.allclose([margin[0], dpo_weight(margin, beta=0.1)[0]], [0.3, 0.042556])",
        "anchors never narrow the gap": (
            "(built['anchored'].pairs['gap'].sum() >= built['classic'].pairs['gap'].sum() - 1e-9)"
        ),
        "recorded pairs are those of the rule": (
            "abs(built['anchored and future'].pairs['gap'].mean()"
            " - pairs.query('run.str.startswith(\"temporal\")')['gap'].mean()) < 1e-4"
        ),
        "noise promises more than it keeps": (
            "noisy.pairs['gap'].mean() > noisy.pairs['recorded_gap'].mean()"
        ),
        "both models": "{'judge', 'outside', 'agreement'} <= set(judged.estimates['measure'])",
        "audited": "len(audited.pairs) == N_PAIRS and audited.at_start",
        "cosines": "audited.pairs['cosine'].between(-1, 1).all()",
    },
    "verifier_free": {
        "all problems": "len(scores.problems) == N_PAIRS and not scores.left_out",
        "the record holds": "gap < 1e-3",
        "a part of each reference": "all(len(row) == 1 for row in last['ref_log_probabilities'])",
        "better than chance": (
            "(within.query(\"score == 'product' and domain == 'all'\")['low'] > 0.5).all()"
        ),
        "areas": "areas['auc'].dropna().between(0, 1).all()",
        "no spread, no advantage": "(side.loc[side['flat'], 'advantage'] == 0).all()",
        "ratio": INTERVAL.format("stress.ratio"),
        "flips": INTERVAL.format("stress.flips"),
        "less variance": "shown.saved >= 0",
    },
    "evaluate": {
        "all pairs": "by_slice.scores.iloc[0]['n'] == N_PAIRS and not by_slice.left_out",
        "slices": "by_slice.scores.query(\"level == 'slice'\")['value'].between(0, 1).all()",
        "nine cells": "len(matrix) == 9 and matrix['value'].between(0, 1).all()",
        "no official score": "styles.overall is None and len(styles.missing) > 0",
        "two proxies": "{MODEL, SECOND_MODEL, 'oracle'} <= set(picks.curves['proxy'])",
        "best of one": "picks.curves.query('n == 1')['gain'].abs().max() < 1e-9",
        "kl": "np.allclose(picks.curves.eval('kl - (log(n) - 1 + 1 / n)'), 0)",
        "no better than the oracle": (
            "picks.curves.groupby('n')['gold'].max().sub("
            "picks.curves.query(\"proxy == 'oracle'\").set_index('n')['gold']).max() < 1e-9"
        ),
        "run": "saved.tables['scores']['value'].notna().any()",
        "report": "MODEL in report.read_text() and report.stat().st_size < 5e6",
    },
}
"""What must hold of each notebook's variables after its last cell."""

RUNNER = '''
import ast, json, sys, time

import numpy as np

def draw(value):
    """What Jupyter would do with the last value of a cell."""
    if value is None:
        return
    if hasattr(value, "to_plotly_json"):
        print(f"figure with {len(json.loads(value.to_json())['data'])} traces")
    else:
        print(value)

cells, checks = json.load(open(sys.argv[1]))
scope = {"__name__": "__main__"}
for number, source in enumerate(cells):
    began = time.process_time()
    tree = ast.parse(source, f"cell {number}")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, f"cell {number}", "exec"), scope)
    if last is not None:
        draw(eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), scope))
    print(f"-- cell {number}: {time.process_time() - began:.1f} s of processor time", flush=True)
failed = [name for name, check in checks.items() if not np.all(eval(check, {"np": np} | scope))]
print(f"results that do not hold: {failed}")
sys.exit(3 if failed else 0)
'''


def named(path: Path) -> str:
    return path.stem


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def sources(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "code"]


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} == set(CHECKS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_outputs_are_cleared_and_the_first_cell_says_what_it_is_about(path: Path):
    assert cells(path)[0]["cell_type"] == "markdown"
    assert "".join(cells(path)[0]["source"]).startswith("# ")
    for cell in cells(path):
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_only_core_and_public_libraries_are_used(path: Path):
    imported = set()
    for source in sources(path):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).partition(".")[0])
    assert imported <= {"core", "numpy", "pandas", *sys.stdlib_module_names}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_what_a_reader_would_put_in_place_of_the_example_has_a_name(path: Path):
    source = "".join(sources(path))
    if "from core.rollouts.recorded import" in source:
        assert re.search(r"^(rollouts|read|RECORDED) = ", source, re.MULTILINE)
    else:
        assert "MODEL = " in source
        assert "N_PAIRS = " in source


@pytest.mark.slow
@pytest.mark.embedded
@pytest.mark.timeout(TIMEOUT_S + 60)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_every_cell_runs(path: Path, tmp_path: Path):
    if package_file() is None:
        pytest.skip("the embedded language model's package is not installed")
    prepare_base()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "models").symlink_to(base_folder().parent)
    (tmp_path / "run.py").write_text(RUNNER, encoding="utf-8")
    content = json.dumps([sources(path), CHECKS[path.stem]])
    (tmp_path / "cells.json").write_text(content, encoding="utf-8")
    environment = os.environ | {
        "REWARD_WORKBENCH_CACHE": str(tmp_path / "cache"),
        "REWARD_WORKBENCH_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, str(tmp_path / "run.py"), str(tmp_path / "cells.json")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    sys.stdout.write(done.stdout)  # with the time of each cell, shown on request
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    assert "figure with" in done.stdout
