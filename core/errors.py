"""The mistakes a user or a model file can make, one exception class for each kind.

Every message says what is wrong and where; `fix` says what to do about it.
"""


class WorkbenchError(Exception):
    """Base of all errors a user can act on.

    Args:
        message: what is wrong and where.
        fix: what to do about it, or an empty string where the message already says so.
    """

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} {self.fix}".strip()


def in_one_line(error: BaseException) -> str:
    """An error as a page or a table shows it: a known one by its message, others with their type.

    The text of a foreign exception often says little by itself: KeyError('x') is just 'x'.
    """
    text = " ".join(str(error).split())
    if isinstance(error, WorkbenchError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class ConversationError(WorkbenchError):
    """A conversation that is not a list of role and content that ends with the assistant's turn."""


class TableError(WorkbenchError):
    """A file or table that cannot be read as conversations or pairs."""


class CardError(WorkbenchError):
    """A model card with an unknown field, a missing field or a contradiction."""


class ModelLoadError(WorkbenchError):
    """A model that cannot be loaded or must not be: pickles, a missing head, remote code."""


class ModelNotFoundError(WorkbenchError):
    """A name that is neither a card's id, a hub id nor a local folder."""


class ScoringError(WorkbenchError):
    """A conversation whose reward could not be computed; its neighbours are unaffected."""


class RemoteError(ScoringError):
    """A server that cannot be reached, refuses, or answers something that is not a reward."""


class SettingsError(WorkbenchError):
    """An operator setting that is unknown or does not parse."""


class PerturbationError(WorkbenchError):
    """A perturbation that does not exist, exists twice, or does not come in the dose asked for."""


class AttributeDefinitionError(WorkbenchError):
    """An attribute that does not exist or exists twice, or bins that cannot be made."""


class VersionError(WorkbenchError):
    """A version that does not exist, or a saved history that does not hold together."""


class ShareError(WorkbenchError):
    """A link whose state is damaged, too large, from a newer workbench, or no longer stored."""


class SandboxError(WorkbenchError):
    """A sandbox for programs that cannot be started here, or is asked to work while closed."""
