"""Every notebook runs from its first cell to its last, in a fresh process, with the real model.

The cells run as they would in Jupyter, one after the other in one namespace; what a cell ends with
is drawn, so that a broken figure or table fails too. No notebook server is needed for that.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.models.embedded import base_folder, package_file, prepare_base

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TIMEOUT_S = 900

RUNNER = '''
import ast, json, sys

def draw(value):
    """What Jupyter would do with the last value of a cell."""
    if value is None:
        return
    if hasattr(value, "to_plotly_json"):
        print(f"figure with {len(json.loads(value.to_json())['data'])} traces")
    else:
        print(value)

scope = {"__name__": "__main__"}
for number, source in enumerate(json.load(open(sys.argv[1]))):
    tree = ast.parse(source, f"cell {number}")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, f"cell {number}", "exec"), scope)
    if last is not None:
        draw(eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), scope))
'''


def named(path: Path) -> str:
    return path.stem


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def sources(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_outputs_are_cleared_and_the_first_cell_says_what_it_is_about(path: Path):
    assert cells(path)[0]["cell_type"] == "markdown"
    assert "".join(cells(path)[0]["source"]).startswith("# ")
    for cell in cells(path):
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


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
    (tmp_path / "cells.json").write_text(json.dumps(sources(path)), encoding="utf-8")
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
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    assert "figure with" in done.stdout
