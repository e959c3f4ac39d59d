"""Whose company a rule has not looked for."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from integration.models import Bucket, Link, Record, Side, SyncRule

# Where a card stands that is its person's.
PERSON_BUCKETS = (Bucket.LINKED, Bucket.HELD, Bucket.FAILING, Bucket.MERGED)


def select_links_without_company(rule: SyncRule) -> QuerySet[Link]:
    """The rule's people who have a contact and no company, and whose company nobody looks for."""
    own = Record.objects.filter(rule=rule, side=Side.CARD, bucket__in=PERSON_BUCKETS)
    links = Link.objects.filter(
        hubspot=rule.hubspot, company_id="", company_due_at__isnull=True, gone=""
    )
    return links.exclude(contact_id="").filter(Exists(own.filter(link=OuterRef("pk"))))
