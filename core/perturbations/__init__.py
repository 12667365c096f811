"""Edits of prompts and responses with a statement of what each should do to the reward."""

from core.perturbations import lower, nothing, shortcut
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

for _perturbation in (*nothing.PERTURBATIONS, *lower.PERTURBATIONS, *shortcut.PERTURBATIONS):
    register(_perturbation)
