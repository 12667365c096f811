"""Taking it along: the table of versions with its manifest, and the lines of Python."""

import json
from collections.abc import Sequence

import streamlit as st

from app_pages.common.service import noise_floor, reward_service
from app_pages.common.session import workspace
from core.manifest import Manifest, make_manifest, model_record
from core.report import build_report, result_sections
from core.schema import Message
from core.versions import VersionTree


def export(models: Sequence[str]) -> bool:
    """Draws the downloads and the Python that reproduces the numbers; nothing here waits."""
    space = workspace()
    left, right = st.columns([0.36, 0.64], gap="large")
    with left:
        _downloads(space.tree, list(models))
    with right:
        st.markdown("**As Python** · the same numbers from a script or notebook")
        code = as_python(models, space.tree.pinned.messages, space.tree.current.messages)
        st.code(code, language="python", wrap_lines=True)
    return False


def _downloads(tree: VersionTree, models: list[str]) -> None:
    st.markdown(f"**Table of versions** · {len(tree)} rows")
    st.caption(
        "One row a version: parent, label, prompt, response and each model's reward. The manifest "
        "says what gave the numbers: model, revision, dtype, template and library versions. The "
        "HTML file is a report that opens without this app."
    )
    # Made when clicked: the manifest asks each model, which may have to be loaded for it.
    for name, icon, mime, content in (
        ("versions.csv", "table", "text/csv", lambda: versions_csv(tree)),
        (
            "versions.csv.manifest.json",
            "description",
            "application/json",
            lambda: manifest_json(tree, models),
        ),
        ("versions.json", "data_object", "application/json", lambda: versions_json(tree, models)),
        ("versions.html", "lab_profile", "text/html", lambda: report_html(tree, models)),
    ):
        st.download_button(
            name,
            content,
            file_name=name,
            mime=mime,
            icon=f":material/{icon}:",
            key=f"download-{name}",
            on_click="ignore",
            width="stretch",
        )


def versions_csv(tree: VersionTree) -> bytes:
    """The table of versions as CSV."""
    return tree.to_frame().to_csv(index=False).encode("utf-8", "backslashreplace")


def manifest_json(tree: VersionTree, models: Sequence[str]) -> bytes:
    """The manifest of the table of versions."""
    return _json(_manifest(tree, models).to_dict())


def versions_json(tree: VersionTree, models: Sequence[str]) -> bytes:
    """Every version with its messages and rewards, and the manifest, in one file."""
    return _json({"manifest": _manifest(tree, models).to_dict(), **tree.to_dict()})


def report_html(tree: VersionTree, models: Sequence[str]) -> bytes:
    """The history as a self-contained report."""
    options = {"noise_floors": {model: noise_floor(model) for model in models}}
    text = build_report(
        result_sections("versions", {"versions": tree.to_frame()}, options),
        _manifest(tree, models).to_dict(),
        as_python(models, tree.pinned.messages, tree.current.messages),
        f"{len(tree)} versions of a conversation",
        options=options,
        subtitle="playground",
    )
    return text.encode("utf-8", "backslashreplace")


def _manifest(tree: VersionTree, models: Sequence[str]) -> Manifest:
    scored = [name for name in models if any(name in version.rewards for version in tree)]
    records = [model_record(reward_service().model(name)) for name in scored]
    details = {"rows": len(tree), "baseline": tree.pinned.id, "current": tree.current.id}
    return make_manifest("versions", records, details=details)


def _json(content: object) -> bytes:
    text = json.dumps(content, ensure_ascii=False, indent=2)
    return text.encode("utf-8", "backslashreplace")


def as_python(
    models: Sequence[str], baseline: Sequence[Message], conversation: Sequence[Message]
) -> str:
    """The lines that give the rewards of the baseline and of the version on screen."""
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
            'table["change"] = table["reward"] - table["baseline"]',
            "print(table)",
        ]
    )


def _literal(messages: Sequence[Message]) -> str:
    turns = [f"    {json.dumps(dict(message), ensure_ascii=False)}," for message in messages]
    return "\n".join(["[", *turns, "]"])
