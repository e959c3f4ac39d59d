"""The text fields of a card that a mapping may use.

Source: Sansan Open API 6.0, as far as it is known.
"""

from integration.notes import gettext_noop

SANSAN_FIELDS: dict[str, str] = {
    "lastName": gettext_noop("Last name"),
    "firstName": gettext_noop("First name"),
    "lastNameReading": gettext_noop("Last name (kana)"),
    "firstNameReading": gettext_noop("First name (kana)"),
    "companyName": gettext_noop("Company"),
    "departmentName": gettext_noop("Department"),
    "title": gettext_noop("Title"),
    "email": gettext_noop("E-mail"),
    "tel": gettext_noop("Telephone"),
    "secondTel": gettext_noop("Second telephone"),
    "mobile": gettext_noop("Mobile"),
    "fax": gettext_noop("Fax"),
    "countryCode": gettext_noop("Country code"),
    "postalCode": gettext_noop("Postal code"),
    "prefecture": gettext_noop("Prefecture"),
    "city": gettext_noop("City"),
    "street": gettext_noop("Street"),
    "building": gettext_noop("Building"),
    "address": gettext_noop("Address (whole)"),
    "url": gettext_noop("Web address"),
    "memo": gettext_noop("Memo"),
    "exchangeDate": gettext_noop("Exchange date"),
    "ownerName": gettext_noop("Owner"),
    "ownerEmail": gettext_noop("Owner's e-mail"),
    "tags": gettext_noop("Tags"),
}
