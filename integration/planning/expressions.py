"""Mapping expressions: Liquid templates over the fields of a card, bounded so that none can run
long or reach anything else.

{{ lastName }} {{ firstName }}
{% if title contains "部長" %}Manager{% else %}Staff{% endif %}
{{ companyName | company }}                  (our transforms are filters, too)
{% if tags contains "展示会2026" %}Trade fair{% endif %}
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache

from liquid import BoundTemplate, Environment, Mode, RenderContext
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import LiquidError

from integration.notes import note
from integration.planning.rule import TAGS_FIELD
from integration.planning.transforms import TRANSFORMS
from integration.records import Values

LONGEST_TEXT = 70_000  # characters of a text, or items of a list
MOST_WORK = 2_000_000  # of them, over all filters of one rendering


class ExpressionError(Exception):
    """What is wrong with an expression: a note for a person."""


class Bounded(Environment):
    """Far above what a mapping needs, far below what would be felt."""

    loop_iteration_limit = 1000
    output_stream_limit = LONGEST_TEXT
    local_namespace_limit = 100_000
    context_depth_limit = 20


class FilterWork(threading.local):
    """How much the filters of one rendering have had in hand. They are bounded by nothing else."""

    done = 0

    def spend(self, size: int) -> None:
        self.done += size
        if self.done > MOST_WORK:
            raise ExpressionError(note("expression_too_slow"))


FILTER_WORK = FilterWork()


def measure_size(value: object) -> int:
    return len(value) if isinstance(value, (str, list, tuple)) else 1


def bind_filter(name: str, make: Callable[..., object]) -> Callable[..., object]:
    """The filter, as long as what goes in and what comes out stays small."""

    def measured(value: object, *args: object, **kwargs: object) -> object:
        size = measure_size(value)
        # Each is compared with each.
        FILTER_WORK.spend(size * size // 10 if name == "uniq" else size)
        result = make(value, *args, **kwargs)
        if measure_size(result) > LONGEST_TEXT:
            raise ExpressionError(note("expression_too_long"))
        FILTER_WORK.spend(measure_size(result))
        return result

    measured.__dict__.update(
        {key: flag for key, flag in make.__dict__.items() if key.startswith("with_")}
    )
    return measured


def make_filter(name: str) -> Callable[..., str]:
    def transformed(value: object, country: object = "") -> str:
        return TRANSFORMS[name]([str(value or "")], str(country or ""))

    return transformed


def format_iso_date(value: object, pattern: object = "%Y-%m-%d") -> str:
    """In place of Liquid's own, which knows today: what depends on when it is asked for would be a
    change at every sync.
    """
    try:
        return date.fromisoformat(str(value)[:10]).strftime(str(pattern))
    except ValueError:
        return ""


def make_environment() -> Environment:
    made = Bounded(tolerance=Mode.STRICT, strict_filters=True)
    # They read other templates, or remember from one card to the next.
    for tag in ("include", "render", "increment", "decrement", "cycle"):
        del made.tags[tag]
    filters = {
        **{name: make_filter(name) for name in TRANSFORMS if name},
        **made.filters,
        "date": format_iso_date,
    }
    made.filters = {name: bind_filter(name, make) for name, make in filters.items()}
    return made


ENVIRONMENT = make_environment()


@lru_cache(maxsize=1024)
def compile_expression(expression: str) -> BoundTemplate:
    """Raises ExpressionError."""
    try:
        template = ENVIRONMENT.from_string(expression)
        if any(isinstance(one, RangeLiteral) for one in list_parts(template)):
            # A loop over one is bounded, a filter of one is not; and a card has nothing to count.
            raise ExpressionError(note("expression_range"))
    except LiquidError as wrong:
        raise ExpressionError(explain_error(wrong)) from None
    except RecursionError:
        raise ExpressionError(note("expression_too_deep")) from None
    return template


def list_parts(template: BoundTemplate) -> Iterator[object]:
    """Every part of every expression in a template."""
    context = RenderContext(template)
    nodes = list(template.nodes)
    while nodes:
        node = nodes.pop()
        nodes += node.children(context, include_partials=False)
        parts = list(node.expressions())
        while parts:
            part = parts.pop()
            yield part
            parts += part.children()


def explain_error(wrong: LiquidError) -> str:
    """The library's message as a note, without what only a programmer can read."""
    text = str(wrong.args[0] if wrong.args else wrong).strip().rstrip(".")
    if "<locals>" in text or "positional argument" in text:
        return note("filter_arguments")
    if not text:
        return note("expression_unreadable")
    return note("expression_unreadable_at", message=f"{text[:300]}.")


@lru_cache(maxsize=1024)
def list_expression_fields(expression: str) -> tuple[str, ...]:
    """The fields that an expression reads, in the order of their names. Raises ExpressionError."""
    return tuple(sorted(str(name) for name in compile_expression(expression).analyze().globals))


def check_expression(expression: str, fields: Sequence[str]) -> None:
    """Raises ExpressionError where the expression cannot work with these fields of a card."""
    unknown = [name for name in list_expression_fields(expression) if name not in fields]
    if unknown:
        raise ExpressionError(note("not_a_field_of_expression", value=unknown[0]))
    filters = compile_expression(expression).analyze().filters
    foreign = [name for name in filters if name not in ENVIRONMENT.filters]
    if foreign:
        raise ExpressionError(note("not_a_filter", value=foreign[0]))
    render_expression(expression, {}, ())


def render_expression(expression: str, values: Values, tags: Sequence[str]) -> str:
    """The value for a card; a field that it leaves blank is blank. ``tags`` are names.

    Raises ExpressionError.
    """
    known: Mapping[str, object] = {**values, TAGS_FIELD: list(tags)}
    FILTER_WORK.done = 0
    try:
        return str(compile_expression(expression).render(**known)).strip()
    except LiquidError as wrong:
        raise ExpressionError(explain_error(wrong)) from None
    except TypeError:
        raise ExpressionError(note("filter_arguments")) from None
    except (ArithmeticError, ValueError, LookupError, AttributeError, RecursionError) as wrong:
        raise ExpressionError(note("expression_fails", message=str(wrong))) from None
