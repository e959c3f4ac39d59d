"""Sansan's half: the Open API as far as it is known, with a switch for each thing that is not."""

from __future__ import annotations

import bisect
import random
import re
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson

from integration.sandbox.limits import RollingWindow
from integration.sandbox.people import invent_card, make_hex_id
from integration.sandbox.wire import Request, Response, make_json_response

JAPAN_TIME = timezone(timedelta(hours=9))
SANSAN_KEY_PATTERN = re.compile(r"[A-Za-z0-9]{32}")
# The user whose key it is, and who owns the cards that are made through the API.
KEY_OWNER = {"id": "1000", "name": "佐藤 太郎", "email": "sato@acme.example.jp"}
REFUSED_KEY_WORDS = ("WRONG", "INVALID", "REVOKED")
SANSAN_SWITCHES: dict[str, Any] = {
    "tag_bumps_updated": False,
    "merge_bumps_updated": False,
    "wrap_item": True,
    "retry_after_in_body": True,
    "zone": "+09:00",
    "null_text": None,
    "owner_email": True,
    "tag_details": True,
    "post_cap": 500,
    "limits": True,
    # The key is an ordinary user's: it sees its own cards, whatever the range.
    "own_cards_only": False,
}
NEW_CARD_TEXT_FIELDS = (
    "lastName firstName lastNameReading firstNameReading departmentName title companyName "
    "countryCode postalCode prefecture city "
    "street building email mobile tel secondTel fax url memo"
).split()


class SansanRefusal(Exception):
    def __init__(self, status: int, *codes: str, **members: Any) -> None:
        super().__init__(status)
        self.response = make_json_response(
            status, {"error": [{"code": code} for code in codes], **members}
        )


