"""What the steps share: their order, the stepper, and who may take them."""

from __future__ import annotations

from itertools import count
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views import View

from core.models import Account
from core.roles import EDIT, may
from integration.admin.parts.links import SETUP_STEPS, make_page_url, make_resume_url, make_step_url
from integration.models import SyncRule
from integration.rules.recheck import RuleState, pause_rule_for_change, require_recheck

STEP_ORDER = tuple(SETUP_STEPS)


def find_reached_step(rule: SyncRule | None) -> int:
    """The last step that can be opened: a rule that has run has been through all of them."""
    if rule is None:
        return 0
    if rule.state != RuleState.DRAFT:
        return len(STEP_ORDER) - 1
    return STEP_ORDER.index(rule.setup_step) if rule.setup_step in SETUP_STEPS else 1


class SetupStep(View):
    """One page. ``save`` keeps what was typed and returns whether the next step can come."""

    name = ""
    template = ""
    lead: Any = ""
    # Set by SetupMixin.
    page: Any = None
    rule: SyncRule | None

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

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.rule and not self.rule.account.active:
            messages.error(
                request,
                _("%(account)s is suspended: nothing can be set up for it.")
                % {"account": self.rule.account},
            )
            return redirect("admin:integration_syncrule_changelist")
        if self.rule and self.rule.discarded_at:
            messages.warning(request, _("This draft was discarded: bring it back first."))
            return redirect(make_page_url(self.rule))
        if self.rule and STEP_ORDER.index(self.name) > find_reached_step(self.rule):
            return redirect(make_resume_url(self.rule))
        return super().dispatch(request, *args, **kwargs)

    def render(self, status: int = 200, **context: Any) -> TemplateResponse:
        shown = {
            **self.page.admin_site.each_context(self.request),
            "title": _("Set up a sync")
            if self.rule is None or self.rule.state == RuleState.DRAFT
            else _("Change a sync"),
            "rule": self.rule,
            "steps": make_stepper(self.name, self.rule),
            "step_title": SETUP_STEPS[self.name],
            "step_number": STEP_ORDER.index(self.name) + 1,
            "lead": self.lead,
            "back": self.make_back_url(),
            **context,
        }
        return TemplateResponse(
            self.request, f"admin/setup/{self.template or self.name}.html", shown, status=status
        )

    def make_back_url(self) -> str:
        place = STEP_ORDER.index(self.name)
        return make_step_url(STEP_ORDER[place - 1], self.rule) if place else ""

    def go_onward(self) -> HttpResponse:
        """To the next step, which the draft has reached from now on."""
        assert self.rule is not None
        following = STEP_ORDER[STEP_ORDER.index(self.name) + 1]
        if self.rule.state == RuleState.DRAFT and STEP_ORDER.index(following) > find_reached_step(
            self.rule
        ):
            self.rule.setup_step = following
            self.rule.save(update_fields=["setup_step"])
        return redirect(make_step_url(following, self.rule))

    def mark_changed(self) -> None:
        """What decides about cards was changed: every card is looked at again, and the last preview
        tells nothing any more.

        A rule that runs is paused, so that nothing of the new configuration is written before
        somebody has reviewed it.
        """
        assert self.rule is not None
        if pause_rule_for_change(self.rule, self.request.user):
            messages.warning(
                self.request,
                _(
                    "The sync is paused while you change it. “Save and sync” on the last page "
                    "starts it again."
                ),
            )
        require_recheck(self.rule)


class RuleStep(SetupStep):
    """A page whose address names the rule."""

    rule: SyncRule


def make_stepper(current: str, rule: SyncRule | None) -> list[dict[str, Any]]:
    last, place = find_reached_step(rule), STEP_ORDER.index(current)
    return [
        {
            "title": title,
            "number": i + 1,
            "url": make_step_url(name, rule) if rule and i <= last and i != place else "",
            "state": "now" if i == place else "done" if i < place or i <= last else "later",
        }
        for i, (name, title) in enumerate(SETUP_STEPS.items())
    ]


def find_free_slug(model: Any, account: Account | None, wanted: str) -> str:
    taken = (
        set(model.objects.filter(account=account).values_list("slug", flat=True))
        if account
        else set()
    )
    return next(
        slug for n in count(1) if (slug := wanted if n == 1 else f"{wanted}-{n}") not in taken
    )
