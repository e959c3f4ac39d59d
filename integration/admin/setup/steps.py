"""What the steps share: their order, the stepper, and who may take them."""

from __future__ import annotations

from itertools import count
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views import View

from core.models import Account
from core.roles import EDIT, may
from integration.admin.parts.links import STEPS, page_url, resume_url, step_url
from integration.models import SyncRule
from integration.rules.recheck import pause_to_change, require_recheck

ORDER = tuple(STEPS)
State = SyncRule.State


def reached(rule: SyncRule | None) -> int:
    """The last step that can be opened: a rule that has run has been through all of them."""
    if rule is None:
        return 0
    if rule.state != State.DRAFT:
        return len(ORDER) - 1
    return ORDER.index(rule.setup_step) if rule.setup_step in STEPS else 1


class Step(View):
    """One page. ``save`` keeps what was typed and returns whether the next step can come."""

    name = ""
    template = ""
    lead: Any = ""
    # Set by SetupMixin.
    page: Any = None

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.rule = self.find(request, kwargs.get("rule_id"))

    def find(self, request: HttpRequest, rule_id: int | None) -> SyncRule | None:
        if rule_id is None:
            if not may(request.user, None, EDIT):
                raise PermissionDenied
            return None
        rule: SyncRule | None = self.page.get_object(request, str(rule_id))
        if rule is None:
            raise Http404
        if not may(request.user, rule.account_id, EDIT):
            raise PermissionDenied
        return rule

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.rule and not self.rule.account.active:
            messages.error(request, _("%(account)s is suspended: nothing can be set up for it.") % {"account": self.rule.account})
            return redirect("admin:integration_syncrule_changelist")
        if self.rule and self.rule.discarded_at:
            messages.warning(request, _("This draft was discarded: bring it back first."))
            return redirect(page_url(self.rule))
        if self.rule and ORDER.index(self.name) > reached(self.rule):
            return redirect(resume_url(self.rule))
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def render(self, status: int = 200, **context: Any) -> TemplateResponse:
        shown = {
            **self.page.admin_site.each_context(self.request),
            "title": _("Set up a sync") if self.rule is None or self.rule.state == State.DRAFT else _("Change a sync"),
            "rule": self.rule,
            "steps": stepper(self.name, self.rule),
            "step_title": STEPS[self.name],
            "step_number": ORDER.index(self.name) + 1,
            "lead": self.lead,
            "back": self.back(),
            **context,
        }
        return TemplateResponse(self.request, f"admin/setup/{self.template or self.name}.html", shown, status=status)

    def back(self) -> str:
        place = ORDER.index(self.name)
        return step_url(ORDER[place - 1], self.rule) if place else ""

    def onward(self) -> HttpResponse:
        """To the next step, which the draft has reached from now on."""
        assert self.rule is not None
        following = ORDER[ORDER.index(self.name) + 1]
        if self.rule.state == State.DRAFT and ORDER.index(following) > reached(self.rule):
            self.rule.setup_step = following
            self.rule.save(update_fields=["setup_step"])
        return redirect(step_url(following, self.rule))

    def changed(self) -> None:
        """What decides about cards was changed: every card is looked at again, and the last preview tells nothing any more.

        A rule that runs is paused, so that nothing of the new configuration is written before somebody has reviewed it.
        """
        assert self.rule is not None
        if pause_to_change(self.rule, self.request.user):
            messages.warning(self.request, _("The sync is paused while you change it. “Save and sync” on the last page starts it again."))
        require_recheck(self.rule)


def stepper(current: str, rule: SyncRule | None) -> list[dict[str, Any]]:
    last, place = reached(rule), ORDER.index(current)
    return [
        {
            "title": title,
            "number": i + 1,
            "url": step_url(name, rule) if rule and i <= last and i != place else "",
            "state": "now" if i == place else "done" if i < place or i <= last else "later",
        }
        for i, (name, title) in enumerate(STEPS.items())
    ]


def free_slug(model: Any, account: Account | None, wanted: str) -> str:
    taken = set(model.objects.filter(account=account).values_list("slug", flat=True)) if account else set()
    return next(slug for n in count(1) if (slug := wanted if n == 1 else f"{wanted}-{n}") not in taken)
