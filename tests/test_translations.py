"""The Japanese catalogue: whole, in step with the code, and shown.

After a change of texts: ``manage.py makemessages -l ja --ignore .venv --ignore tests --ignore .demo
--no-location --no-obsolete``, translate what is new in
``locale/ja/LC_MESSAGES/django.po``, then ``manage.py compilemessages --locale ja --ignore .venv``.
Both files are kept: users need no gettext.
"""

from __future__ import annotations

import ast
import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import simple_history
import unfold
from babel.messages import Catalog, Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils.translation import gettext, override

from core import foreign_strings
from integration.planning.reasons import REASONS, TO_DO
from tests.admin.setup_pages import STEPS, begun, previewed
from tests.admin.setup_pages import url as setup_url
from tests.admin.world import furnish

ROOT = Path(__file__).resolve().parents[1]
FILES = Path("locale/ja/LC_MESSAGES")
JAPANESE = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")
# %(name)s, %s, {}, and HTML. A doubled % is only a sign, and Japanese may do without it.
PLACEHOLDER = re.compile(r"%\(\w+\)\w|%[sd]|\{\w*\}|</?\w[^>]*>")


def catalogue(root: Path = ROOT) -> Catalog:
    with (root / FILES / "django.po").open("rb") as file:
        return read_po(file, locale="ja", abort_invalid=True)


def key(message: Message) -> tuple[str, str]:
    return message.context or "", forms(message.id)[0]


def forms(text: Any) -> list[str]:
    """The text, or each of its plural forms."""
    return [text] if isinstance(text, str) else list(text)


MESSAGES = [message for message in catalogue() if message.id]


# The catalogue


def words(message: Message) -> bool:
    """Whether there is anything to translate: some texts only join what is filled in."""
    return bool(re.search(r"\w", PLACEHOLDER.sub("", forms(message.id)[0])))


def test_every_text_is_translated():
    wanting = [
        key(message)
        for message in MESSAGES
        if message.fuzzy
        or (not all(JAPANESE.search(text) for text in forms(message.string)) and words(message))
    ]
    assert wanting == []
    assert len(MESSAGES) > 900


def test_placeholders_agree():
    def placeholders(text: str) -> list[str]:
        return sorted(PLACEHOLDER.findall(text))

    differ = [
        key(message)
        for message in MESSAGES
        for text in forms(message.string)
        if placeholders(text) != placeholders(forms(message.id)[-1])
    ]
    assert differ == []


def test_order_of_nameless_placeholders_is_kept():
    """``{}`` takes what comes next: a link must still come before its text."""
    for message in MESSAGES:
        if "{}" in forms(message.id)[0] and "<" in forms(message.id)[0]:
            assert PLACEHOLDER.findall(forms(message.string)[0]) == PLACEHOLDER.findall(
                forms(message.id)[0]
            )


def test_compiled_file_is_in_step():
    def texts(messages: Any) -> dict[tuple[str, str], list[str]]:
        return {key(message): forms(message.string) for message in messages if message.id}

    with (ROOT / FILES / "django.mo").open("rb") as file:
        compiled = texts(read_mo(file))
    assert compiled == texts(MESSAGES), "manage.py compilemessages --locale ja --ignore .venv"


@pytest.mark.skipif(
    not (shutil.which("xgettext") and shutil.which("msgmerge")),
    reason="GNU gettext (xgettext, msgmerge) is not installed",
)
def test_catalogue_has_the_texts_of_the_code(tmp_path, settings, monkeypatch):
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("core", "integration", "templates", "locale"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=unwanted)
    settings.LOCALE_PATHS = [tmp_path / "locale"]
    monkeypatch.chdir(tmp_path)
    call_command("makemessages", locale=["ja"], no_location=True, no_obsolete=True, verbosity=0)
    found, have = (
        {key(message) for message in messages if message.id}
        for messages in (catalogue(tmp_path), MESSAGES)
    )
    assert found - have == set(), "to be translated"
    assert have - found == set(), "no longer in the code"


# Texts of other packages


IN_TEMPLATES = re.compile(
    r"""\{%\s*trans(?:late)?\s+(?:"(.+?)"|'(.+?)')|_\('(.+?)'\)|"""
    r"""\{%\s*blocktrans(?:late)?[^%]*%\}([^{]*(?:\{\{[^{]*)*)\{%\s*endblocktrans"""
)


def foreign(package: Any, unused: str = "no/such/folder") -> Iterator[str]:
    """What the package marks for translation, but for plurals."""
    root = Path(package.__path__[0])
    for path in sorted(root.rglob("*")):
        if re.match(unused, path.relative_to(root).as_posix()):
            continue
        if path.suffix == ".html":
            found = (
                "".join(groups) for groups in IN_TEMPLATES.findall(path.read_text(encoding="utf-8"))
            )
            texts = (re.sub(r"\{\{ *(\w+) *\}\}", r"%(\1)s", text) for text in found)
            # Those on several lines are "trimmed".
            yield from (
                re.sub(r"\s*\n\s*", " ", text.strip()) if "\n" in text else text for text in texts
            )
        elif path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and getattr(node.func, "id", "") in ("_", "gettext", "gettext_lazy")
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                    and isinstance(node.args[0].value, str)
                ):
                    yield node.args[0].value


