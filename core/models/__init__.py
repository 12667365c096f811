"""What gives a reward: cards, loading, one module per family."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.models.base import RewardModel


def load(name: str, *, device: str | None = None) -> "RewardModel":
    """Loads a reward model by name.

    Args:
        name: a card's id, a hub id ("org/name", with "@revision" to pin one) or a local folder.
        device: "cpu", "cuda:0", ...; by default the first GPU, else the CPU.

    Raises:
        ModelNotFoundError: when no card, hub id or folder has that name.
        ModelLoadError: when the checkpoint is refused or cannot be read.
    """
    # Imported here so that commands which load no model start without torch.
    from core.models.catalogue import load_card
    from core.models.loading import load_card_model
    from core.settings import load_settings

    settings = load_settings()
    return load_card_model(
        load_card(name), device=device or settings.device, trusted_code=settings.trusted_names
    )
