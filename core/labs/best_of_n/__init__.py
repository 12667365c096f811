"""Best-of-n and over-optimisation: a proxy picks, the gold reward says what the pick is worth.

`estimator` holds the exact expectation, `overoptimisation` Gao's forms and their peaks, `ensembles`
the remedy, and `lab` puts them together over prompts.
"""

from core.labs.best_of_n.ensembles import ENSEMBLES, Ensemble, combine, standardise
from core.labs.best_of_n.estimator import (
    expected_best,
    order_accuracy,
    reward_variance,
    sizes_up_to,
)
from core.labs.best_of_n.lab import ORACLE, BestOfNOptions, BestOfNResult, plan, run
from core.labs.best_of_n.overoptimisation import (
    Form,
    OveroptimisationFit,
    fit_overoptimisation,
    kl_of_best_of_n,
    n_of_kl,
    peak,
)

__all__ = [
    "ENSEMBLES",
    "ORACLE",
    "BestOfNOptions",
    "BestOfNResult",
    "Ensemble",
    "Form",
    "OveroptimisationFit",
    "combine",
    "expected_best",
    "fit_overoptimisation",
    "kl_of_best_of_n",
    "n_of_kl",
    "order_accuracy",
    "peak",
    "plan",
    "reward_variance",
    "run",
    "sizes_up_to",
    "standardise",
]
