"""The parts of a text that an edit of its wording has to leave as they are.

Code, links, formulas and markup break when a letter or a space in them changes, and what stands
between quotation marks is someone's exact words.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

import regex

VerbatimKind = Literal["code", "link", "formula", "quotation"]
VERBATIM_KINDS: tuple[VerbatimKind, ...] = ("code", "link", "formula", "quotation")

Range = tuple[int, int]
"""First character and one past the last."""

REMEMBERED_TEXTS = 128
"""Texts whose parts are kept: one edit after the other asks for the parts of the same text."""

_FENCE = regex.compile(r"[^\S\r\n]*(?P<mark>`{3,}|~{3,})")


class RangeSet:
    """Ranges of characters, merged, that can be asked what they touch in logarithmic time."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        merged: list[list[int]] = []
        for begin, end in sorted(ranges):
            if merged and begin <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([begin, end])
        self.ranges = tuple((begin, end) for begin, end in merged)
        self._starts = [begin for begin, _ in merged]

    def touches(self, begin: int, end: int) -> bool:
        """Whether any character of [begin, end) lies inside; for an empty range, its position."""
        at = bisect_right(self._starts, max(begin, end - 1)) - 1
        return at >= 0 and self.ranges[at][1] > begin

    def covers(self, begin: int, end: int) -> bool:
        """Whether all of [begin, end) lies inside one of the ranges."""
        at = bisect_right(self._starts, begin) - 1
        return at >= 0 and self.ranges[at][1] >= end


_LINE = regex.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_INLINE_CODE = regex.compile(
    r"(?<!`)(?P<mark>`{1,2})(?!`)[^\n]{0,500}?[^`\n](?P=mark)(?!`)",
)
_NAME_IN_CODE = regex.compile(
    r"""(?V1)(?<![\w.~/\-\\])(?:
        [\w.]+\(\)                              # call()
        |\w+(?:_\w+)+                           # snake_case
        |\p{Ll}+(?:\p{Lu}\p{Ll}+)+              # camelCase
        |\p{Ll}\w*(?:\.\p{Ll}\w*)+              # module.name
        |--\w[\w\-]*                            # --option
        |(?:~|\.{1,2})?/[\w.\-]+(?:/[\w.\-]*)*(?<!\.)  # /a/path
        |[A-Za-z]:\\[^\s]+                      # C:\a\path
    )""",
    regex.VERBOSE,
)
_CODE_LINE = regex.compile(
    r"""(?mx)[^\S\r\n]*+(?:
        (?:async[ ])?def[ ]\w+\(.*
        |class[ ]\w+[ ]?[:({].*
        |(?:from[ ][\w.]+[ ])?import[ ][\w.{][^.!?\n]*$
        |(?:for|while|if|elif|with|except)\b[^\n]*[\w)\]"']:$
        |(?:else|try|finally):$
        |return[ ][\w.()\[\]{}"'+*/\ -]*$
        |(?:const|let|var|function|public|private|static|func|fn)[ ][^\n]*[={(;][^\n]*
        |(?:SELECT|INSERT[ ]INTO|UPDATE|DELETE[ ]FROM|CREATE[ ]TABLE)[ ][^\n]*
        |(?:FROM|WHERE|GROUP[ ]BY|ORDER[ ]BY|LIMIT)[ ][^\n]*
        |[A-Za-z_][\w.\[\]]*[ \t]*[-+*/|]?=[ \t]*[^\s=][^\n]*
        |[A-Za-z_][\w.]*\([^\n]*\)[;:]?$
        |(?=[^\n]*[=(){}\[\]])[^\n]*;$
        |[^\n]*[{}]$
        |[})\]]+[;,)]*$
        |\#include\b[^\n]*
        |\$[ ][^\n]+
        |(?:pip|npm|git|sudo|apt|cd|ls|ps|grep|docker|curl|ssh)[ ][\w./~$|&<>"'=+ \t-]*(?<!\.)$
    )"""
)
_LINK = regex.compile(
    r"""(?x)(?:
        (?:https?|ftp|file|mailto):[^\s<>"']+
        |\bwww\.[^\s<>"']+
        |(?<![\w.+\-])[\w.+-]{1,64}+@[\w-]{1,63}(?:\.[\w-]+)+
        |(?<![\w.\-])(?:[\w-]{1,63}+\.){1,8}
            (?:com|org|net|io|edu|gov|dev|html?|py|js|ts|json|csv|txt|md|sh|ya?ml|toml)\b[^\s,;)]*
    )(?<![.,;:!?)\]])                           # the sentence's punctuation is not the link's
    |(?<=\])\([^\s()]*(?:\([^\s()]*\)[^\s()]*)*\)
    |<[A-Za-z/!][^<>\n]*>
    |(?<!\w)[@\#][A-Za-z]\w*"""
)
_FORMULA = regex.compile(
    r"""(?xs)\$\$.{1,300}?\$\$
    |\\\(.{1,300}?\\\)
    |\\\[.{1,300}?\\\]
    |(?<![\\$\w])\$(?=[^\s$])(?:[^$\n]*?[^\s$\\])\$(?![\d$])
    |\\boxed\{[^{}\n]*\}"""
)
_QUOTATION = regex.compile(
    r'"[^"\n]{1,400}"|“[^”\n]{1,400}”|«[^»\n]{1,400}»|„[^“”\n]{1,400}[“”]|「[^」\n]{1,400}」'
)


