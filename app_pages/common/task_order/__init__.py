"""Parts of the task order page."""
