from core.models.account import Account, Membership, Role, User

__all__ = ["Account", "Membership", "Role", "User"]
