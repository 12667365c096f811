"""Reward models behind a server: vLLM, SGLang, text-embeddings-inference, OpenRLHF, OpenAI chat.

A module for each protocol; the address comes from the operator's settings only.
"""

from core.errors import RemoteError
from core.models.base import RewardModel
from core.models.card import RemotePart, RemoteSource, RewardModelCard
from core.models.remote.http import Connection, connection_to
from core.models.remote.identify import ENGINE_TITLES, EngineName, Identity, identify
from core.models.remote.model import RemoteReading, RemoteRewardModel
from core.models.remote.openai import OpenAiYesNo, chat
from core.models.remote.openrlhf import OpenRlhfReward
from core.models.remote.protocol import Client, no_text
from core.models.remote.sglang import SglangClassify
from core.models.remote.tei import TeiPredict, TeiRerank
from core.models.remote.texts import Renderer, load_tokenizer_of
from core.models.remote.vllm import VllmClassify, VllmPooling, VllmRerank, VllmScore
from core.settings import Endpoint, load_settings

__all__ = [
    "Connection",
    "Endpoint",
    "Identity",
    "RemoteReading",
    "RemoteRewardModel",
    "chat",
    "connection_to",
    "endpoint_of",
    "identify",
    "load_remote",
    "open_remote",
]

CLIENTS: dict[EngineName, dict[str, type[Client]]] = {
    "vllm": {
        "classify": VllmClassify,
        "pooling": VllmPooling,
        "score": VllmScore,
        "rerank": VllmRerank,
        "chat": OpenAiYesNo,
    },
    "sglang": {"classify": SglangClassify, "chat": OpenAiYesNo},
    "tei": {"predict": TeiPredict, "rerank": TeiRerank},
    "openrlhf": {"reward": OpenRlhfReward},
    "openai": {"chat": OpenAiYesNo},
}
"""The routes of each engine, by the name a card gives them; the first is what "auto" takes."""


def load_remote(card: RewardModelCard) -> RewardModel:
    """Connects to the server a card names, finds out what it is, and tries it on a few texts.

    Raises:
        RemoteError: when the settings name no such server, it cannot be reached or identified, or
            what it returns are no rewards; says what to do.
        ModelLoadError: when the card's tokenizer cannot be had.
    """
    if card.family == "judge":
        from core.models.judges import load_judge

        return load_judge(card, device="cpu")  # which a judge behind a server has no use for
    return open_remote(card, connection_to(endpoint_of(card)))


def open_remote(card: RewardModelCard, connection: Connection) -> RemoteRewardModel:
    """The same over a connection that is there already.

    Raises:
        RemoteError: as `load_remote`.
        ModelLoadError: when the card's tokenizer cannot be had.
    """
    identity = identify(connection)
    client = make_client(connection, identity, card, card.remote or RemotePart())
    # A judge by one word reads a question about the conversation, which no tokenizer here renders.
    tokenizer = None if isinstance(client, OpenAiYesNo) else load_tokenizer_of(card)
    model = RemoteRewardModel(card, client, Renderer(card, tokenizer), identity)
    model.probe_activation()
    return model


def endpoint_of(card: RewardModelCard) -> Endpoint:
    """The server of the operator's settings that the card names.

    Raises:
        RemoteError: when there is none of that name.
    """
    source = card.source
    if not isinstance(source, RemoteSource):
        raise RemoteError(f"{card.id} is not behind a server.")
    settings = load_settings()
    endpoint = settings.endpoint(source.endpoint)
    if endpoint is None:
        known = ", ".join(item.name for item in settings.endpoints) or "none"
        raise RemoteError(
            f"{card.id}: the settings name no endpoint {source.endpoint!r} (they name: {known}).",
            fix="The operator adds [[endpoints]] with this name and its url to settings.toml.",
        )
    return endpoint


def served_model(card: RewardModelCard, identity: Identity, connection: Connection) -> str:
    """The name to ask the server's model by.

    Raises:
        RemoteError: when the card's is not among the server's, or names none of several.
    """
    source = card.source
    named = source.model if isinstance(source, RemoteSource) else ""
    known = ", ".join(identity.models)
    if named and identity.models and named not in identity.models:
        raise RemoteError(
            f"{connection.place} has no model {named!r}; it has {known}.",
            fix="Correct source.model in the card, or leave it out where there is one.",
        )
    if not named and len(identity.models) > 1:
        raise RemoteError(
            f"{connection.place} has several models ({known}) and the card names none.",
            fix="Set source.model in the card.",
        )
    return named or next(iter(identity.models), "")


def make_client(
    connection: Connection, identity: Identity, card: RewardModelCard, part: RemotePart
) -> Client:
    """The client for the card's route on the engine that answered.

    Raises:
        RemoteError: when the engine has no such route, or the route cannot take the card's input.
    """
    routes = CLIENTS[identity.engine]
    route = _auto_route(identity, card) if part.route == "auto" else part.route
    kind = routes.get(route)
    engine = ENGINE_TITLES[identity.engine]
    if kind is None:
        raise RemoteError(
            f"{card.id}: {engine} has no route {route!r} (it has: {', '.join(routes)}).",
            fix="Correct remote.route in the card, or set it to auto.",
        )
    _check_form(card, kind, engine)
    model = served_model(card, identity, connection)
    if kind is TeiPredict:
        return TeiPredict(
            connection, model, card, max_rows=identity.max_rows, labels=identity.labels
        )
    if kind is TeiRerank:
        return TeiRerank(connection, model, card, max_rows=identity.max_rows)
    return kind(connection, model, card)


def _auto_route(identity: Identity, card: RewardModelCard) -> str:
    paired = card.input.form == "text-pair"
    if identity.engine == "vllm" and paired:
        return "score"
    if identity.engine == "tei" and identity.kind == "reranker":
        return "rerank"
    return next(iter(CLIENTS[identity.engine]))


def _check_form(card: RewardModelCard, kind: type[Client], engine: str) -> None:
    paired = card.input.form == "text-pair"
    if paired and not kind.reads_pairs:
        raise RemoteError(
            f"{card.id}: {engine} {kind.route} reads one text, and the card's input is a pair.",
            fix="Set remote.route to a route for pairs, or input.form to chat-template.",
        )
    if not paired and not kind.reads_chats:
        raise RemoteError(
            f"{card.id}: {engine} {kind.route} joins two texts its own way, which is not the "
            "template of a chat reward model.",
            fix="For a cross-encoder set family and input.form to text-pair; else set "
            "remote.route to classify.",
        )
    rendered = card.input.form == "raw-template" or (
        card.remote is not None and card.remote.tokenizer is not None
    )
    if kind.needs_text and not paired and not rendered:
        raise no_text(kind.route, kind.needs_text)
