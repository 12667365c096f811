"""The judging formats, by the name a card gives them (see methods of each module)."""

from core.models.card import JudgeFormat
from core.models.judges.formats.base import (
    LETTERS,
    TIE,
    Asking,
    JudgingFormat,
    Reading,
    prompt_text,
)
from core.models.judges.formats.deepseek_grm import DeepSeekGrm
from core.models.judges.formats.j1 import J1Pair, J1PairBoth, J1PairScores, J1Score
from core.models.judges.formats.rm_r1 import RmR1
from core.models.judges.formats.rrm import Rrm
from core.models.judges.formats.rubric import RubricPair, RubricScore

FORMATS: dict[JudgeFormat, JudgingFormat] = {
    form.name: form
    for form in (
        RmR1(), Rrm(), DeepSeekGrm(), J1Pair(), J1PairScores(), J1PairBoth(), J1Score(),
        RubricPair(), RubricScore(),
    )
}  # fmt: skip


def judging_format(name: JudgeFormat) -> JudgingFormat:
    """The format of this name."""
    return FORMATS[name]


__all__ = [
    "FORMATS",
    "LETTERS",
    "TIE",
    "Asking",
    "JudgingFormat",
    "Reading",
    "judging_format",
    "prompt_text",
]
