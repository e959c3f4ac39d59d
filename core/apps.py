from django.apps import AppConfig


class CoreConfig(AppConfig):
    """The platform: knows no vendor and no sync."""

    name = "core"
    verbose_name = "Platform"

    def ready(self) -> None:
        from core import checks  # noqa: F401  (registers the system checks)
