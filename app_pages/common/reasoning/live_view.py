"""Tab: a judge at work on a pair of one's own; it writes, and its votes are counted as it does."""

import math

import pandas as pd
import streamlit as st

from app_pages.common.markup import Piece, plain, show_pieces
from app_pages.common.reasoning.live_run import Draft, LiveRun, Wish
from app_pages.common.reasoning.words import written_words
from core.models.card import JudgePart, RewardModelCard
from core.models.catalogue import list_cards
from core.models.judges import FORMATS, LOW_MASS, Item
from core.stats import wilson_interval

NAME = "reasoning-live"
FIRST_JUDGE = "smollm2-pair-judge"
POLL_S = 0.6
MOST_SAMPLES = 8
MOST_TOKENS = 1024
EXAMPLE = (
    "What is 15% of 240? Show the steps.",
    "36. Ten percent of 240 is 24, five percent is half of that, 12, and 24 + 12 = 36.",
    "42. A tenth of 240 is 24 and five percent of it is 18, which makes 42 together.",
)
TEXT, WORDS = "what it writes", "probability of the verdict words"


def live_judge() -> None:
    """The whole tab."""
    cards = {card.id: card for card in list_cards() if card.judge is not None}
    if not cards:
        st.info("No card of a judge is installed.", icon=":material/info:")
        return
    card = _choose_card(cards)
    part = card.judge
    if part is None:
        return
    prompt, first, second = _texts()
    samples, settings = _settings(card, part)
    ready = all(text.strip() for text in (prompt, first, second))
    wish = Wish(card.id, Item("live", prompt, (first, second)), samples, settings)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            "Judge",
            type="primary",
            icon=":material/gavel:",
            key=f"{NAME}-go",
            disabled=not ready,
            help="Asks in both orders. What was written before with these texts and settings is "
            "not asked for again.",
        ):
            _stop()
            st.session_state[f"{NAME}-run"] = LiveRun(wish).start()
        if not ready:
            st.caption("Fill in the prompt and both responses.")
    run: LiveRun | None = st.session_state.get(f"{NAME}-run")
    if run is None:
        st.caption(
            "Press Judge: the texts appear as they are written, then the votes are counted and "
            "both orders compared."
        )
        return
    if run.wish != wish:
        st.caption(":material/edit: Something above has changed since this was judged.")
    (_watched if run.running else _shown)()


@st.fragment(run_every=POLL_S)
def _watched() -> None:
    """Draws a run again and again until it ends."""
    run: LiveRun | None = st.session_state.get(f"{NAME}-run")
    if run is None or not run.running:
        st.rerun()
    st.button(
        "Stop",
        icon=":material/stop_circle:",
        key=f"{NAME}-stop",
        on_click=_stop,
        help="Ends the texts that are being written; those that are whole are kept and counted.",
    )
    words = {
        "waiting": "Waiting for the judge: it is loaded once and takes one question at a time.",
        "writing": "Writing …",
    }
    st.caption(words.get(run.state, ""))
    _drafts(run)


def _shown() -> None:
    """Draws a run that has ended."""
    run: LiveRun = st.session_state[f"{NAME}-run"]
    if run.state == "failed":
        st.error(plain(run.error), icon=":material/error:")
        return
    table = run.table if run.table is not None else pd.DataFrame()
    if run.state == "stopped":
        st.info(
            f"Stopped: {len(table)} judgements were whole and are counted.",
            icon=":material/stop_circle:",
        )
    if len(table):
        _summary(run, table)
    _drafts(run)


def _stop() -> None:
    run: LiveRun | None = st.session_state.get(f"{NAME}-run")
    if run is not None:
        run.stop()


def _choose_card(cards: dict[str, RewardModelCard]) -> RewardModelCard:
    ids = sorted(cards, key=lambda name: (name != FIRST_JUDGE, cards[name].source.kind, name))
    chosen = st.selectbox(
        "Judge",
        ids,
        format_func=lambda name: cards[name].title or name,
        key=f"{NAME}-judge",
        persist_state="session",
        help="Every card of family judge. Those with weights on the hub are downloaded on first "
        "use; those on a server need an endpoint in the settings.",
    )
    card = cards.get(chosen or ids[0], cards[ids[0]])
    st.caption(plain(card.summary or card.notes))
    return card


