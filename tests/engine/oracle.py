"""What HubSpot should hold, worked out the slow way from the sandbox's cards.

Shares only the normal forms with the product.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

from integration.planning.normalize import (
    is_email,
    normalize_company,
    normalize_email,
    normalize_name,
)

ADDRESS = ("countryCode", "postalCode", "prefecture", "city", "street", "building")
PROPERTIES = {
    "lastname": ("lastName",),
    "firstname": ("firstName",),
    "company": ("companyName",),
    "jobtitle": ("title",),
    "sansan_department": ("departmentName",),
    "phone": ("tel",),
    "mobilephone": ("mobile",),
    "fax": ("fax",),
    "zip": ("postalCode",),
    "state": ("prefecture",),
    "city": ("city",),
    "address": ("street", "building"),
    "country": ("countryCode",),
    "website": ("url",),
    "sansan_exchange_date": ("exchangeDate",),
}
# What the default mappings make of a code.
COUNTRIES = {"JP": "Japan"}


def expected(cards: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Address -> the properties of its contact, blanks left out."""
    cards = sorted(cards, key=rank, reverse=True)
    people = grouped(cards)
    contacts = {}
    for person in people:
        address = next(
            (
                email(card)
                for card in person
                if email(card) and newest_with(email(card), cards) in person
            ),
            "",
        )
        if address:
            contacts[address] = {"email": address, **survivor(person)}
    return contacts


def rank(card: dict[str, Any]) -> tuple[Any, ...]:
    return (card["exchangeDate"] or "", card["updatedTime"], card["id"])


def email(card: dict[str, Any]) -> str:
    key = normalize_email(card["email"] or "")
    return key if is_email(key) else ""


def newest_with(address: str, cards: list[dict[str, Any]]) -> dict[str, Any]:
    return next(card for card in cards if email(card) == address)


def same_person(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if one["personId"] and one["personId"] == other["personId"]:
        return True
    names = [
        normalize_name(card["lastName"] or "", card["firstName"] or "") for card in (one, other)
    ]
    return bool(email(one)) and email(one) == email(other) and names[0] == names[1]


def grouped(cards: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Cards that may be compared share a key, so that only those pairs are tried."""
    person = {id(card): [card] for card in cards}
    buckets: dict[str, list[dict[str, Any]]] = {}
    for card in cards:
        for key in {email(card), card["personId"]} - {"", None}:
            buckets.setdefault(key, []).append(card)
    for bucket in buckets.values():
        for one, other in combinations(bucket, 2):
            if same_person(one, other) and person[id(one)] is not person[id(other)]:
                joined = person[id(one)] + person[id(other)]
                for card in joined:
                    person[id(card)] = joined
    whole = {id(group): sorted(group, key=rank, reverse=True) for group in person.values()}
    return list(whole.values())


def survivor(person: list[dict[str, Any]]) -> dict[str, str]:
    head, *older = person
    values = {name: head[name] for names in PROPERTIES.values() for name in names if head[name]}
    for card in older:
        same = (
            normalize_company(head["companyName"] or "")
            == normalize_company(card["companyName"] or "")
            != ""
        )
        whole_address = any(values.get(name) for name in ADDRESS)
        for name in (name for names in PROPERTIES.values() for name in names) if same else ():
            if card[name] and not values.get(name) and not (whole_address and name in ADDRESS):
                values[name] = card[name]
    found = {
        prop: " ".join(values[name] for name in names if values.get(name))
        for prop, names in PROPERTIES.items()
    }
    found["country"] = COUNTRIES.get(found["country"], found["country"])
    tags = {tag["id"] for card in person for tag in card["tags"] if tag["type"] != "private"}
    found["sansan_tags"] = ";".join(sorted(tags))
    return {name: value for name, value in found.items() if value}


def contacts_of(sandbox: Any, token: str) -> dict[str, dict[str, str]]:
    """Address -> what HubSpot has, of the properties that the oracle knows.

    Fails where two contacts share an address.
    """
    found: dict[str, dict[str, str]] = {}
    for contact in sandbox.hubspot.portal(token).contacts.values():
        address = contact.get("email", "")
        assert address not in found, f"two contacts with {address}"
        found[address] = {
            name: value
            for name, value in contact.items()
            if name in (*PROPERTIES, "email", "sansan_tags")
        }
        if "sansan_tags" in contact:
            found[address]["sansan_tags"] = ";".join(sorted(contact["sansan_tags"].split(";")))
    return found
