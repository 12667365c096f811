"""`reward-workbench cache`: what is kept of earlier rewards, and dropping it."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from core.engine.cache import RewardCache

cache_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The rewards that need not be computed again."
)

_MIB = 2**20


@cache_app.command()
def info() -> None:
    """Show where the cache is and how full."""
    state = _cache().info()
    typer.echo(f"file     {state.path}")
    typer.echo(f"rewards  {state.entries:,}")
    typer.echo(f"size     {state.n_bytes / _MIB:.1f} of {state.max_bytes / _MIB:,.0f} MiB")


@cache_app.command()
def clear() -> None:
    """Drop every kept reward; the next run computes them again."""
    cache = _cache()
    entries = cache.info().entries
    cache.clear()
    typer.echo(f"Dropped {entries:,} rewards from {cache.path}.")


def _cache() -> "RewardCache":
    from core.engine.cache import CACHE_FILE, RewardCache
    from core.paths import cache_folder
    from core.settings import load_settings

    max_bytes = int(load_settings().cache_max_mb * _MIB)
    return RewardCache(cache_folder() / CACHE_FILE, max_bytes)
