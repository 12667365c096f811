"""The servers of the operator's settings: what each is, whether it answers, whether its cards hold.

Addresses are the operator's: nothing here takes one from a visitor.
"""

import streamlit as st

from app_pages.common.background import Outcome, look_again, tasks
from app_pages.common.conformance import conformance_report
from app_pages.common.hosting import is_local
from app_pages.common.markup import plain
from app_pages.common.service import conformance, forget_titles, known_conformance, recheck
from core.engine.conformance import ConformanceReport
from core.engine.remote_conformance import ACTIVATION_LINE, UNCLEAR_START
from core.errors import WorkbenchError
from core.models.card import RemotePart, RemoteSource, RewardModelCard
from core.models.catalogue import list_cards, store_card
from core.models.remote.identify import Identity
from core.models.remote.suggest import EndpointStatus, look_at, suggest_card
from core.settings import Endpoint, load_settings

EXAMPLE = """[[endpoints]]
name = "lab"
url = "http://gpu-7:8000"
api_key_env = "LAB_KEY"   # only where the server wants a key
"""
PROBLEM = "remote-problem"


def remote_engines() -> None:
    """One box for each server, with its cards."""
    st.caption(
        "Reward models behind vLLM, SGLang, text-embeddings-inference, OpenRLHF's reward server or "
        "a chat server. Their addresses stand in the operator's settings; check each card here "
        "before you trust its numbers."
    )
    endpoints = load_settings().endpoints
    if not endpoints:
        st.caption("The settings name no server yet. The operator adds one to settings.toml:")
        st.code(EXAMPLE, language="toml")
        return
    problem = st.session_state.pop(PROBLEM, "")
    if problem:
        st.warning(plain(problem), icon=":material/warning:")
    outcomes = [_endpoint(endpoint) for endpoint in endpoints]
    if any(outcome is not None and outcome.state == "running" for outcome in outcomes):
        look_again()


def _endpoint(endpoint: Endpoint) -> Outcome | None:
    """Draws one server; returns what is still waited for, if anything."""
    looked = tasks().outcome(_key(endpoint), lambda: look_at(endpoint))
    waiting: list[Outcome] = [looked]
    with st.container(border=True, key=f"endpoint-{endpoint.name}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(endpoint.name)}**", width="stretch")
            _badge(looked)
            st.button(
                "Look again",
                key=f"look-{endpoint.name}",
                icon=":material/refresh:",
                on_click=tasks().forget,
                args=(_key(endpoint),),
                help="Asks the server anew what it is.",
            )
        if looked.state == "failed":
            st.text(looked.error)
        status: EndpointStatus | None = looked.value
        if status is not None:
            _identity(endpoint, status)
        cards = [card for card in list_cards() if _is_at(card, endpoint)]
        for card in cards:
            waiting.append(_card(card))
        if status is not None and status.identity is not None:
            _offer(endpoint, status.identity, cards)
    return next((outcome for outcome in waiting if outcome.state == "running"), None)


def _key(endpoint: Endpoint) -> tuple[str, Endpoint]:
    return ("endpoint", endpoint)


def _is_at(card: RewardModelCard, endpoint: Endpoint) -> bool:
    return isinstance(card.source, RemoteSource) and card.source.endpoint == endpoint.name


def _badge(looked: Outcome) -> None:
    if looked.state == "running":
        st.badge("asking", icon=":material/hourglass_empty:", color="gray")
        return
    status: EndpointStatus | None = looked.value
    if status is None or status.identity is None:
        st.badge("no answer", icon=":material/link_off:", color="red")
    elif status.healthy or status.identity.engine in ("openrlhf", "openai"):
        st.badge("answers", icon=":material/check_circle:", color="green")
    else:
        st.badge("answers, not healthy", icon=":material/warning:", color="orange")


def _identity(endpoint: Endpoint, status: EndpointStatus) -> None:
    identity = status.identity
    if identity is None:
        st.text(status.problem)
        return
    facts = [
        identity.title,
        ", ".join(identity.models) or "names no model",
        f"revision {identity.revision}" if identity.revision else "",
        identity.dtype or "number format not told",
        f"reads up to {identity.max_length:,} tokens" if identity.max_length else "",
        f"answered in {1000 * identity.seconds:.0f} ms",
        endpoint.url if is_local() else "",
    ]
    st.caption(plain(" · ".join(fact for fact in facts if fact)))


