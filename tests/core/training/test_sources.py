import json

import pandas as pd
import pytest

from core.errors import TableError
from core.training.preferences import read_preferences, split_prompts
from core.training.sources import authored_group, read_training_data


def write_csv(tmp_path, rows):
    path = tmp_path / "pairs.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


PAIR = {"prompt": "Two plus two?", "chosen": "Four.", "rejected": "Five."}
OTHER = {"prompt": "Three plus three?", "chosen": "Six.", "rejected": "Two."}


def test_the_packages_own_prompts_are_read_without_the_held_out_ones():
    data = read_training_data()
    train = split_prompts(read_preferences()).train
    assert data.is_authored
    assert data.source == train
    assert data.groups == tuple(authored_group(prompt) for prompt in train)
    assert not data.left_out


def test_pairs_of_a_table_become_groups_with_the_chosen_response_first(tmp_path):
    data = read_training_data(write_csv(tmp_path, [PAIR, OTHER]))
    assert not data.is_authored
    first, second = data.groups
    assert first.messages == ({"role": "user", "content": "Two plus two?"},)
    assert [(r.kind, r.text) for r in first.responses] == [("good", "Four."), ("rejected", "Five.")]
    assert second.good == "Six."
    assert data.source == data.groups


def test_pairs_with_the_same_prompt_and_chosen_response_share_a_group(tmp_path):
    rows = [PAIR, {**PAIR, "rejected": "Three."}, {**PAIR, "chosen": "It is four."}, OTHER]
    groups = read_training_data(write_csv(tmp_path, rows)).groups
    assert [[r.text for r in g.responses] for g in groups] == [
        ["Four.", "Five.", "Three."],
        ["It is four.", "Five."],
        ["Six.", "Two."],
    ]
    assert groups[0].prompt_id == groups[1].prompt_id != groups[2].prompt_id


def test_unusable_pairs_are_counted_by_reason_and_the_rest_is_kept(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [PAIR, {**OTHER, "rejected": ["a"]}, {**PAIR, "rejected": "Four."}, OTHER]
    path.write_text("\n".join(map(json.dumps, rows)))
    data = read_training_data(path)
    assert [group.good for group in data.groups] == ["Four.", "Six."]
    assert data.left_out == {
        "column rejected: expected text, found a list": 1,
        "chosen and rejected are the same text": 1,
    }


def test_pairs_that_part_before_the_last_turn_are_left_out(tmp_path):
    def turns(*contents):
        roles = ("user", "assistant", "user", "assistant")
        return [{"role": r, "content": c} for r, c in zip(roles, contents, strict=False)]

    rows = [
        {"chosen": turns("Hi", "Ho", "Why?", "So."), "rejected": turns("Hi", "Hm", "Why?", "No.")},
        {"chosen": turns("Hi", "So."), "rejected": turns("Hi", "No.")},
        {"chosen": turns("Hey", "So."), "rejected": turns("Hey", "No.")},
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    data = read_training_data(path)
    assert len(data.groups) == 2
    assert data.left_out == {"chosen and rejected differ before the last turn": 1}


def test_a_table_without_pairs_is_refused(tmp_path):
    path = write_csv(tmp_path, [{"prompt": "Hi", "response": "Ho"}])
    with pytest.raises(TableError, match="single responses"):
        read_training_data(path)


def test_one_prompt_is_not_enough(tmp_path):
    rows = [PAIR, {**OTHER, "rejected": "Six."}]
    with pytest.raises(TableError, match=r"fewer than two prompts.*1 chosen and rejected are the"):
        read_training_data(write_csv(tmp_path, rows))
