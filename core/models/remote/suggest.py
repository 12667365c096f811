"""What a page can say about a server before there is a card for it, and the card to begin with."""

import re
from dataclasses import dataclass

from core.errors import RemoteError
from core.models.card import HubSource, InputPart, RemotePart, RemoteSource, RewardModelCard
from core.models.remote.http import Connection
from core.models.remote.identify import ENGINE_TITLES, Identity, identify
from core.settings import Endpoint

LOOK_TIMEOUT_S = 5.0
"""A look is short: a server that takes longer to say what it is says nothing for now."""

_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")


@dataclass(frozen=True)
class EndpointStatus:
    """One look at a server.

    Attributes:
        identity: what it says it is, None where it could not be asked.
        healthy: whether GET /health was answered with 200; OpenRLHF's and many chat servers have no
            such route.
        problem: why there is no identity, "" where there is one.
    """

    identity: Identity | None
    healthy: bool
    problem: str = ""


def look_at(endpoint: Endpoint) -> EndpointStatus:
    """Asks a server what it is, without patience; never raises for a server that fails."""
    quick = endpoint.model_copy(update={"timeout_s": min(endpoint.timeout_s, LOOK_TIMEOUT_S)})
    connection = Connection(quick)
    try:
        identity = identify(connection)
        return EndpointStatus(identity, connection.is_healthy())
    except RemoteError as error:
        return EndpointStatus(None, False, str(error))
    finally:
        connection.close()


def suggest_card(endpoint: Endpoint, identity: Identity, model: str = "") -> RewardModelCard:
    """A card to begin with for a server's model; the conformance check says what to change in it.

    Args:
        model: one of the server's, where it has several.

    Raises:
        RemoteError: where nothing can be guessed of how conversations become text.
    """
    name = model or next(iter(identity.models), "")
    tokenizer = None
    if identity.engine in ("sglang", "openrlhf"):
        if not _HUB_ID.match(name):
            raise RemoteError(
                f"{ENGINE_TITLES[identity.engine]} takes text that is rendered already, and "
                f"{endpoint.name} names no hub repository to take the template from.",
                fix="Write a card with remote.tokenizer; data/cards/README.md has an example.",
            )
        tokenizer = HubSource(kind="hub", repo=name)
    paired = identity.engine == "tei"
    card_id = endpoint.name if len(identity.models) <= 1 else f"{endpoint.name}-{_plain(name)}"
    return RewardModelCard(
        id=card_id,
        # The server first: the end of a long title is cut off in narrow boxes.
        title=f"{endpoint.name}: {name}" if name else card_id,
        summary=f"Behind {identity.title}.",
        source=RemoteSource(
            kind="remote",
            endpoint=endpoint.name,
            model=name if len(identity.models) > 1 else "",
        ),
        family="text-pair" if paired else "sequence-classifier",
        input=InputPart(form="text-pair" if paired else "chat-template"),
        remote=RemotePart(tokenizer=tokenizer),
        max_length=max(8, identity.max_length or 4096),
        notes="Made from what the server says about itself; check it before you use it.",
    )


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name.rpartition("/")[2]) or "model"