@pytest.mark.parametrize(
    ("package", "unused", "ours"),
    [
        (unfold, "contrib/(?!filters)", foreign_strings.UNFOLD_STRINGS),
        (simple_history, "templatetags/", foreign_strings.SIMPLE_HISTORY_STRINGS),
    ],
    ids=["unfold", "simple_history"],
)
def test_texts_of_other_packages_are_japanese_too(package, unused, ours):
    marked = set(foreign(package, unused))
    assert set(ours) <= marked
    with override("ja"):
        # "None" is Django's own, and stays so in its Japanese.
        assert [text for text in sorted(marked) if not JAPANESE.search(gettext(text))] in (
            [],
            ["None"],
        )


# Reasons


@pytest.mark.parametrize("code", REASONS)
def test_every_reason_is_japanese(code):
    with override("ja"):
        for text in (REASONS[code], TO_DO[code]):
            assert gettext(text) != text
            assert JAPANESE.search(gettext(text))


def sections(name: str) -> list[dict[str, str]]:
    """The rows of each table of the document: code -> the rest."""
    parts = (ROOT / "docs" / name).read_text(encoding="utf-8").split("\n## ")[1:]
    return [dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", part, re.MULTILINE)) for part in parts]


def test_reasons_are_documented_in_japanese_as_they_are_shown():
    english, japanese = sections("reasons.md"), sections("reasons.ja.md")
    assert [list(part) for part in japanese] == [list(part) for part in english]
    with override("ja"):
        shown = {code: f"{gettext(REASONS[code])} | {gettext(TO_DO[code])}" for code in REASONS}
    assert {code: rest for part in japanese for code, rest in part.items()} == shown


# Pages

# Phrases long enough to be nothing but a text of ours.
ENGLISH = {
    html.escape(text)
    for message in MESSAGES
    for text in forms(message.id)
    if re.match(r"\S+ \S+ \S+|[A-Z]\w+ \w+$", text) and not PLACEHOLDER.search(text)
}


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    """What a request chose would stay for the tests that follow."""
    with override("en"):
        yield


@pytest.fixture
def acme(db: None, settings: Any) -> SimpleNamespace:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    return furnish("acme", "aiko")


def addresses(acme: SimpleNamespace) -> dict[str, str]:
    rule = begun(acme)
    previewed(rule)
    health = reverse("admin:integration_health", args=[acme.rule.pk])
    lists = [
        "integration_syncrule",
        "integration_syncrun",
        "integration_auditentry",
        "integration_record",
        "integration_link",
        "integration_connection",
    ]
    lists += ["integration_tag", "core_account", "core_membership", "core_invitation"]
    rows = {
        "syncrule": acme.rule,
        "syncrun": acme.run,
        "auditentry": acme.entry,
        "record": acme.record,
        "link": acme.link,
        "connection": acme.sansan,
    }
    return {
        "first page": reverse("admin:index"),
        "set-up": setup_url(""),
        **{f"set-up, {step}": setup_url(step, rule.pk) for step in STEPS},
        "health": health,
        **{
            f"health, {stand}": f"{health}?stand={stand}"
            for stand in ("linked", "excluded", "failing", "merged")
        },
        "health, search": f"{health}?q=nobody",
        **{
            f"{model} page": reverse(f"admin:integration_{model}_change", args=[row.pk])
            for model, row in rows.items()
        },
        "barred record": reverse("admin:integration_record_change", args=[acme.barred.pk]),
        "draft": reverse("admin:integration_syncrule_change", args=[acme.draft.pk]),
        "account": reverse("admin:core_account_change", args=[acme.account.pk]),
        "history": reverse("admin:integration_history"),
        **{name: reverse(f"admin:{name}_changelist") for name in lists},
        **{
            f"{name}, new": reverse(f"admin:{name}_add")
            for name in (
                "integration_connection",
                "integration_syncrule",
                "core_membership",
                "core_invitation",
            )
        },
    }


def english_in(page: str) -> list[str]:
    # Scripts, and the labels that properties have in HubSpot.
    page = re.sub(
        r"<script\b.*?</script>|<datalist\b.*?</datalist>|<small data-kind>.*?</small>",
        "",
        page,
        flags=re.DOTALL,
    )
    return sorted(
        text
        for text in ENGLISH
        if text in page and re.search(rf"(?<![\w-]){re.escape(text)}(?![\w-])", page)
    )


def test_pages_are_japanese_for_who_reads_it(acme):
    browser = Client(headers={"accept-language": "ja"})
    pages = addresses(acme)
    sign_in = browser.get(reverse("admin:login"), follow=True).content.decode()
    browser.force_login(acme.owner)
    answers = {name: browser.get(url, follow=True) for name, url in pages.items()}
    assert {
        name: answer.status_code for name, answer in answers.items() if answer.status_code != 200
    } == {}
    texts = {
        "sign-in": sign_in,
        **{name: answer.content.decode() for name, answer in answers.items()},
    }
    assert [name for name, page in texts.items() if '<html lang="ja"' not in page] == []
    assert {name: found for name, page in texts.items() if (found := english_in(page))} == {}


def test_pages_are_english_for_everybody_else(acme):
    browser = Client()
    browser.force_login(acme.owner)
    page = browser.get(reverse("admin:index")).content.decode()
    assert len(english_in(page)) > 3
    assert "同期" not in page


def test_a_reader_can_change_the_language(acme):
    browser = Client()
    browser.force_login(acme.owner)
    browser.post(reverse("set_language"), {"language": "ja", "next": "/admin/"})
    assert "概要" in browser.get(reverse("admin:index")).content.decode()


def test_an_invitation_is_japanese_for_who_reads_it(acme):
    page = (
        Client(headers={"accept-language": "ja"})
        .get(reverse("invitation", args=["acme-token"]))
        .content.decode()
    )
    assert '<html lang="ja"' in page
    assert "招待されています" in page
    assert english_in(page) == []
