"""A vendor's JSON as Python's values, without the characters that no database keeps."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import orjson

# NUL, which PostgreSQL refuses, and surrogates: a half of a pair is no character at all.
DOUBTFUL_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
NO_CHARACTERS = re.compile("[\x00\ud800-\udfff]")


def decode_json(content: bytes) -> Any:
    """Raises ValueError where the content is no JSON.

    A page of three hundred is not lost to one broken character: the character is.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError:
        # Halves of pairs come as bytes, too, which are no UTF-8.
        text = content.decode("utf-8", "ignore")
    else:
        if not DOUBTFUL_ESCAPE.search(text):
            return orjson.loads(content)
    try:
        return drop_broken_characters(json.loads(text, parse_constant=refuse_constant))
    except RecursionError:
        raise ValueError("nested too deep") from None


def refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity are no JSON."""
    raise ValueError(f"{name} is no JSON")


def drop_broken_characters(value: Any) -> Any:
    if isinstance(value, str):
        return NO_CHARACTERS.sub("", value)
    if isinstance(value, list):
        return [drop_broken_characters(one) for one in value]
    if isinstance(value, dict):
        return {
            drop_broken_characters(name): drop_broken_characters(one) for name, one in value.items()
        }
    return value
