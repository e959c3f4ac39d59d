"""Buttons on a detail page that do something: a POST each, so that no link, prefetch or foreign
page can press one.

(unfold's own detail actions are plain links.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.db.models.options import Options
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from core.roles import OPERATE
from core.tenancy import AccountOwned

Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True)
class Button:
    name: str
    label: Any
    icon: str
    right: str
    primary: bool
    title: Any


def button(
    label: Any, *, icon: str = "", right: str = OPERATE, primary: bool = False, title: Any = ""
) -> Callable[[Method], Method]:
    """Marks ``method(self, request, obj)`` as a button.

    What it returns is the answer; None goes back to the page.
    """

    def mark(method: Any) -> Any:
        method.button = Button(
            method.__name__, label, icon=icon, right=right, primary=primary, title=title
        )
        return method

    return mark


class Rights(Protocol):
    """Whether the user may do something to an object; without one, to any."""

    def __call__(self, request: HttpRequest, obj: Any, action: str) -> bool: ...


class Finder(Protocol):
    """The row with an id, of those that the user may see."""

    def __call__(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any: ...


class ButtonsMixin:
    """For a ModelAdmin that names its buttons, in their order, in ``buttons``."""

    # Of the page that it is mixed into.
    admin_site: AdminSite
    opts: Options[Any]
    is_allowed: Rights
    get_object: Finder

    buttons: tuple[str, ...] = ()
    change_form_outer_before_template = "admin/buttons.html"

    def is_button_fitting(self, name: str, obj: Any) -> bool:
        """Whether the button makes sense in the object's present state."""
        return True

    def list_buttons(self, request: HttpRequest, obj: Model) -> list[Button]:
        marked = [getattr(self, name).button for name in self.buttons]
        return [
            one
            for one in marked
            if self.is_button_fitting(one.name, obj) and self.is_allowed(request, obj, one.right)
        ]

    def make_button_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:object_id>/press/<slug:name>/",
                self.admin_site.admin_view(self.press),
                name=self._press_name,
            )
        ]

    @property
    def _press_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_press"

    def make_page_url(self, obj: Model) -> str:
        return reverse(
            f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change",
            args=[obj.pk],
        )

    def press(self, request: HttpRequest, object_id: int, name: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        obj = self.get_object(request, str(object_id))
        if obj is None or name not in self.buttons:
            raise Http404
        method = getattr(self, name)
        if not self.is_allowed(request, obj, method.button.right):
            raise PermissionDenied
        if isinstance(obj, AccountOwned) and not obj.account.active:
            messages.error(
                request,
                _("%(account)s is switched off: nothing runs for it.") % {"account": obj.account},
            )
            return redirect(self.make_page_url(obj))
        if not self.is_button_fitting(name, obj):
            # The page was open while somebody else pressed a button.
            messages.warning(
                request,
                _(
                    "“%(label)s” is not possible any more: the page below shows how things "
                    "stand now."
                )
                % {"label": method.button.label},
            )
            return redirect(self.make_page_url(obj))
        return method(request, obj) or redirect(self.make_page_url(obj))
