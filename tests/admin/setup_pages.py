"""The guided set-up as a browser meets it: its addresses, its form with the values that would be
sent, and drafts at any step.
"""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

from django.urls import reverse
from django.utils import timezone

from core.tenancy import in_account
from integration.connectors.hubspot import fields
from integration.models import Connection, FieldMapping, Sample, SyncRule, SyncRun
from integration.records import PropertyRead
from integration.rules.file import make_default_mappings
from tests.admin.pages import body
from tests.core import rows

STEPS = ("connect", "tags", "configure", "limit", "review")
TEXT = (
    "email firstname lastname company jobtitle phone mobilephone fax zip state city address "
    "country "
    "website salutation lifecyclestage"
).split()
VALUES = {
    "lastName": "森",
    "firstName": "愛子",
    "companyName": "アクメ株式会社",
    "title": "営業部長",
    "email": "aiko@acme.example.jp",
    "tel": "03-1234-5678",
    "exchangeDate": "2026-04-01",
    "prefecture": "東京都",
}


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:integration_setup{'_' if name else ''}{name}", args=args)


def schema() -> dict[str, Any]:
    """What a portal says of its properties, before ours are made."""
    made = [PropertyRead(name, "string", "text", label=name.title()) for name in TEXT]
    made += [
        PropertyRead("annualrevenue", "number", "number"),
        PropertyRead("createdate", "datetime", "date", read_only=True),
        PropertyRead("hs_lead_status", "enumeration", "select", (("NEW", "New"), ("OPEN", "Open"))),
        PropertyRead("hubspot_owner_id", "enumeration", "select"),
    ]
    return {prop.name: fields.describe_property(prop) for prop in made}


def begun(own: SimpleNamespace, step: str = "review", slug: str = "new", **values: Any) -> SyncRule:
    """A draft that has come to ``step``, over connections that work and a portal whose properties
    are known.
    """
    with in_account(own.account):
        Connection.objects.filter(pk=own.hubspot.pk).update(schema=schema())
        Sample.objects.filter(connection=own.sansan).delete()
        own.sansan.tags.update(cards=None)
        Connection.objects.filter(pk=own.sansan.pk).update(
            cards=700, surveyed_at=timezone.now(), survey={"state": "done", "cards": 700}
        )
        hour = timezone.now() - timedelta(hours=1)
        made = {
            "sansan": own.sansan,
            "hubspot": own.hubspot,
            "setup_step": step,
            "changed_at": hour,
        }
        rule = SyncRule.objects.create(account=own.account, slug=slug, **made | values)
        FieldMapping.objects.bulk_create(
            FieldMapping(account=own.account, rule=rule, position=i, **row)
            for i, row in enumerate(make_default_mappings())
        )
        sampled(own, "A1", VALUES, [f"{own.slug}-T0"])
        return SyncRule.objects.select_related("account").get(pk=rule.pk)


def sampled(own: SimpleNamespace, id: str, values: dict[str, str], tags: list[str]) -> Sample:
    with in_account(own.account):
        seen = {"values": values, "tags": tags, "read_at": timezone.now()}
        return Sample.objects.update_or_create(
            account=own.account, connection=own.sansan, external_id=id, defaults=seen
        )[0]


def previewed(rule: SyncRule, state: str = "succeeded", **values: Any) -> SyncRun:
    ended = (
        {"ended_at": timezone.now(), "started_at": timezone.now()}
        if state in ("succeeded", "partial", "failed", "held")
        else {}
    )
    return rows.run(
        rule,
        **{
            "kind": "preview",
            "trigger": "person",
            "state": state,
            "whole": True,
            "read_done": True,
            **ended,
            **values,
        },
    )


def again(rule: SyncRule) -> SyncRule:
    with in_account(rule.account):
        return SyncRule.objects.get(pk=rule.pk)


def mapped(rule: SyncRule) -> dict[str, str]:
    """Property -> the field or expression that fills it, in their order."""
    with in_account(rule.account):
        return {
            row.hubspot: row.expression or row.sansan
            for row in rule.mappings.order_by("position", "pk")
        }


