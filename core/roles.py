"""What each role may do, as data."""

from __future__ import annotations

from core.models.account import Role, User

# Look at everything; take data out (exports); look at who changed what; run and retry; change the
# configuration; manage people.
VIEW, EXPORT, HISTORY_RIGHT, OPERATE, EDIT, OWN = (
    "view",
    "export",
    "history",
    "operate",
    "edit",
    "own",
)

MAY: dict[str, frozenset[str]] = {
    Role.OWNER: frozenset({VIEW, EXPORT, HISTORY_RIGHT, OPERATE, EDIT, OWN}),
    Role.EDITOR: frozenset({VIEW, EXPORT, HISTORY_RIGHT, OPERATE, EDIT}),
    Role.OPERATOR: frozenset({VIEW, OPERATE}),
    Role.VIEWER: frozenset({VIEW}),
    Role.AUDITOR: frozenset({VIEW, EXPORT, HISTORY_RIGHT}),
}


def may(user: object, account_id: int | None, action: str) -> bool:
    """Whether ``user`` may do ``action`` in the account, or in any account when ``account_id`` is
    None.
    """
    if getattr(user, "is_superuser", False):
        return True
    roles = read_roles(user)
    held = (
        roles.values() if account_id is None else [roles[account_id]] if account_id in roles else []
    )
    return any(action in MAY[role] for role in held)


def read_roles(user: object) -> dict[int, str]:
    """Account id -> role; read once a request, because every row of a page asks."""
    if not isinstance(user, User) or not user.is_active:
        return {}
    cached: dict[int, str] | None = getattr(user, "_roles", None)
    if cached is None:
        cached = dict(user.memberships.values_list("account_id", "role"))
        user._roles = cached
    return cached
