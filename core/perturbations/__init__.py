"""Edits of prompts and responses with a statement of what each should do to the reward."""

from core.perturbations import (
    age_and_origin,
    conventions,
    demographic,
    domain,
    lower,
    master_keys,
    nothing,
    repairs,
    rhetoric,
    shortcut,
    steps,
    styles,
    surface,
)
from core.perturbations.base import (
    GROUP_MEANING,
    GROUPS,
    Edited,
    EditRequest,
    Group,
    NotApplicable,
    Perturbation,
    PerturbationOutcome,
    Target,
)
from core.perturbations.registry import apply, get, perturbations, register, unregister

__all__ = [
    "GROUPS",
    "GROUP_MEANING",
    "EditRequest",
    "Edited",
    "Group",
    "NotApplicable",
    "Perturbation",
    "PerturbationOutcome",
    "Target",
    "apply",
    "get",
    "perturbations",
    "register",
    "unregister",
]

_MODULES = (
    nothing,
    conventions,
    surface,
    styles,
    domain,
    demographic,
    age_and_origin,
    lower,
    steps,
    master_keys,
    repairs,
    shortcut,
    rhetoric,
)

for _module in _MODULES:
    for _perturbation in _module.PERTURBATIONS:
        register(_perturbation)
