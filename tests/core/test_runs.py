"""Saved runs: what goes in comes out, half runs never show, damaged ones harm nobody."""

import json
import math
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import core.runs.tables
from core.errors import WorkbenchError
from core.manifest import make_manifest
from core.runs import Run, RunError, delete_run, list_runs, load_run, open_run, save_run

PROMPT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why? 🦉"}]
PAIRS = pd.DataFrame(
    {
        "pair_id": ["a", "b"],
        "prompt": pd.Series([PROMPT, [{"role": "user", "content": "How?"}]], dtype=object),
        "margin": [0.5, math.nan],
        "n": pd.array([1, None], dtype="Int64"),
        "right": [True, False],
        "group": pd.Categorical(["x", "y"], categories=["x", "y", "z"]),
    }
)


def save(folder: Path, title: str = "Length battery of pocket", **changes: Any) -> Run:
    content: dict[str, Any] = {
        "kind": "battery",
        "tables": {"pairs": PAIRS},
        "manifest": make_manifest("battery", [], seed=3),
        "options": {"doses": [1, 2], "model": "pocket"},
        "python": "print('again')",
        "notes": ["2 rows left out"],
    }
    return save_run(title=title, folder=folder, **(content | changes))


def test_a_run_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    saved = save(tmp_path)
    run = load_run(saved.id, tmp_path)
    assert (run.kind, run.title, run.python) == (
        "battery",
        "Length battery of pocket",
        "print('again')",
    )
    assert run.notes == ("2 rows left out",)
    assert run.options == {"doses": [1, 2], "model": "pocket"}
    assert run.manifest["seed"] == 3
    assert run.created == saved.created
    assert_frame_equal(run.tables["pairs"], PAIRS)
    assert run.tables["pairs"]["prompt"].iloc[0] == PROMPT


def test_the_files_can_be_read_without_the_workbench(tmp_path: Path) -> None:
    run = save(tmp_path)
    assert {path.name for path in run.folder.iterdir()} == {
        "options.json",
        "manifest.json",
        "pairs.parquet",
    }
    assert pd.read_parquet(run.folder / "pairs.parquet")["margin"].iloc[0] == 0.5
    options = json.loads((run.folder / "options.json").read_text(encoding="utf-8"))
    assert (options["format"], options["kind"]) == (1, "battery")


@pytest.mark.parametrize(
    ("title", "end"),
    [
        ("Über die Länge: 80 %", "uber-die-lange-80"),
        ("../../etc/passwd", "etc-passwd"),
        ("报告", "battery"),
        ("", "battery"),
        ("x" * 300, "x" * 60),
        ("half a pair \ud83d", "half-a-pair"),
    ],
)
def test_the_id_is_readable_and_safe_as_a_file_name(tmp_path: Path, title: str, end: str) -> None:
    run = save(tmp_path, title)
    assert run.id[:15].replace("-", "").isdigit()
    assert run.id[16:] == end
    assert run.folder == tmp_path / run.id
    assert load_run(run.id, tmp_path).kind == "battery"


def test_runs_of_one_second_get_ids_of_their_own(tmp_path: Path) -> None:
    threads = [threading.Thread(target=save, args=(tmp_path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    saved = list_runs(tmp_path)
    assert len({run.id for run in saved.runs}) == 8
    assert saved.problems == ()


def test_runs_are_listed_newest_first_and_by_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [save(tmp_path, "one").id, save(tmp_path, "two", kind="matrix").id]
    for place, name in enumerate(ids):
        file = tmp_path / name / "options.json"
        content = json.loads(file.read_text())
        file.write_text(json.dumps(content | {"created": f"2026-01-0{place + 1}T00:00:00+00:00"}))
    saved = list_runs(tmp_path)
    assert [run.title for run in saved.runs] == ["two", "one"]
    assert [run.title for run in saved.of_kind("battery")] == ["one"]


def test_no_folder_yet_means_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "absent").runs == ()


def test_runs_go_to_the_users_folder_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(tmp_path))
    run = save_run("battery", "Title", {}, {}, {})
    assert run.folder.parent == tmp_path / "runs"
    assert [each.id for each in list_runs().runs] == [run.id]
    delete_run(run.id)
    assert list_runs().runs == ()


def test_tables_are_read_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = save(tmp_path, tables={"a": PAIRS, "b": PAIRS})
    read: list[str] = []
    original = core.runs.tables._read_table

    def spy(path: Path, entry: Any) -> pd.DataFrame:
        read.append(path.name)
        return original(path, entry)

    monkeypatch.setattr(core.runs.tables, "_read_table", spy)
    loaded = load_run(run.id, tmp_path)
    assert list(loaded.tables) == ["a", "b"]
    assert loaded.tables.n_rows("a") == 2
    assert read == []
    mine = loaded.tables["b"]
    mine["new"] = 1
    assert "new" not in loaded.tables["b"]
    assert read == ["b.parquet"]
    with pytest.raises(KeyError):
        loaded.tables["c"]


def test_tables_whose_names_differ_only_in_marks_get_files_of_their_own(tmp_path: Path) -> None:
    tables = {"a/b": pd.DataFrame({"x": [1]}), "a b": pd.DataFrame({"x": [2]}), "": PAIRS[:0]}
    run = load_run(save(tmp_path, tables=tables).id, tmp_path)
    assert run.tables["a/b"]["x"].tolist() == [1]
    assert run.tables["a b"]["x"].tolist() == [2]
    assert len(run.tables[""]) == 0


def test_empty_tables_keep_their_columns(tmp_path: Path) -> None:
    run = save(tmp_path, tables={"none": PAIRS[:0], "nothing": pd.DataFrame()})
    assert list(run.tables["none"].columns) == list(PAIRS.columns)
    assert run.tables["nothing"].empty


def test_cells_of_several_types_become_text(tmp_path: Path) -> None:
    frame = pd.DataFrame({"mixed": pd.Series([1, "two", None, [3]], dtype=object)})
    assert save(tmp_path, tables={"t": frame}).tables["t"]["mixed"].tolist() == [
        "1",
        "two",
        None,
        "[3]",
    ]


def test_what_json_lacks_is_saved_all_the_same(tmp_path: Path) -> None:
    options = {"share": math.nan, "folder": tmp_path, "seed": np.int64(4), "text": "\ud83d"}
    run = save(tmp_path, options=options)
    assert run.options == {"share": None, "folder": str(tmp_path), "seed": 4, "text": "\ud83d"}


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = pd.DataFrame([[1, 2]], columns=["x", "x"])
    with pytest.raises(ValueError, match="'x'"):
        save(tmp_path, tables={"t": twice})
    assert list_runs(tmp_path).runs == ()


def test_a_save_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_frame: pd.DataFrame, _path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(core.runs.tables, "write_table", full)
    with pytest.raises(RunError, match="No space left"):
        save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="REWARD_WORKBENCH_HOME"):
        save(tmp_path / "file" / "runs")


