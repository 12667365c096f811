"""Sections become one self-contained HTML file: figures live, tables sortable, texts literal.

Nothing is fetched: plotly.js is in the file, once and compressed, and the file's own policy forbids
the browser every connection. All data are compressed and in base64, and become text nodes, so that
no text of a user can become markup or script.
"""

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup
from plotly.io.json import to_json_plotly

import core
from core.exports.tables import file_stem
from core.figures import style
from core.manifest import Manifest
from core.report.section import Section, estimates_table, left_out_lines
from core.report.tables import PackedTable, compress, pack_tables
from core.tables.writing import json_ready, write_atomically

MAX_REPORT_BYTES = 5_000_000
"""What a report aims to stay below; tables lose rows for it, figures do not."""

_ROOM_FOR_PAGES = 400_000
"""Bytes kept for what is not compressed: the first page of each table, the manifest, the Python."""

_MIN_TABLE_BYTES = 200_000

DEFAULT_HEIGHT = 420
"""Height in pixels of a figure that has none of its own."""

_FOLDER = Path(__file__).parent

# Traces that plotly.js draws on the graphics card, with shaders it puts together at run time.
_NEEDS_EVAL = ("gl", "splom", "parcoords", "scatter3d", "surface", "mesh3d", "cone", "streamtube")


@dataclass(frozen=True)
class _Drawing:
    """A figure as the template draws it: its place among all, its file's name, its height."""

    place: int
    name: str
    height: int


@dataclass(frozen=True)
class _Part:
    """A section as the template draws it; tables with their place among all."""

    section: Section
    paragraphs: list[str]
    estimates: list[tuple[int, PackedTable]]
    figures: list[_Drawing]
    tables: list[tuple[int, PackedTable]]
    left_out: list[str]


def build_report(
    sections: Sequence[Section],
    manifest: Manifest | Mapping[str, Any],
    python: str = "",
    title: str = "Report",
    *,
    notes: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    subtitle: str = "",
    max_bytes: int = MAX_REPORT_BYTES,
) -> str:
    """A report as the text of one HTML file.

    Args:
        sections: what it says, in order.
        manifest: what gave the numbers.
        python: the lines that give them again.
        title: its title.
        notes: what a reader must know about all of it.
        options: what the caller chose, as JSON-like values.
        subtitle: a line under the title.
        max_bytes: what the file should stay below; the largest tables keep only their first rows
            where they would exceed it, and say so.
    """
    told = dict(manifest) if isinstance(manifest, Mapping) else manifest.to_dict()
    figures = [figure for section in sections for figure in section.figures]
    plotly_js = _plotly_js() if figures else ""
    drawings = compress(_figures_json(figures)) if figures else ""
    budget = max_bytes - len(plotly_js) - len(drawings) - _ROOM_FOR_PAGES
    parts = _parts(sections, max(budget, _MIN_TABLE_BYTES))
    text = _template().render(
        title=title,
        subtitle=subtitle,
        notes=list(notes),
        parts=parts,
        models=_models(told),
        manifest_json=_pretty(told),
        options_json=_pretty(options) if options else "",
        python=python,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        version=core.__version__,
        css=Markup((_FOLDER / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        js=Markup((_FOLDER / "report.js").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        look=compress(json.dumps(_look())),
        plotly_js=plotly_js,
        drawings=drawings,
        nonce=_nonce([title, python, repr(told), drawings, *_payloads(parts)]),
        allow_eval=any(_needs_eval(figure) for figure in figures),
    )
    # Half a surrogate pair has no UTF-8: it is shown as its code.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_report(text: str, path: Path) -> None:
    """Writes a report.

    Raises:
        TableError: when the file cannot be written.
    """
    data = text.encode("utf-8")
    write_atomically(path, lambda file: file.write(data))


def _parts(sections: Sequence[Section], budget: int) -> list[_Part]:
    tables: list[tuple[str, pd.DataFrame]] = []
    for section in sections:
        if section.estimates:
            tables.append(("Estimates", estimates_table(section.estimates)))
        tables += section.tables.items()
    packed = iter(enumerate(pack_tables(tables, budget)))
    places = itertools.count()
    return [
        _Part(
            section=section,
            paragraphs=[each.strip() for each in section.text.split("\n\n") if each.strip()],
            estimates=[next(packed)] if section.estimates else [],
            figures=[
                _Drawing(
                    place=next(places),
                    name=file_stem(f"{section.heading}-{number}".lower()),
                    height=int(figure.layout.height or DEFAULT_HEIGHT),
                )
                for number, figure in enumerate(section.figures, start=1)
            ],
            tables=[next(packed) for _ in section.tables],
            left_out=left_out_lines(section),
        )
        for section in sections
    ]


def _payloads(parts: Sequence[_Part]) -> list[str]:
    return [table.payload for part in parts for _, table in (*part.estimates, *part.tables)]


def _figures_json(figures: Sequence[go.Figure]) -> str:
    drawn = []
    for figure in figures:
        content = figure.to_dict()
        # The report has a template of its own for light and dark; Plotly's is 7 kB a figure.
        content.get("layout", {}).pop("template", None)
        drawn.append({"data": content.get("data", []), "layout": content.get("layout", {})})
    return str(to_json_plotly(drawn, engine="json"))


def _needs_eval(figure: go.Figure) -> bool:
    return any(mark in (trace.type or "") for trace in figure.data for mark in _NEEDS_EVAL)


def _look() -> dict[str, Any]:
    """The house's colours, for the template that report.js makes for light and for dark."""
    return {
        "colorway": list(style.SERIES),
        "sequential": style.SEQUENTIAL,
        "diverging": style.DIVERGING,
    }


@cache
def _plotly_js() -> str:
    from plotly.offline import get_plotlyjs

    return compress(get_plotlyjs())


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _nonce(texts: Sequence[str]) -> str:
    """What marks our own scripts: a hash over the report's content, which no text can foresee."""
    whole = "\0".join(texts)
    return hashlib.sha256(whole.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _models(manifest: Mapping[str, Any]) -> list[dict[str, str]]:
    """The manifest's models as rows of texts; the whole of it is shown as JSON below."""
    fields = ("id", "dtype", "device", "max_length", "revision", "template_hash", "fingerprint")
    models = manifest.get("models") or ()
    return [
        {name: str(model.get(name) or "–") for name in fields}
        for model in models
        if isinstance(model, Mapping)
    ]


def _pretty(value: Any) -> str:
    return json.dumps(json_ready(value), ensure_ascii=False, indent=2)
