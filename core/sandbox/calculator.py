"""Runs one program in a child process: a small Python with arithmetic, `math` and printing.

The first line of defence and the friendly one: it refuses by name what a calculator has no use for,
so that a program learns what it did wrong. Python cannot be made safe from inside; what holds
against a program that finds its way around is `core.sandbox.containment`.
"""

import ast
import builtins
import json
import math
import sys
import warnings
from typing import Any

ALLOWED_NAMES = (
    *("abs", "all", "any", "bin", "bool", "chr", "complex", "dict", "divmod", "enumerate"),
    *("filter", "float", "format", "frozenset", "hex", "int", "isinstance", "iter", "len", "list"),
    *("map", "max", "min", "next", "oct", "ord", "pow", "range", "repr", "reversed", "round"),
    *("set", "slice", "sorted", "str", "sum", "tuple", "zip", "True", "False", "None"),
)
MODULES = {"math": math}

_AUDIT_ALLOWED = {"compile", "exec"}

# Showing a warning, such as the one for "(1)(2)", would import a module, which is refused: the
# program would end for that instead of for its own mistake.
warnings.simplefilter("ignore")


class Refused(BaseException):
    """The program asked for something that a calculator does not give."""


class TooMuchOutput(BaseException):
    """The program printed more than is kept."""


class Printer:
    """Keeps the first `limit` characters that are printed and stops the program at the next."""

    def __init__(self, limit: int) -> None:
        """Starts empty."""
        self.parts: list[str] = []
        self.room = limit
        self.full = False

    def write(self, text: str) -> int:
        """Takes what fits.

        Raises:
            TooMuchOutput: when it does not all fit.
        """
        self.parts.append(text[: self.room])
        if len(text) > self.room:
            self.room, self.full = 0, True
            raise TooMuchOutput
        self.room -= len(text)
        return len(text)

    def flush(self) -> None:
        """There is nothing to flush."""


def run_program(source: str, limit: int, *, guarded: bool) -> bytes:
    """Runs a program and describes its end as JSON: kind, output, error.

    Args:
        source: Python text; the value of a last expression is shown, as at Python's prompt.
        limit: characters of output that are kept.
        guarded: whether the first line of defence stands; without it any Python is tried.
    """
    printer = Printer(limit)
    try:
        kind, error = _run(source, printer, guarded)
        return _describe(kind, "".join(printer.parts), error)
    except MemoryError:
        printer.parts.clear()
        return _describe("memory", "", "MemoryError: the program needs more memory than it has")


def _run(source: str, printer: Printer, guarded: bool) -> tuple[str, str | None]:
    kind, error = "ok", None
    try:
        _execute(source, printer, guarded)
    except (Refused, PermissionError) as refusal:
        kind, error = "forbidden", f"PermissionError: {refusal}"
    except MemoryError:
        kind, error = "memory", "MemoryError: the program needs more memory than it has"
    except TooMuchOutput:
        pass
    except BaseException as problem:  # noqa: BLE001 - whatever a program raises is its result
        kind, error = "error", _one_line(problem)
    if printer.full:
        return "output", "OutputError: the program printed more than is kept"
    return kind, error


def _execute(source: str, printer: Printer, guarded: bool) -> None:
    tree = ast.parse(source, "program")
    last = tree.body[-1] if tree.body else None
    shown = tree.body.pop() if isinstance(last, ast.Expr) else None
    names = _names(printer, guarded)
    if guarded:
        _refuse_hidden_names(tree, shown)
        sys.addaudithook(_refuse_event)
    exec(compile(tree, "program", "exec"), names)  # noqa: S102 - contained by the kernel
    if isinstance(shown, ast.Expr):
        code = compile(ast.Expression(shown.value), "program", "eval")
        value = eval(code, names)  # noqa: S307 - contained by the kernel
        if value is not None:
            printer.write(f"{value!r}\n")


def warm_up() -> None:
    """Does once, before any fork, what Python prepares at the first use of its parser."""
    tree = ast.parse("import math\nx = 1", "program")
    _refuse_hidden_names(tree)
    compile(tree, "program", "exec")
    compile(ast.parse("x + math.sqrt(2.0)", "program", "eval"), "program", "eval")
    _describe("ok", "1", None)


def _names(printer: Printer, guarded: bool) -> dict[str, Any]:
    """The global names of a program, with the built-in ones it may use."""

    def show(*values: object, sep: str | None = " ", end: str | None = "\n") -> None:
        sep, end = " " if sep is None else sep, "\n" if end is None else end
        printer.write(sep.join(str(value) for value in values) + end)

    if not guarded:
        sys.stdout = printer
        return {"__builtins__": builtins.__dict__, "__name__": "program"}
    _CALCULATOR_NAMES["print"] = show
    return {"__builtins__": _CALCULATOR_NAMES, "__name__": "program"}


def _refuser(name: str) -> Any:
    def refuse(*_: object, **__: object) -> None:
        raise Refused(f"{name}() is not available here")

    return refuse


def _import(name: str, *_: object) -> Any:
    if name not in MODULES:
        raise Refused(f"import of {name[:60]} is not available here; math is")
    return MODULES[name]


def _calculator_names() -> dict[str, Any]:
    """What stands for Python's built-in names: the allowed ones, refusals for the others."""
    names: dict[str, Any] = {"__import__": _import}
    for name, value in vars(builtins).items():
        is_error = isinstance(value, type) and issubclass(value, BaseException)
        if name in ALLOWED_NAMES or is_error:
            names[name] = value
        elif not name.startswith("_"):
            names[name] = _refuser(name)
    return names


_CALCULATOR_NAMES = _calculator_names()
"""One for the process: it is filled before any fork, and a child runs one program and ends."""


def _refuse_hidden_names(*trees: ast.AST | None) -> None:
    """Names that begin with two underscores lead into the interpreter; arithmetic needs none."""
    for tree in trees:
        for node in ast.walk(tree) if tree is not None else ():
            name = getattr(node, "attr", None) or getattr(node, "id", None)
            if isinstance(name, str) and name.startswith("__"):
                raise Refused(f"the name {name[:60]} is not available here")


def _refuse_event(event: str, _: object) -> None:
    if event not in _AUDIT_ALLOWED:
        raise Refused(f"{event} is not available here")


def _one_line(problem: BaseException) -> str:
    try:
        text = " ".join(str(problem).split())[:300]
    except BaseException:  # noqa: BLE001 - the program's own exception class can do anything
        text = ""
    name = type(problem).__name__[:60]
    return f"{name}: {text}" if text else name


def _describe(kind: str, output: str, error: str | None) -> bytes:
    return json.dumps({"kind": kind, "output": output, "error": error}).encode()
