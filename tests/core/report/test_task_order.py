"""The report of the task order lab, from real findings and from few tables."""

import numpy as np

from core.labs.task_order.assumptions import check_assumptions
from core.labs.task_order.classic import recorded_classic
from core.labs.task_order.comparison import compare
from core.labs.task_order.entropy import entropy_traces
from core.labs.task_order.evaluations import read_evaluations
from core.labs.task_order.measured import transfer_of
from core.labs.task_order.orders import rank_orders
from core.labs.task_order.survival import drawn_transfer, survival
from core.labs.task_order.tables import Findings, to_tables
from core.report import result_sections
from core.report.kinds.task_order import KIND
from tests.core.labs.task_order.planted import example, planted_table


def test_everything_that_was_found_is_told():
    read = read_evaluations(planted_table(example(), n_problems=6, spread=0.05))
    ranking = rank_orders(transfer_of(read))
    found = Findings(
        ranking,
        ranking.worst,
        np.array([0.6, 0.5, 0.7]),
        survival(ranking, drawn_transfer(read, n_draws=20), method="20 draws"),
        compare(read, n_draws=20),
        check_assumptions(read, n_draws=20),
        recorded_classic(read, n_draws=5),
        entropy_traces(read, n_draws=5),
        {"no finite score": 3},
    )
    tables = to_tables(found)
    sections = result_sections(KIND, tables, {"chosen": "b > a > c", "source": "planted"})
    headings = [section.heading for section in sections]
    assert headings == [
        "Which order ends best?", "Predicted against observed", "Do the assumptions hold?",
        "Continual-learning numbers", "Entropy", "What was left out",
    ]  # fmt: skip
    assert any("stays best in 100%" in note for note in sections[0].notes)
    assert len(sections[0].figures) == 3
    assert "joint training 0.600" in str(sections[0].figures[1].layout.annotations)
    marks = tables["orders"].set_index("order")["mark"]
    assert marks["b > a > c"] == "worst, paper's greedy rule, chosen"
    assert tables["left_out"]["n"].sum() == 3


def test_typed_in_numbers_alone_make_one_section():
    ranking = rank_orders(example())
    sections = result_sections(KIND, to_tables(Findings(ranking, ranking.best)), {})
    assert [section.heading for section in sections] == ["Which order ends best?"]


def test_of_very_many_orders_the_ends_and_the_named_ones_are_kept():
    from tests.core.labs.task_order.test_transfer import random_transfer

    ranking = rank_orders(random_transfer(np.random.default_rng(0), 8))
    table = to_tables(Findings(ranking, ranking.orders[20_000]))["orders"]
    assert len(table) < 5_100
    assert table["order"].iloc[0] == ranking.named(ranking.best)
    assert table["order"].iloc[-1] == ranking.named(ranking.worst)
    assert (table["mark"] == "chosen").sum() == 1