def damage_options(run: Run) -> None:
    (run.folder / "options.json").write_text('{"format": 1, "kind"')


def damage_version(run: Run) -> None:
    (run.folder / "options.json").write_text('{"format": 99}')


def damage_fields(run: Run) -> None:
    (run.folder / "options.json").write_text('{"format": 1, "tables": []}')


def damage_manifest(run: Run) -> None:
    (run.folder / "manifest.json").unlink()


def damage_table(run: Run) -> None:
    path = run.folder / "pairs.parquet"
    path.write_bytes(path.read_bytes()[:-10])


def remove_table(run: Run) -> None:
    (run.folder / "pairs.parquet").unlink()


def point_outside(run: Run) -> None:
    file = run.folder / "options.json"
    content = json.loads(file.read_text())
    content["tables"][0]["file"] = "../../secret.parquet"
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (damage_options, "damaged"),
        (damage_version, "format 99"),
        (damage_fields, "lacks"),
        (damage_manifest, "manifest.json"),
        (damage_table, "bytes"),
        (remove_table, "missing"),
        (point_outside, "not the name"),
    ],
)
def test_a_damaged_run_is_reported_and_the_others_open(
    tmp_path: Path, damage: Any, told: str
) -> None:
    broken, sound = save(tmp_path, "broken"), save(tmp_path, "sound")
    damage(broken)
    saved = list_runs(tmp_path)
    assert [run.id for run in saved.runs] == [sound.id]
    (problem,) = saved.problems
    assert problem.path == broken.folder
    assert told in problem.message
    with pytest.raises(RunError, match=told):
        load_run(broken.id, tmp_path)
    delete_run(broken.id, tmp_path)
    assert list_runs(tmp_path).problems == ()


def test_a_table_damaged_within_is_told_when_it_is_read(tmp_path: Path) -> None:
    run = save(tmp_path)
    path = run.folder / "pairs.parquet"
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(RunError, match=r"pairs\.parquet is damaged"):
        load_run(run.id, tmp_path).tables["pairs"]


@pytest.mark.parametrize("name", ["", "..", "../x", "/etc", ".saving-x", "absent", "A B"])
def test_only_an_id_of_a_run_opens_or_deletes_one(tmp_path: Path, name: str) -> None:
    known = save(tmp_path / "runs")
    (tmp_path / "x").mkdir()
    for act in (load_run, delete_run):
        with pytest.raises(RunError, match="no run") as told:
            act(name, tmp_path / "runs")
        assert known.id in told.value.fix
    assert (tmp_path / "x").is_dir()


def test_a_run_opens_by_id_and_by_path(tmp_path: Path) -> None:
    run = save(tmp_path)
    assert open_run(run.id, tmp_path).id == run.id
    assert open_run(run.folder).id == run.id
    with pytest.raises(WorkbenchError, match="no run"):
        open_run(tmp_path / "elsewhere", tmp_path)


def test_what_was_cut_short_long_ago_is_swept(tmp_path: Path) -> None:
    for name, age in (
        (".saving-old", 1e6),
        (".deleting-old", 1e6),
        (".saving-now", 0),
        (".x-", 1e6),
    ):
        path = tmp_path / name
        path.mkdir()
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    save(tmp_path)
    hidden = {path.name for path in tmp_path.iterdir() if path.name.startswith(".")}
    assert hidden == {".saving-now", ".x-"}
