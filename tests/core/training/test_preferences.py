import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from core.errors import TableError
from core.models import embedded
from core.training.preferences import (
    CATEGORIES,
    FLAWS,
    AuthoredPrompt,
    is_held_out,
    read_preferences,
    split_prompts,
)

ROW = {
    "id": "facts-900",
    "category": "facts",
    "prompt": "How many legs has a spider?",
    "good": "Eight.",
    "flawed": [{"flaw": "wrong_fact", "response": "Six."}, {"flaw": "rude", "response": "Count!"}],
}


@pytest.fixture(scope="module")
def authored() -> tuple[AuthoredPrompt, ...]:
    return read_preferences()


def write(folder: Path, *rows: object) -> Path:
    path = folder / "prompts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_authored_set_has_enough_prompts_in_every_category(authored):
    counts = Counter(prompt.category for prompt in authored)
    assert sum(counts.values()) >= 300
    assert set(counts) == set(CATEGORIES)
    assert min(counts.values()) >= 30


def test_every_prompt_has_one_good_and_two_differently_flawed_responses(authored):
    for prompt in authored:
        flaws = [flawed.flaw for flawed in prompt.flawed]
        assert len(flaws) == 2
        assert len(set(flaws)) == 2, prompt.id
        assert set(flaws) <= set(FLAWS), prompt.id
        assert len({prompt.good, *(flawed.response for flawed in prompt.flawed)}) == 3, prompt.id


def test_ids_are_unique_and_begin_with_their_category(authored):
    assert len({prompt.id for prompt in authored}) == len(authored)
    assert all(prompt.id.startswith(f"{prompt.category}-") for prompt in authored)


def test_every_flaw_is_in_the_training_and_the_held_out_part(authored):
    split = split_prompts(authored)
    for part in (split.train, split.held_out):
        assert {flawed.flaw for prompt in part for flawed in prompt.flawed} == set(FLAWS)


def test_no_prompt_is_in_both_parts_of_the_split(authored):
    split = split_prompts(authored)
    train, held_out = ({p.prompt for p in part} for part in (split.train, split.held_out))
    assert not train & held_out
    assert len(split.train) + len(split.held_out) == len(authored)
    assert 0.15 <= len(split.held_out) / len(authored) <= 0.25


def test_held_out_rule_is_the_first_eight_hexadecimal_digits_modulo_five():
    for prompt_id in ("facts-001", "code-017", "chat-062"):
        digits = hashlib.sha256(prompt_id.encode()).hexdigest()[:8]
        assert is_held_out(prompt_id) == (int(digits, 16) % 5 == 0)


@pytest.mark.embedded
def test_length_in_tokens_is_bounded_and_says_nothing_about_quality(authored):
    if embedded.package_file() is None and not embedded.is_prepared():
        pytest.skip("the embedded language model is not installed")
    from scipy.stats import mannwhitneyu
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(embedded.prepare_base())
    good = [len(tokenizer.tokenize(prompt.good)) for prompt in authored]
    flawed = [len(tokenizer.tokenize(f.response)) for prompt in authored for f in prompt.flawed]
    lengths = np.array(good + flawed)
    assert lengths.min() >= 20
    assert lengths.max() <= 120
    # The area under the ROC curve is Mann-Whitney's U over the number of pairs.
    auc = mannwhitneyu(good, flawed).statistic / (len(good) * len(flawed))
    assert 0.45 <= auc <= 0.55


def test_pairs_set_the_good_response_against_each_flawed_one(tmp_path):
    (prompt,) = read_preferences(write(tmp_path, ROW))
    assert [(pair.chosen, pair.rejected) for pair in prompt.pairs] == [
        ("Eight.", "Six."),
        ("Eight.", "Count!"),
    ]
    assert prompt.pairs[0].prompt == ({"role": "user", "content": "How many legs has a spider?"},)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({**ROW, "extra": 1}, "line 2: expected exactly the fields"),
        ({**ROW, "good": ""}, "line 2, good: expected text"),
        ({**ROW, "flawed": []}, "line 2, flawed"),
        ({**ROW, "flawed": [{"flaw": "rude"}]}, "line 2, flawed"),
    ],
)
def test_a_wrong_line_is_named_with_its_field(tmp_path, row, words):
    with pytest.raises(TableError, match=words):
        read_preferences(write(tmp_path, {**ROW, "id": "facts-901"}, row))


def test_an_id_that_is_there_twice_is_an_error(tmp_path):
    with pytest.raises(TableError, match=r"facts-900.*twice"):
        read_preferences(write(tmp_path, ROW, ROW))
