"""Code blocks of a text, and other names for the variables of the Python code among them.

A name is changed only where nothing outside the code can depend on it: not where the prompt has
it, where it is an attribute, a keyword argument or part of a string, or where other code uses it.
"""

import ast
import builtins
import io
import keyword
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import regex

from core.perturbations.base import Edited, EditRequest, NotApplicable, replace_ranges
from core.perturbations.rewording import Replacement
from core.verbatim import fenced_ranges

_PYTHON: Final = frozenset(("", "py", "python", "python3"))
_FENCE_LINE = regex.compile(r"[^\S\r\n]*(?:`{3,}|~{3,})[^\S\r\n]*(?P<language>[\w+#\-]*)")
_LAST_LINE = regex.compile(r"[^\S\r\n]*(?:`{3,}|~{3,})\s*\Z")
_LONGEST_CODE = 20_000
_NEVER_RENAMED: Final = frozenset(
    (*dir(builtins), *keyword.kwlist, *keyword.softkwlist, "self", "cls", "args", "kwargs")
)
_ENDINGS: Final = ("value", "item", "var")
_CAMEL: Final = regex.compile(r"\p{Ll}+(?:\p{Lu}\p{Ll}*)+")
_SNAKE: Final = regex.compile(r"[a-z]+(?:_[a-z0-9]+)+")
_PLAIN: Final = regex.compile(r"[a-z]{2,}")
_INLINE_CODE = regex.compile(r"(?<!`)`[^`\n]{1,200}`(?!`)")
_NAME = regex.compile(r"\b[^\W\d]\w*\b")


@dataclass(frozen=True)
class CodeBlock:
    """The code between two fences, or a text that is code as a whole.

    Attributes:
        start: its first character in the text.
        source: the code, its last line break included.
        language: the word on the opening fence in lower case, or the empty text.
    """

    start: int
    source: str
    language: str


def code_blocks(text: str) -> list[CodeBlock]:
    """The fenced code blocks of `text`; the text itself if it is Python as a whole."""
    blocks = []
    for begin, end in fenced_ranges(text):
        fence = _FENCE_LINE.match(text, begin, end)
        first = text.find("\n", begin, end) + 1
        if fence is None or not first:
            continue
        closing = _LAST_LINE.search(text, text.rfind("\n", begin, max(first, end - 1)) + 1, end)
        stop = max(first, closing.start()) if closing else end
        blocks.append(CodeBlock(first, text[first:stop], fence["language"].lower()))
    if not blocks:
        whole = CodeBlock(0, text, "")
        return [whole] if is_python(whole) else []
    return blocks


def is_python(block: CodeBlock) -> bool:
    """Whether a block is Python: named so or not named, and made of statements that parse."""
    return block.language in _PYTHON and _parsed(block.source) is not None


@lru_cache(maxsize=256)
def _parsed(source: str) -> ast.Module | None:
    """The syntax tree of code that does something; prose of one word parses, but does nothing."""
    if len(source) > _LONGEST_CODE or "\f" in source or "\r" in source:
        return None
    try:
        with warnings.catch_warnings():  # "\d" in a user's code is no news for our console
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            tree = ast.parse(source)
        list(_name_tokens(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return None
    does = any(
        not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in tree.body
    )
    return tree if does else None


def _name_tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    for token in tokenize.generate_tokens(io.StringIO(source, newline="\n").readline):
        if token.type == tokenize.NAME:
            yield token


def rename_identifiers(request: EditRequest) -> Edited:
    """Renames the variables and parameters of the Python code: other words or another case.

    `total_sum` becomes `totalSum`, `maxValue` becomes `max_value`, and `total` gets a second word.
    Names in inline code follow. Names of one letter stay, and so does every name that the prompt or
    anything outside the renamed code may depend on.

    Raises:
        NotApplicable: there is no Python code with a name of its own that could change.
    """
    text = request.text
    blocks = code_blocks(text)
    python = [block for block in blocks if is_python(block)]
    if not python:
        raise NotApplicable("There is no Python code block.")
    others = [block.source for block in blocks if block not in python]
    taken = {word for part in (request.prompt, *others) for word in _NAME.findall(part)}
    new_names = _new_names(python, taken, request.rng.choice(_ENDINGS))
    if not new_names:
        raise NotApplicable("The code has no variable whose name could change.")
    renamed = [*_in_code(python, new_names)]
    if blocks[0].source != text:
        renamed += _in_prose(text, blocks, new_names)
    old, new = next(iter(new_names.items()))
    note = f"{old} became {new}" + (
        f", and {len(new_names) - 1} more" if len(new_names) > 1 else ""
    )
    return Edited(replace_ranges(text, renamed), note)


def _new_names(python: Sequence[CodeBlock], taken: set[str], ending: str) -> dict[str, str]:
    own: dict[str, None] = {}
    fixed = {*taken, *_NEVER_RENAMED}
    used: set[str] = set()
    for block in python:
        for node in ast.walk(_parsed(block.source) or ast.Module([], [])):
            own |= dict.fromkeys(_binds(node))
            fixed |= set(_depends_on(node))
        used |= {token.string for token in _name_tokens(block.source)}
    renamed: dict[str, str] = {}
    for name in own:
        new = _other_name(name, ending)
        if name not in fixed and new and new not in fixed | used | set(renamed.values()):
            renamed[name] = new
    return renamed


def _binds(node: ast.AST) -> Iterator[str]:
    """Names that a node introduces as a variable or a parameter."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg


def _depends_on(node: ast.AST) -> Iterator[str]:
    """Names that a node uses in a way that other code, or a string, has to match."""
    if isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.keyword) and node.arg:
        yield node.arg
    elif isinstance(node, ast.alias):
        yield from (part for name in (node.name, node.asname or "") for part in name.split("."))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from _NAME.findall(node.value)
    elif isinstance(node, ast.JoinedStr):
        # Before Python 3.12 a name inside an f-string is no token of its own.
        yield from (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        if isinstance(node, ast.ClassDef):  # a variable of a class is an attribute
            for inner in node.body:
                yield from (name for part in ast.walk(inner) for name in _class_level(inner, part))


def _class_level(statement: ast.AST, part: ast.AST) -> Iterator[str]:
    if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(part, ast.Name):
        yield part.id


def _other_name(name: str, ending: str) -> str:
    """The new name, or the empty text for a name that should stay."""
    if _SNAKE.fullmatch(name):
        first, *rest = name.split("_")
        return first + "".join(word[:1].upper() + word[1:] for word in rest)
    if _CAMEL.fullmatch(name):
        return str(regex.sub(r"\p{Lu}", lambda match: f"_{match.group().lower()}", name))
    return f"{name}_{ending}" if _PLAIN.fullmatch(name) and name != ending else ""


def _in_code(python: Sequence[CodeBlock], new_names: dict[str, str]) -> Iterator[Replacement]:
    for block in python:
        starts = [0, *(match.end() for match in regex.finditer("\n", block.source))]
        for token in _name_tokens(block.source):
            if token.string in new_names:
                at = block.start + starts[token.start[0] - 1] + token.start[1]
                yield at, at + len(token.string), new_names[token.string]


def _in_prose(
    text: str, blocks: Sequence[CodeBlock], new_names: dict[str, str]
) -> Iterator[Replacement]:
    fenced = [(block.start, block.start + len(block.source)) for block in blocks]
    for inline in _INLINE_CODE.finditer(text):
        if any(start <= inline.start() < end for start, end in fenced):
            continue
        for name in _NAME.finditer(text, *inline.span()):
            if name.group() in new_names:
                yield *name.span(), new_names[name.group()]
