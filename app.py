"""The reward workbench: navigation and page set-up. Start it with `streamlit run app.py`."""

from pathlib import Path

import streamlit as st

from app_pages.common.service import warm_up

IMAGES = Path(__file__).parent / "app_pages" / "common"

st.set_page_config(
    page_title="Reward workbench",
    page_icon=str(IMAGES / "mark.svg"),
    layout="wide",
)
st.logo(str(IMAGES / "logo.svg"), size="large")
warm_up()

# A section without a name stands in the bar itself; the others open as menus.
SECTIONS = {
    "": [
        st.Page(
            "app_pages/play/playground.py",
            title="Playground",
            icon=":material/edit_note:",
            default=True,
        ),
        st.Page(
            "app_pages/compare/compare.py",
            title="Compare",
            icon=":material/compare_arrows:",
            url_path="compare",
        ),
    ],
    "Labs": [
        st.Page(
            "app_pages/labs/prompt_awareness.py",
            title="Prompt awareness",
            icon=":material/psychology_alt:",
            url_path="prompt-awareness",
        ),
        st.Page(
            "app_pages/labs/invariance.py",
            title="Counterfactual invariance",
            icon=":material/balance:",
            url_path="invariance",
        ),
        st.Page(
            "app_pages/labs/tool_errors.py",
            title="Tool errors",
            icon=":material/build_circle:",
            url_path="tool-errors",
        ),
        st.Page(
            "app_pages/labs/task_order.py",
            title="Task order",
            icon=":material/format_list_numbered:",
            url_path="task-order",
        ),
        st.Page(
            "app_pages/labs/collapse.py",
            title="Collapse",
            icon=":material/compress:",
            url_path="collapse",
        ),
        st.Page(
            "app_pages/labs/diversity.py",
            title="Diversity",
            icon=":material/diversity_3:",
            url_path="diversity",
        ),
        st.Page(
            "app_pages/labs/self_rewarding.py",
            title="Self-rewarding",
            icon=":material/cached:",
            url_path="self-rewarding",
        ),
        st.Page(
            "app_pages/labs/reasoning.py",
            title="Reasoning",
            icon=":material/gavel:",
            url_path="reasoning",
        ),
        st.Page(
            "app_pages/labs/verifier_free.py",
            title="Verifier-free",
            icon=":material/rule_folder:",
            url_path="verifier-free",
        ),
        st.Page(
            "app_pages/labs/other_rewards.py",
            title="Other rewards",
            icon=":material/category:",
            url_path="other-rewards",
        ),
    ],
    "Evaluate": [
        st.Page(
            "app_pages/evaluate/evaluate.py",
            title="Evaluate",
            icon=":material/fact_check:",
            url_path="evaluate",
        ),
        st.Page(
            "app_pages/results/runs.py",
            title="Saved runs",
            icon=":material/folder_open:",
            url_path="runs",
        ),
    ],
    "Setup": [
        st.Page(
            "app_pages/setup/models.py",
            title="Models",
            icon=":material/deployed_code:",
            url_path="models",
        ),
    ],
}

page = st.navigation(
    {section: pages for section, pages in SECTIONS.items() if pages}, position="top"
)
page.run()
