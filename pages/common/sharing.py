"""Taking it along: the link, the table of versions with its manifest, and the lines of Python."""

import json
from collections.abc import Sequence

import streamlit as st

from core.manifest import make_manifest, model_record
from core.schema import Message
from pages.common.markup import plain
from pages.common.service import reward_service
from pages.common.session import workspace


def share_button():
    st.button("Share", icon=":material/link:")


def open_shared_link():
    pass


def export(models: Sequence[str]) -> bool:
    """Draws the downloads and the Python that reproduces the numbers; nothing here waits."""
    space = workspace()
    left, right = st.columns([0.36, 0.64], gap="large")
    with right:
        st.markdown("**As Python** · the same numbers from a script or notebook")
        st.code(
            as_python(models, space.tree.pinned.messages, space.draft), language="python", height=380
        )
    return False


def as_python(
    models: Sequence[str], baseline: Sequence[Message], conversation: Sequence[Message]
) -> str:
    """The lines that give the rewards of the baseline and of the text on screen."""
    return "\n".join(
        [
            "from core.engine.service import get_service",
            "",
            f"models = {list(models)!r}",
            f"baseline = {_literal(baseline)}",
            f"conversation = {_literal(conversation)}",
            "",
            "rewards = get_service().score(models, [baseline, conversation])",
            'table = rewards.pivot(index="model", columns="index", values="reward")',
            'table.columns = ["baseline", "reward"]',
            'print(table.assign(change=table["reward"] - table["baseline"]))',
        ]
    )


def _literal(messages: Sequence[Message]) -> str:
    turns = [
        f'    {{"role": {message["role"]!r}, "content": {message["content"]!r}}},'
        for message in messages
    ]
    return "\n".join(["[", *turns, "]"])
