"""Files and data sets become validated tables of conversations, and rewards become files again.

`files` reads rows, `cells` and `shapes` understand them, `conversations` gives them ids and pairs,
`results` joins the rewards to them and `writing` saves the result. Mistakes are found by row and
column; one bad row never sinks the rest.
"""

from core.tables.conversations import ConversationTable, Entry, PairEntry, read_conversations
from core.tables.files import (
    INPUT_SUFFIXES,
    InputRow,
    InputTable,
    RowProblem,
    parse_table,
    read_table,
    table_from_frame,
)
from core.tables.results import INPUT_SUFFIX, pairs_table, scores_table
from core.tables.shapes import SHAPES, Shape
from core.tables.writing import (
    OUTPUT_SUFFIXES,
    check_output,
    json_ready,
    write_atomically,
    write_table,
)

__all__ = [
    "INPUT_SUFFIX",
    "INPUT_SUFFIXES",
    "OUTPUT_SUFFIXES",
    "SHAPES",
    "ConversationTable",
    "Entry",
    "InputRow",
    "InputTable",
    "PairEntry",
    "RowProblem",
    "Shape",
    "check_output",
    "json_ready",
    "pairs_table",
    "parse_table",
    "read_conversations",
    "read_table",
    "scores_table",
    "table_from_frame",
    "write_atomically",
    "write_table",
]