def everything(own: SimpleNamespace) -> list[Any]:
    """What people decide in an account, as it stands in the database."""
    with in_account(own.account):
        return [
            list(model.objects.order_by("pk").values())
            for model in (SyncRule, FieldMapping, SyncRun)
        ] + [
            list(Connection.objects.order_by("pk").values("pk", "slug", "health", "hint")),
            list(own.sansan.tags.order_by("pk").values()),
        ]


class SetupForm(HTMLParser):
    """The named fields of the step's own form (or of the form with ``id``), each with its values;
    blanks for new rows are left out.
    """

    def __init__(self, html: str, id: str = "") -> None:
        super().__init__()
        self.id, self.inside, self.blank, self.select, self.area = id, False, 0, "", ""
        self.fields: dict[str, list[str]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        name, value = has.get("name") or "", has.get("value")
        if tag == "form":
            self.inside = (
                has.get("id") == self.id
                if self.id
                else "mb-form" in (has.get("class") or "").split() and has.get("method") == "post"
            )
        elif tag == "template":
            self.blank += 1
        of_this = has["form"] == self.id if has.get("form") else self.inside
        if not of_this or self.blank or "disabled" in has:
            self.select = "" if tag == "select" else self.select
        elif (
            tag == "input"
            and name
            and (
                has.get("type") not in ("checkbox", "radio", "submit", "button") or "checked" in has
            )
        ):
            self.fields.setdefault(name, []).append(
                value if value is not None else "on" if has.get("type") == "checkbox" else ""
            )
        elif tag == "select":
            self.select = name
        elif (
            tag == "option"
            and self.select
            and ("selected" in has or self.select not in self.fields)
        ):
            self.fields[self.select] = [value or ""]
        elif tag == "textarea":
            self.area, self.fields[name] = name, [""]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "template":
            self.blank -= 1
        elif tag == "select":
            self.select = ""
        elif tag == "textarea":
            self.area = ""

    def handle_data(self, data: str) -> None:
        if self.area:
            self.fields[self.area][0] += data


def form_of(response: Any, id: str = "") -> dict[str, list[str]]:
    found = SetupForm(body(response), id).fields
    found.pop("csrfmiddlewaretoken", None)
    # A browser leaves out the newline that follows <textarea>.
    return {
        name: [value.removeprefix("\n").replace("\r\n", "\n") for value in values]
        for name, values in found.items()
    }


def send(browser: Any, step: str, rule: SyncRule, **changed: Any) -> Any:
    """Opens a step, changes some fields (None takes one away), and presses Continue unless
    ``action`` says otherwise.
    """
    form: dict[str, Any] = {"action": "next"} | form_of(browser.get(url(step, rule.pk)))
    form |= {name.replace("__", "-"): value for name, value in changed.items()}
    return browser.post(
        url(step, rule.pk), {name: value for name, value in form.items() if value is not None}
    )


def add_row(
    browser: Any, step: str, rule: SyncRule, prefix: str = "row", **values: str
) -> dict[str, Any]:
    """The step's form with one more row, ready to be sent."""
    form: dict[str, Any] = {"action": "next"} | form_of(browser.get(url(step, rule.pk)))
    n = int(form[f"{prefix}-TOTAL_FORMS"][0])
    form[f"{prefix}-TOTAL_FORMS"] = str(n + 1)
    blank = {"active": "on", "policy": "always", "others": "keep"} if prefix == "row" else {}
    return form | {f"{prefix}-{n}-{name}": value for name, value in (blank | values).items()}


def problems(response: Any) -> str:
    """Everything on the page that says what is wrong, as plain text."""
    found: list[str] = []

    class Errors(HTMLParser):
        depth = 0

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            marks = (dict(attrs).get("class") or "").split()
            if self.depth or "mb-error" in marks or "mb-bad" in marks:
                self.depth += 1

        def handle_endtag(self, tag: str) -> None:
            self.depth = max(self.depth - 1, 0)

        def handle_data(self, data: str) -> None:
            if self.depth and data.strip():
                found.append(data.strip())

    Errors().feed(body(response))
    return "\n".join(found)
