"""What the methods reached on human labels, and the default that follows from it.

NoveltyBench's pairs of generations (Zhang et al. 2025, arXiv 2504.05228), each pair of another
prompt, labelled by people as the same or not. `tests/core/labs/diversity/test_calibrated.py`
computes the figures again.
"""

from dataclasses import dataclass

from core.labs.diversity.classes import Method

N_TRAINING = 1000
N_VALIDATION = 100
SIMILAR_TRAINING = 327
SIMILAR_VALIDATION = 50


@dataclass(frozen=True)
class RecordedCalibration:
    """One method on the human labels.

    Attributes:
        method: what compares two texts.
        auc: area under the ROC curve on the validation pairs.
        low: lower end of its 95% interval over prompts.
        high: upper end.
        threshold: with the best balanced accuracy on the training pairs.
        accuracy: balanced accuracy of that threshold on the validation pairs.
        accuracy_low: lower end of its 95% interval over prompts.
        accuracy_high: upper end.
        found: share of the validation pairs called the same by people at or above it.
        false: share of the others at or above it.
    """

    method: Method
    auc: float
    low: float
    high: float
    threshold: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    found: float
    false: float


RECORDED: tuple[RecordedCalibration, ...] = (
    RecordedCalibration("tf-idf", 0.7848, 0.6915, 0.8731, 0.5175, 0.7, 0.6153, 0.79, 0.6, 0.2),
    RecordedCalibration(
        "classifier", 0.7788, 0.6836, 0.8662, 0.3572, 0.73, 0.6404, 0.8176, 0.68, 0.22
    ),
    RecordedCalibration("jaccard", 0.771, 0.6679, 0.8586, 0.3167, 0.74, 0.6526, 0.8205, 0.68, 0.2),
    RecordedCalibration(
        "token-overlap", 0.7578, 0.6609, 0.8516, 0.2397, 0.71, 0.6236, 0.7943, 0.58, 0.16
    ),
    RecordedCalibration("n-gram", 0.7256, 0.6207, 0.8195, 0.0258, 0.65, 0.5588, 0.7428, 0.68, 0.38),
    RecordedCalibration("embedding", 0.7104, 0.6, 0.807, 0.8377, 0.69, 0.5942, 0.7803, 0.72, 0.34),
    RecordedCalibration("exact", 0.51, 0.5, 0.5326, 0.5, 0.51, 0.5, 0.5326, 0.02, 0.0),
)
"""Best AUC on the validation pairs first."""

DEFAULT: Method = "tf-idf"
"""The method with the best AUC on the validation pairs."""

LEAD_OVER_EMBEDDING = (0.0744, 0.004, 0.1455)
"""AUC of the default minus that of the sentence embeddings on the same validation pairs: value and
95% interval over prompts."""

LEAD_OVER_CLASSIFIER = (0.006, -0.0105, 0.0234)
"""The same for the classifier trained on the training pairs."""

SHORT_JUDGED = (14, 13)
"""Of all training and validation pairs, those that the rule for short texts can judge, and how many
of them it judges as people did."""

NATURAL_THRESHOLD: dict[Method, float] = {"exact": 0.5, "given": 0.5}
"""Where a method has a threshold of its own: equal or not."""


def calibrated_threshold(method: Method) -> float:
    """The threshold for a method: natural where it has one, else chosen on the human labels."""
    if method in NATURAL_THRESHOLD:
        return NATURAL_THRESHOLD[method]
    return next(each.threshold for each in RECORDED if each.method == method)
