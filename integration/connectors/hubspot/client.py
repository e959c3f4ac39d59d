"""Calls to HubSpot's CRM API, by hundreds. Works with dated versions (2026-03) and with v3."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from integration.connectors.base import Gone, Rejected
from integration.connectors.http import Answer, Http, Limiter, OverHttp, Vendor, read_wait_seconds
from integration.connectors.hubspot import parse, search
from integration.connectors.hubspot.batches import write_rows
from integration.connectors.hubspot.companies import HubSpotCompanies
from integration.connectors.hubspot.parse import Refusal
from integration.connectors.hubspot.properties import make_missing_properties, read_answer
from integration.records import (
    Change,
    ContactPage,
    ContactRead,
    Identity,
    PropertyRead,
    PropertySpec,
    Result,
)

CONTACTS_A_CALL, CONTACTS_WITH_HISTORY_A_CALL = 100, 50
# Always read along: they tell old ids, secondary addresses and whose contact it is.
PROPERTIES_READ_ALONG = (
    "email",
    "firstname",
    "lastname",
    "hs_additional_emails",
    "hs_merged_object_ids",
    "lastmodifieddate",
)


def choose_hubspot_wait(answer: Answer, attempt: int) -> float:
    """HubSpot almost never sends Retry-After; each limit has its own length."""
    told = read_wait_seconds(answer.headers.get("Retry-After"))
    if told is not None:
        return min(told, 86_400.0)
    said = answer.value if isinstance(answer.value, dict) else {}
    if answer.status == 429:
        if said.get("policyName") == "DAILY":
            return 3600.0
        return (
            1.0 * attempt
            if "secondly" in str(said.get("message")) and "ten" not in str(said.get("message"))
            else 10.0
        )
    return {423: 2.5, 477: 3600.0}.get(answer.status, 2.0 * attempt)


HUBSPOT_VENDOR = Vendor("HubSpot", choose_hubspot_wait, parse.read_rate_limit, parse.read_quota)


def make_contact_paths(version: str) -> tuple[str, str, str, str]:
    """(contacts, contact properties, account details, owners) under a version."""
    if version.startswith("v"):
        return (
            f"/crm/{version}/objects/contacts",
            f"/crm/{version}/properties/contacts",
            f"/account-info/{version}/details",
            f"/crm/{version}/owners",
        )
    return (
        f"/crm/objects/{version}/contacts",
        f"/crm/properties/{version}/contacts",
        f"/account-info/{version}/details",
        f"/crm/owners/{version}",
    )


class HubSpot(OverHttp):
    """One token. Writes raise Unanswered when it is not known whether they happened."""

    def __init__(
        self,
        access_token: str,
        url: str,
        version: str,
        limiter: Limiter,
        searches: Limiter | None = None,
    ) -> None:
        """``searches`` is the limit of the searches, which HubSpot counts apart from all other
        calls.
        """
        header = {"Authorization": f"Bearer {access_token}"}
        self._http = Http(HUBSPOT_VENDOR, url, header, limiter)
        self._searches = Http(
            replace(HUBSPOT_VENDOR, limit_of=lambda headers: None), url, header, searches or limiter
        )
        self._contacts, self._properties, self._account, self._owners = make_contact_paths(version)
        self.companies = HubSpotCompanies(self._http, self._searches, version)

    @property
    def calls(self) -> int:
        return self._http.calls + self._searches.calls

    @property
    def rate_limited(self) -> int:
        return self._http.rate_limited + self._searches.rate_limited

    def check(self) -> Identity:
        return read_answer(parse.read_portal_identity, self._http.read("GET", self._account))

    def list_properties(self) -> list[PropertyRead]:
        return read_answer(parse.read_properties, self._http.read("GET", self._properties))

    def ensure_properties(self, specs: Iterable[PropertySpec]) -> list[str]:
        """Makes the properties that are missing, and their group; returns their names.

        Raises LacksRight.
        """
        return make_missing_properties(self._http, self._properties, specs)

    def add_options(self, name: str, options: Sequence[tuple[str, str]]) -> None:
        """Adds (value, label) options to a property and renames those that are there under another
        label; removes none.
        """
        current = dict(
            read_answer(
                parse.read_property, self._http.read("GET", f"{self._properties}/{name}")
            ).options
        )
        wanted = {**current, **dict(options)}
        if wanted != current:
            self._http.write(
                "PATCH", f"{self._properties}/{name}", parse.make_options_body(list(wanted.items()))
            )

    def read(
        self,
        keys: Sequence[str],
        properties: Sequence[str],
        by: str = "",
        history: Sequence[str] = (),
    ) -> dict[str, ContactRead]:
        """Key -> contact, for the keys that exist. ``by`` is a unique property, "" for record ids.

        Of the properties ``history`` it is told when they got their values; that halves what a call
        takes.
        """
        wanted: dict[str, object] = {
            "properties": list(dict.fromkeys((*properties, *PROPERTIES_READ_ALONG)))
        }
        if history:
            wanted["propertiesWithHistory"] = list(history)
        size = CONTACTS_WITH_HISTORY_A_CALL if history else CONTACTS_A_CALL
        found: dict[str, ContactRead] = {}
        for i in range(0, len(keys), size):
            part, refused = self._read(keys[i : i + size], wanted, by)
            if refused and not part:
                # A question that is refused whatever is asked about says nothing of who exists.
                raise refused
            found.update({key: contact for key, contact in part.items() if contact})
        return found

    def _read(
        self, keys: Sequence[str], wanted: Mapping[str, object], by: str
    ) -> tuple[dict[str, ContactRead | None], Rejected | None]:
        """(answered key -> contact or None, the last refusal).

        A key that HubSpot refuses to look up must not hide the others.
        """
        body: dict[str, object] = {"inputs": [{"id": key} for key in keys], **wanted}
        try:
            value = self._http.read(
                "POST",
                f"{self._contacts}/batch/read",
                body={**body, "idProperty": by} if by else body,
            )
        except Rejected as refused:
            if len(keys) == 1:
                return {}, refused
            half = len(keys) // 2
            (one, no), (other, nor) = (
                self._read(keys[:half], wanted, by),
                self._read(keys[half:], wanted, by),
            )
            return one | other, nor or no
        found = read_answer(
            lambda value: parse.index_contacts(parse.read_result_rows(value), keys, by), value
        )
        return {key: found.get(key) for key in keys}, None

    def list_changed_contacts(
        self, since: datetime, token: str, properties: Sequence[str]
    ) -> ContactPage:
        """A page of the contacts that changed at or after ``since``, oldest change first.

        The search lags some seconds behind.
        """
        wanted = list(dict.fromkeys((*properties, *PROPERTIES_READ_ALONG)))
        page = read_answer(
            parse.read_contact_page,
            self._searches.read(
                "POST",
                f"{self._contacts}/search",
                body=search.make_search_body(since, token, wanted),
            ),
        )
        return replace(page, next_token=search.make_next_token(since, token, page))

    def list_contacts(self, token: str, properties: Sequence[str]) -> ContactPage:
        """A page of all contacts, by id.

        The properties beyond HubSpot's usual ones have to be read by ``read``.
        """
        params = {
            "limit": CONTACTS_A_CALL,
            "properties": ",".join(dict.fromkeys((*properties, *PROPERTIES_READ_ALONG))),
            **({"after": token} if token else {}),
        }
        return read_answer(parse.read_contact_page, self._http.read("GET", self._contacts, params))

    def list_deleted_contacts(self, token: str) -> ContactPage:
        """A page of the contacts in the recycle bin, by id.

        Those deleted for privacy are not in it.
        """
        params = {
            "limit": CONTACTS_A_CALL,
            "archived": "true",
            **({"after": token} if token else {}),
        }
        return read_answer(parse.read_contact_page, self._http.read("GET", self._contacts, params))

    def find_deleted_contacts(self, ids: Collection[str]) -> set[str]:
        """Those of the ids that are in the recycle bin."""
        found: set[str] = set()
        wanted = sorted(ids)
        for i in range(0, len(wanted), CONTACTS_A_CALL):
            body = {
                "inputs": [{"id": id} for id in wanted[i : i + CONTACTS_A_CALL]],
                "properties": ["hs_object_id"],
            }
            value = self._http.read(
                "POST", f"{self._contacts}/batch/read", {"archived": "true"}, body
            )
            found.update(read.id for read in read_answer(parse.read_contact_page, value).contacts)
        return found

    def list_owners(self) -> Mapping[str, str]:
        """Folded address -> id, of the users who may own a contact."""
        found: dict[str, str] = {}
        after = ""
        while True:
            value = self._http.read(
                "GET", self._owners, {"limit": 500, **({"after": after} if after else {})}
            )
            found |= read_answer(parse.read_owners, value)
            after = read_answer(parse.read_contact_page, value).next_token
            if not after:
                return found

    def update(self, changes: Sequence[Change]) -> list[Result]:
        return self._write("update", changes, "")

    def upsert(self, changes: Sequence[Change], by: str) -> list[Result]:
        return self._write("upsert", changes, by)

    def _write(self, verb: str, changes: Sequence[Change], by: str) -> list[Result]:
        """One Result a change, in batches of a hundred."""
        return [
            result
            for i in range(0, len(changes), CONTACTS_A_CALL)
            for result in write_rows(
                partial(self._send_batch, verb, by), changes[i : i + CONTACTS_A_CALL]
            )
        ]

    def _send_batch(self, verb: str, by: str, changes: Sequence[Change]) -> list[Result] | Refusal:
        """A Result a change, or why the whole batch was refused."""
        rows = parse.make_batch_rows(changes, by, update=verb == "update")
        try:
            answer = self._http.write("POST", f"{self._contacts}/batch/{verb}", {"inputs": rows})
        except Rejected as refused:
            return parse.read_refusal(refused.body)
        except Gone as gone:
            return Refusal("contact_gone", gone.detail)
        return read_answer(
            lambda value: parse.read_write_results(value, changes, by),
            answer.value or {},
            writes=True,
        )
