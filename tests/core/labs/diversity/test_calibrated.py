"""The recorded calibration, computed again from the human labels."""

import pandas as pd
import pytest

from core.embeddings import carried_folder, default_embedder
from core.labs.diversity import calibrated, pair_classifier
from core.labs.diversity.calibration import (
    SIMILAR,
    auc_difference,
    calibrate,
    pair_similarities,
)
from core.labs.diversity.classes import METHODS, token_rule

WITHOUT_MODEL = ["exact", "token-overlap", "jaccard", "n-gram", "tf-idf"]


@pytest.fixture(scope="module")
def labelled(shared_data):
    folder = shared_data / "noveltybench"
    if not folder.is_dir():
        pytest.skip("the labelled pairs are not here")
    return {
        part: pd.read_json(folder / f"pairs-{part}.jsonl", lines=True) for part in ("train", "val")
    }


def compared(labelled, part):
    """The pairs with what each method that needs no model says; rarity is counted in training."""
    train, table = labelled["train"], labelled[part]
    corpus = [*train["generation_0"], *train["generation_1"]]
    found = pair_similarities(
        table["generation_0"].tolist(), table["generation_1"].tolist(), corpus=corpus
    )
    return pd.DataFrame(found).assign(
        prompt_id=table["id"].tolist(), similar=table[SIMILAR].astype(bool).tolist()
    )


def assert_recorded(found):
    recorded = next(each for each in calibrated.RECORDED if each.method == found.method)
    assert found.auc.value == pytest.approx(recorded.auc, abs=2e-4)
    assert found.threshold == pytest.approx(recorded.threshold, abs=2e-4)
    assert found.accuracy.value == pytest.approx(recorded.accuracy, abs=2e-4)
    assert found.found == pytest.approx(recorded.found, abs=2e-4)
    assert found.false == pytest.approx(recorded.false, abs=2e-4)
    # The draws are taken in the order of the methods, so the ends may differ a little.
    assert found.auc.low == pytest.approx(recorded.low, abs=0.02)
    assert found.auc.high == pytest.approx(recorded.high, abs=0.02)


@pytest.mark.shared_data
def test_methods_without_a_model_reach_what_is_recorded(labelled):
    training, validation = compared(labelled, "train"), compared(labelled, "val")
    assert len(training) == calibrated.N_TRAINING
    assert len(validation) == calibrated.N_VALIDATION
    assert training[SIMILAR].sum() == calibrated.SIMILAR_TRAINING
    assert validation[SIMILAR].sum() == calibrated.SIMILAR_VALIDATION
    found = calibrate(training, validation, WITHOUT_MODEL)
    for each in found.methods:
        assert_recorded(each)
    assert found.best.method == calibrated.DEFAULT


@pytest.mark.shared_data
def test_the_classifier_is_the_one_that_the_training_pairs_give(labelled):
    tables = {part: compared(labelled, part) for part in labelled}
    weights, intercept = pair_classifier.fitted(tables["train"])
    assert weights == pytest.approx(pair_classifier.WEIGHTS, abs=1e-3)
    assert intercept == pytest.approx(pair_classifier.INTERCEPT, abs=1e-3)
    for table in tables.values():
        table["classifier"] = pair_classifier.probability(
            {name: table[name] for name in pair_classifier.INPUTS}
        )
    found = calibrate(tables["train"], tables["val"], ["classifier"])
    assert_recorded(found.best)
    lead = auc_difference(tables["val"], calibrated.DEFAULT, "classifier")
    assert (lead.value, lead.low, lead.high) == pytest.approx(
        calibrated.LEAD_OVER_CLASSIFIER, abs=1e-3
    )


@pytest.mark.shared_data
def test_the_rule_for_short_texts_judges_what_is_recorded(labelled):
    both = pd.concat(labelled.values())
    verdicts = [
        (token_rule(a, b), bool(same))
        for a, b, same in zip(
            both["generation_0"], both["generation_1"], both[SIMILAR], strict=True
        )
    ]
    judged = [(said, same) for said, same in verdicts if said is not None]
    assert (len(judged), sum(a == b for a, b in judged)) == calibrated.SHORT_JUDGED


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.timeout(1200)
def test_sentence_embeddings_reach_what_is_recorded(labelled):
    if carried_folder() is None:
        pytest.skip("the embedding model's package is not installed")
    embedder = default_embedder()
    tables = {}
    for part, table in labelled.items():
        first, second = (
            embedder.embed(table[side].tolist()).vectors
            for side in ("generation_0", "generation_1")
        )
        cosines = (first * second).sum(axis=1)
        tables[part] = compared(labelled, part).assign(embedding=cosines)
    found = calibrate(tables["train"], tables["val"], ["embedding"])
    assert_recorded(found.best)
    lead = auc_difference(tables["val"], calibrated.DEFAULT, "embedding")
    assert (lead.value, lead.low, lead.high) == pytest.approx(
        calibrated.LEAD_OVER_EMBEDDING, abs=1e-3
    )


def test_the_default_is_the_best_and_every_method_has_a_threshold():
    aucs = [each.auc for each in calibrated.RECORDED]
    assert aucs == sorted(aucs, reverse=True)
    assert calibrated.RECORDED[0].method == calibrated.DEFAULT
    for method in METHODS:
        assert 0 < calibrated.calibrated_threshold(method) < 1
