"""What HubSpot's people edited and the card says otherwise: both values, who wins, and what decided
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

WINNER_TEXTS = {
    "sansan": gettext_lazy("The card wins"),
    "hubspot": gettext_lazy("HubSpot's edit stays"),
    "hold": gettext_lazy("Waits for your choice"),
}
DECIDER_TEXTS = {
    "rule": gettext_lazy("the rule says so"),
    "field": gettext_lazy("this field's mapping says so"),
    "person": gettext_lazy("a person chose so"),
}


def list_clash_lines(
    clashes: Mapping[str, Sequence[str]] | None,
    choices: Mapping[str, Mapping[str, str]],
    labels: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """``clashes`` as a link or an entry keeps them: property -> [card's value, contact's value, who
    wins, what decided].
    """
    return [
        {
            "property": name,
            "label": labels.get(name, {}).get("label", ""),
            "card": card,
            "contact": contact,
            "winner": winner,
            "wins": WINNER_TEXTS.get(winner, winner),
            "by": "" if winner == "hold" else describe_decider(by, choices.get(name)),
        }
        for name, (card, contact, winner, by) in sorted((clashes or {}).items())
    ]


def describe_decider(by: str, choice: Mapping[str, str] | None) -> str:
    if by == "person" and choice:
        return _("chosen by %(who)s on %(day)s") % {"who": choice["by"], "day": choice["at"][:10]}
    return str(DECIDER_TEXTS.get(by, by))
