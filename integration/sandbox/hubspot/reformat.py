"""What HubSpot and its customers' workflows make of values: telephone numbers in international
form, names in capitals written small.
"""

from __future__ import annotations

from typing import Any

import phonenumbers

from integration.sandbox.hubspot import events
from integration.sandbox.hubspot.events import EventLog
from integration.sandbox.hubspot.records import Records

# The country that a number without its code is of, by how it begins.
COUNTRIES = {"020": "GB", "030": "DE", "03": "JP", "(": "US"}


class Reformatter:
    """With the switch ``reformats`` at_once an answer shows the form, with later only the next
    look.
    """

    def __init__(self, switches: dict[str, Any], log: EventLog) -> None:
        self.switches, self.log = switches, log
        self.awaited: set[str] = set()

    def wait(self, id: str) -> None:
        """Notes that a contact has got values."""
        if self.switches["reformats"] == "later":
            self.awaited.add(id)

    def shape_value(self, name: str, value: str) -> str:
        return reformat_value(name, value) if self.switches["reformats"] == "at_once" else value

    def settle(self, contacts: Records) -> None:
        awaited, self.awaited = self.awaited, set()
        with self.log.by(events.AUTOMATION_SOURCE):
            for id in sorted(awaited & contacts.records.keys()):
                contact = contacts.records[id]
                shaped = {name: reformat_value(name, value) for name, value in contact.items()}
                changed = {name: value for name, value in shaped.items() if value != contact[name]}
                if changed:
                    contacts.update(id, changed)


def reformat_value(name: str, value: str) -> str:
    if name in ("firstname", "lastname"):
        return value.capitalize() if value.isupper() else value
    if name == "jobtitle":
        # A customer's workflow, which knows one spelling of it.
        return "Director" if value == "部長" else value
    if name == "phone" and value:
        country = next((code for start, code in COUNTRIES.items() if value.startswith(start)), None)
        try:
            number = phonenumbers.parse(value, country)
        except phonenumbers.NumberParseException:
            return value
        form = phonenumbers.PhoneNumberFormat.INTERNATIONAL
        return str(phonenumbers.format_number(number, form))
    return value
