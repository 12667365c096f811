"""Parts of the reasoning page."""
