"""Whether new credentials lead where the former ones led, before anything is written with them.

A token of another HubSpot account would find strangers under the ids that we know; a Sansan key of
another company would bring its people. Neither is refused by the vendor.
"""

from __future__ import annotations

from core.tenancy import all_accounts
from integration.connectors.base import CardSource, ConnectorError, ContactTarget, Gone
from integration.connectors.hubspot.fields import LINK_ID_PROPERTY
from integration.models import Bucket, Connection, Link, Record, Side, SyncRule
from integration.notes import note
from integration.records import Identity

# Contacts or cards that are looked at, where an account does not say who it is.
MOST_SAMPLES = 10


def is_target_known(connection: Connection) -> bool:
    """Whether people are linked to contacts of the HubSpot account that was there before."""
    # A connection's links are of its account. The condition that the scope adds would only lead
    # SQLite to the wrong index.
    with all_accounts():
        return Link.objects.filter(hubspot=connection).exclude(contact_id="").exists()


def find_other_portal(connection: Connection, identity: Identity) -> str:
    """The id of the HubSpot account that the credentials lead to, "" where it is the known one."""
    known = connection.remote_id
    if not (known and identity.id) or known == identity.id or not is_target_known(connection):
        return ""
    return identity.id


def note_other_portal(connection: Connection, found: str) -> str:
    """What is wrong with credentials that lead to another HubSpot account."""
    return note("other_portal", known=connection.remote_id, found=found)


def doubt_target(connection: Connection, target: ContactTarget) -> str:
    """Why nothing may be written to this HubSpot account, as a note; "" where it is the known one.

    Raises ConnectorError.
    """
    if not is_target_known(connection):
        return ""
    identity = target.check()
    other = find_other_portal(connection, identity)
    if other:
        return note_other_portal(connection, other)
    if (connection.remote_id and identity.id) or not connection.link_property:
        return ""
    keys = list_sample_links(connection)
    name = LINK_ID_PROPERTY.name
    contacts = target.read(list(keys), (name,)) if keys else {}
    if keys and not any(contacts[id].values.get(name, "") == keys[id] for id in contacts):
        return note("strange_portal", n=len(keys))
    return ""


def list_sample_links(connection: Connection) -> dict[str, str]:
    """Contact -> our key for it, of some people."""
    with all_accounts():
        links = Link.objects.filter(hubspot=connection, gone="").exclude(contact_id="")
        rows = links.exclude(written={}).order_by("-contact_id").values_list("contact_id", "key")
        return {contact_id: str(key) for contact_id, key in rows[:MOST_SAMPLES]}


def doubt_source(connection: Connection, source: CardSource) -> str:
    """Why the cards of this key may not be taken, as a note; "" where it sees one of those that are
    known. Raises ConnectorError.
    """
    ids = list_sample_cards(connection)
    if not ids or any(is_seen(source, id) for id in sorted(ids)):
        return ""
    return note("other_company", n=len(ids))


def list_sample_cards(connection: Connection) -> set[str]:
    """The ids of some cards that the key saw, of each rule the first by id, which is no order."""
    rules = SyncRule.objects.filter(sansan=connection).values_list("pk", flat=True)
    ids: set[str] = set()
    with all_accounts():
        for rule in list(rules):
            known = Record.objects.filter(rule=rule, side=Side.CARD).exclude(bucket=Bucket.UNSEEN)
            rows = known.order_by("external_id").values_list("external_id", flat=True)
            ids.update(rows[: MOST_SAMPLES - len(ids)])
    return ids


def is_seen(source: CardSource, card_id: str) -> bool:
    try:
        source.read_card(card_id)
    except Gone:
        return False
    except ConnectorError as refused:
        if refused.reason != "rejected":
            raise
        return False
    return True
