"""The catalogue: which model cards there are, and which one a name means.

Cards come from the package (`data/cards`), from folders the operator names, and from the user's own
folder; of two cards with one id the later of these wins. A name may also be a hub id or a local
folder: then a card is derived from the checkpoint's own configuration.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.errors import CardError, ModelNotFoundError
from core.models.card import (
    AdapterSource,
    HubSource,
    LocalSource,
    RemoteSource,
    RewardModelCard,
    Source,
    read_card,
    write_card,
)
from core.models.derive import UNREFINED, card_of_folder
from core.paths import data_folder, user_folder
from core.settings import load_settings

CARD_SUFFIXES = (".yaml", ".yml")
_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?$")


@dataclass(frozen=True)
class CardProblem:
    """A card file that is not used, and why; the others are unaffected."""

    path: Path
    message: str


@dataclass(frozen=True)
class Catalogue:
    """The cards by id, and the files that could not be used or were overruled."""

    cards: tuple[RewardModelCard, ...]
    problems: tuple[CardProblem, ...]

    def find(self, card_id: str) -> RewardModelCard | None:
        """The card with this id."""
        return next((card for card in self.cards if card.id == card_id), None)

    def find_repo(self, repo: str) -> RewardModelCard | None:
        """The card of this hub repository."""
        for card in self.cards:
            if isinstance(card.source, HubSource) and card.source.repo.lower() == repo.lower():
                return card
        return None


def user_cards_folder() -> Path:
    """Where the user's own cards are; a card dropped here is in the catalogue."""
    folder = user_folder() / "cards"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def card_folders() -> tuple[Path, ...]:
    """The folders cards are read from; a later one overrules an earlier one."""
    return (data_folder() / "cards", *load_settings().card_folders, user_cards_folder())


def catalogue(folders: Sequence[Path] | None = None) -> Catalogue:
    """Reads all cards; a broken file becomes a problem and does not sink the rest.

    Args:
        folders: where to look; by default `card_folders()`.
    """
    cards: dict[str, tuple[RewardModelCard, Path]] = {}
    problems: list[CardProblem] = []
    for folder in card_folders() if folders is None else folders:
        if not folder.is_dir():
            problems.append(CardProblem(folder, f"Card folder {folder}: there is no such folder."))
            continue
        for path in sorted(p for p in folder.iterdir() if p.suffix in CARD_SUFFIXES):
            try:
                card = _read(path, path.stat().st_mtime_ns)
            except (CardError, OSError) as error:
                problems.append(CardProblem(path, str(error)))
                continue
            known = cards.get(card.id)
            if known is not None and known[1].parent == folder:
                problems.append(_overruled(path, card, winner=known[1]))
                continue
            if known is not None:
                problems.append(_overruled(known[1], card, winner=path))
            cards[card.id] = (card, path)
    ordered = sorted((card for card, _ in cards.values()), key=lambda card: card.id)
    return Catalogue(tuple(ordered), tuple(problems))


def list_cards() -> list[RewardModelCard]:
    """All usable cards, by id."""
    return list(catalogue().cards)


def load_card(name: str) -> RewardModelCard:
    """The card a name means.

    Args:
        name: a card's id, a hub id ("org/name" or "org/name@revision"), a folder on this machine,
            or a card file.

    Raises:
        ModelNotFoundError: with close matches, when it is none of these.
        CardError: when the card file or the folder's configuration cannot be used.
    """
    known = catalogue()
    card = known.find(name)
    if card is not None:
        return card
    path = Path(name).expanduser()
    if path.is_dir():
        return card_of_folder(path)
    if path.suffix in CARD_SUFFIXES and path.is_file():
        return read_card(path)
    if _HUB_ID.match(name) and not name.startswith(("./", "../")):
        return _hub_card(name, known)
    raise ModelNotFoundError(f"There is no model {name!r}.", fix=_advice(name, known))


def add_card(path_or_name: str | Path, *, replace: bool = False) -> RewardModelCard:
    """Adds a model to the user's catalogue and returns its card.

    Args:
        path_or_name: a card file, a local folder with a checkpoint or adapter, or a hub id.
        replace: overwrite a card of the same id in the user's folder.

    Raises:
        CardError: when the card is invalid, or another one of its id is there already.
        ModelNotFoundError: when there is no such file, folder or hub id.
    """
    return store_card(load_card(str(path_or_name)), replace=replace)


def store_card(card: RewardModelCard, *, replace: bool = False) -> RewardModelCard:
    """Puts a card into the user's catalogue and returns it.

    Raises:
        CardError: when another one of its id is there already.
    """
    target = user_cards_folder() / f"{re.sub(r'[^A-Za-z0-9._-]+', '--', card.id)}.yaml"
    if target.exists() and not replace and read_card(target) != card:
        raise CardError(
            f"Card {card.id}: {target} is there already and differs.",
            fix="Give the new card another id, or replace the old one (replace=True).",
        )
    write_card(card, target)
    return card


@lru_cache(maxsize=1024)
def _read(path: Path, changed: int) -> RewardModelCard:  # noqa: ARG001 - the time is for the cache
    return read_card(path)


def _overruled(path: Path, card: RewardModelCard, *, winner: Path) -> CardProblem:
    return CardProblem(path, f"Card {path}: not used, {winner} has the same id {card.id}.")


def _hub_card(name: str, known: Catalogue) -> RewardModelCard:
    repo, _, revision = name.partition("@")
    card = known.find_repo(repo)
    if card is None:
        source: Source = HubSource(kind="hub", repo=repo, revision=revision or "main")
        return RewardModelCard(
            id=name,
            title=repo,
            source=source,
            family="sequence-classifier",
            url=f"https://huggingface.co/{repo}",
            notes=UNREFINED,
        )
    if not revision or (isinstance(card.source, HubSource) and card.source.revision == revision):
        return card
    # Read like the card says, but another commit: what was published for the first may not hold.
    source = HubSource(kind="hub", repo=repo, revision=revision)
    return card.model_copy(update={"id": name, "source": source, "fixtures": ()})


def _advice(name: str, known: Catalogue) -> str:
    repos = [c.source.repo for c in known.cards if isinstance(c.source, HubSource)]
    choices = {choice.lower(): choice for choice in [*repos, *(card.id for card in known.cards)]}
    close = difflib.get_close_matches(name.lower(), choices, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {', '.join(choices[match] for match in close)}?"
    return "Give a card's id, a hub id (org/name), or a folder with a checkpoint."


def describe_source(card: RewardModelCard) -> str:
    """Where the weights come from, in one line."""
    return _describe(card.source)


def _describe(source: Source) -> str:
    if isinstance(source, HubSource):
        return f"{source.repo}@{source.revision}"
    if isinstance(source, LocalSource):
        return str(source.path)
    if isinstance(source, AdapterSource):
        return f"{_describe(source.adapter)} over {_describe(source.base)}"
    if isinstance(source, RemoteSource):
        return f"{source.model or 'the model'} at {source.endpoint}"
    return f"embedded {source.name}"
