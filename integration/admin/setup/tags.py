"""Tags: which cards are in scope. Two panes; a private tag says why it cannot be had."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import Case, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integration import tasks
from integration.admin.parts.shown import show_number
from integration.admin.setup.connect import make_connection_line
from integration.admin.setup.steps import RuleStep
from integration.models import SyncRule, Tag
from integration.rules.recheck import find_chosen_tags, pick_tags

MOST_TAGS_SHOWN = 2000


class TagsStep(RuleStep):
    name = "tags"
    lead = gettext_lazy(
        "Choose which cards are synced: those with one of the selected tags, or every card that "
        "the key sees."
    )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        chosen = find_chosen_tags(self.rule)
        # A draft that has come here for the first time has not been asked yet.
        return self.show(
            chosen,
            chosen,
            every=not chosen
            and (
                self.rule.setup_step not in ("", "tags") or self.rule.state != SyncRule.State.DRAFT
            ),
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        every = request.POST.get("every") == "1"
        with transaction.atomic():
            # Of two who save at once the second meets the choice of the first.
            self.rule = (
                SyncRule.objects.select_related("account", "sansan")
                .select_for_update(of=("self",))
                .get(pk=self.rule.pk)
            )
            stands = find_chosen_tags(self.rule)
            asked = set() if every else self.add_colleagues(self.read_posted("tag"), stands)
            if request.POST.get("action") == "count":
                tasks.enqueue_survey(self.rule.sansan)
                tasks.enqueue_tags(self.rule.sansan)
                return self.show(asked, stands, every)
            problem = self.find_problem(asked, every)
            if problem:
                return self.show(asked, stands, every, problem)
            if pick_tags(self.rule, asked):
                self.mark_changed()
        return self.go_onward()

    def read_posted(self, name: str) -> set[str]:
        return {tag.replace("\0", "�") for tag in self.request.POST.getlist(name)}

    def add_colleagues(self, ticked: set[str], stands: set[str]) -> set[str]:
        """What is ticked, with what somebody else has selected or taken away since the page was
        opened; a message tells of it.
        """
        opened = self.read_posted("opened")
        if not stands:
            return ticked  # every card goes: there is nothing to keep
        more, gone = stands - opened - ticked, ticked & opened - stands
        told = {
            _("Meanwhile somebody else has selected: %(tags)s. It is kept."): more,
            _("Meanwhile somebody else has taken away: %(tags)s."): gone,
        }
        for text, ids in told.items():
            names = (
                Tag.objects.filter(connection=self.rule.sansan, external_id__in=ids)
                .order_by("name")
                .values_list("name", flat=True)
            )
            if names:
                messages.info(self.request, text % {"tags": ", ".join(names)})
        return (ticked | more) - gone

    def find_problem(self, asked: set[str], every: bool) -> str:
        if not asked and not every:
            return _("Select at least one tag, or say that every card is to be synced.")
        usable = (
            Tag.objects.filter(connection=self.rule.sansan, external_id__in=asked)
            .exclude(type=Tag.Type.PRIVATE)
            .count()
        )
        if usable != len(asked):
            return _(
                "A tag of these is not there any more, or has become private: look at what is "
                "selected now."
            )
        if len(asked) > settings.SYNC_MAX_TAGS:
            return _("%(n)s tags are selected, and at most %(most)s can be: take some away.") % {
                "n": show_number(len(asked)),
                "most": show_number(settings.SYNC_MAX_TAGS),
            }
        return ""

    def show(
        self, chosen: set[str], stands: set[str], every: bool, problem: str = ""
    ) -> HttpResponse:
        """``chosen`` is ticked; ``stands`` is what is kept as this page opens, by which a
        colleague's choice is told from it later.
        """
        connection = self.rule.sansan
        # What is chosen comes first: it must not fall out of a list that is cut short, and with it
        # out of the choice.
        tags = list(
            Tag.objects.filter(connection=connection).order_by(
                Case(When(external_id__in=chosen, then=0), default=1), "name", "pk"
            )[:MOST_TAGS_SHOWN]
        )
        others = SyncRule.objects.filter(sansan=connection).exclude(pk=self.rule.pk)
        counted = dict((connection.survey or {}).get("tags") or {})
        rows = [as_tag_row(tag, chosen, counted, connection.cards is not None) for tag in tags]
        return self.render(
            tags=sorted(rows, key=lambda one: (one["private"], one["tag"].name)),
            chosen=len(chosen),
            opened=sorted(stands),
            most=settings.SYNC_MAX_TAGS,
            every=every,
            problem=problem,
            seen=make_connection_line(connection),
            others=list(others.values_list("slug", flat=True)[:5]),
            more=len(tags) == MOST_TAGS_SHOWN,
        )


def as_tag_row(tag: Tag, chosen: set[str], counted: dict[str, int], known: bool) -> dict[str, Any]:
    cards = (
        tag.cards
        if tag.cards is not None
        else counted.get(tag.external_id, 0)
        if known or counted
        else None
    )
    return {
        "tag": tag,
        "chosen": tag.external_id in chosen,
        "private": tag.type == Tag.Type.PRIVATE,
        "cards": cards,
    }


class TagsProgress(RuleStep):
    """How far the counting has come; when it ends, the page shows the tags anew."""

    name = "tags"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return render(
            request,
            "admin/setup/counting.html",
            {"seen": make_connection_line(self.rule.sansan), "rule": self.rule},
        )
