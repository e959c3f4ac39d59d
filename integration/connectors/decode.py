"""A vendor's JSON as Python's values, without the characters that no database keeps."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import orjson

# NUL, which PostgreSQL refuses, and surrogates: a half of a pair is no character at all.
DOUBTFUL_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
NO_CHARACTERS = re.compile("[\x00\ud800-\udfff]")


def decode_json(content: bytes) -> Any:
    """Raises ValueError where the content is no JSON.

    A page of three hundred is not lost to one broken character: the character is.
    """
    if not DOUBTFUL_ESCAPE.search(content):
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            if is_utf_8(content):
                raise
    # Halves of pairs come as bytes, too, which are no UTF-8.
    text = content.decode("utf-8", "ignore")
    try:
        return drop_broken_characters(json.loads(text, parse_constant=refuse_constant))
    except RecursionError:
        raise ValueError("nested too deep") from None


def decode_answer(content: bytes) -> Any:
    """None where the content is no JSON: what a vendor's answer says then is its status."""
    try:
        return decode_json(content)
    except ValueError:
        return None


def is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


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
