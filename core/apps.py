import gc

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    """The platform: knows no vendor and no sync."""

    name = "core"
    verbose_name = _("Platform")

    def ready(self) -> None:
        from core.checks import check_fernet_keys, check_queue_settings

        register(check_queue_settings, Tags.caches)
        register(check_fernet_keys, Tags.security)
        # A sync makes hundreds of thousands of values that live for a batch; looking through them
        # every 700 costs 6 % of it.
        gc.set_threshold(50_000, 20, 50)
