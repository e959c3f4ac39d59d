"""The admin site of the product."""

from unfold.sites import UnfoldAdminSite


class Site(UnfoldAdminSite):
    """Unregistered third-party models never show up here, so the queue's own admin stays closed."""


site = Site(name="admin")
