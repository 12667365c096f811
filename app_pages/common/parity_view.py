"""Parity of two models on the page: ten texts through both, one click, the differences in words."""

import streamlit as st

from app_pages.common.background import look_again, tasks
from app_pages.common.markup import plain
from app_pages.common.service import model_titles, reward_service
from core.engine.parity import ParityReport, check_parity
from core.models.card import RemoteSource
from core.models.catalogue import list_cards

_LABELS = {
    "same": ("the same rewards", "green", ":material/verified:"),
    "same but for offset and scale": ("offset or scale", "orange", ":material/straighten:"),
    "same order": ("same order only", "orange", ":material/swap_vert:"),
    "different": ("different", "red", ":material/difference:"),
    "unclear": ("too few rewards", "gray", ":material/help:"),
}


def parity_view() -> None:
    """Two models to choose, a button, and what came of it."""
    st.caption(
        "One model behind two engines, or here and behind a server, should give one reward. The "
        "same ten texts go through both."
    )
    titles = model_titles()
    names = list(titles)
    if len(names) < 2:
        st.caption("It takes two models.")
        return
    columns = st.columns([0.38, 0.38, 0.24], vertical_alignment="bottom")
    chosen = [
        column.selectbox(
            label,
            names,
            index=names.index(_defaults(names)[place]),
            format_func=lambda name: titles.get(name, name),
            key=f"parity-{place}",
            help="Any model of the catalogue; it is loaded when it is asked.",
        )
        for place, (column, label) in enumerate(
            zip(columns[:2], ("First model", "Second model"), strict=True)
        )
    ]
    first, second = (str(name) for name in chosen)
    columns[2].button(
        "Compare",
        key="parity-run",
        icon=":material/compare_arrows:",
        on_click=_run,
        args=(first, second),
        disabled=first == second,
        width="stretch",
        help="Scores ten short texts with both models.",
    )
    outcome = tasks().known(_key(first, second))
    if outcome is None:
        return
    if outcome.state == "running":
        st.caption(":material/hourglass_empty: Scoring ten texts with both …")
        look_again()
    elif outcome.state == "failed":
        st.text(outcome.error)
    else:
        _show(outcome.value)


def _defaults(names: list[str]) -> tuple[str, str]:
    """What is offered first: two models behind servers, or one and the small one that is here."""
    far = {card.id for card in list_cards() if isinstance(card.source, RemoteSource)}
    here = [name for name in ("pocket", *names) if name in names]
    wanted = list(dict.fromkeys([*(name for name in names if name in far), *here]))
    return wanted[0], wanted[1]


def _key(first: str, second: str) -> tuple[str, str, str]:
    return ("parity", first, second)


def _run(first: str, second: str) -> None:
    key = _key(first, second)
    known = tasks().known(key)
    if known is not None and known.state != "running":
        tasks().forget(key)
    tasks().outcome(key, lambda: check_parity(reward_service(), first, second))


def _show(report: ParityReport) -> None:
    label, color, icon = _LABELS[report.verdict]
    st.badge(label, color=color, icon=icon)
    st.markdown(plain(report.reading))
    lines = zip((report.first, report.second), report.reads, strict=True)
    st.caption(plain("Compared: " + "; ".join(f"{name}: {how}" for name, how in lines) + "."))
    rank = report.rank_correlation
    formats = [dtype or "format not told" for dtype in report.dtypes]
    facts = [
        f"largest difference {report.largest:.3g}",
        f"allowed {report.tolerance:.3g} ({' and '.join(formats)})",
        f"rank correlation {rank.value:.3f} [{rank.low:.3f}, {rank.high:.3f}], n = {rank.n}",
    ]
    if report.line is not None:
        line = report.line
        facts.append(
            f"second = {line.offset:.3g} [{line.offset_low:.3g}, {line.offset_high:.3g}] + "
            f"{line.scale:.3g} [{line.scale_low:.3g}, {line.scale_high:.3g}] × first"
        )
    facts += [f"{count} texts: {reason}" for reason, count in report.left_out.items()]
    st.caption(plain(" · ".join(facts)))
    shown = report.table.rename(columns={"first": report.first, "second": report.second})
    if not shown["error"].any():
        shown = shown.drop(columns="error")
    # Numbers first: in half a page the texts leave no room beside them.
    texts = ["prompt", "response"]
    shown = shown[[*(name for name in shown.columns if name not in texts), *texts]]
    st.dataframe(shown, hide_index=True, key="parity-table", alt="Rewards of the ten texts")
