"""Pages as a browser meets them: their addresses, and their forms as they would be sent back."""

from __future__ import annotations

import io
import zipfile
from html.parser import HTMLParser
from typing import Any

from django.contrib.messages import get_messages
from django.db.models import Model
from django.urls import reverse
from django.utils.html import conditional_escape


def address(row: Model | type[Model], page: str, *args: Any, **query: Any) -> str:
    """``page`` of a model or of one of its rows: changelist, add, change, delete, history, press,
    ...
    """
    pk = () if isinstance(row, type) else (row.pk,)
    return reverse(
        f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}",
        args=[*pk, *args],
        query=query or None,
    )


def listed(model: type[Model], **query: Any) -> str:
    return address(model, "changelist", **query)


def page(row: Model) -> str:
    return address(row, "change")


def press(row: Model, name: str) -> str:
    return address(row, "press", name)


def body(response: Any) -> str:
    """The text of an answer; of an archive, that of everything in it."""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    if response.get("Content-Type") == "application/zip":
        with zipfile.ZipFile(io.BytesIO(content)) as bundle:
            content = b"\n".join(bundle.read(name) for name in bundle.namelist())
    return str(content.decode())


def told_and_sent_to(response: Any) -> str:
    """What an answer says beside its text: where it sends on, and its messages as the next page
    will show them. In the cookie they are encoded
    and signed with the second, so that neither a name nor a difference is to be found in it."""
    said = (conditional_escape(message.message) for message in get_messages(response.wsgi_request))
    return "\n".join([response.get("Location", ""), *said])


def told(response: Any) -> str:
    """The messages that a followed answer shows."""
    return "\n".join(str(message) for message in response.context["messages"])


class Form(HTMLParser):
    """The fields of the page's main form, with the values that a browser would send."""

    def __init__(self, html: str, id: str) -> None:
        super().__init__()
        self.id, self.inside = id, False
        self.fields: dict[str, Any] = {}
        self.select = self.area = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        if tag == "form":
            self.inside = has.get("id") == self.id
        if not self.inside:
            return
        name = has.get("name") or ""
        if (
            tag == "input"
            and name
            and (
                has.get("type") not in ("checkbox", "radio", "submit", "button") or "checked" in has
            )
        ):
            self.fields[name] = has.get("value") or ("on" if has.get("type") == "checkbox" else "")
        elif tag == "select":
            self.select = name
        elif (
            tag == "option"
            and self.select
            and ("selected" in has or self.select not in self.fields)
        ):
            self.fields[self.select] = has.get("value") or ""
        elif tag == "textarea":
            self.area, self.fields[name] = name, ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "select":
            self.select = ""
        elif tag == "textarea":
            self.area = ""

    def handle_data(self, data: str) -> None:
        if self.area:
            self.fields[self.area] += data


def form_of(response: Any) -> dict[str, str]:
    """What the browser would send if nothing were touched; nothing where the page has no form."""
    opts = response.context["opts"]
    fields = Form(body(response), f"{opts.model_name}_form").fields
    fields.pop("csrfmiddlewaretoken", None)
    # A browser leaves out the newline that follows <textarea>.
    return {name: value.removeprefix("\n").replace("\r\n", "\n") for name, value in fields.items()}


def send(browser: Any, url: str, **changed: Any) -> Any:
    """Opens the form, changes some fields, saves, and follows to where that leads."""
    return browser.post(url, form_of(browser.get(url)) | changed, follow=True)


def rows_on(response: Any) -> list[Any]:
    """The rows that a list shows, in their order."""
    return list(response.context["cl"].result_list)


def errors(response: Any) -> dict[str, list[str]]:
    """Field -> what is wrong, of the form and of its inline rows (as ``row.field``); nothing where
    the form was saved.
    """
    if "adminform" not in response.context:
        return {}
    found = {name: list(texts) for name, texts in response.context["adminform"].form.errors.items()}
    for inline in response.context["inline_admin_formsets"]:
        for n, form in enumerate(inline.formset.forms):
            found |= {f"{n}.{name}": list(texts) for name, texts in form.errors.items()}
    return found
