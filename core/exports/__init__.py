"""Results for other tools: preference pairs, tables with their manifest, figures as pictures."""

from core.exports.figures import PICTURE_SUFFIXES, FigureError, figure_config, write_figure
from core.exports.pairs import (
    ANNOTATED_PAIRS_VERSION,
    LABEL_ANNOTATOR,
    PAIR_INPUT,
    PairExport,
    annotated_bytes,
    annotated_pairs,
    dpo_bytes,
    dpo_records,
    model_annotator,
    transcript,
    write_annotated_pairs,
    write_dpo,
)
from core.exports.tables import (
    export_table,
    file_stem,
    manifest_bytes,
    table_bytes,
    tables_archive,
)

__all__ = [
    "ANNOTATED_PAIRS_VERSION",
    "LABEL_ANNOTATOR",
    "PAIR_INPUT",
    "PICTURE_SUFFIXES",
    "FigureError",
    "PairExport",
    "annotated_bytes",
    "annotated_pairs",
    "dpo_bytes",
    "dpo_records",
    "export_table",
    "figure_config",
    "file_stem",
    "manifest_bytes",
    "model_annotator",
    "table_bytes",
    "tables_archive",
    "transcript",
    "write_annotated_pairs",
    "write_dpo",
    "write_figure",
]
