from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _


class IntegrationConfig(AppConfig):
    """Keeps HubSpot contacts true to Sansan cards. integration/sync.py is the place to start
    reading.
    """

    name = "integration"
    verbose_name = _("Sync")

    def ready(self) -> None:
        from integration.checks import check_vendor_urls

        register(check_vendor_urls)
