"""Concepts that the user names: how often a text speaks of them."""

from collections.abc import Sequence

import regex

from core.errors import AttributeDefinitionError
from core.labs.attributes.registry import Attribute


def concept_attribute(
    name: str, words: Sequence[str], *, title: str = "", share: bool = False
) -> Attribute:
    """An attribute that counts words and phrases of a concept; register it to use it by name.

    Args:
        name: the attribute's name.
        words: whole words or phrases, in any case; a star at the end stands for any ending
            ("pric*" finds price and pricing).
        title: the name a person reads.
        share: whether to count per 100 words of the text instead of in all.

    Raises:
        AttributeDefinitionError: there is no word, or the name will not do.
    """
    kept = [word.strip() for word in words if word.strip().strip("*")]
    if not kept or not name.isidentifier():
        raise AttributeDefinitionError(
            f"The concept {name!r} needs a name of letters, digits and underscores and a word.",
            fix="Name at least one word or phrase to look for.",
        )
    longest_first = sorted(map(_pattern, kept), key=len, reverse=True)
    pattern = regex.compile(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)", regex.IGNORECASE)

    def count(text: str) -> float:
        found = float(len(pattern.findall(text)))
        return 100 * found / max(1, len(text.split())) if share else found

    listed = ", ".join(kept[:5]) + (", …" if len(kept) > 5 else "")
    unit = "per 100 words" if share else "in the text"
    return Attribute(
        name,
        title or name.replace("_", " ").capitalize(),
        f"Mentions of {listed}, {unit}.",
        count,
    )


def _pattern(word: str) -> str:
    escaped = r"\s+".join(regex.escape(part) for part in word.rstrip("*").split())
    return escaped + (r"\w*" if word.endswith("*") else "")