class SansanSandbox:
    """One company, whatever the key: any 32 alphanumeric characters are one, unless they say that
    they are wrong.
    """

    def __init__(
        self,
        cards: Iterable[dict[str, Any]],
        tags: list[dict[str, Any]],
        now: Callable[[], datetime],
        switches: dict[str, Any] | None = None,
    ) -> None:
        self.now, self.switches = now, {**SANSAN_SWITCHES, **(switches or {})}
        self.tags = {tag["id"]: tag for tag in tags}
        self.cards = {card["id"]: card for card in cards}
        self.index = sorted((card["updatedTime"], id) for id, card in self.cards.items())
        self.revoked: set[str] = set()
        self.changes = 0
        self.posted = 0
        self.lock = threading.RLock()
        self._limits: dict[str, tuple[RollingWindow, RollingWindow]] = {}

    def handle(self, request: Request) -> Response:
        try:
            self._admit(request.headers.get("x-sansan-api-key", ""))
            path = re.sub(r"^/v\d+(\.\d+)?", "", request.path).rstrip("/")
            with self.lock:
                return self._route(request.method, path.split("/")[1:], request)
        except SansanRefusal as refusal:
            return refusal.response
        except (ValueError, KeyError, orjson.JSONDecodeError):
            return SansanRefusal(400, "invalid").response

    def _admit(self, key: str) -> None:
        if (
            not SANSAN_KEY_PATTERN.fullmatch(key)
            or key in self.revoked
            or any(word in key.upper() for word in REFUSED_KEY_WORDS)
        ):
            raise SansanRefusal(401, "invalid_api_key")
        if not self.switches["limits"]:
            return
        for window in self._limits.setdefault(
            key, (RollingWindow(10, 1.0), RollingWindow(300, 60.0))
        ):
            if window.take() is None:
                raise SansanRefusal(
                    429,
                    "too_many_requests",
                    **({"retry_after": 1} if self.switches["retry_after_in_body"] else {}),
                )

    def _route(self, method: str, parts: list[str], request: Request) -> Response:
        match (method, *parts):
            case ("GET", "bizCards"):
                return self._list(request)
            case ("GET", "bizCards", "search"):
                return self._search(request)
            case ("GET", "bizCards", id):
                return self._item(self._card(id), request.one("includeTags") == "true")
            case ("GET", "bizCards", id, "tags"):
                return self._page(
                    request,
                    [self._tag(tag) for tag in self._card(id)["tags"]],
                    100,
                    lambda tag: tag["id"],
                )
            case ("POST", "bizCards"):
                return self._create(request.json())
            case ("GET", "persons", id):
                return self._person(id, request.one("includeTags") == "true")
            case ("GET", "tags"):
                return self._tags(request)
            case ("GET", "me"):
                return make_json_response(200, KEY_OWNER)
            case ("GET", "users", id):
                return make_json_response(200, {"id": id, "name": "佐藤 太郎"})
        raise SansanRefusal(404, "not_found")

    # Reading

    def _list(self, request: Request) -> Response:
        bounds = [request.one("updatedFrom"), request.one("updatedTo")]
        missing = [bound for bound in bounds if not bound]
        if missing:
            raise SansanRefusal(400, *["required"] * len(missing))
        start, end = (datetime.fromisoformat(bound).astimezone(UTC) for bound in bounds if bound)
        if end <= start:
            raise SansanRefusal(400, "invalid_range")
        limit = self._limit(request, 300)
        after = self._position(request)
        low = (
            bisect.bisect_left(self.index, (start, ""))
            if after is None
            else bisect.bisect_right(self.index, after)
        )
        found: list[dict[str, Any]] = []
        last = None
        for updated, id in self.index[low : low + 4 * limit + 1000] if limit else []:
            if updated > end:
                break
            if self._shown(self.cards[id], request):
                if len(found) == limit:
                    return self._envelope(found, self._token(request, last))
                found.append(self._shape(self.cards[id], request.one("includeTags") == "true"))
                last = (updated, id)
        else:
            rest = self.index[low + 4 * limit + 1000 : low + 4 * limit + 1001]
            if rest and rest[0][0] <= end:
                return self._envelope(
                    found, self._token(request, self.index[low + 4 * limit + 999])
                )
        return self._envelope(found, None)

    def _shown(self, card: dict[str, Any], request: Request) -> bool:
        if card["hidden"] or (card["past"] and request.one("includePastBizCards") != "true"):
            return False
        if (request.one("range", "me") == "me" or self.switches["own_cards_only"]) and card[
            "owner"
        ]["id"] != "1000":
            return False
        return card["entryStatus"] in (request.many("entryStatus") or ["completed"])

    def _search(self, request: Request) -> Response:
        def meets(card: dict[str, Any]) -> bool:
            tag_ids = set(request.many("tagId"))
            return all(
                [
                    (request.one("companyName") or "") in (card["companyName"] or ""),
                    f"{card['lastName'] or ''}{card['firstName'] or ''}".startswith(
                        request.one("name") or ""
                    ),
                    request.one("email") in (None, card["email"]),
                    (request.one("tel") or "") in (card["tel"] or ""),
                    (request.one("mobile") or "") in (card["mobile"] or ""),
                    not tag_ids or any(tag["id"] in tag_ids for tag in card["tags"]),
                ]
            )

        rows = [card for card in self.cards.values() if self._shown(card, request) and meets(card)]
        rows.sort(key=lambda card: (card["registeredTime"], card["id"]), reverse=True)
        return self._page(
            request,
            [self._shape(card, request.one("includeTags") == "true") for card in rows],
            300,
            lambda card: card["id"],
        )

    def _tags(self, request: Request) -> Response:
        types, name = request.many("type"), request.one("tagName") or request.one("name") or ""
        rows = [
            self._tag(tag)
            for tag in self.tags.values()
            if (not types or tag["type"] in types) and name in tag["name"]
        ]
        return self._page(request, rows, 100, lambda tag: tag["id"])

    def _person(self, id: str, with_tags: bool) -> Response:
        cards = [
            card for card in self.cards.values() if card["personId"] == id and not card["hidden"]
        ]
        if not cards:
            raise SansanRefusal(404, "not_found")
        head = max(cards, key=lambda card: (card["exchangeDate"] or "", card["updatedTime"]))
        return make_json_response(
            200, {"item": {"id": id, "headBizCard": self._shape(head, with_tags)}}
        )

    def _card(self, id: str) -> dict[str, Any]:
        card = self.cards.get(id)
        if card is None or card["hidden"]:
            raise SansanRefusal(404, "not_found")
        return card

    def _item(self, card: dict[str, Any], with_tags: bool) -> Response:
        shaped = self._shape(card, with_tags)
        return make_json_response(200, {"item": shaped} if self.switches["wrap_item"] else shaped)

    # Shapes

    def _shape(self, card: dict[str, Any], with_tags: bool) -> dict[str, Any]:
        null = self.switches["null_text"]
        shaped = {
            name: null if value is None else value
            for name, value in card.items()
            if name not in ("past", "hidden", "tags")
        }
        shaped["registeredTime"], shaped["updatedTime"] = (
            self._time(card["registeredTime"]),
            self._time(card["updatedTime"]),
        )
        if not self.switches["owner_email"]:
            shaped["owner"] = {
                name: value for name, value in card["owner"].items() if name != "email"
            }
        if with_tags:
            shaped["tags"] = [self._tag(tag) for tag in card["tags"]]
        return shaped

    def _tag(self, tag: dict[str, Any]) -> dict[str, Any]:
        return (
            dict(self.tags.get(tag["id"], tag))
            if self.switches["tag_details"]
            else {"id": tag["id"], "name": tag["name"]}
        )

    def _time(self, moment: datetime) -> str:
        if self.switches["zone"] == "Z":
            return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        return moment.astimezone(JAPAN_TIME).isoformat(timespec="seconds")

    def _envelope(self, rows: list[Any], token: str | None) -> Response:
        return make_json_response(
            200, {"hasMore": token is not None, "nextPageToken": token, "data": rows}
        )

    def _page(
        self, request: Request, rows: list[Any], most: int, key: Callable[[Any], str]
    ) -> Response:
        limit, after = self._limit(request, most), request.one("nextPageToken")
        start = next((i + 1 for i, row in enumerate(rows) if key(row) == after), 0) if after else 0
        page = rows[start : start + limit]
        return self._envelope(page, key(page[-1]) if start + limit < len(rows) else None)

    def _limit(self, request: Request, most: int) -> int:
        limit = int(request.one("limit") or 100)
        if not 1 <= limit <= most:
            raise SansanRefusal(400, "invalid_limit")
        return limit

    # A token is a position, not an offset, and holds the query it was given for.
    def _query(self, request: Request) -> str:
        return repr(
            sorted(
                (name, values) for name, values in request.query.items() if name != "nextPageToken"
            )
        )

    def _token(self, request: Request, last: Any) -> str:
        return urlsafe_b64encode(
            orjson.dumps([last[0].isoformat(), last[1], self._query(request)])
        ).decode()

    def _position(self, request: Request) -> tuple[datetime, str] | None:
        token = request.one("nextPageToken")
        if not token:
            return None
        try:
            moment, id, query = orjson.loads(urlsafe_b64decode(token))
        except ValueError:
            raise SansanRefusal(400, "invalid_token") from None
        if query != self._query(request):
            raise SansanRefusal(400, "invalid_token")
        return datetime.fromisoformat(moment), id

    # Writing

    def _create(self, body: dict[str, Any]) -> Response:
        if self.posted >= self.switches["post_cap"]:
            raise SansanRefusal(429, "daily_limit")
        long = [
            name
            for name in NEW_CARD_TEXT_FIELDS
            if len(body.get(name) or "") > (2000 if name == "memo" else 250)
        ]
        if long or len(body.get("tagIds") or ()) > 15 or len(body.get("postalCode") or "") > 10:
            raise SansanRefusal(400, "too_long")
        if not any(body.get(name) for name in ("companyName", "lastName", "firstName")):
            raise SansanRefusal(400, "required")
        self.posted += 1
        known = {name: body.get(name) for name in (*NEW_CARD_TEXT_FIELDS, "exchangeDate")}
        return make_json_response(
            201, {"id": self.add({**known, "tags": body.get("tagIds") or []})["id"]}
        )

    def add(self, values: dict[str, Any]) -> dict[str, Any]:
        """A new card; members that are not given are blank, but for the ids and the times."""
        with self.lock:
            rng = random.Random()
            blank = {
                name: None if isinstance(value, str | None) else value
                for name, value in invent_card(rng, 0, [KEY_OWNER], self.now()).items()
            }
            moment = self.now().replace(microsecond=0)
            card: dict[str, Any] = {
                **blank,
                "id": make_hex_id(rng),
                "personId": make_hex_id(rng),
                "companyId": make_hex_id(rng),
                "entryStatus": "completed",
                "countryCode": "JP",
                "registeredTime": moment,
                "updatedTime": moment,
                "tags": [],
            }
            card.update({name: value for name, value in values.items() if name != "tags"})
            for name in ("registeredTime", "updatedTime"):
                if isinstance(card[name], str):
                    card[name] = datetime.fromisoformat(card[name]).astimezone(UTC)
            card["tags"] = [self.tags[id] for id in values.get("tags") or ()]
            self.cards[card["id"]] = card
            bisect.insort(self.index, (card["updatedTime"], card["id"]))
            self.changes += 1
            return card

    def change(self, id: str, values: dict[str, Any]) -> dict[str, Any]:
        """As a Sansan user would; ``_bump`` false leaves the update time as it was."""
        with self.lock:
            card, bump = self.cards[id], values.pop("_bump", True)
            if "tags" in values:
                card["tags"] = [self.tags[tag] for tag in values.pop("tags")]
                bump = bump and (bool(values) or self.switches["tag_bumps_updated"])
            card.update(values)
            if bump:
                self.touch(card)
            self.changes += 1
            return card

    def touch(self, card: dict[str, Any]) -> None:
        del self.index[bisect.bisect_left(self.index, (card["updatedTime"], card["id"]))]
        card["updatedTime"] = self.now().replace(microsecond=0)
        bisect.insort(self.index, (card["updatedTime"], card["id"]))

    def delete(self, id: str) -> None:
        with self.lock:
            card = self.cards.pop(id)
            del self.index[bisect.bisect_left(self.index, (card["updatedTime"], id))]
            self.changes += 1

    def churn(self, percent: float, seed: int = 1) -> list[str]:
        """Changes the title, department or mobile of that share of the cards; their ids."""
        with self.lock:
            rng = random.Random(seed)
            chosen = rng.sample(
                sorted(self.cards), k=max(1, round(len(self.cards) * percent / 100))
            )
            for id in chosen:
                name = rng.choice(("title", "departmentName", "mobile"))
                self.change(
                    id,
                    {
                        name: f"090-0000-{rng.randrange(10_000):04d}"
                        if name == "mobile"
                        else f"新{name[:5]}{rng.randrange(100_000)}"
                    },
                )
            return chosen

    def merge(self, ids: list[str]) -> None:
        with self.lock:
            for id in ids:
                self.cards[id]["personId"] = self.cards[ids[0]]["personId"]
                if self.switches["merge_bumps_updated"]:
                    self.touch(self.cards[id])
            self.changes += 1

    def hide(self, hidden: bool, ids: list[str] | None = None, percent: float = 0) -> int:
        """Loss of sight, and its end."""
        with self.lock:
            chosen = ids or random.Random(1).sample(
                sorted(self.cards), k=round(len(self.cards) * percent / 100)
            )
            for id in chosen:
                self.cards[id]["hidden"] = hidden
            self.changes += 1
            return len(chosen)

    def state(self) -> dict[str, Any]:
        with self.lock:
            times = ("registeredTime", "updatedTime")
            cards = [
                {
                    **card,
                    **{name: card[name].isoformat() for name in times},
                    "tags": [tag["id"] for tag in card["tags"]],
                }
                for card in self.cards.values()
            ]
            return {"cards": cards, "tags": list(self.tags.values())}

    def load(self, state: dict[str, Any]) -> None:
        with self.lock:
            self.tags = {tag["id"]: tag for tag in state["tags"]}
            self.cards, self.index = {}, []
            for card in state["cards"]:
                self.add(card)
