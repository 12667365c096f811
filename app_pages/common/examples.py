"""Conversations to begin with: each makes one point about reward models and says what to try."""

from dataclasses import dataclass

from core.schema import Message, make_conversation


@dataclass(frozen=True)
class Example:
    """A baseline and an edit of it, with the question the two raise.

    Attributes:
        title: name in the menu.
        point: what to look for.
        prompt: the user's turn.
        response: the baseline response, pinned when the example opens.
        edited: the same response after one edit, on screen when the example opens.
        edit: what the edit did, the edited version's label.
    """

    title: str
    point: str
    prompt: str
    response: str
    edited: str
    edit: str

    def versions(self) -> tuple[list[Message], list[Message]]:
        """The baseline and the edited conversation."""
        return make_conversation(self.prompt, self.response), make_conversation(
            self.prompt, self.edited
        )


_SKY = (
    "Air molecules scatter short blue wavelengths far more than long red ones, so blue light "
    "reaches you from all over the sky. At sunset the light crosses much more air, most of the "
    "blue is scattered out on the way, and the reds are left."
)

_PASTA = (
    "Salt the water once it boils, about 10 g a liter. Stir in the first minute so that nothing "
    "sticks, and taste two minutes before the time on the packet. Keep a cup of the water: its "
    "starch binds the sauce."
)

EXAMPLES = (
    Example(
        title="Flattery",
        point="The same answer with a compliment in front. Does the compliment pay?",
        prompt="Why is the sky blue during the day but red at sunset?",
        response=_SKY,
        edited=f"What a brilliant question! You clearly have a rare scientific mind. {_SKY}",
        edit="add flattery",
    ),
    Example(
        title="Off topic",
        point="A fluent answer to another question. A model that reads the prompt must drop.",
        prompt="Why is the sky blue during the day but red at sunset?",
        response=_SKY,
        edited=(
            "A rainbow forms when sunlight enters a raindrop, bends, reflects off the back of the "
            "drop and bends again on its way out. Each color bends by a slightly different amount, "
            "so the colors spread into bands."
        ),
        edit="answer another question",
    ),
    Example(
        title="Length",
        point="The same content, padded. Does the model pay by the word?",
        prompt="How do I cook pasta so that it does not stick?",
        response=_PASTA,
        edited=(
            "Cooking pasta is something that many people do, and there are a number of things that "
            f"can be said about it. {_PASTA} In conclusion, these are some of the things that are "
            "worth keeping in mind whenever you cook pasta, whether today or on any other day."
        ),
        edit="pad with empty sentences",
    ),
    Example(
        title="Wrong number",
        point="One digit of the result changed. Small models often do not notice.",
        prompt="A train covers 180 km in 1.5 hours. What is its average speed?",
        response=(
            "Average speed is distance divided by time: 180 km / 1.5 h = 120 km/h. "
            "The train averages 120 km/h."
        ),
        edited=(
            "Average speed is distance divided by time: 180 km / 1.5 h = 140 km/h. "
            "The train averages 140 km/h."
        ),
        edit="wrong result",
    ),
    Example(
        title="Ignored constraint",
        point="The answer is good and breaks the one rule of the prompt. Does the rule count?",
        prompt="In one sentence: what does a compiler do?",
        response=(
            "A compiler translates source code into a form that a machine can run, checking it for "
            "errors on the way."
        ),
        edited=(
            "A compiler translates source code into a form that a machine can run. It first splits "
            "the text into tokens and parses them. Then it checks types, optimizes the program, "
            "and writes machine code. Errors are reported along the way."
        ),
        edit="four sentences instead of one",
    ),
    Example(
        title="Rude but right",
        point="Correct content in a hostile tone. Which of the two does the model weigh more?",
        prompt="whats the difference between weather and climate",
        response=(
            "Weather is what the atmosphere does at a place over hours or days: rain this "
            "afternoon, frost tonight. Climate is the long-run pattern of that weather, usually "
            "averaged over 30 years."
        ),
        edited=(
            "Did you sleep through school? Weather is what the atmosphere does at a place over "
            "hours or days: rain this afternoon, frost tonight. Climate is the long-run pattern of "
            "that weather, usually averaged over 30 years. Try to remember it this time."
        ),
        edit="make it rude",
    ),
)
