"""Calls to Sansan's Open API.

One request at a time and key; what it does not tell is taken both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from integration.connectors.base import Gone, LacksRight, RetryLater, Unanswered
from integration.connectors.http import Answer, Http, Limiter, OverHttp, Vendor, read_wait_seconds
from integration.connectors.sansan import parse
from integration.notes import note
from integration.records import CardPage, CardRead, Identity, TagSeen, Values, Window

ParsedValue = TypeVar("ParsedValue")
CARDS_A_PAGE = 300
# Which cards are asked for, whatever the call: everybody's, digitised, not those that a newer one
# has folded away.
SEEN_CARDS_QUERY = {
    "range": "all",
    "includeTags": "true",
    "includePastBizCards": "false",
    "entryStatus": "completed",
}
# Seconds to wait after a 429 that does not say how long: short for a burst, then as the oldest
# advice has it.
UNTOLD_WAIT_SECONDS = (10.0, 60.0, 300.0)


def choose_sansan_wait(answer: Answer, attempt: int) -> float:
    """``retry_after`` in the body, else the header, else growing."""
    told = (answer.value or {}).get("retry_after") if isinstance(answer.value, dict) else None
    told = told if told is not None else answer.headers.get("Retry-After")
    seconds = read_wait_seconds(told)
    if seconds is not None:
        return min(seconds, 3600.0)
    return (
        UNTOLD_WAIT_SECONDS[min(attempt, len(UNTOLD_WAIT_SECONDS)) - 1]
        if answer.status == 429
        else 2.0 * attempt
    )


SANSAN_VENDOR = Vendor("Sansan", choose_sansan_wait)


class Sansan(OverHttp):
    """One API key. Shapes of the answers: records.py."""

    def __init__(self, api_key: str, url: str, version: str, limiter: Limiter) -> None:
        self._http = Http(
            SANSAN_VENDOR, f"{url.rstrip('/')}/{version}", {"X-Sansan-Api-Key": api_key}, limiter
        )

    def check(self) -> Identity:
        """Whose key it is.

        Keys that may not ask ``/me`` still prove themselves by listing one tag.
        """
        try:
            return self._parsed(parse.read_key_identity, self._http.read("GET", "/me"))
        except (Gone, LacksRight):
            self._http.read("GET", "/tags", {"range": "me", "limit": 1})
            return Identity("", "")

    def list_tags(self) -> list[TagSeen]:
        """Every tag that the key sees."""
        return [
            parse.read_tag(row)
            for row in self._walk("/tags", {"range": "all", "limit": 100})
            if isinstance(row, dict) and row.get("id")
        ]

    def list_cards(self, window: Window, token: str = "") -> CardPage:
        """A page of up to 300 cards changed in the window, oldest change first."""
        params: dict[str, Any] = {
            "updatedFrom": window.start.isoformat(timespec="seconds"),
            "updatedTo": window.end.isoformat(timespec="seconds"),
            **SEEN_CARDS_QUERY,
            "orderBy": "updatedAt",
            "orderDirection": "asc",
            "limit": CARDS_A_PAGE,
        }
        if token:
            params["nextPageToken"] = token
        return self._parsed(parse.read_card_page, self._http.read("GET", "/bizCards", params))

    def list_tagged_cards(self, tag: str, token: str = "") -> CardPage:
        """A page of the cards that carry a tag, oldest first; of all cards where ``tag`` is "".

        For what update times do not tell.
        """
        params = {
            **SEEN_CARDS_QUERY,
            "orderBy": "registeredAt",
            "orderDirection": "asc",
            "limit": CARDS_A_PAGE,
            **({"tagId": tag} if tag else {}),
        }
        return self._parsed(
            parse.read_card_page,
            self._http.read(
                "GET", "/bizCards/search", {**params, **({"nextPageToken": token} if token else {})}
            ),
        )

    def find(self, email: str = "", name: str = "", company: str = "") -> list[CardRead]:
        """Cards with exactly this address, or whose name begins so at companies named so: a page of
        them, newest first.
        """
        wanted = {
            name: text
            for name, text in (("email", email), ("name", name), ("companyName", company))
            if text
        }
        # Past cards too, and those still being read: any of them says that there is a card.
        params = {
            **SEEN_CARDS_QUERY,
            "includePastBizCards": "true",
            "orderDirection": "desc",
            "limit": CARDS_A_PAGE,
            **wanted,
        }
        found: list[CardRead] = []
        # One value a name: how several are written is not known.
        for state in ("completed", "processing"):
            page = self._parsed(
                parse.read_card_page,
                self._http.read("GET", "/bizCards/search", {**params, "entryStatus": state}),
            )
            if page.unreadable:
                # It may be the very card: taken for none, a second one would be made beside it.
                unreadable = note("unreadable_card", fault=page.unreadable[0][1])
                raise RetryLater("sansan_unavailable", unreadable)
            found += page.cards
        return found

    def create(self, values: Values, tags: Sequence[str]) -> str:
        """Makes a card and returns its id.

        Raises Unanswered where it is not known whether it was made, or which card it is.
        """
        answer = self._http.write(
            "POST", "/bizCards", {**values, **({"tagIds": list(tags)} if tags else {})}
        )
        id = parse.read_made_card_id(answer.value)
        if not id:
            raise Unanswered("interrupted", note("card_without_id"))
        return id

    def read_card(self, id: str) -> CardRead:
        """Raises Gone when it was deleted or the key does not see it: Sansan does not tell
        which.
        """
        return self._parsed(
            parse.read_card,
            parse.unwrap_record(
                self._http.read("GET", f"/bizCards/{quote(id, safe='')}", {"includeTags": "true"})
            ),
        )

    def _walk(self, path: str, params: dict[str, Any]) -> Iterator[Any]:
        token = ""
        while True:
            value = self._http.read(
                "GET", path, {**params, **({"nextPageToken": token} if token else {})}
            )
            yield from self._parsed(parse.read_page_rows, value)
            token = self._parsed(parse.read_next_token, value)
            if not token:
                return

    @staticmethod
    def _parsed(read: Callable[[Any], ParsedValue], value: Any) -> ParsedValue:
        try:
            return read(value)
        except parse.Unreadable as wrong:
            unreadable = note("unreadable_answer", vendor=SANSAN_VENDOR.name, fault=str(wrong))
            raise RetryLater("sansan_unavailable", unreadable) from None
        except (AttributeError, TypeError, KeyError):
            unknown = note("unknown_shape", vendor=SANSAN_VENDOR.name)
            raise RetryLater("sansan_unavailable", unknown) from None
