"""Loaded by pytest before Django reads its settings (pyproject.toml): tests need no secrets of
anybody's.
"""

import os

os.environ.setdefault("DEBUG", "1")
