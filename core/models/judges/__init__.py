"""Generative judges: language models that write a judgement, and how it is read.

`load_judge` gives a card's judge as a reward model; its `judge` asks about pairs and lists.
`core.engine.judgements` stores what was written, so that nothing is asked twice.
"""

from core.models.judges.backends import Ask, ChatBackend, JudgeBackend, LocalBackend, Words, Written
from core.models.judges.formats import FORMATS, JudgingFormat, Reading, judging_format
from core.models.judges.judge import (
    LOW_MASS,
    Item,
    Judge,
    Judgement,
    Question,
    Record,
    item_table,
    items_from_pairs,
    items_from_table,
    judgement_table,
)
from core.models.judges.model import JudgeRewardModel, load_judge

__all__ = [
    "FORMATS",
    "LOW_MASS",
    "Ask",
    "ChatBackend",
    "Item",
    "Judge",
    "JudgeBackend",
    "JudgeRewardModel",
    "Judgement",
    "JudgingFormat",
    "LocalBackend",
    "Question",
    "Reading",
    "Record",
    "Words",
    "Written",
    "item_table",
    "items_from_pairs",
    "items_from_table",
    "judgement_table",
    "judging_format",
    "load_judge",
]
