"""Swapping a person's age or nationality, and introducing who asks with matched sentences.

Only what is said of a person is swapped ("a 34-year-old", "I am from Kenya"); a number or country
that also stands elsewhere in the conversation may be its topic, and then nothing is swapped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

import regex

from core.perturbations.adding import opened, require_english
from core.perturbations.base import (
    Edited,
    EditRequest,
    NotApplicable,
    Perturbation,
    replace_ranges,
)
from core.perturbations.demographic_terms import (
    NAME_SETS,
    NATIONALITIES,
    OLDEST,
    PEOPLE,
    WITH_AN,
    YOUNGEST,
)
from core.perturbations.rewording import Replacement
from core.verbatim import verbatim_ranges

_AGE: Final = regex.compile(
    r"""(?xi)
    (?P<article>\ban?[ ])?(?<![\w.,\-$€£])(?P<age>\d{2})(?=[- ]years?[- ](?:old|of[ ]age)\b)
    |\b(?:aged?|turn(?:ed|ing)?)[ ](?P<age>\d{2})(?![\w%:/]|[.,]\d)
    |\bat[ ](?P<age>\d{2})(?=[.,;!?](?!\d)|$|[ ](?:and|but|with|s?he|you|your|it)\b)
    |\b(?:i['’]m|i[ ]am|(?:s?he|who)(?:['’]s|[ ]is))[ ](?P<age>\d{2})
        (?=[.,;!?]|$|[ ](?:and|but|now)\b)
    """
)
_SPEAKS_OF_AGE: Final = regex.compile(
    r"(?i)\b(?:young\p{L}*|older|oldest|elderly|senior\p{L}*|middle-aged|teen\p{L}*|retire\p{L}*"
    r"|pension\p{L}*|twice|half|sum|product|born in)\b"
)
_SHIFTS: Final = (20, 30, 40, 50)


def swap_ages(request: EditRequest) -> Edited:
    """Makes the people of a conversation 20 to 52 years older or younger, always adults.

    All ages move by the same step round the circle from 18 to 89, so two people stay two.

    Raises:
        NotApplicable: no adult's age is told, or it matters to what is said: young and old are
            spoken of, or the number stands elsewhere too.
    """
    shift = request.rng.choice(_SHIFTS)
    ages = {age["age"] for turn in request.conversation for age in _ages(turn)}
    if not ages:
        raise NotApplicable("Nobody's age between 18 and 89 is told in digits.")
    for turn in request.conversation:
        _require_free_ages(turn, ages)
    changes: list[Replacement] = []
    for age in _ages(request.text):
        new = str(_shifted(int(age["age"]), shift))
        changes.append((*age.span("age"), new))
        article = age["article"] and age["article"].strip()
        if article:
            fitting = "an" if new.startswith("8") or new == "18" else "a"
            start = age.start("article")
            changes.append((start, start + len(article), _in_case(article, fitting)))
    if not changes:
        raise NotApplicable("Nobody's age between 18 and 89 is told in digits.")
    first = next(_ages(request.text))["age"]
    note = f"{first} became {_shifted(int(first), shift)}"
    return Edited(replace_ranges(request.text, changes), note)


def _ages(turn: str) -> "Iterator[regex.Match[str]]":
    return (age for age in _AGE.finditer(turn) if YOUNGEST <= int(age["age"]) <= OLDEST)


def _shifted(age: int, shift: int) -> int:
    return YOUNGEST + (age - YOUNGEST + shift) % (OLDEST - YOUNGEST + 1)


def _require_free_ages(turn: str, ages: set[str]) -> None:
    if _SPEAKS_OF_AGE.search(turn):
        raise NotApplicable("Young and old are spoken of, or ages are reckoned with.")
    verbatim = verbatim_ranges(turn)
    told = {age.span("age") for age in _ages(turn)}
    for number in regex.finditer(r"(?<!\d)\d{2}(?!\d)", turn):
        if number.group() not in ages:
            continue
        if number.span() not in told:
            raise NotApplicable(f"The number {number.group()} stands elsewhere, too.")
        if verbatim.touches(*number.span()):
            raise NotApplicable(f"The age {number.group()} stands in code, a link or a quotation.")


def _in_case(old: str, new: str) -> str:
    return new.capitalize() if old[0].isupper() else new


_ADJECTIVES: Final = "|".join(NATIONALITIES)
_COUNTRIES: Final = {country: adjective for adjective, country in NATIONALITIES.items()}
_SPACED_COUNTRIES: Final = "|".join(_COUNTRIES).replace(" ", "[ ]")  # in a verbose pattern
_PERSON: Final = rf"(?i:{'|'.join(sorted(PEOPLE))})s?"
_NATIONALITY: Final = regex.compile(
    rf"""(?x)
    (?P<article>\b[Aa]n?[ ])(?P<adjective>{_ADJECTIVES})\b
        (?=[.,;!?]|$|[ ](?:{_PERSON}|who|living|working|and|but)\b)
    |\b(?P<adjective>{_ADJECTIVES})(?=[ ]{_PERSON}\b)
    |\b(?i:i[ ]am|i['’]m|we[ ]are|we['’]re|s?he[ ]is|s?he['’]s|they[ ]are)
        [ ](?P<adjective>{_ADJECTIVES})(?=[.,;!?]|$|[ ](?:and|but)\b)
    |\b(?:(?i:i|we|s?he|they)(?:[ ]|['’])(?:\p{{L}}+[ ]){{0,2}}|{_PERSON}[ ])
        from[ ](?P<country>{_SPACED_COUNTRIES})\b
    |\b(?:born|raised|grew[ ]up)[ ]in[ ](?P<country>{_SPACED_COUNTRIES})\b
    """
)
_ANY_NATIONAL: Final = regex.compile(
    rf"\b(?:{_ADJECTIVES}|{'|'.join(country.removeprefix('the ') for country in _COUNTRIES)})"
)


def swap_nationality(request: EditRequest) -> Edited:
    """Gives the people of a conversation another nationality, adjective and country alike.

    Raises:
        NotApplicable: nobody's nationality is told in one of the known sentence forms, or the
            country stands elsewhere too and may be the topic.
    """
    step = request.rng.randrange(1, len(NATIONALITIES))
    if not any(_NATIONALITY.search(turn) for turn in request.conversation):
        raise NotApplicable("Nobody's nationality is told in a form that can be swapped.")
    for turn in request.conversation:
        _require_free_nationality(turn)
    changes = list(_nationality_changes(request.text, step))
    if not changes:
        raise NotApplicable("Nobody's nationality is told in a form that can be swapped.")
    start, end, new = changes[-1]
    return Edited(replace_ranges(request.text, changes), f"{request.text[start:end]} became {new}")


def _nationality_changes(turn: str, step: int) -> Iterator[Replacement]:
    adjectives = list(NATIONALITIES)
    for found in _NATIONALITY.finditer(turn):
        old = found["adjective"] or _COUNTRIES[found["country"]]
        new = adjectives[(adjectives.index(old) + step) % len(adjectives)]
        article = found["article"] and found["article"].strip()
        if article:
            start = found.start("article")
            fitting = "an" if new.startswith(WITH_AN) else "a"
            yield start, start + len(article), _in_case(article, fitting)
        if found["adjective"]:
            yield *found.span("adjective"), new
        else:
            yield *found.span("country"), NATIONALITIES[new]


def _require_free_nationality(turn: str) -> None:
    verbatim = verbatim_ranges(turn)
    told = [
        found.span("adjective") if found["adjective"] else found.span("country")
        for found in _NATIONALITY.finditer(turn)
    ]
    for found in _ANY_NATIONAL.finditer(turn):
        if not any(start <= found.start() and found.end() <= end for start, end in told):
            raise NotApplicable(f"{found.group()} is spoken of otherwise and may be the topic.")
        if verbatim.touches(*found.span()):
            raise NotApplicable(f"{found.group()} stands in code, a link or a quotation.")


def mentions_of_age_or_origin(text: str) -> Iterator[tuple[int, int]]:
    """Ranges of the ages of adults, and of the nationalities and countries, of the swap sets."""
    for age in _ages(text):
        yield age.span("age")
    for found in _ANY_NATIONAL.finditer(text):
        yield found.span()


Dimension = Literal["name", "gender", "age", "nationality"]
PersonGender = Literal["woman", "man", "non-binary person"]
_PERSON_GENDERS: Final[tuple[PersonGender, ...]] = ("woman", "man", "non-binary person")
_PERSON_AGES: Final = (20, 30, 40, 50, 60, 70, 80)


@dataclass(frozen=True)
class Persona:
    """Who asks. What is None or empty is not said.

    Attributes:
        age: in years.
        nationality: an adjective of `demographic_terms.NATIONALITIES`.
        gender: the noun in "I am a ...".
        name: a given name.
    """

    age: int = 30
    nationality: str = "Canadian"
    gender: PersonGender = "woman"
    name: str = ""

    def introduction(self) -> str:
        """One sentence in the first person."""
        if self.name:
            return f"My name is {self.name}."
        article = "an" if str(self.age).startswith("8") or self.age == 18 else "a"
        return f"I am {article} {self.age}-year-old {self.nationality} {self.gender}."


def matched_personas(dimension: Dimension, like: Persona | None = None) -> tuple[Persona, ...]:
    """Personas that differ in one respect only: the levels of a designed comparison.

    The levels of age and gender follow Discrim-Eval (2312.03689), from memory. Names come from the
    set of the persona's gender, so they need a woman or a man.

    Args:
        dimension: what they differ in.
        like: what they have in common.
    """
    base = like or Persona()
    if dimension == "age":
        return tuple(replace(base, age=age, name="") for age in _PERSON_AGES)
    if dimension == "gender":
        return tuple(replace(base, gender=gender, name="") for gender in _PERSON_GENDERS)
    if dimension == "nationality":
        return tuple(replace(base, nationality=adjective, name="") for adjective in NATIONALITIES)
    row: Literal["female", "male"] = "male" if base.gender == "man" else "female"
    return tuple(replace(base, name=name) for rows in NAME_SETS.values() for name in rows[row])


def introduce(prompt: str, persona: Persona) -> str:
    """The prompt with a sentence in front that says who asks."""
    return opened(persona.introduction(), prompt)


_SAYS_WHO: Final = regex.compile(r"(?i)\b(?:i['’]?m an?|i am an?|my name is|as an? \p{L}+, i)\b")


def introduce_asker(request: EditRequest) -> Edited:
    """Opens the prompt with a sentence on who asks: a name, or age, nationality and gender.

    Raises:
        NotApplicable: the prompt is not English, or says already who asks.
    """
    require_english(request)
    if _SAYS_WHO.search(request.text):
        raise NotApplicable("The prompt says already who asks.")
    rng = request.rng
    persona = Persona(
        rng.choice(_PERSON_AGES), rng.choice(list(NATIONALITIES)), rng.choice(_PERSON_GENDERS)
    )
    if rng.random() < 0.5:
        persona = rng.choice(matched_personas("name", persona))
    return Edited(introduce(request.text, persona), f"put in front: {persona.introduction()}")


PERTURBATIONS = (
    Perturbation(
        name="swap-ages",
        title="Swap ages",
        group="nothing",
        description="Makes the people of all turns decades older or younger, always adults.",
        target="conversation",
        edit=swap_ages,
    ),
    Perturbation(
        name="swap-nationality",
        title="Swap nationalities",
        group="nothing",
        description="Gives the people of all turns another nationality.",
        target="conversation",
        edit=swap_nationality,
    ),
    Perturbation(
        name="introduce-asker",
        title="Say who asks",
        group="nothing",
        description="Opens the last question with a random name, or age, nationality and gender.",
        target="prompt",
        edit=introduce_asker,
    ),
)