def _texts() -> tuple[str, str, str]:
    prompt = st.text_area(
        "Prompt",
        EXAMPLE[0],
        key=f"{NAME}-prompt",
        height=80,
        persist_state="session",
        help="What both responses answer.",
    )
    left, right = st.columns(2, gap="medium")
    with left:
        first = st.text_area(
            "Response A",
            EXAMPLE[1],
            key=f"{NAME}-a",
            height=120,
            persist_state="session",
            help="Shown first in the order AB.",
        )
    with right:
        second = st.text_area(
            "Response B",
            EXAMPLE[2],
            key=f"{NAME}-b",
            height=120,
            persist_state="session",
            help="Shown first in the order BA.",
        )
    return prompt or "", first or "", second or ""


def _settings(card: RewardModelCard, part: JudgePart) -> tuple[int, tuple[tuple[str, object], ...]]:
    """Samples of each order, and what differs from the card."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        reading = TEXT
        if FORMATS[part.format].words(2):
            reading = (
                st.segmented_control(
                    "Verdict from",
                    [TEXT, WORDS],
                    default=WORDS if part.verdict == "log-probability" else TEXT,
                    required=True,
                    key=f"{NAME}-reading-{card.id}",
                    persist_state="session",
                    help="Either the judge writes and its text is read, or it writes nothing and "
                    "the probabilities of the verdict words are compared.",
                )
                or TEXT
            )
        writes = reading == TEXT
        samples = st.number_input(
            "Texts of each order",
            1,
            MOST_SAMPLES,
            min(part.samples, 4),
            key=f"{NAME}-samples-{card.id}",
            persist_state="session",
            disabled=not writes,
            help="Each is one vote.",
            width=150,
        )
        temperature = st.number_input(
            "Temperature",
            0.0,
            2.0,
            float(part.temperature),
            0.1,
            key=f"{NAME}-temperature-{card.id}",
            persist_state="session",
            disabled=not writes,
            help="0 takes the likeliest token each time, so one text of each order.",
            width=150,
        )
        tokens = st.number_input(
            "Tokens at most",
            8,
            max(MOST_TOKENS, part.max_new_tokens),
            part.max_new_tokens,
            key=f"{NAME}-tokens-{card.id}",
            persist_state="session",
            disabled=not writes,
            help="A text is cut there; a cut text often has no verdict.",
            width=150,
        )
    settings: tuple[tuple[str, object], ...] = (
        ("verdict", "text" if writes else "log-probability"),
        ("temperature", float(temperature)),
        ("max_new_tokens", int(tokens)),
        ("samples", int(samples)),
        ("both_orders", True),
    )
    return int(samples), settings


def _summary(run: LiveRun, table: pd.DataFrame) -> None:
    """Votes, flips and what could not be read, each with its n."""
    n_unread = int((table["problem"] != "").sum())
    with st.container(border=True):
        if table["verdict"].notna().any():
            _votes(table)
        elif table["scores"].notna().any():
            _scores(table)
        else:
            st.markdown("**No verdict**: none of the texts could be read.")
        low = table["mass"].dropna()
        if len(low) and bool((low < LOW_MASS).any()):
            st.warning(
                f"The verdict words hold as little as {low.min():.0%} of the probability: this "
                "judge would mostly have said something else.",
                icon=":material/warning:",
            )
        told = f"{n_unread} of {len(table)} judgements could not be read and do not count."
        known = f" {run.n_known} were known from before." if run.n_known else ""
        st.caption(f"{told}{known} {run.seconds:.1f} s, {written_words(table['n_tokens'])}.")


def _votes(table: pd.DataFrame) -> None:
    read = table.loc[table["verdict"].notna()]
    counts = {name: int((read["verdict"] == name).sum()) for name in ("A", "B", "tie")}
    columns = st.columns(4)
    for column, name in zip(columns, ("A", "B"), strict=False):
        with column:
            st.metric(
                f"Votes for {name}",
                f"{counts[name]} of {len(read)}",
                help=f"Judgements that could be read and name response {name}, over both orders.",
            )
    decided = read.loc[read["verdict"].isin(["A", "B"])]
    first = int((decided["verdict"] == decided["order"].str[0]).sum())
    with columns[2]:
        st.metric(
            "Shown first wins",
            f"{first} of {len(decided)}",
            help="Verdicts for the response that stood first. A judge without a preference for a "
            "place gives half of them.",
        )
    with columns[3]:
        st.metric(
            "Order flips it",
            _flip(decided),
            help="Whether most verdicts of one order name another response than most of the other "
            "order; open where an order has no verdict, or as many for A as for B.",
        )
    if len(decided):
        told = []
        for what, n in (("Response A is named by", counts["A"]), ("the first place by", first)):
            low, high = wilson_interval(n, len(decided))
            share = n / len(decided)
            told.append(f"{what} {share:.0%} (95 % interval {low:.0%} to {high:.0%})")
        st.caption(
            f"{'; '.join(told)} of {len(decided)} verdicts; Wilson intervals, as if the texts were "
            "independent."
        )
    if counts["tie"]:
        st.caption(f"{counts['tie']} judgements call it a tie.")


def _flip(decided: pd.DataFrame) -> str:
    majority = {}
    for order, rows in decided.groupby("order"):
        margin = int((rows["verdict"] == "A").sum()) - int((rows["verdict"] == "B").sum())
        majority[order] = (margin > 0) - (margin < 0)
    if len(majority) < 2 or 0 in majority.values():
        return "open"
    return "no" if len(set(majority.values())) == 1 else "yes"


def _scores(table: pd.DataFrame) -> None:
    for column, name in zip(st.columns(2), ("A", "B"), strict=True):
        read = table.loc[(table["order"] == name) & table["scores"].notna(), "scores"]
        values = [float(each[0]) for each in read]
        n = len(values)
        with column:
            if not n:
                st.metric(f"Score of {name}", "none", help="No text about it could be read.")
                continue
            mean = sum(values) / n
            spread = math.sqrt(sum((x - mean) ** 2 for x in values) / (n - 1)) if n > 1 else None
            told = "one text" if spread is None else f"standard deviation {spread:.2f}"
            st.metric(f"Score of {name}", f"{mean:.2f}", help=f"Mean of {n}; {told}.")


def _drafts(run: LiveRun) -> None:
    """The texts, a column for each order."""
    drafts = run.drafts()
    orders = list(dict.fromkeys(draft.order for draft in drafts))
    if not orders:
        return
    for column, order in zip(st.columns(len(orders), gap="medium"), orders, strict=True):
        with column:
            if len(order) > 1:
                st.markdown(f"**{' then '.join(order)}**")
                st.caption(f"Response {order[0]} was shown first.")
            else:
                st.markdown(f"**Response {order} alone**")
            for draft in drafts:
                if draft.order == order:
                    with st.container(border=True):
                        _draft(run, draft)


def _draft(run: LiveRun, draft: Draft) -> None:
    span = draft.reading.span if draft.reading is not None else None
    text = draft.text or "…"
    if draft.whole and draft.reading is not None and draft.reading.problem:
        show_pieces([Piece(text, "unread", "no verdict could be read from this text")])
    elif span is None:
        show_pieces([Piece(text)])
    else:
        show_pieces(
            [
                Piece(text[: span[0]]),
                Piece(text[span[0] : span[1]], "verdict", "what the verdict is read from"),
                Piece(text[span[1] :]),
            ]
        )
    if draft.whole:
        _verdict_line(run, draft)
    elif not run.running:
        st.caption(":material/stop_circle: Stopped here; not counted.")


def _verdict_line(run: LiveRun, draft: Draft) -> None:
    table = run.table
    if table is None:
        return
    rows = table.loc[(table["order"] == draft.order) & (table["sample"] == draft.sample)]
    if rows.empty:
        return
    row = rows.iloc[0]
    if row["problem"]:
        st.caption(f":material/help: {plain(str(row['problem']))}")
    elif isinstance(row["verdict"], str):
        sure = "" if math.isnan(row["confidence"]) else f", probability {row['confidence']:.2f}"
        winner = "A tie" if row["verdict"] == "tie" else f"For response {row['verdict']}"
        st.caption(f":material/how_to_vote: {winner}{sure}.")
    elif isinstance(row["scores"], list):
        st.caption(f":material/star: Score {row['scores'][0]:.2f}.")