def line_ranges(text: str) -> list[Range]:
    """The lines of `text`, each with its line break; they tile the text."""
    return list(_line_ranges(text))


@lru_cache(maxsize=REMEMBERED_TEXTS)
def _line_ranges(text: str) -> tuple[Range, ...]:
    return tuple(match.span() for match in _LINE.finditer(text))


def fenced_ranges(text: str) -> list[Range]:
    """The fenced code blocks, fences included, as whole lines; an open one runs to the end."""
    found: list[Range] = []
    opened: tuple[int, str] | None = None
    for begin, end in line_ranges(text):
        fence = _FENCE.match(text, begin, end)
        if opened is None:
            # A line such as ```x``` holds its closing mark: that is inline code.
            if fence and "`" not in text[fence.end() : end]:
                opened = begin, fence["mark"]
        elif fence and fence["mark"].startswith(opened[1]) and not text[fence.end() : end].strip():
            found.append((opened[0], end))
            opened = None
    if opened is not None:
        found.append((opened[0], len(text)))
    return found


def _lines_like_code(text: str) -> Iterator[Range]:
    """Lines that read like code, and indented lines under them or under a blank line."""
    may_indent = True
    for begin, end in line_ranges(text):
        content_end = begin + len(text[begin:end].rstrip())
        blank = content_end == begin
        indented = text.startswith(("    ", "\t"), begin) and not blank
        code = (indented and may_indent) or _CODE_LINE.match(text, begin, content_end) is not None
        if code:
            yield begin, end
        may_indent = blank or code


def inline_ranges(text: str) -> list[Range]:
    """Pieces inside a sentence in which punctuation ends nothing: inline code, links, formulas."""
    return [
        match.span() for found in (_INLINE_CODE, _LINK, _FORMULA) for match in found.finditer(text)
    ]


def verbatim_ranges(text: str, kinds: Iterable[VerbatimKind] = VERBATIM_KINDS) -> RangeSet:
    """The parts of `text` of the given kinds.

    Besides what markdown marks as code, lines and names that look like code count as `code`: chat
    answers often leave the fence out. A guess too many only means that a part stays unedited.
    """
    return _verbatim_ranges(text, frozenset(kinds))


@lru_cache(maxsize=REMEMBERED_TEXTS)
def _verbatim_ranges(text: str, wanted: frozenset[VerbatimKind]) -> RangeSet:
    found: list[Range] = []
    if "code" in wanted:
        found.extend(fenced_ranges(text))
        found.extend(_lines_like_code(text))
        patterns = (_INLINE_CODE, _NAME_IN_CODE)
        found.extend(match.span() for pattern in patterns for match in pattern.finditer(text))
    for kind, pattern in (("link", _LINK), ("formula", _FORMULA), ("quotation", _QUOTATION)):
        if kind in wanted:
            found.extend(match.span() for match in pattern.finditer(text))
    return RangeSet(found)
