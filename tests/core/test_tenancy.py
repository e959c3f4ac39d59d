"""No account reads or writes another's rows, and without a scope nobody does
anything.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse

from core.bulk import insert_rows, update_rows
from core.history import Tracked
from core.models import Account, Membership, User
from core.tenancy import (
    AccountOwned,
    AccountScopeMiddleware,
    OwnedHistory,
    ScopeError,
    all_accounts,
    in_account,
)
from integration.models import Connection, FieldMapping, SyncRule, Tag
from tests.cast import member
from tests.core import rows

pytestmark = pytest.mark.django_db
# Everything that belongs to the platform and not to an account. Whatever is added here is a
# decision.
PLATFORM = {
    "core.User",
    "core.User_groups",
    "core.User_user_permissions",
    "core.Account",
    "core.Membership",
    "core.Invitation",
    "core.Departure",
    "core.HistoricalAccount",
    "core.HistoricalMembership",
    "integration.Heartbeat",
}
PRODUCT = [
    model
    for model in apps.get_models(include_auto_created=True)
    if model.__module__.split(".")[0] in ("core", "integration")
]
OWNED = [model for model in PRODUCT if issubclass(model, AccountOwned)]
# What an owned row was: read in the scope, written beside the row and by nobody else.
PAST: list[Any] = [model for model in PRODUCT if issubclass(model, OwnedHistory)]


@pytest.fixture
def acme():
    return rows.account("acme")


@pytest.fixture
def chies():
    return rows.account("birch")


def tag(account: Account, connection: Connection, id: str = "T1") -> Tag:
    return Tag(account=account, connection=connection, external_id=id, name=id, type="public")


# Every model


def test_every_model_is_owned_or_of_the_platform():
    assert {model._meta.label for model in PRODUCT if model not in (*OWNED, *PAST)} == PLATFORM
    assert len(OWNED) >= 11 and {model.instance_type for model in PAST} == {
        Connection,
        FieldMapping,
        SyncRule,
        Tag,
    }


@pytest.mark.parametrize("model", OWNED, ids=lambda model: model.__name__)
def test_every_owned_model_is_guarded(model, acme, chies):
    assert model._default_manager is model.objects and not model._meta.get_field("account").null
    assert model.save in (AccountOwned.save, Tracked.save) and model.delete is AccountOwned.delete
    with pytest.raises(ScopeError):
        model.objects.count()
    guarded = {
        "save": lambda one: one.save(),
        "some columns": lambda one: one.save(update_fields=["account"]),
        "delete": lambda one: one.delete(),
    }
    for write in guarded.values():
        with pytest.raises(ScopeError, match="needs the scope"):
            write(model(pk=1, account=acme))
        with in_account(chies), pytest.raises(ScopeError, match="outside the open scope"):
            write(model(pk=1, account=acme))
    with in_account(acme):
        assert model.objects.count() == 0


@pytest.mark.parametrize("model", PAST, ids=lambda model: model.__name__)
def test_the_past_of_every_owned_model_is_read_in_its_scope(model, acme, chies):
    assert model._default_manager is model.objects
    for read in (
        model.objects.count,
        model.objects.exists,
        lambda: list(model.objects.all()),
        lambda: model.objects.update(who="x"),
    ):
        with pytest.raises(ScopeError):
            read()
    rule = rows.rule(acme)
    with in_account(acme):
        FieldMapping.objects.create(account=acme, rule=rule, sansan="title", hubspot="jobtitle")
        tag(acme, rule.sansan).save()
        ours = model.objects.count()
    with in_account(chies):
        assert ours and not model.objects.exists()


def test_the_past_is_read_in_its_scope_from_the_model_and_the_row_too(acme, chies):
    rule = rows.rule(acme)
    for history in (SyncRule.history, rule.history):
        with pytest.raises(ScopeError):
            history.count()
        with in_account(chies):
            assert not history.exists()
        with in_account(acme):
            assert history.count() == 1


# Reads

READS = {
    "all": lambda rows: list(rows.all()),
    "filter": lambda rows: list(rows.filter(slug="hubspot")),
    "exclude": lambda rows: list(rows.exclude(slug="x")),
    "get": lambda rows: rows.get(slug="hubspot"),
    "first": lambda rows: rows.first(),
    "count": lambda rows: rows.count(),
    "values": lambda rows: list(rows.values("slug")),
    "in_bulk": lambda rows: rows.in_bulk(),
    "select_related": lambda rows: list(rows.select_related("account")),
    "defer": lambda rows: list(rows.defer("credentials")),
    "iterator": lambda rows: list(rows.iterator()),
    "get_or_create": lambda rows: rows.get_or_create(slug="hubspot"),
    "exists": lambda rows: rows.exists(),
}


def cases(table):
    return [pytest.param(do, id=name) for name, do in table.items()]


@pytest.mark.parametrize("read", cases(READS))
def test_a_read_without_a_scope_raises(acme, read):
    rows.connection(acme)
    with pytest.raises(ScopeError):
        read(Connection.objects)


def test_a_read_sees_its_own_account_only(acme, chies):
    rows.connection(acme, slug="ours"), rows.connection(chies, slug="theirs")
    with in_account(acme):
        assert [one.slug for one in Connection.objects.all()] == ["ours"]
        assert not Connection.objects.filter(slug="theirs").exists()
    with all_accounts():
        assert Connection.objects.count() == 2


def test_a_reverse_relation_needs_a_scope_too(acme):
    rule = rows.rule(acme)
    with pytest.raises(ScopeError):
        rule.mappings.count()


def test_a_thread_has_no_scope(acme):
    seen: list[object] = []

    def read() -> None:
        try:
            seen.append(Connection.objects.count())
        except ScopeError as error:
            seen.append(type(error))

    with in_account(acme):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert seen == [ScopeError]


# Writes, each on a row of Acme

WRITES = {
    "create": lambda acme, one: Connection.objects.create(
        account=acme, slug="new", system="hubspot", credentials={}
    ),
    "save": lambda acme, one: one.save(),
    "delete": lambda acme, one: one.delete(),
    "bulk_create": lambda acme, one: Connection.objects.bulk_create(
        [Connection(account=acme, slug="new", system="hubspot", credentials={})]
    ),
    "bulk_update": lambda acme, one: Connection.objects.bulk_update(
        [Connection(pk=one.pk, account=acme, hint="changed")], ["hint"]
    ),
}
QUERIES = {
    "update": lambda acme, one: Connection.objects.filter(pk=one.pk).update(hint="changed"),
    "delete many": lambda acme, one: Connection.objects.filter(pk=one.pk).delete(),
}


@pytest.mark.parametrize("write", cases({**WRITES, **QUERIES}))
def test_a_write_without_a_scope_raises(acme, write):
    one = rows.connection(acme)
    with pytest.raises(ScopeError):
        write(acme, one)


@pytest.mark.parametrize("write", cases(WRITES))
def test_a_write_for_another_account_raises(acme, chies, write):
    one = rows.connection(acme)
    with in_account(chies), pytest.raises(ScopeError):
        write(acme, one)


@pytest.mark.parametrize("write", cases(QUERIES))
def test_a_query_does_not_reach_another_account(acme, chies, write):
    one = rows.connection(acme)
    with in_account(chies):
        write(acme, one)
    with in_account(acme):
        assert Connection.objects.get().hint == one.hint


def given_to(one: Connection, to: Account) -> None:
    one.account = to
    one.save()


MOVES: dict[str, Callable[[Connection, Account], object]] = {
    "update": lambda one, to: Connection.objects.update(account=to),
    "update by id": lambda one, to: Connection.objects.update(account_id=to.pk),
    "bulk_update": lambda one, to: Connection.objects.bulk_update([one], ["account"]),
    "save": given_to,
}


@pytest.mark.parametrize("move", cases(MOVES))
def test_a_row_never_moves_to_another_account(acme, chies, move):
    one = rows.connection(acme)
    with all_accounts(), pytest.raises(ScopeError):
        move(one, chies)


# Foreign keys


def changed(ours: Connection, theirs: Connection) -> Tag:
    """A stored tag of ours that now names their connection."""
    one = tag(ours.account, ours)
    one.save()
    one.connection = theirs
    return one


class TagConnection(NamedTuple):
    pk: int
    connection: int


def changed_among_many(ours: Connection, **to: Any) -> None:
    tag(ours.account, ours).save()
    Tag.objects.update(**to)


CROSSINGS: dict[str, Callable[[Connection, Connection], object]] = {
    "save": lambda ours, theirs: tag(ours.account, theirs).save(),
    "create": lambda ours, theirs: Tag.objects.create(
        account=ours.account, connection=theirs, external_id="T9", name="T9", type="public"
    ),
    "by id": lambda ours, theirs: Tag(
        account=ours.account, connection_id=theirs.pk, external_id="T9", name="T9", type="public"
    ).save(),
    "change": lambda ours, theirs: changed_among_many(ours, connection=theirs),
    "change by id": lambda ours, theirs: changed_among_many(ours, connection_id=theirs.pk),
    "bulk_create": lambda ours, theirs: Tag.objects.bulk_create([tag(ours.account, theirs)]),
    "bulk_update": lambda ours, theirs: Tag.objects.bulk_update(
        [changed(ours, theirs)], ["connection"]
    ),
    "insert_rows": lambda ours, theirs: insert_rows([tag(ours.account, theirs)]),
    "update_rows": lambda ours, theirs: update_rows(
        Tag, [TagConnection(changed(ours, theirs).pk, theirs.pk)], ours.account_id
    ),
}


@pytest.mark.parametrize("cross", cases(CROSSINGS))
def test_no_foreign_key_points_into_another_account(acme, chies, cross):
    ours, theirs = rows.connection(acme), rows.connection(chies)
    with in_account(acme), pytest.raises(ScopeError, match="another account"):
        cross(ours, theirs)
    # Nor where the scope covers both, as it does for a superuser.
    with all_accounts():
        Tag.objects.all().delete()
        with pytest.raises(ScopeError, match="another account"):
            cross(ours, theirs)


# The middleware


@pytest.fixture
def seen_by(rf, acme, chies):
    rows.rule(acme), rows.rule(chies)
    Account.objects.update(name="x")

    def look(user: object) -> list[str]:
        request = rf.get("/")
        request.user = user
        answer = AccountScopeMiddleware(
            lambda request: HttpResponse(
                json.dumps(sorted(SyncRule.objects.values_list("account__slug", flat=True)))
            )
        )(request)
        with pytest.raises(ScopeError):
            SyncRule.objects.count()  # the scope ends with the request
        found: list[str] = json.loads(answer.content)
        return found

    return look


def test_who_sees_what(seen_by, acme, chies):
    aiko, both = member("aiko", acme), member("ben", acme)
    Membership.objects.create(user=both, account=chies)
    assert seen_by(AnonymousUser()) == []
    assert seen_by(User.objects.create_user("dan")) == []
    assert seen_by(aiko) == ["acme"]
    assert seen_by(both) == ["acme", "birch"]
    assert seen_by(User.objects.create_superuser("root")) == ["acme", "birch"]


def test_nobody_writes_and_a_failing_page_leaves_no_scope_behind(rf, acme):
    one = rows.connection(acme)
    request = rf.get("/")
    request.user = AnonymousUser()

    def write(request: HttpRequest) -> HttpResponse:
        one.save()
        return HttpResponse()

    with pytest.raises(ScopeError, match="outside the open scope"):
        AccountScopeMiddleware(write)(request)
    with pytest.raises(ScopeError, match="needs"):
        one.save()
