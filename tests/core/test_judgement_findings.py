"""What the cards of recorded judgements say is what their tables say."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from core.judgement_findings import (
    PAIRS,
    SCORES,
    findings,
    majority,
    ranked,
    share,
    told,
    write_findings,
)
from core.judgements import recording
from core.models.judges.formats import FORMATS

SMOLLM2 = recording("smollm2")


@pytest.fixture(scope="module")
def judgements() -> pd.DataFrame:
    return pd.read_parquet(SMOLLM2.folder / "judgements.parquet")


@pytest.fixture(scope="module")
def items() -> pd.DataFrame:
    return pd.read_parquet(SMOLLM2.folder / "items.parquet")


def test_every_number_of_the_shipped_card_is_that_of_its_tables(
    judgements: pd.DataFrame, items: pd.DataFrame
) -> None:
    assert SMOLLM2.findings == findings(judgements, items)


def test_the_shipped_judge_of_pairs_has_32_votes_an_item(judgements: pd.DataFrame) -> None:
    pairs = judgements[judgements["judge"] == PAIRS]
    counts = pairs.groupby(["item_id", "order"])["sample"].agg(["size", "nunique"])
    assert len(counts) == 64
    assert (counts == 16).to_numpy().all()
    assert "16 texts in each order" in SMOLLM2.description
    assert "--samples 16" in SMOLLM2.command


def test_recorded_verdicts_are_those_that_the_formats_read(judgements: pd.DataFrame) -> None:
    written = judgements[judgements["judge"].isin([PAIRS, SCORES])]
    for row in written.to_dict("records"):
        read = FORMATS[row["format"]].read(row["raw"], len(row["order"]))
        own = None if read.verdict is None else row["order"]["AB".index(read.verdict)]
        said = row["verdict"] if isinstance(row["verdict"], str) else None
        scores = None if row["scores"] is None else tuple(row["scores"])
        assert (said, scores) == (own, read.scores), row["raw"]
        assert bool(read.problem) == bool(row["problem"])


def test_shares_of_the_card_agree_with_plain_counting(
    judgements: pd.DataFrame, items: pd.DataFrame
) -> None:
    best = dict(zip(items["item_id"], items["best"], strict=True))
    rows = judgements[judgements["judge"] == PAIRS].to_dict("records")
    read = [row for row in rows if isinstance(row["verdict"], str)]
    right = sum(row["verdict"] == best[row["item_id"]] for row in read)
    first = sum(row["verdict"] == row["order"][0] for row in read)
    votes: dict[str, list[bool]] = {}
    for row in read:
        votes.setdefault(row["item_id"], []).append(row["verdict"] == best[row["item_id"]])
    won = [
        (2 * sum(each) > len(each)) + 0.5 * (2 * sum(each) == len(each)) for each in votes.values()
    ]
    plain = [1 - len(read) / len(rows), right / len(read), first / len(read), sum(won) / len(won)]
    said = [re.search(r"(\d+\.\d)% \(", text) for text in SMOLLM2.findings[:4]]
    assert [float(each.group(1)) for each in said if each] == [round(100 * p, 1) for p in plain]


def test_the_findings_change_with_the_tables(judgements: pd.DataFrame, items: pd.DataFrame) -> None:
    swapped = items.assign(best=["B" if best == "A" else "A" for best in items["best"]])
    before, after = findings(judgements, items), findings(judgements, swapped)
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert before[8] != after[8]


def test_majority_counts_a_tie_as_half() -> None:
    votes = pd.DataFrame({"verdict": ["A", "B", "A"], "best": ["A"] * 3})
    assert [majority(votes), majority(votes[:2]), majority(votes[1:2])] == [1.0, 0.5, 0.0]


def test_mean_scores_are_ranked_where_both_responses_have_one() -> None:
    rows = [
        ("a", "A", [4.0], "A"),
        ("a", "A", [6.0], "A"),
        ("a", "B", [4.5], "A"),
        ("b", "A", [3.0], "B"),
        ("b", "B", [3.0], "B"),
        ("c", "A", [3.0], "B"),
        ("c", "B", None, "B"),
        ("d", "A", [9.0], "B"),
        ("d", "B", [1.0], "B"),
    ]
    table = pd.DataFrame(rows, columns=["item_id", "order", "scores", "best"])
    assert ranked(table) == {"a": 1.0, "b": 0.5, "d": 0.0}


def test_a_share_that_is_the_same_in_every_item_is_not_told_as_certain() -> None:
    # Wilson's lower end for three of three is 3 over 6.84.
    assert "95 % interval 43.9% to 100.0%" in told(share([1, 1, 1], ["a", "b", "c"]))
    assert "95 % interval" in told(share([1, 0, 1, 1], ["a", "b", "c", "d"]))


def test_findings_are_written_into_the_card(tmp_path: Path) -> None:
    folder = tmp_path / "smollm2"
    shutil.copytree(SMOLLM2.folder, folder)
    card = folder / "card.yaml"
    told_there = yaml.safe_load(card.read_text(encoding="utf-8"))
    card.write_text(yaml.safe_dump({**told_there, "findings": ["wrong"]}), encoding="utf-8")
    assert write_findings(folder) == SMOLLM2.findings
    assert yaml.safe_load(card.read_text(encoding="utf-8")) == told_there
