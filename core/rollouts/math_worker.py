"""A process that compares two expressions at a time and can be killed: `core.rollouts.equivalence`.

Computer algebra on a text that anybody may have written can take for ever or fill the memory. This
process limits its own memory; who started it limits its time.
"""

import json
import sys

MEMORY_BYTES = 1_500_000_000
TIMEOUT_S = 5


def main() -> None:
    """Answers a line of JSON [left, right] with true, false, or null where it cannot tell."""
    _limit_memory()
    for line in sys.stdin:
        left, right = json.loads(line)
        sys.stdout.write(json.dumps(same(left, right)) + "\n")
        sys.stdout.flush()


def same(left: str, right: str) -> bool | None:
    """Whether two expressions mean the same; None where one of them cannot be read."""
    from math_verify import parse, verify

    try:
        parsed = [parse(_delimited(text), parsing_timeout=TIMEOUT_S) for text in (left, right)]
        if not all(parsed):
            return None
        return bool(verify(parsed[0], parsed[1], timeout_seconds=TIMEOUT_S))
    except (Exception, RecursionError):  # noqa: BLE001 - a parser of anything raises anything
        return None


def _delimited(text: str) -> str:
    return text if text.startswith(("$", "\\(", "\\[")) else f"${text}$"


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on this system
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    main()
