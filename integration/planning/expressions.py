"""Mapping expressions: Liquid templates over the fields of a card, bounded so that none can run long or reach anything else.

{{ lastName }} {{ firstName }}
{% if title contains "部長" %}Manager{% else %}Staff{% endif %}
{{ companyName | company }}                  (our transforms are filters, too)
{% if tags contains "展示会2026" %}Trade fair{% endif %}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache

from liquid import BoundTemplate, Environment, Mode
from liquid.exceptions import LiquidError

from integration.planning.rules import TAGS
from integration.planning.transforms import TRANSFORMS
from integration.records import Values


class ExpressionError(Exception):
    """What is wrong with an expression, in a sentence that a person can act on."""


class Bounded(Environment):
    """Far above what a mapping needs, far below what would be felt."""

    loop_iteration_limit = 1000
    output_stream_limit = 70_000
    local_namespace_limit = 100_000
    context_depth_limit = 20


def as_filter(name: str) -> Callable[..., str]:
    def transformed(value: object, country: object = "") -> str:
        return TRANSFORMS[name]([str(value or "")], str(country or ""))

    return transformed


def formatted_date(value: object, pattern: object = "%Y-%m-%d") -> str:
    """In place of Liquid's own, which knows today: what depends on when it is asked for would be a change at every sync."""
    try:
        return date.fromisoformat(str(value)[:10]).strftime(str(pattern))
    except ValueError:
        return ""


def environment() -> Environment:
    bounded = Bounded(tolerance=Mode.STRICT, strict_filters=True)
    # They read other templates, or remember from one card to the next.
    for tag in ("include", "render", "increment", "decrement", "cycle"):
        del bounded.tags[tag]
    bounded.filters.update({name: as_filter(name) for name in TRANSFORMS if name and name not in bounded.filters})
    bounded.filters["date"] = formatted_date
    return bounded


ENVIRONMENT = environment()


@lru_cache(maxsize=1024)
def compiled(expression: str) -> BoundTemplate:
    """Raises ExpressionError."""
    try:
        return ENVIRONMENT.from_string(expression)
    except LiquidError as wrong:
        raise ExpressionError(sentence(wrong)) from None
    except RecursionError:
        raise ExpressionError("The expression is nested too deeply.") from None


def sentence(wrong: LiquidError) -> str:
    """The library's message, with the line where there are several."""
    text = str(wrong.args[0] if wrong.args else wrong).strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:300]}." if text else "The expression cannot be read."


@lru_cache(maxsize=1024)
def names_of(expression: str) -> tuple[str, ...]:
    """The fields that an expression reads, in the order of their names. Raises ExpressionError."""
    return tuple(sorted(str(name) for name in compiled(expression).analyze().globals))


def check(expression: str, fields: Sequence[str]) -> None:
    """Raises ExpressionError where the expression cannot work with these fields of a card."""
    unknown = [name for name in names_of(expression) if name not in fields]
    if unknown:
        raise ExpressionError(f"“{unknown[0]}” is not a field of a card. A text stands in quotes.")
    filters = [name for name in compiled(expression).analyze().filters if name not in ENVIRONMENT.filters]
    if filters:
        raise ExpressionError(f"“{filters[0]}” is not a filter.")
    render(expression, {}, ())


def render(expression: str, values: Values, tags: Sequence[str]) -> str:
    """The value for a card; a field that it leaves blank is blank. ``tags`` are names. Raises ExpressionError."""
    known: Mapping[str, object] = {**values, TAGS: list(tags)}
    try:
        return str(compiled(expression).render(**known)).strip()
    except LiquidError as wrong:
        raise ExpressionError(sentence(wrong)) from None
    except (ArithmeticError, ValueError, TypeError, RecursionError) as wrong:
        raise ExpressionError(f"The expression fails for this card: {wrong}") from None
