"""The verbs and opposites that `core.perturbations.negation` knows."""

from typing import Final

from core.perturbations.lexicon import word_set

NOT_FORMS: Final[dict[str, str]] = {
    "isn't": "is",
    "aren't": "are",
    "wasn't": "was",
    "weren't": "were",
    "can't": "can",
    "cannot": "can",
    "couldn't": "could",
    "won't": "will",
    "wouldn't": "would",
    "shouldn't": "should",
    "mustn't": "must",
    "hasn't": "has",
    "haven't": "have",
    "hadn't": "had",
    "doesn't": "does",
    "didn't": "did",
    "don't": "do",
}
"""Contracted negations and the verb without them."""

VERBS: Final = word_set(
    """
    believe buy come cost drink eat expect feel find get give go grow have hear help hold keep know
    learn like live look lose love make mean need own pay prefer produce provide read remember run
    say see seem send show sleep stay take tell think trust understand use walk want wear work write
    """
)
"""Base forms that follow "I", "you", "we" and "they" in a statement."""

THIRD_PERSON: Final[dict[str, str]] = {
    **{
        f"{base}s": base
        for base in word_set(
            """
            absorb allow appear become begin belong bring come consist contain convert create depend
            eat exist explain follow get give grow happen hold include keep let make mean prevent
            produce protect prove provide receive reduce remain require say seem send stay take tell
            think want
            """
        )
    },
    "applies": "apply",
    "carries": "carry",
    "causes": "cause",
    "goes": "go",
    "passes": "pass",
    "teaches": "teach",
    "tries": "try",
    "varies": "vary",
}
"""Verb forms on -s that are rarely nouns, and their base forms."""

PAST_FORMS: Final[dict[str, str]] = {
    "asked": "ask",
    "became": "become",
    "began": "begin",
    "believed": "believe",
    "brought": "bring",
    "built": "build",
    "came": "come",
    "died": "die",
    "ended": "end",
    "fell": "fall",
    "found": "find",
    "gave": "give",
    "got": "get",
    "grew": "grow",
    "helped": "help",
    "kept": "keep",
    "knew": "know",
    "left": "leave",
    "lost": "lose",
    "made": "make",
    "moved": "move",
    "opened": "open",
    "paid": "pay",
    "ran": "run",
    "said": "say",
    "saw": "see",
    "started": "start",
    "stayed": "stay",
    "stopped": "stop",
    "took": "take",
    "used": "use",
    "wanted": "want",
    "went": "go",
    "won": "win",
    "worked": "work",
    "wrote": "write",
}
"""Past forms that follow a pronoun in a statement, and their base forms."""

IMPERATIVES: Final = word_set(
    """
    add apply ask bake begin boil bring build buy carry choose clean close come consider create
    cross divide dry eat enter explain fill find fold follow get give go grab grease hang include
    install keep learn leave let look lower make measure melt move multiply open pack pay pick pour
    press prepare press put raise read remember remove repeat replace rinse roll rub save say select
    send separate serve sit soak speak spend spread sprinkle stand start stay stir stop store
    subtract take talk tell think throw tie tighten trust try turn type unplug visit wait walk wash
    wear whisk wipe write
    """
)
"""Verbs that open an instruction, hardly ever a noun at the beginning of a sentence."""

IMPERATIVES_OR_NOUNS: Final = word_set(
    """
    book call chat check cook count cover cut drain drink drop freeze group heat hold light list
    mark mix name note order place plan practice practise report rest ring run season set share
    sleep sort switch test time top trim use water work
    """
)
"""Verbs that open an instruction where a determiner follows, and may be nouns elsewhere."""

_OPPOSITE_PAIRS: Final = (
    ("above", "below"),
    ("after", "before"),
    ("allows", "forbids"),
    ("always", "never"),
    ("best", "worst"),
    ("better", "worse"),
    ("bigger", "smaller"),
    ("cheap", "expensive"),
    ("cheaper", "dearer"),
    ("correct", "incorrect"),
    ("decreases", "increases"),
    ("early", "late"),
    ("easier", "harder"),
    ("easy", "hard"),
    ("everyone", "nobody"),
    ("faster", "slower"),
    ("few", "many"),
    ("higher", "lower"),
    ("illegal", "legal"),
    ("impossible", "possible"),
    ("inside", "outside"),
    ("less", "more"),
    ("often", "rarely"),
    ("rises", "falls"),
    ("safe", "unsafe"),
    ("true", "false"),
    ("unlikely", "likely"),
    ("usually", "rarely"),
    ("warmer", "colder"),
    ("with", "without"),
)

OPPOSITES: Final[dict[str, str]] = {
    **{second: first for first, second in _OPPOSITE_PAIRS},
    **dict(_OPPOSITE_PAIRS),
}
"""Words whose swap turns a statement round, both ways."""
