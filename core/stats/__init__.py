"""Intervals, paired tests and corrections for many tests. Each result says what it is made of.

Responses to one prompt are correlated, so resampling and sign flips go over prompts, never rows.
"""

from core.stats.accuracy import PairAccuracy, pair_accuracy
from core.stats.clusters import Estimate, FloatArray, cluster_codes
from core.stats.intervals import (
    N_RESAMPLES,
    clustered_mean,
    clustered_share,
    clustered_statistic,
    wilson_interval,
)
from core.stats.jackknife import jackknife_correlation
from core.stats.paired import TestResult, mcnemar_test, sign_flip_test
from core.stats.power import (
    clustered_standard_error,
    false_discovery,
    smallest_detectable_effect,
)

__all__ = [
    "N_RESAMPLES",
    "Estimate",
    "FloatArray",
    "PairAccuracy",
    "TestResult",
    "cluster_codes",
    "clustered_mean",
    "clustered_share",
    "clustered_standard_error",
    "clustered_statistic",
    "false_discovery",
    "jackknife_correlation",
    "mcnemar_test",
    "pair_accuracy",
    "sign_flip_test",
    "smallest_detectable_effect",
    "wilson_interval",
]
