"""How one row of a benchmark's file is read: its columns become candidates, or say what is wrong.

The columns are those of the authors' data sets. What a file's place says (the subset, the domain)
is in its label: a path, or the name of a data set and its split.
"""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeVar

from core.labs.benchmarks import llmbar, ppe, reward_bench, reward_bench_2
from core.labs.benchmarks.candidates import candidate
from core.labs.benchmarks.ties import BAD_ID
from core.schema import Message, content_id, describe_type
from core.tables.cells import (
    CellError,
    found,
    read_id,
    read_label,
    read_prompt_messages,
    read_text,
    read_texts,
)
from core.tables.files import InputRow, RowProblem

Cell = TypeVar("Cell")
Candidates = list[dict[str, Any]]


class RowFault(Exception):  # noqa: N818 - a row's problem on its way to the table's problems
    """A row that cannot be used."""

    def __init__(self, problem: RowProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class RowReader:
    """Reads the rows of one file of a benchmark.

    Args:
        label: where the rows are from, with slashes; its parts tell subset or domain.
        unit: what a row's number counts: "line" or "row".
    """

    def __init__(self, label: str, unit: str) -> None:
        self.label = label
        self.parts = [part.lower().replace("_", "-") for part in PurePosixPath(label).parts]
        stem = PurePosixPath(label).name.partition(".")[0]
        self.stem = stem.removesuffix("_filtered")
        self._unit = unit

    def rm_bench(self, row: InputRow) -> Candidates:
        """id, prompt, chosen and rejected (lists by style), domain."""
        domain = row.cells.get("domain")
        subset = domain if isinstance(domain, str) else self.stem
        return self._listed(row, subset, self._identifier(row, subset))

    def reward_bench_2(self, row: InputRow) -> Candidates:
        """id, prompt, chosen and rejected (lists), num_correct, subset."""
        subset = self._read(row, "subset", read_text)
        is_ties = subset.lower() == reward_bench_2.TIES.lower()
        own_id = read_id(row.cells.get("id"))
        if is_ties and (own_id is None or own_id.partition(":")[0] not in ("ref", "tied")):
            raise self.fault(row, "id", f"expected ref:<number> or tied:<number>; {BAD_ID}")
        identifier = own_id if is_ties and own_id else self._identifier(row, subset)
        candidates = self._listed(row, subset, identifier)
        n_chosen = sum(one["side"] == "chosen" for one in candidates)
        stated = row.cells.get("num_correct")
        if stated is not None and stated != n_chosen:
            raise self.fault(
                row, "num_correct", f"expected {n_chosen}, as many as in chosen, found {stated!r}"
            )
        return candidates

    def reward_bench(self, row: InputRow) -> Candidates:
        """prompt (text or messages), chosen, rejected, subset, id."""
        prior = next((name for name in reward_bench.PRIOR_SETS if name in self.label), None)
        subset = prior or self._read(row, "subset", read_text)
        return self._pair(
            row,
            subset,
            self._read(row, "chosen", read_text),
            self._read(row, "rejected", read_text),
        )

    def llmbar(self, row: InputRow) -> Candidates:
        """input, output_1, output_2, label."""
        label = self._read(row, "label", read_label)
        outputs = [self._read(row, f"output_{place}", read_text) for place in (1, 2)]
        chosen, rejected = outputs[label - 1], outputs[2 - label]
        return self._pair(row, self._llmbar_subset(), chosen, rejected, prompt_column="input")

    def ppe(self, row: InputRow) -> Candidates:
        """Human preference (response_1, response_2, winner) or samples (response_<k>, scores)."""
        return self._samples(row) if "scores" in row.cells else self._battle(row)

    def fault(self, row: InputRow, column: str, message: str) -> RowFault:
        """What is wrong with a cell of a row."""
        return RowFault(RowProblem(row.number, message, column, self._unit))

    def _battle(self, row: InputRow) -> Candidates:
        winner = self._read(row, "winner", read_text)
        tie = winner.startswith("tie")
        if not tie and winner not in ("model_a", "model_b"):
            raise self.fault(row, "winner", f"expected model_a, model_b or tie, found {winner!r}")
        responses = [self._read(row, f"response_{place}", read_text) for place in (1, 2)]
        models = [self._read(row, f"model_{side}", read_text) for side in "ab"]
        first = 1 if winner == "model_b" else 0
        own: dict[str, Any] = {
            ppe.MODEL_CHOSEN: models[first],
            ppe.MODEL_REJECTED: models[1 - first],
            ppe.TIE: tie,
        }
        return self._pair(row, ppe.HUMAN, responses[first], responses[1 - first], **own)

    def _samples(self, row: InputRow) -> Candidates:
        gold = self._read(row, "scores", read_numbers)
        drawn = row.cells.get("sampled_conflict_pairs")
        pairs = None if drawn is None else self._read(row, "sampled_conflict_pairs", read_pairs)
        subset = self._ppe_set()
        prompt, prompt_id = self._prompt(row, "prompt")
        name = f"{self._identifier(row, subset, 'question_id')}:{row.cells.get('model_name', '')}"
        rows: Candidates = []
        for place, worth in enumerate(gold):
            response = self._read(row, f"response_{place + 1}", read_text)
            own: dict[str, Any] = {"gold": worth, ppe.PAIRS: pairs}
            rows.append(
                candidate(name, prompt_id, prompt, response, place=place, subset=subset, **own)
            )
        return rows

    def _listed(self, row: InputRow, subset: str, identifier: str) -> Candidates:
        prompt, prompt_id = self._prompt(row, "prompt")
        rows: Candidates = []
        for side in ("chosen", "rejected"):
            for place, response in enumerate(self._read(row, side, read_texts)):
                made = candidate(
                    identifier, prompt_id, prompt, response, side=side, place=place, subset=subset
                )
                rows.append(made)
        return rows

    def _pair(
        self,
        row: InputRow,
        subset: str,
        chosen: str,
        rejected: str,
        *,
        prompt_column: str = "prompt",
        **own: Any,
    ) -> Candidates:
        prompt, prompt_id = self._prompt(row, prompt_column)
        name = self._identifier(row, subset)
        return [
            candidate(name, prompt_id, prompt, response, side=side, subset=subset, **own)
            for side, response in (("chosen", chosen), ("rejected", rejected))
        ]

    def _prompt(self, row: InputRow, column: str) -> tuple[list[Message], str]:
        messages = self._read(row, column, read_prompt)
        return messages, content_id(messages)

    def _identifier(self, row: InputRow, subset: str, column: str = "id") -> str:
        own = read_id(row.cells.get(column))
        return f"{subset}:{own if own is not None else f'row {row.number}'}"

    def _llmbar_subset(self) -> str:
        """The subset that the label's last telling part names."""
        kinds = {name.rpartition("-")[2]: name for name in llmbar.EXPECTED}
        for part in reversed(self.parts):
            words = part.partition(".")[0].split("-")
            known = next((kinds[word] for word in words if word in kinds), None)
            if known:
                return known
        return self.stem

    def _ppe_set(self) -> str:
        # "math" last: no other set's name contains it, but a folder above may.
        keys = {"mmlu": "mmlu-pro", "gpqa": "gpqa", "ifeval": "ifeval", "mbpp": "mbpp-plus"}
        for part in reversed(self.parts):
            for key, name in {**keys, "math": "math"}.items():
                if key in part:
                    return name
        return self.stem

    def _read(self, row: InputRow, column: str, reader: Callable[[Any], Cell]) -> Cell:
        try:
            return reader(row.cells.get(column))
        except CellError as error:
            raise self.fault(row, column, error.message) from error


READERS: Mapping[str, Callable[[RowReader, InputRow], Candidates]] = {
    "rm-bench": RowReader.rm_bench,
    "llmbar": RowReader.llmbar,
    "rewardbench": RowReader.reward_bench,
    "rewardbench2": RowReader.reward_bench_2,
    "ppe": RowReader.ppe,
}
"""How each benchmark's rows are read."""


def read_prompt(cell: Any) -> list[Message]:
    """A prompt as messages: a text is one user turn.

    Raises:
        CellError: when it is neither text nor messages.
    """
    if isinstance(cell, str) and not cell.lstrip().startswith("[{"):
        return [{"role": "user", "content": cell}]
    try:
        return read_prompt_messages(cell)
    except CellError:
        if isinstance(cell, str):
            return [{"role": "user", "content": cell}]
        raise


def read_numbers(cell: Any) -> list[float]:
    """A list of numbers, or of true and false as 1 and 0.

    Raises:
        CellError: names the item that is neither.
    """
    if not isinstance(cell, list) or not cell:
        raise CellError(f"expected a list of numbers, found {found(cell)}")
    for place, item in enumerate(cell, start=1):
        if not isinstance(item, bool | int | float):
            raise CellError(
                f"expected a list of numbers, found {describe_type(item)} as item {place}"
            )
    return [float(item) for item in cell]


def read_pairs(cell: Any) -> list[list[int]]:
    """A list of pairs of places, counted from 0.

    Raises:
        CellError: names the item that is no pair.
    """
    if not isinstance(cell, list):
        raise CellError(f"expected a list of pairs of places, found {found(cell)}")
    for place, item in enumerate(cell, start=1):
        is_pair = isinstance(item, list) and len(item) == 2
        if not is_pair or not all(isinstance(one, int) and one >= 0 for one in item):
            raise CellError(
                f"expected a list of pairs of places, found {describe_type(item)} as item {place}"
            )
    return cell
