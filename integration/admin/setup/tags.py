"""Tags: which cards are in scope. Two panes; a private tag says why it cannot be had."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.history import update_many
from integration import changes, tasks
from integration.admin.setup.connect import seen
from integration.admin.setup.steps import Step
from integration.admin.shown import number
from integration.models import Connection, SyncRule, Tag

SHOWN = 2000


class Tags(Step):
    name = "tags"
    lead = gettext_lazy("Only cards with one of the selected tags are synced. With none selected, every card that the key sees is.")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.show(self.stored())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get("action") == "count":
            tasks.enqueue_survey(self.rule.sansan)  # type: ignore[union-attr]
            tasks.enqueue_tags(self.rule.sansan)  # type: ignore[union-attr]
            return self.show(set(request.POST.getlist("tag")))
        asked = set(request.POST.getlist("tag"))
        if request.POST.get("every") == "1":
            asked = set()
        problem = self.problem(asked, request.POST.get("every") == "1")
        if problem:
            return self.show(asked, problem)
        with transaction.atomic():
            if self.select(asked):
                self.changed()
        return self.onward()

    def problem(self, asked: set[str], every: bool) -> str:
        if not asked and not every:
            return _("Select at least one tag, or say that every card is to be synced.")
        asked = {tag.replace("\0", "�") for tag in asked}
        usable = Tag.objects.filter(connection=self.rule.sansan, external_id__in=asked).exclude(type=Tag.Type.PRIVATE).count()  # type: ignore[union-attr]
        if usable != len(asked):
            return _("A tag of these is not there any more, or has become private: look at what is selected now.")
        if len(asked) > settings.SYNC_MAX_TAGS:
            return _("%(n)s tags are selected, and at most %(most)s can be: take some away.") % {
                "n": number(len(asked)),
                "most": number(settings.SYNC_MAX_TAGS),
            }
        return ""

    def stored(self) -> set[str]:
        return set(Tag.objects.filter(connection=self.rule.sansan, selected=True).values_list("external_id", flat=True))  # type: ignore[union-attr]

    def select(self, asked: set[str]) -> bool:
        """Selects exactly these; tells the other rules of the connection to look at every card again, too."""
        assert self.rule is not None
        Connection.objects.select_for_update().only("pk").get(pk=self.rule.sansan_id)
        tags = [tag for tag in Tag.objects.filter(connection=self.rule.sansan) if tag.selected != (tag.external_id in asked)]
        for tag in tags:
            tag.selected = tag.external_id in asked
        update_many(tags, ["selected"])
        if tags:
            changes.tags_changed(self.rule.sansan)
        return bool(tags)

    def show(self, chosen: set[str], problem: str = "") -> HttpResponse:
        assert self.rule is not None
        connection = self.rule.sansan
        tags = list(Tag.objects.filter(connection=connection).order_by("-selected", "name", "pk")[:SHOWN])
        others = SyncRule.objects.filter(sansan=connection).exclude(pk=self.rule.pk)
        counted = dict((connection.survey or {}).get("tags") or {})
        rows = [row(tag, chosen, counted, connection.cards is not None) for tag in tags]
        return self.render(
            tags=sorted(rows, key=lambda one: (one["private"], one["tag"].name)),
            chosen=len(chosen),
            most=settings.SYNC_MAX_TAGS,
            every=not chosen and (problem == "" and (self.rule.setup_step not in ("", "tags") or self.rule.state != SyncRule.State.DRAFT)),
            problem=problem,
            seen=seen(connection),
            others=list(others.values_list("slug", flat=True)[:5]),
            more=len(tags) == SHOWN,
        )


def row(tag: Tag, chosen: set[str], counted: dict[str, int], known: bool) -> dict[str, Any]:
    cards = tag.cards if tag.cards is not None else counted.get(tag.external_id, 0) if known or counted else None
    return {"tag": tag, "chosen": tag.external_id in chosen, "private": tag.type == Tag.Type.PRIVATE, "cards": cards}


class TagsSeen(Step):
    """How far the counting has come; reloads the page when it ends."""

    name = "tags"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return render(request, "admin/setup/counting.html", {"seen": seen(self.rule.sansan), "rule": self.rule})  # type: ignore[union-attr]
