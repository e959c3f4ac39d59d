"""Connect: a key of each system, tested at once by the workers while the page follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, slug_re
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin.base import is_id, select_editable_accounts
from core.history import create_with_history
from core.models import Account
from core.roles import EDIT, may
from integration import tasks
from integration.admin.parts.drafts import select_open_drafts
from integration.admin.parts.fields import check_typed_secret
from integration.admin.parts.links import make_resume_url, make_step_url
from integration.admin.parts.said import describe_notes
from integration.admin.parts.shown import show_number
from integration.admin.setup import oauth
from integration.admin.setup.steps import SetupStep, find_free_slug
from integration.models import Connection, FieldMapping, SyncRule, SyncRun
from integration.rules.file import make_default_mappings
from integration.rules.twins import find_twins

SANSAN, HUBSPOT = Connection.System.SANSAN, Connection.System.HUBSPOT
KEY_HELP = {
    SANSAN: gettext_lazy(
        "In Sansan: user settings, API key. 32 letters and digits. Best is the key of a user "
        "who sees every card."
    ),
    HUBSPOT: gettext_lazy(
        "In HubSpot: settings, integrations, service keys. It needs to read and write contacts, "
        "and to make contact properties."
    ),
}


is_slug = RegexValidator(
    slug_re,
    gettext_lazy("Letters, digits, - and _ only: the name stands in addresses and commands."),
)


class KeyForm(forms.Form):
    """A new connection, or another key for one that never worked.

    What is typed as the key is never shown again, not even after a mistake.
    """

    use_required_attribute = False  # all stands in one form, and nobody need enter a key
    label = forms.CharField(
        label=gettext_lazy("Name of the connection"), max_length=50, validators=[is_slug]
    )
    secret = forms.CharField(
        label=gettext_lazy("Key"), max_length=2000, strip=True, widget=forms.PasswordInput()
    )

    def __init__(
        self, data: QueryDict | None = None, *, account: Account | None, system: str
    ) -> None:
        super().__init__(data, prefix=system)
        self.account, self.system = account, system
        self.fields["secret"].label = (
            _("API key") if system == SANSAN else _("Service key or access token")
        )
        self.fields["secret"].help_text = KEY_HELP[Connection.System(system)]
        self.fields["secret"].widget.attrs.update({"autocomplete": "off", "spellcheck": "false"})
        self.fields["label"].initial = find_free_slug(Connection, account, system)
        self.there: Connection | None = None

    def clean_secret(self) -> str:
        return check_typed_secret(self.cleaned_data["secret"])

    def clean_label(self) -> str:
        label = str(self.cleaned_data["label"])
        self.there = Connection.objects.filter(account=self.account, slug=label).first()
        if self.there and not (
            self.there.system == self.system and is_connection_useless(self.there)
        ):
            raise ValidationError(
                _(
                    "There is a connection of this name already: choose it above, or another "
                    "name here."
                )
            )
        return label

    def save(self) -> Connection:
        connection = self.there or Connection(
            account=self.account, slug=self.cleaned_data["label"], system=self.system
        )
        connection.set_secret(self.cleaned_data["secret"])
        connection.save()
        tasks.enqueue_check(connection)
        return connection


@dataclass
class ConnectSide:
    """One half of the page."""

    system: str
    title: str
    choices: list[dict[str, Any]]
    form: KeyForm
    problem: str = ""
    again: bool = False  # the chosen one needs another key
    oauth: bool = False


class ConnectStep(SetupStep):
    name = "connect"
    lead = gettext_lazy(
        "Both keys are stored encrypted and tested at once. Nothing is written to either system "
        "before “Save and sync”."
    )

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        accounts = (
            [self.rule.account]
            if self.rule
            else list(select_editable_accounts(request).filter(active=True).order_by("name")[:2000])
        )
        if not accounts and select_editable_accounts(request).exists():
            messages.warning(request, _("The account is suspended: nothing can be set up for it."))
            return redirect("admin:integration_syncrule_changelist")
        if not accounts:
            messages.info(request, _("First make an account: everything else belongs to one."))
            return redirect(
                "admin:core_account_add" if request.user.is_superuser else "admin:index"
            )
        self.accounts = accounts
        asked = (request.POST or request.GET).get("account", "")
        chosen = self.rule.account_id if self.rule else int(asked) if is_id(asked) else None
        self.account = next(
            (one for one in accounts if one.pk == chosen),
            accounts[0] if len(accounts) == 1 else None,
        )
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.show(request.GET)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.account is None:
            return self.show(
                request.POST,
                problems={"account": _("Choose the account that this sync belongs to.")},
            )
        action, data = request.POST.get("action", ""), request.POST.copy()
        # Whatever button was pressed: no key that was entered is lost.
        forms: dict[str, KeyForm] = {
            system: self.add_key(system, data)
            for system in (SANSAN, HUBSPOT)
            if system == action or request.POST.get(f"{system}-secret")
        }
        if any(form.errors for form in forms.values()):
            return self.show(data, forms=forms)
        if action == "oauth":
            return oauth.begin_oauth(request, self.account, self.make_own_url(data))
        if action == "test":
            self.test_again(data)
        elif action not in (SANSAN, HUBSPOT) and not forms:
            return self.go_on()
        elif action not in (SANSAN, HUBSPOT):
            messages.info(
                request, _("The key that you entered is being tested: go on as soon as it works.")
            )
        return redirect(self.make_own_url(data))

    def add_key(self, system: str, data: QueryDict) -> KeyForm:
        """Stores what was entered, and chooses it in ``data``; a form with errors where it cannot
        be.
        """
        form = KeyForm(self.request.POST, account=self.account, system=system)
        try:
            with transaction.atomic():
                if form.is_valid():
                    data[system] = str(form.save().pk)
        except IntegrityError:  # somebody else made one of this name in the same moment
            form.add_error("label", _("There is a connection of this name already."))
        return form

    def test_again(self, data: QueryDict) -> None:
        for connection in self.read_picked(data).values():
            connection.health = Connection.Health.UNTESTED
            connection.save(update_fields=["health"])
            tasks.enqueue_check(connection)

    def go_on(self) -> HttpResponse:
        picked = self.read_picked(self.request.POST)
        slug, problems = self.request.POST.get("slug", "").strip(), {}
        self.rule = self.rule or self.find_made_before(slug, picked)
        for system in (SANSAN, HUBSPOT):
            problem = find_connection_problem(picked.get(system), Connection.System(system).label)
            if problem:
                problems[system.value] = problem
        if HUBSPOT not in problems and (problem := self.find_twin(picked[HUBSPOT])):
            problems[HUBSPOT.value] = problem
        if problem := self.find_slug_problem(slug):
            problems["slug"] = problem
        if problems:
            return self.show(self.request.POST, problems=problems)
        try:
            with transaction.atomic():
                self.store(slug, picked)
        except IntegrityError:  # the button was pressed twice
            self.rule = self.find_made_before(slug, picked)
            if self.rule is None:
                return self.show(
                    self.request.POST, problems={"slug": _("There is a sync of this name already.")}
                )
        tasks.enqueue_survey_where_wanted(picked[SANSAN])
        return self.go_onward()

    def find_made_before(self, slug: str, picked: dict[str, Connection]) -> SyncRule | None:
        """The draft that this page has made already: somebody came back to it and goes on once
        more.
        """
        ends = {f"{system}_id": one.pk for system, one in picked.items()}
        drafts = (
            select_open_drafts()
            .filter(account=self.account, slug=slug)
            .select_related("sansan", "hubspot")
        )
        return drafts.filter(**ends).first() if len(ends) == 2 and "\0" not in slug else None

    def find_twin(self, hubspot: Connection) -> str:
        """What is wrong with a second connection to a HubSpot account that others write to; a sync
        that has run keeps its own.
        """
        kept = (
            self.rule
            and self.rule.state != SyncRule.State.DRAFT
            and self.rule.hubspot_id == hubspot.pk
        )
        twin = None if kept else find_twins(hubspot).first()
        same = _(
            "This is the same HubSpot account as “%(slug)s”, which other syncs go by: choose "
            "that connection."
        )
        return same % {"slug": twin.slug} if twin else ""

    def find_slug_problem(self, slug: str) -> str:
        try:
            is_slug(slug)
        except ValidationError as wrong:
            return str(wrong.message)
        if len(slug) > 50:
            return _("At most 50 letters.")
        taken = SyncRule.objects.filter(account=self.account, slug=slug)
        if self.rule:
            taken = taken.exclude(pk=self.rule.pk)
        if taken.filter(discarded_at__isnull=False).exists():
            return _(
                "A draft that was discarded has this name: bring it back, or take another name."
            )
        return _("There is a sync of this name already.") if taken.exists() else ""

    def store(self, slug: str, picked: dict[str, Connection]) -> None:
        """Makes the draft, or gives it other ends, as long as it has none that hold records."""
        if self.rule is None:
            assert self.account is not None
            ends = {"sansan": picked[SANSAN], "hubspot": picked[HUBSPOT]}
            self.rule = SyncRule.objects.create(
                account=self.account, slug=slug, setup_step="tags", **ends
            )
            create_with_history(
                [
                    FieldMapping(account=self.account, rule=self.rule, position=i, **row)
                    for i, row in enumerate(make_default_mappings())
                ]
            )
            return
        others = (self.rule.sansan_id, self.rule.hubspot_id) != (
            picked[SANSAN].pk,
            picked[HUBSPOT].pk,
        )
        if others and has_fixed_connections(self.rule):
            messages.warning(
                self.request,
                _(
                    "This sync has run already and keeps its connections: set up another one "
                    "for others."
                ),
            )
        elif others:
            # What a preview read of other cards is nobody's.
            records = self.rule.records.all()
            records._raw_delete(records.db)
            self.rule.cursor = self.rule.picked_tags = None
            self.rule.sansan, self.rule.hubspot = picked[SANSAN], picked[HUBSPOT]
        self.rule.slug = slug
        self.rule.save(update_fields=["slug", "sansan", "hubspot", "cursor", "picked_tags"])
        if others:
            self.mark_changed()

    def read_picked(self, data: QueryDict) -> dict[str, Connection]:
        """The connections that are chosen, of this account only."""
        found = {}
        for system in (SANSAN, HUBSPOT):
            asked = data.get(system.value, "")
            if not asked and self.rule:
                asked = str(self.rule.sansan_id if system == SANSAN else self.rule.hubspot_id)
            one = self.list_connections(system).filter(pk=asked).first() if is_id(asked) else None
            if one:
                found[system.value] = one
        return found

    def list_connections(self, system: str) -> Any:
        rows = (
            Connection.objects.filter(system=system, account=self.account)
            if self.account
            else Connection.objects.none()
        )
        return rows.defer("credentials", "schema").order_by("slug")

    def show(
        self,
        data: QueryDict,
        forms: dict[str, KeyForm] | None = None,
        problems: dict[str, str] | None = None,
    ) -> HttpResponse:
        picked, problems, forms = self.read_picked(data), problems or {}, forms or {}
        forms = {system: form for system, form in forms.items() if form.errors}
        sides = [
            self.make_side(system, picked, forms.get(system), problems.get(system, ""))
            for system in (SANSAN, HUBSPOT)
        ]
        slug = data.get("slug") or (
            self.rule.slug if self.rule else find_free_slug(SyncRule, self.account, "cards")
        )
        return self.render(
            account=self.account,
            accounts=self.accounts if self.rule is None else [],
            sides=sides,
            slug=slug,
            problems=problems,
            problem=_("Something is missing or does not work yet: each place says what.")
            if problems or forms
            else "",
            fixed=self.rule and has_fixed_connections(self.rule),
            drafts=[] if self.rule else self.list_drafts(),
        )

    def make_side(
        self, system: str, picked: dict[str, Connection], form: KeyForm | None, problem: str
    ) -> ConnectSide:
        choices = list(self.list_connections(system)[:100])
        chosen = picked.get(system) or (choices[0] if len(choices) == 1 and form is None else None)
        rows = [
            {**make_connection_line(one), "chosen": chosen is not None and one.pk == chosen.pk}
            for one in choices
        ]
        again = chosen if form is None and chosen and is_connection_useless(chosen) else None
        form = form or KeyForm(account=self.account, system=system)
        if again:
            form.fields["label"].initial = again.slug
        return ConnectSide(
            system,
            Connection.System(system).label,
            choices=rows,
            form=form,
            problem=problem,
            again=again is not None,
            oauth=system == HUBSPOT and oauth.is_oauth_offered(),
        )

    def list_drafts(self) -> list[dict[str, Any]]:
        rows = select_open_drafts().order_by("-pk")[:10]
        return [
            {"rule": rule, "url": make_resume_url(rule)}
            for rule in rows
            if may(self.request.user, rule.account_id, EDIT)
        ]

    def make_own_url(self, data: QueryDict, **values: Any) -> str:
        """This page with what was chosen so far in its address, so that a reload and the back
        button keep it.
        """
        kept = QueryDict(mutable=True)
        names = ("account", SANSAN.value, HUBSPOT.value, "slug")
        kept.update(
            {name: value for name in names if (value := data.get(name))}
            | {name: str(value) for name, value in values.items()}
        )
        return f"{make_step_url('connect', self.rule)}?{kept.urlencode()}"


class ConnectionProgress(SetupStep):
    """The part of the page that follows a test."""

    name = "connect"

    def get(
        self, request: HttpRequest, *args: Any, connection_id: int, **kwargs: Any
    ) -> HttpResponse:
        connection = (
            Connection.objects.filter(pk=connection_id).defer("credentials", "schema").first()
        )
        if connection is None or not may(request.user, connection.account_id, EDIT):
            raise Http404
        return render(
            request, "admin/setup/connection.html", {"seen": make_connection_line(connection)}
        )


def find_connection_problem(connection: Connection | None, system: str) -> str:
    if connection is None:
        return _("Choose a connection to %(system)s, or enter a key.") % {"system": system}
    if connection.health == Connection.Health.OK:
        return ""
    if connection.health == Connection.Health.UNTESTED:
        return _("Still being tested: wait a moment, then go on.")
    return _("This connection does not work yet: %(why)s") % {
        "why": describe_notes(connection.health_detail)
    }


def is_connection_useless(connection: Connection) -> bool:
    """Its key was refused, and no sync knows it: the next one may take its place."""
    refused = connection.health in (Connection.Health.RECONNECT, Connection.Health.UNREACHABLE)
    return (
        refused
        and not SyncRule.objects.filter(Q(sansan=connection) | Q(hubspot=connection)).exists()
    )


def make_connection_line(connection: Connection) -> dict[str, Any]:
    """What is known of a connection, for its line on the page; done as soon as nothing more is to
    come.
    """
    survey = connection.survey or {}
    counting = (
        connection.health == Connection.Health.OK
        and connection.system == SANSAN
        and survey.get("state") == "running"
    )
    return {
        "connection": connection,
        "testing": connection.health == Connection.Health.UNTESTED,
        "works": connection.health == Connection.Health.OK,
        "counting": counting,
        "done": connection.health != Connection.Health.UNTESTED and not counting,
        "cards": show_number(
            survey.get("cards", 0) if counting or connection.cards is None else connection.cards
        ),
        "counted": connection.cards is not None or counting,
        "tags": show_number(connection.tags.count()) if connection.system == SANSAN else "",
        "owners": len(survey.get("owners", ())),
        "own_only": bool(survey.get("own_only")),
    }


def has_fixed_connections(rule: SyncRule) -> bool:
    """Records and links hang on the connections of a rule that has run; previews bind it to
    nothing.
    """
    return bool(rule.runs.exclude(kind=SyncRun.Kind.PREVIEW).exists())
