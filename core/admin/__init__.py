"""The platform's pages. Importing them registers them on our own site; Django's autodiscover does that at start."""

from core.admin import account, invitation, member, user

__all__ = ["account", "invitation", "member", "user"]
