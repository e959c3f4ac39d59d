"""Scenes that measure the product over a sandbox: ``manage.py bench``."""

from collections.abc import Callable

# Takes each line of a report as it comes.
Say = Callable[[str], None]
