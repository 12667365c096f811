"""The perturbations by name: those that come with the package and those a user adds."""

import difflib

from core.errors import PerturbationError
from core.perturbations.base import Group, Perturbation, PerturbationOutcome
from core.schema import Conversation

_PERTURBATIONS: dict[str, Perturbation] = {}


def register(perturbation: Perturbation, *, replace: bool = False) -> Perturbation:
    """Adds a perturbation, so that pages, commands and labs offer it by its name.

    Args:
        perturbation: the new one.
        replace: whether it may take the place of one of the same name.

    Raises:
        PerturbationError: another perturbation has this name and `replace` is false.
    """
    if not replace and _PERTURBATIONS.get(perturbation.name, perturbation) != perturbation:
        raise PerturbationError(
            f"There is already a perturbation named {perturbation.name!r}.",
            fix="Choose another name, or pass replace=True.",
        )
    _PERTURBATIONS[perturbation.name] = perturbation
    return perturbation


def unregister(name: str) -> None:
    """Takes a perturbation out; an unknown name is an error, as in `get`."""
    del _PERTURBATIONS[get(name).name]


def get(name: str) -> Perturbation:
    """The perturbation of this name.

    Raises:
        PerturbationError: there is none; the message names the closest one.
    """
    if name in _PERTURBATIONS:
        return _PERTURBATIONS[name]
    close = difflib.get_close_matches(name, _PERTURBATIONS, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(_PERTURBATIONS)}."
    raise PerturbationError(f"There is no perturbation named {name!r}.", fix=hint)


def perturbations(group: Group | None = None) -> tuple[Perturbation, ...]:
    """All perturbations, or those of one group, in the order they were registered."""
    return tuple(p for p in _PERTURBATIONS.values() if group is None or p.group == group)


def apply(
    name: str, conversation: Conversation, seed: int = 0, dose: int | None = None
) -> PerturbationOutcome:
    """Applies a perturbation by its name; see `Perturbation.apply`."""
    return get(name).apply(conversation, seed, dose)
