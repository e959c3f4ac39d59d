"""Contacts that another account of this installation keeps: written by both, they would never come
to rest.
"""

from __future__ import annotations

from core.tenancy import all_accounts
from integration.models import Link
from integration.slice.desk import Desk
from integration.slice.rows import Batch


def find_contacts_elsewhere(desk: Desk, batch: Batch) -> frozenset[str]:
    """The contacts of a batch that another account had a link to before this one."""
    ids = {contact.id for contact in batch.contacts.values()}
    if not (ids and desk.rivals):
        return frozenset()
    own = {link.contact_id: link.pk for link in batch.links.values() if not link.gone}
    with all_accounts():
        theirs = Link.objects.filter(hubspot__in=desk.rivals, contact_id__in=sorted(ids), gone="")
        found = list(theirs.values_list("contact_id", "pk"))
    return frozenset(id for id, pk in found if id not in own or pk < own[id])
