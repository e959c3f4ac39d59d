"""What every connector offers, and its errors, named by what to do next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from integration.records import (
    CardPage,
    CardRead,
    Change,
    ContactPage,
    ContactRead,
    Identity,
    PropertyRead,
    PropertySpec,
    Result,
    TagSeen,
    Values,
    Window,
)


class Connector(Protocol):
    """A connection to one vendor. ``calls`` counts requests sent, ``rate_limited`` answers that
    said to slow down.

    ``quota`` is (calls a day, calls left of them) as the vendor last told it, None where it does
    not tell.
    """

    @property
    def calls(self) -> int: ...
    @property
    def rate_limited(self) -> int: ...
    @property
    def quota(self) -> tuple[int, int] | None: ...

    def check(self) -> Identity: ...


class CardSource(Connector, Protocol):
    """Where cards come from."""

    def list_tags(self) -> list[TagSeen]: ...
    def list_cards(self, window: Window, token: str = "") -> CardPage: ...
    def read_card(self, id: str) -> CardRead: ...
    def list_tagged_cards(self, tag: str, token: str = "") -> CardPage: ...
    def find(self, email: str = "", name: str = "", company: str = "") -> list[CardRead]: ...
    def create(self, values: Values, tags: Sequence[str]) -> str: ...


class ContactTarget(Connector, Protocol):
    """Where contacts are kept. Keys are matched, never positions: vendors answer in any order."""

    def list_properties(self) -> list[PropertyRead]: ...
    def ensure_properties(self, specs: Iterable[PropertySpec]) -> list[str]: ...
    def add_options(self, name: str, options: Sequence[tuple[str, str]]) -> None: ...
    def read(
        self,
        keys: Sequence[str],
        properties: Sequence[str],
        by: str = "",
        history: Sequence[str] = (),
    ) -> dict[str, ContactRead]: ...
    def list_changed_contacts(
        self, since: datetime, token: str, properties: Sequence[str]
    ) -> ContactPage: ...
    def list_contacts(self, token: str, properties: Sequence[str]) -> ContactPage: ...
    def list_deleted_contacts(self, token: str) -> ContactPage: ...
    def find_deleted_contacts(self, ids: Collection[str]) -> set[str]: ...
    def list_owners(self) -> Mapping[str, str]: ...
    @property
    def companies(self) -> CompanyTarget: ...
    def update(self, changes: Sequence[Change]) -> list[Result]: ...
    def upsert(self, changes: Sequence[Change], by: str) -> list[Result]: ...


class CompanyTarget(Protocol):
    """Companies of the system where contacts are kept."""

    def ensure_key(self) -> None: ...
    def find(self, by: str, values: Iterable[str]) -> dict[str, str]: ...
    def make(self, companies: Mapping[str, Mapping[str, str]]) -> dict[str, str]: ...
    def find_of_contacts(self, contact_ids: Sequence[str]) -> dict[str, list[str]]: ...
    def associate(self, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]: ...


class ConnectorError(Exception):
    """``reason`` is a code of planning/reasons.py, ``detail`` a note (notes.py) without secrets or
    card contents.

    ::

        ConnectorError
        ├── RetryLater    passes by itself      the run waits for ``after`` seconds
        ├── Unanswered    may have happened     the vendor is read back before anything is sent
        ├── Reconnect     credentials refused   the rule is held until a person has acted
        │   └── LacksRight  one right is missing  what needs only this right is left out
        ├── Rejected      refused as it stands  the row stands alone and says why
        └── Gone          is not there          its record says so
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class RetryLater(ConnectorError):
    """Nothing is wrong with what was asked: ask again after ``after`` seconds."""

    def __init__(self, reason: str, detail: str, after: float = 60.0) -> None:
        super().__init__(reason, detail)
        self.after = after


class Unanswered(ConnectorError):
    """A write was sent and its answer did not come: read back before anything is sent again."""


class Reconnect(ConnectorError):
    """The credentials of ``system`` are refused, or lack a right: a person must act."""

    def __init__(self, reason: str, detail: str, system: str) -> None:
        super().__init__(reason, detail)
        self.system = system


class LacksRight(Reconnect):
    """The credentials work, but not for this. What only this needs can be left out."""


class Rejected(ConnectorError):
    """The request was refused as it stands. ``body`` is the vendor's answer."""

    def __init__(self, reason: str, detail: str, status: int, body: object = None) -> None:
        super().__init__(reason, detail)
        self.status = status
        self.body = body


class Gone(ConnectorError):
    """What was asked for is not there."""