def _card(card: RewardModelCard) -> Outcome:
    """One card at this server: how its check ended, and what to do."""
    outcome = known_conformance(card.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Card **{plain(card.id)}**", width="stretch")
        if outcome is not None and outcome.state == "done":
            _flags(outcome.value)
        elif outcome is not None and outcome.state == "failed":
            st.badge("no rewards", icon=":material/error:", color="red")
        st.button(
            "Check" if outcome is None else "Check again",
            key=f"check-remote-{card.id}",
            icon=":material/verified:",
            disabled=outcome is not None and outcome.state == "running",
            on_click=conformance if outcome is None else recheck,
            args=(card.id,),
            help="Connects and asks for some fifty short texts: activation, batches, order, "
            "truncation, determinism.",
        )
    st.caption(plain(_asks(card)))
    if outcome is None:
        return Outcome("done")
    if outcome.state == "running":
        st.caption(":material/hourglass_empty: Connecting and checking …")
    elif outcome.state == "failed":
        st.text(outcome.error)
    else:
        _report(card, outcome.value)
    return outcome


def _asks(card: RewardModelCard) -> str:
    part = card.remote or RemotePart()
    activated = "raw values" if part.activated == "no" else "a sigmoid, which is undone"
    counts = "counted here" if part.tokenizer is not None else "not counted here"
    return f"route {part.route} · expects {activated} · tokens {counts}"


def _flags(report: ConformanceReport) -> None:
    failing = [line for line in report.lines if line.verdict == "fails"]
    squashed = [line for line in failing if line.name == ACTIVATION_LINE]
    for line in squashed:
        sure = line.detail.startswith("Activated")
        label = "activated" if sure else "perhaps activated"
        label = label if sure or line.detail.startswith(UNCLEAR_START) else "check activation"
        st.badge(label, icon=":material/compress:", color="red" if sure else "orange")
    others = len(failing) - len(squashed)
    if not failing:
        st.badge("conforms", icon=":material/verified:", color="green")
    elif others:
        more = "more " if squashed else ""
        st.badge(f"{others} {more}failed", icon=":material/warning:", color="orange")


def _report(card: RewardModelCard, report: ConformanceReport) -> None:
    for line in report.lines:
        if line.verdict == "fails":
            st.markdown(f":material/warning: **{plain(line.name)}**: {plain(line.detail)}")
            if line.fix:
                st.caption(f"What to do: {plain(line.fix)}")
    _repair(card, report)
    with st.expander("All checks", key=f"report-{card.id}", on_change="rerun") as box:
        if box.open:
            conformance_report(report)


def _repair(card: RewardModelCard, report: ConformanceReport) -> None:
    """The change of the card that a failing line asks for, in one click where that is allowed."""
    line = next((line for line in report.lines if line.name == ACTIVATION_LINE), None)
    if line is None or line.verdict != "fails" or card.remote is None:
        return
    if "remote.activated to" not in line.fix:
        return
    wanted = "no" if card.remote.activated == "sigmoid" else "sigmoid"
    if not is_local():
        st.caption("Cards are changed by whoever runs the workbench.")
        return
    st.button(
        f"Set remote.activated to {wanted}",
        key=f"repair-{card.id}",
        icon=":material/build:",
        on_click=_set_activated,
        args=(card, wanted),
        help="Writes the card into your own folder, connects again and repeats the check.",
    )


def _set_activated(card: RewardModelCard, wanted: str) -> None:
    part = (card.remote or RemotePart()).model_copy(update={"activated": wanted})
    try:
        store_card(card.model_copy(update={"remote": part}), replace=True)
    except (WorkbenchError, OSError) as error:
        st.session_state[PROBLEM] = str(error)
        return
    forget_titles()
    recheck(card.id)


def _offer(endpoint: Endpoint, identity: Identity, cards: list[RewardModelCard]) -> None:
    """A card to begin with, for each of the server's models that has none."""
    taken = {card.source.model for card in cards if isinstance(card.source, RemoteSource)}
    names = identity.models or ("",)
    single = len(names) == 1
    for name in names:
        if name in taken or (single and cards):
            continue
        st.button(
            "Make a card" if single else f"Make a card for {plain(name)}",
            key=f"card-{endpoint.name}-{name}",
            icon=":material/add:",
            on_click=_make,
            args=(endpoint, identity, name),
            help="Puts a card made from what the server says into your catalogue, and checks it.",
        )


def _make(endpoint: Endpoint, identity: Identity, name: str) -> None:
    try:
        card = store_card(suggest_card(endpoint, identity, name))
    except (WorkbenchError, OSError) as error:
        st.session_state[PROBLEM] = str(error)
        return
    forget_titles()
    conformance(card.id)
