"""What an attribute is, the attributes by name, and the table of them for given texts."""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import pandas as pd

from core.errors import AttributeDefinitionError


@dataclass(frozen=True)
class Attribute:
    """A number that a plain function reads off a text.

    Attributes:
        name: the identifier and column name, lower-case words joined by underscores.
        title: the name a person reads.
        description: one sentence on what is counted, with its unit.
        function: the text's value. It must not depend on anything but the text.
    """

    name: str
    title: str
    description: str
    function: Callable[[str], float]

    def __call__(self, text: str) -> float:
        """The value of one text."""
        return float(self.function(text))


_ATTRIBUTES: dict[str, Attribute] = {}


@overload
def register_attribute(source: Attribute, *, replace: bool = False) -> Attribute: ...
@overload
def register_attribute(
    source: Callable[[str], float],
    *,
    name: str = "",
    title: str = "",
    description: str = "",
    replace: bool = False,
) -> Attribute: ...
def register_attribute(
    source: Attribute | Callable[[str], float],
    *,
    name: str = "",
    title: str = "",
    description: str = "",
    replace: bool = False,
) -> Attribute:
    """Adds an attribute, so that labs and pages offer it by its name.

    A plain function is enough: its name, and the first line of its docstring, say what it is.

    Args:
        source: an attribute, or a function from a text to a number.
        name: for a function: the attribute's name where the function's own will not do.
        title: for a function: the name a person reads.
        description: for a function: what is counted.
        replace: whether it may take the place of one of the same name.

    Raises:
        AttributeDefinitionError: another attribute has this name and `replace` is false, or a
            function without a name of its own was given none.
    """
    if isinstance(source, Attribute):
        new = source
    else:
        new = _of_function(source, name, title, description)
    if not replace and _ATTRIBUTES.get(new.name, new) != new:
        raise AttributeDefinitionError(
            f"There is already an attribute named {new.name!r}.",
            fix="Choose another name, or pass replace=True.",
        )
    _ATTRIBUTES[new.name] = new
    return new


def _of_function(
    function: Callable[[str], float], name: str, title: str, description: str
) -> Attribute:
    name = name or getattr(function, "__name__", "<lambda>")
    if not name.isidentifier():
        raise AttributeDefinitionError(
            f"{name!r} will not do as the name of an attribute.",
            fix='Pass name="...", of letters, digits and underscores.',
        )
    said = (getattr(function, "__doc__", None) or "").strip().split("\n")[0]
    title = title or name.replace("_", " ").capitalize()
    return Attribute(name, title, description or said or f"{title}.", function)


def unregister_attribute(name: str) -> None:
    """Takes an attribute out; an unknown name is an error, as in `attribute`."""
    del _ATTRIBUTES[attribute(name).name]


def attribute(name: str) -> Attribute:
    """The attribute of this name.

    Raises:
        AttributeDefinitionError: there is none; the message names the closest one.
    """
    if name in _ATTRIBUTES:
        return _ATTRIBUTES[name]
    close = difflib.get_close_matches(name, _ATTRIBUTES, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(_ATTRIBUTES)}."
    raise AttributeDefinitionError(f"There is no attribute named {name!r}.", fix=hint)


def attributes() -> tuple[Attribute, ...]:
    """All attributes in the order they were registered."""
    return tuple(_ATTRIBUTES.values())


_PROBLEMS = "extraction_problems"


def attribute_table(
    texts: "Iterable[object] | pd.Series[str]", names: Sequence[str | Attribute] | None = None
) -> pd.DataFrame:
    """The attributes of texts, one row a text and one column an attribute.

    Args:
        texts: (n,) texts; the index of a Series is kept.
        names: which attributes, by name or, registered or not, themselves; None for all that are
            registered.

    Returns:
        A table of floats. A value is NaN where the text is missing or no text, where the function
        failed, or where it gave no finite number; `extraction_problems` counts these by reason.

    Raises:
        AttributeDefinitionError: a name is unknown.
    """
    given = attributes() if names is None else names
    chosen = [each if isinstance(each, Attribute) else attribute(each) for each in given]
    index = texts.index if isinstance(texts, pd.Series) else None
    listed = list(texts)
    problems: dict[str, dict[str, int]] = {}
    columns = {each.name: _column(each, listed, problems) for each in chosen}
    table = pd.DataFrame(columns, index=index if index is not None else range(len(listed)))
    table = table.astype("float64")
    table.attrs[_PROBLEMS] = problems
    return table


def extraction_problems(table: pd.DataFrame) -> Mapping[str, Mapping[str, int]]:
    """Why values of an `attribute_table` are NaN: number of texts by reason, by attribute."""
    problems: Mapping[str, Mapping[str, int]] = table.attrs.get(_PROBLEMS, {})
    return problems


def _column(
    each: Attribute, texts: Sequence[object], problems: dict[str, dict[str, int]]
) -> list[float]:
    values = []
    for text in texts:
        value, reason = _extracted(each, text)
        values.append(value)
        if reason:
            counted = problems.setdefault(each.name, {})
            counted[reason] = counted.get(reason, 0) + 1
    return values


def _extracted(each: Attribute, text: object) -> tuple[float, str]:
    """The value, or NaN and why there is none."""
    if not isinstance(text, str):
        return math.nan, "no text"
    try:
        value = each(text)
    except Exception as error:  # noqa: BLE001 - a user's function may raise anything
        return math.nan, f"{type(error).__name__}: {error}"
    return (value, "") if math.isfinite(value) else (math.nan, "no finite number")
