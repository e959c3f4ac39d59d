from core.models.account import Account, Membership, Role, User
from core.models.departure import Departure
from core.models.invitation import Invitation

__all__ = ["Account", "Departure", "Invitation", "Membership", "Role", "User"]
