"""What people do in HubSpot, and how a test sets up a portal: the verbs of POST
/sandbox/hubspot/{verb}.
"""

from __future__ import annotations

from typing import Any

from integration.sandbox.hubspot import moments
from integration.sandbox.hubspot.portal import Portal


def perform_portal_verb(portal: Portal, verb: str, args: dict[str, Any]) -> Any:
    match verb:
        case "scopes":
            portal.scopes_missing = set(args["missing"])
        case "owners":
            if "owners" in args:
                portal.set_owners(args["owners"])
            return list(portal.owners.values())
        case "drop_property":
            portal.drop_property(args["name"])
        case "stamp":
            return stamp_contacts(portal, args)
        case _:
            return perform_people_verb(portal, verb, args)
    return {"ok": True}


def perform_people_verb(portal: Portal, verb: str, args: dict[str, Any]) -> Any:
    match verb:
        case "contacts":
            return [
                *portal.contacts.values(),
                *({**contact, "archived": "true"} for contact in portal.archived.values()),
            ]
        case "companies":
            return list(portal.companies.records.values())
        case "associations":
            return portal.links.pairs
        case "edit":
            portal.update(str(args["id"]), args["properties"])
        case "address":
            portal.add_address(str(args["id"]), args["address"])
        case "create":
            return [
                portal.create(values) for values in args.get("contacts") or [args["properties"]]
            ]
        case "delete":
            portal.archive(str(args["id"]))
        case "restore":
            portal.restore(str(args["id"]))
        case "merge":
            return portal.merge(str(args["primary"]), str(args["other"]))
        case "purge":
            portal.purge(str(args["id"]))
        case _:
            raise ValueError(f"no such verb: {verb}")
    return {"ok": True}


def stamp_contacts(portal: Portal, args: dict[str, Any]) -> int:
    """Gives contacts (``ids``, or all) one time of change, ``at``; the index knows at once, and no
    app is told. How many it were.
    """
    at = moments.as_iso_text(moments.parse_moment(str(args["at"])))
    ids = [str(id) for id in args["ids"]] if args.get("ids") is not None else list(portal.contacts)
    for id in ids:
        portal.contacts[id][portal.MODIFIED] = at
        portal.lag.note_indexed(id)
    portal.changes += 1
    return len(ids)
