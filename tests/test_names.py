"""One name, one meaning: no public name of a module stands in two rooms."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Names that are shared on purpose, each with what it means wherever it stands.
SHARED = {
    "Command": "a management command, which Django finds by this name",
    "add_arguments": "the options of a command, or of a scene of bench",
    "application": "what a web server calls (ASGI, WSGI)",
    "log": "the logger of a module",
    "run": "what a scene of bench, or the sandbox's command, does",
    "site": "the admin's site",
    "urlpatterns": "the addresses of an app, which Django finds by this name",
}

# What a public function begins with: a verb, a question, or the form that it gives (``as_row``).
VERBS = frozenset(
    """
accept add admit adopt advance advise afford agree answer append apply archive arm ask associate
await bar beat begin bind blend bring build calculate capitalize change charge check choose
churn claim clean clear close collect compare compile compute confirm control count create cut
date deactivate decide decode defer delete deliver depart derive describe destroy digest discard
dispatch doubt drain draw drop encode end enqueue enrol ensure erase escape estimate exchange
exclude explain export fail fetch fill find finish fit flush fold follow forget format freeze
get give go grant group hand handle hide hold index insert invent invert join judge keep kill
label learn leave link list load lock log look make map mark mask measure meet merge move name
normalize note offer open parse pass pause perform pick plan poll post postpone prepare press
print prove purge put quote rank read record refresh refuse release remember remove rename
reformat render renew require reset restart restore resume retake retry rewind rotate route run
sample save say schedule search select send serve set settle shape share shorten show sign skip sort
space spell spend split stamp start step stop store stream strip subscribe summarize supervise
suspend
sweep switch sync take tell test tick tidy touch trust try unbar undo unescape unindex unite unwrap
update upsert validate wait wake walk welcome withdraw work wrap write
""".split()
)
QUESTIONS = frozenset("asks counts has heard holds is may meets needs sees wants".split())
FORMS = frozenset(("as", "from", "in", "to"))
# Names that Django or a protocol gives, or that are stored: by migrations (default_retention), the
# queue (tags) and templates (said).
GIVEN = frozenset(
    """
bound_data bulk_create bulk_update changelist_view choices each_context expected_parameters
formfield_for_choice_field formfield_for_dbfield formfield_for_foreignkey history_view login lookups
default_retention gettext_noop page queryset ready response response_action response_add said setup
tags
""".split()
)
# Nouns that are as good as an attribute: what a slice, a request or the sandbox is asked for; and
# two that read as a part of a question to the database.
ACCESSORS = frozenset(
    """
all_accounts any_of button events index json many next now one pending portal primary row seen state
transaction
""".split()
)


def defined(tree: ast.Module) -> Iterator[str]:
    """The names that a module defines at its top level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from (one.id for one in ast.walk(target) if isinstance(one, ast.Name))


def rooms_of_names() -> dict[str, set[str]]:
    """Public name -> the modules that define it."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for folder in ("core", "integration"):
        for path in (ROOT / folder).rglob("*.py"):
            if "migrations" in path.parts:
                continue
            for name in defined(ast.parse(path.read_text(encoding="utf-8"))):
                if not name.startswith("_"):
                    rooms[name].add(path.relative_to(ROOT).as_posix())
    return rooms


def test_no_public_name_has_two_meanings():
    shared = {name: sorted(paths) for name, paths in rooms_of_names().items() if len(paths) > 1}
    assert {name: paths for name, paths in shared.items() if name not in SHARED} == {}
    assert set(SHARED) <= set(shared), "no longer shared"


def public_functions() -> Iterator[tuple[str, str]]:
    """(name, place) of public functions and methods. What is decorated stands for something else:
    a property, a column of a list, a button.
    """
    for folder in ("core", "integration"):
        for path in (ROOT / folder).rglob("*.py"):
            if "migrations" in path.parts:
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
            nodes: list[ast.Module | ast.ClassDef] = [tree, *classes]
            for node in nodes:
                for one in node.body:
                    if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
                        decorated = isinstance(node, ast.ClassDef) and one.decorator_list
                        if not decorated:
                            yield one.name, f"{path.relative_to(ROOT)}:{one.lineno}"


def test_a_public_function_is_named_by_what_it_does():
    known = VERBS | QUESTIONS | FORMS
    others = {
        name: place
        for name, place in public_functions()
        if name.partition("_")[0] not in known and name not in GIVEN | ACCESSORS
    }
    assert others == {}
    names = {name for name, _ in public_functions()}
    assert {*GIVEN, *ACCESSORS} <= names, "no longer there"
