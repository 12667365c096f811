"""Swap sets for people: given names, words that tell a gender, nationalities. Data, and no rules.

Names stand in matched rows: the n-th name of one set takes the place of the n-th of another. The
sets say where a name is common, in the manner of audit studies; nobody's origin follows from it.
"""

from typing import Final, Literal

from core.perturbations.lexicon import word_set

Gender = Literal["female", "male"]

NAME_SETS: Final[dict[str, dict[Gender, tuple[str, ...]]]] = {
    "English": {
        "female": ("Emily", "Sarah", "Alice", "Anna", "Emma", "Molly", "Claire", "Mary"),
        "male": ("John", "Tom", "James", "Bob", "Peter", "Jake", "David", "Greg"),
    },
    "African American": {
        "female": (
            "Lakisha", "Ebony", "Keisha", "Latoya", "Tamika", "Shanice", "Imani", "Aaliyah",
        ),
        "male": (
            "Jamal", "Darnell", "Tyrone", "DeShawn", "Rasheed", "Terrell", "Malik", "Jermaine",
        ),
    },
    "Spanish": {
        "female": (
            "Alejandra", "Marisol", "Guadalupe", "Ximena", "Yesenia", "Rocío", "Lucía", "Catalina",
        ),
        "male": ("Alejandro", "Javier", "Mateo", "Luis", "Diego", "Héctor", "Pablo", "Rafael"),
    },
    "Arabic": {
        "female": ("Fatima", "Aisha", "Layla", "Zainab", "Amina", "Yasmin", "Salma", "Huda"),
        "male": ("Ahmed", "Omar", "Hassan", "Khalid", "Youssef", "Tariq", "Karim", "Mustafa"),
    },
    "Indian": {
        "female": ("Priya", "Ananya", "Deepika", "Lakshmi", "Shreya", "Kavita", "Meera", "Pooja"),
        "male": ("Arjun", "Rajesh", "Vikram", "Sanjay", "Rohan", "Anil", "Suresh", "Karthik"),
    },
    "East Asian": {
        "female": ("Yuki", "Haruka", "Jiayi", "Minji", "Xinyi", "Sakura", "Soyeon", "Meiling"),
        "male": ("Hiroshi", "Kenji", "Jiahao", "Minho", "Takumi", "Weijie", "Haruto", "Sungmin"),
    },
}  # fmt: skip
"""Given names by where they are common and by gender; rows of equal length."""

GENDER_PAIRS: Final[tuple[tuple[str, str], ...]] = (
    ("he", "she"), ("himself", "herself"), ("man", "woman"), ("men", "women"), ("boy", "girl"),
    ("boys", "girls"), ("male", "female"), ("males", "females"), ("gentleman", "lady"),
    ("gentlemen", "ladies"), ("father", "mother"), ("fathers", "mothers"), ("dad", "mom"),
    ("dads", "moms"), ("son", "daughter"), ("sons", "daughters"), ("brother", "sister"),
    ("brothers", "sisters"), ("husband", "wife"), ("husbands", "wives"),
    ("boyfriend", "girlfriend"), ("uncle", "aunt"), ("uncles", "aunts"), ("nephew", "niece"),
    ("nephews", "nieces"), ("grandfather", "grandmother"), ("grandpa", "grandma"),
    ("grandson", "granddaughter"), ("stepfather", "stepmother"), ("stepson", "stepdaughter"),
    ("groom", "bride"), ("widower", "widow"), ("waiter", "waitress"), ("actor", "actress"),
    ("businessman", "businesswoman"), ("policeman", "policewoman"), ("salesman", "saleswoman"),
    ("mr", "ms"), ("sir", "madam"),
)  # fmt: skip
"""Words for men and for women, one to one; "him", "his" and "her" depend on the sentence."""

ONLY_ONE_WAY: Final = {"mum": "dad", "mummy": "daddy", "mommy": "daddy", "daddy": "mommy"}
"""Words whose counterpart has more than one form."""

NATIONALITIES: Final[dict[str, str]] = {
    "American": "the United States", "Australian": "Australia", "Brazilian": "Brazil",
    "Canadian": "Canada", "Colombian": "Colombia", "Egyptian": "Egypt", "Ethiopian": "Ethiopia",
    "German": "Germany", "Hungarian": "Hungary", "Indian": "India", "Indonesian": "Indonesia",
    "Iranian": "Iran", "Iraqi": "Iraq", "Italian": "Italy", "Kenyan": "Kenya",
    "Korean": "Korea", "Mexican": "Mexico", "Moroccan": "Morocco", "Nigerian": "Nigeria",
    "Norwegian": "Norway", "Pakistani": "Pakistan", "Russian": "Russia", "Ukrainian": "Ukraine",
    "Venezuelan": "Venezuela",
}  # fmt: skip
"""Adjectives of nationality that are nouns too ("a Kenyan"), and their countries."""

WITH_AN: Final = tuple("AEIO")
"""First letters of the nationalities that take "an"; "a Ukrainian" does not."""

PEOPLE: Final = word_set(
    """
    accountant activist actor actress adult applicant artist athlete boy boyfriend boss
    businessman businesswoman candidate child citizen client colleague couple coworker customer
    doctor driver employee engineer expat family father female friend girl girlfriend guy
    husband immigrant investor journalist kid lady lawyer male man manager migrant mother
    musician national neighbor neighbour nurse parent passport patient person physicist
    politician professor programmer refugee resident researcher scientist singer student teacher
    teenager tenant tourist traveler traveller wife woman worker writer
    """
)
"""Nouns that show that a nationality is said of a person; plurals in -s count too."""

YOUNGEST, OLDEST = 18, 89
"""Ages that are swapped for one another: adults, so that what is allowed stays the same."""
