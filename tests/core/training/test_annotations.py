import dataclasses
import re

import numpy as np
import pytest

from core.errors import AttributeDefinitionError, SettingsError
from core.labs.attributes import bin_by_quantiles, register_attribute, unregister_attribute
from core.training.annotations import annotate, bin_edges, n_without_value
from core.training.groups import NO_BIN, make_groups, template_encoder
from core.training.sources import authored_group
from tests import tiny


def binned(values, n_bins):
    values = np.array(values, dtype=float)
    return np.searchsorted(bin_edges(values, n_bins), values, side="right").tolist()


def test_bins_are_those_of_the_labs():
    values = np.random.default_rng(0).integers(0, 40, size=200).astype(float)
    assert binned(values, 4) == bin_by_quantiles(values, 4).bins.tolist()
    assert binned([6, 1, 5, 2, 4, 3], 3) == [2, 0, 2, 0, 1, 1]


def test_an_attribute_is_read_off_the_response_and_length_is_its_words(recipe, groups, encode):
    for name in ("length", "words"):
        changed = dataclasses.replace(recipe, objective="odin", attribute=name)
        fit, _ = annotate(groups, [], changed, encode)
        for text in texts(fit):
            assert text.value == len(re.findall(r"\w+", text.response))


def test_an_unknown_attribute_is_named_with_those_there_are(recipe, groups, encode):
    changed = dataclasses.replace(recipe, objective="invariant", attribute="wrods")
    with pytest.raises(AttributeDefinitionError, match="words"):
        annotate(groups, [], changed, encode)


def test_a_text_whose_attribute_cannot_be_read_has_no_bin_and_is_counted(recipe, groups, encode):
    def only_rude(text: str) -> float:
        """Fails on good responses."""
        return float(len(text) % 5) if "book" in text else 1 / 0

    register_attribute(only_rude)
    try:
        changed = dataclasses.replace(recipe, objective="invariant", attribute="only_rude")
        fit, _ = annotate(groups, [], changed, encode)
    finally:
        unregister_attribute("only_rude")
    for text in texts(fit):
        assert (text.bin == NO_BIN) == ("book" not in text.response)
    assert n_without_value(fit) == sum("book" not in text.response for text in texts(fit))


def test_few_distinct_values_are_a_bin_each():
    assert binned([0, 1, 1, 0, 1], 5) == [0, 1, 1, 0, 1]
    assert binned([3, 1, 7, 3], 3) == [1, 0, 2, 1]


def test_values_that_are_all_equal_have_no_edge():
    assert len(bin_edges(np.array([2.0, 2.0]), 3)) == 0


@pytest.mark.parametrize("seed", range(30))
def test_no_bin_is_empty_whatever_the_ties(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, rng.integers(2, 12), size=40).astype(float)
    values[rng.random(40) < 0.5] = 0.0
    if len(np.unique(values)) > 1:
        n_bins = int(rng.integers(2, 6))
        found = binned(values, n_bins)
        assert set(found) == set(range(max(found) + 1))
        assert 2 <= max(found) + 1 <= n_bins


def test_missing_values_do_not_move_the_edges():
    with_gaps = np.array([1.0, np.nan, 2.0, 3.0, np.nan, 4.0])
    assert bin_edges(with_gaps, 2).tolist() == bin_edges(np.array([1.0, 2.0, 3.0, 4.0]), 2).tolist()


@pytest.fixture
def encode(recipe):
    return template_encoder(tiny.chat_tokenizer(), recipe.template, max_length=128)


@pytest.fixture
def planted_groups(prompts, encode):
    responses = []
    for number, prompt in enumerate(prompts):
        group = authored_group(prompt)
        labelled = tuple(
            dataclasses.replace(r, planted=float((number + place) % 2))
            for place, r in enumerate(group.responses)
        )
        responses.append(dataclasses.replace(group, responses=labelled))
    return make_groups(responses, encode)


def texts(groups):
    return [text for group in groups for text in group.texts]


def test_the_planted_label_gives_value_and_bin(recipe, planted_groups, encode):
    changed = dataclasses.replace(
        recipe, objective="invariant", attribute="planted", bias="flattery"
    )
    fit, validation = annotate(planted_groups[:8], planted_groups[8:], changed, encode)
    for text in [*texts(fit), *texts(validation)]:
        assert text.value == text.planted
        assert text.bin == int(text.planted)


def test_edges_come_from_the_texts_to_fit(recipe, planted_groups, encode):
    def with_label(groups, labels):
        return [
            dataclasses.replace(
                group,
                texts=tuple(
                    dataclasses.replace(text, planted=label)
                    for text, label in zip(group.texts, labels, strict=True)
                ),
            )
            for group in groups
        ]

    changed = dataclasses.replace(recipe, objective="invariant", attribute="planted", bias="length")
    fit, validation = annotate(
        with_label(planted_groups[:8], (1.0, 2.0, 3.0)),
        with_label(planted_groups[8:], (0.0, 2.5, float("nan"))),
        changed,
        encode,
    )
    assert [text.bin for text in fit[0].texts] == [0, 1, 2]
    assert [text.bin for text in validation[0].texts] == [0, 1, NO_BIN]


def test_an_attribute_that_never_differs_is_refused(recipe, planted_groups, encode):
    same = [
        dataclasses.replace(
            group, texts=tuple(dataclasses.replace(text, planted=1.0) for text in group.texts)
        )
        for group in planted_groups
    ]
    changed = dataclasses.replace(
        recipe, objective="invariant", attribute="planted", bias="flattery"
    )
    with pytest.raises(SettingsError, match="the same for all responses"):
        annotate(same, [], changed, encode)


def test_paraphrases_are_of_the_text_and_none_where_no_rule_applies(recipe, prompts, encode):
    prompt = dataclasses.replace(
        prompts[0], good="It is four, for example.", flawed=(prompts[0].flawed[0],)
    )
    groups = make_groups([authored_group(prompt)], encode)
    changed = dataclasses.replace(
        recipe, objective="paraphrase-consistent", paraphrases=("paraphrase",)
    )
    (found,), _ = annotate(groups, [], changed, encode)
    good, rude = found.texts
    tokenizer = tiny.chat_tokenizer()
    assert good.ids == groups[0].texts[0].ids
    assert "for instance" in tokenizer.decode(good.paraphrase)
    assert prompts[0].prompt in tokenizer.decode(good.paraphrase)
    assert rude.paraphrase is None


def test_the_plain_objective_leaves_the_texts_as_they_are(recipe, planted_groups, encode):
    assert annotate(planted_groups[:8], planted_groups[8:], recipe, encode) == (
        planted_groups[:8],
        planted_groups[8:],
    )
