"""The platform's pages.

Importing them registers them on our own site; Django's autodiscover does that at start.
"""

from core.admin import account, departure, invitation, member, user

__all__ = ["account", "departure", "invitation", "member", "user"]
