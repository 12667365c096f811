"""The report's file: all in it, nothing fetched, every text of a user literal, below its size."""

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from core.errors import TableError
from core.figures.style import frame, literal
from core.manifest import Manifest, ModelRecord, make_manifest
from core.report import MAX_REPORT_BYTES, Section, build_report, estimates_table, write_report
from core.stats import Estimate

EVIL = "<script>alert(1)</script>\u2028</script><img src=x onerror=alert(2)> & \"quoted\" 'so'"
ESTIMATE = Estimate(0.75, 0.6, 0.86, 0.95, 500, 480, "percentile bootstrap", {"no margin": 3})
MODEL = ModelRecord("pocket", "f" * 64, {"kind": "local"}, "rev1", "float32", "cpu", "t" * 64, 2048)


class Page(HTMLParser):
    """What a browser would make of the file: elements with their attributes, and their texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: dict[str, str] = {}
        self._script: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self._script = dict(attrs).get("id") or "code"
            self.scripts[self._script] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is None:
            self.texts.append(data)
        else:
            self.scripts[self._script] += data

    def content(self, name: str) -> Any:
        return json.loads(gzip.decompress(base64.b64decode(self.scripts[name])))


def scatter(text: str = "a") -> go.Figure:
    figure = frame("Margins <b>", "x", "y", height=300)
    return figure.add_scatter(x=np.array([1.0, np.nan]), y=[1, 2], text=literal([text, text]))


def report(*sections: Section, manifest: Manifest | None = None, **options: Any) -> str:
    return build_report(list(sections), manifest or make_manifest("audit", []), **options)


def test_every_text_of_a_user_comes_out_as_written() -> None:
    section = Section(
        heading=f"heading {EVIL}",
        text=f"text {EVIL}",
        estimates={f"estimate {EVIL}": ESTIMATE},
        figures=[scatter(EVIL)],
        tables={
            f"caption {EVIL}": pd.DataFrame({f"column {EVIL}": [f"cell {EVIL}", "x" + EVIL * 9]})
        },
        left_out={f"reason {EVIL}": 2},
        notes=[f"note {EVIL}"],
    )
    page = Page(
        report(
            section,
            manifest=make_manifest("audit", [], details={"file": EVIL}),
            python=f"print({EVIL!r})  # python {EVIL}",
            title=f"title {EVIL}",
            subtitle=f"subtitle {EVIL}",
            notes=[f"general {EVIL}"],
            options={"option": EVIL},
        )
    )
    shown = "".join(page.texts)
    for what in (
        "heading",
        "text",
        "caption",
        "column",
        "cell",
        "reason",
        "note",
        "python",
        "title",
        "subtitle",
        "general",
    ):
        assert f"{what} {EVIL}" in shown.replace("2 left out: ", ""), what
    assert f"estimate {EVIL}: 3 left out: no margin" in shown
    assert "img" not in {tag for tag, _ in page.elements}
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert sum("nonce" in each for each in scripts) == 1
    assert all("nonce" in each or each.get("type") == "text/plain" for each in scripts)


def test_nothing_is_fetched_and_only_our_script_may_run() -> None:
    text = report(Section("Figures", figures=[scatter()]))
    page = Page(text)
    assert not [a for _, a in page.elements if "src" in a or a.get("href", "#")[:1] != "#"]
    (policy,) = [a["content"] for tag, a in page.elements if a.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'nonce-")
    assert "unsafe-eval" not in policy
    (nonce,) = [a["nonce"] for tag, a in page.elements if tag == "script" and "nonce" in a]
    assert f"'nonce-{nonce}'" in policy


def test_the_nonce_depends_on_what_the_report_holds() -> None:
    nonces = {
        re.search(r"nonce-([0-9a-f]{32})", report(Section("A", tables={"t": each}))).group(1)  # type: ignore[union-attr]
        for each in (pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [2]}))
    }
    assert len(nonces) == 2


def test_figures_on_the_graphics_card_may_make_their_shaders() -> None:
    figure = go.Figure(go.Scattergl(x=[1], y=[1]))
    assert "'unsafe-eval'" in report(Section("A", figures=[figure]))


def test_plotly_is_there_once_whatever_the_number_of_figures_and_absent_without() -> None:
    one = report(Section("A", figures=[scatter()]))
    many = report(*[Section(f"{place}", figures=[scatter()] * 5) for place in range(4)])
    none = report(Section("A", tables={"t": pd.DataFrame({"x": [1]})}))
    assert len(many) - len(one) < 40_000
    assert len(none) < 60_000
    assert "plotly" not in Page(none).scripts


def test_figures_are_drawn_as_they_were_given_without_their_template() -> None:
    page = Page(
        report(Section("A", figures=[scatter("first")]), Section("B", figures=[scatter("<b>")]))
    )
    first, second = page.content("drawings")
    assert first["data"][0]["text"] == ["first", "first"]
    assert second["data"][0]["text"] == ["&lt;b&gt;"] * 2
    assert "template" not in first["layout"]
    places = [a["data-place"] for tag, a in page.elements if tag == "figure"]
    assert places == ["0", "1"]
    names = [a["data-name"] for tag, a in page.elements if tag == "figure"]
    assert names == ["a-1", "b-1"]


def test_building_a_report_leaves_the_figure_alone() -> None:
    figure = scatter()
    before = figure.to_json()
    report(Section("A", figures=[figure]))
    assert figure.to_json() == before


def test_tables_can_be_read_by_everybody() -> None:
    page = Page(report(Section("A", tables={"Pairs": pd.DataFrame({"x": [1], "y": ["z"]})})))
    headers = [a for tag, a in page.elements if tag == "th"]
    assert [each["scope"] for each in headers] == ["col", "col"]
    captions = {a["id"] for _, a in page.elements if a.get("id", "").startswith("caption")}
    assert {a["aria-labelledby"] for tag, a in page.elements if tag == "table"} == captions
    identities = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identities) == len(set(identities))
    assert ("html", {"lang": "en"}) in page.elements


def test_estimates_carry_their_interval_n_and_method() -> None:
    table = estimates_table({"accuracy": ESTIMATE})
    assert table.to_dict("records") == [
        {
            "what": "accuracy",
            "value": 0.75,
            "low": 0.6,
            "high": 0.86,
            "interval": "95%",
            "n": 500,
            "prompts": 480,
            "left out": 3,
            "method": "percentile bootstrap",
        }
    ]
    page = Page(
        report(Section("A", estimates={"accuracy": ESTIMATE}, left_out={"tie": 1, "none": 0}))
    )
    assert "accuracy: 3 left out: no margin" in page.texts
    assert "1 left out: tie" in page.texts
    assert not any("none" in text for text in page.texts if "left out" in text)


def test_the_manifest_and_the_models_are_in_it() -> None:
    manifest = make_manifest("audit", [MODEL], seed=7)
    shown = "".join(Page(report(manifest=manifest)).texts)
    assert json.dumps("f" * 64) in shown
    assert '"seed": 7' in shown
    assert "float32" in shown
    assert "2048" in shown


@pytest.mark.parametrize("manifest", [{}, {"models": None}, {"models": ["?"]}, {"models": [{}]}])
def test_a_manifest_that_lacks_things_is_shown_as_it_is(manifest: dict[str, Any]) -> None:
    assert "How it was made" in build_report([], manifest)


def test_half_a_surrogate_pair_does_not_stop_a_report(tmp_path: Path) -> None:
    broken = pd.DataFrame({"t": pd.Series(["\ud83d"], dtype=object)})
    text = report(Section("h \ud83d", tables={"t": broken}), title="\ud83d", python="\ud83d")
    write_report(text, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.content("table-0")["columns"][0]["values"] == ["\ud83d"]
    assert "h \\ud83d" in page.texts


def test_our_style_and_script_end_where_they_should() -> None:
    folder = Path(build_report.__code__.co_filename).parent
    assert "</" not in (folder / "report.css").read_text(encoding="utf-8")
    assert "</script" not in (folder / "report.js").read_text(encoding="utf-8")


def test_python_and_browser_cut_texts_and_pages_alike() -> None:
    from core.report import tables

    code = (Path(tables.__file__).parent / "report.js").read_text(encoding="utf-8")
    assert f"const PAGE_ROWS = {tables.PAGE_ROWS};" in code
    assert f"const FOLD_CHARACTERS = {tables.FOLD_CHARACTERS};" in code


def audit_of_500_pairs() -> list[Section]:
    """Pairs of about 120 tokens a response, and 30 edits of each, texts included."""
    rng = np.random.default_rng(0)
    words = np.array(["".join(rng.choice(list("etaoinshrdlu"), 5)) for _ in range(3000)])

    def text(n: int) -> str:
        return " ".join(rng.choice(words, n))

    chosen = [text(100) for _ in range(500)]
    pairs = pd.DataFrame(
        {
            "pair_id": [f"p{place}" for place in range(500)],
            "prompt": [[{"role": "user", "content": text(30)}] for _ in range(500)],
            "chosen": chosen,
            "rejected": [text(100) for _ in range(500)],
            "margin": rng.normal(size=500),
        }
    )
    battery = pd.DataFrame(
        {
            "pair_id": np.repeat(pairs["pair_id"], 30),
            "perturbation": [f"edit-{place}" for place in range(30)] * 500,
            "edited": [f"{each} {text(3)}" for each in chosen for _ in range(30)],
            "change": rng.normal(size=15_000),
        }
    )
    figures = [scatter() for _ in range(10)]
    for figure in figures:
        figure.add_scatter(
            x=rng.normal(size=500), y=rng.normal(size=500), text=literal(chosen, width=120)
        )
    return [
        Section(
            "Accuracy", estimates={"accuracy": ESTIMATE}, figures=figures, tables={"Pairs": pairs}
        ),
        Section("Battery", tables={"Battery": battery}),
    ]


def test_an_audit_of_500_pairs_stays_below_five_megabytes() -> None:
    sections = audit_of_500_pairs()
    text = report(*sections)
    assert len(text.encode()) < MAX_REPORT_BYTES == 5_000_000
    assert Page(text).content("table-1")["rows"] == 500


def test_rows_that_find_no_room_are_told() -> None:
    sections = audit_of_500_pairs()
    text = report(*sections, max_bytes=3_000_000)
    assert len(text.encode()) < 3_600_000
    kept = Page(text).content("table-2")["rows"]
    assert 0 < kept < 15_000
    assert f"the first {kept:,} of 15,000 rows" in text


def test_a_report_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be written"):
        write_report("text", tmp_path / "absent" / "report.html")
