"""Settings from the environment (and ``.env``, if there is one). docs/configuration.md lists every
name.
"""

import sys
import zoneinfo
from pathlib import Path
from typing import Any, NoReturn

import environ
import structlog
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

DEBUG: bool = env.bool("DEBUG", default=False)


def refuse_start(problem: str) -> NoReturn:
    """One line that a person can act on; a traceback behind it would say nothing more.

    Values are not quoted: they may be secrets.
    """
    sys.exit(f"Meishi Bridge cannot start: {problem} (docs/configuration.md)")


def read_secret(name: str, development: str) -> str:
    """A secret has a default in development only."""
    value: str = env.str(name, default="")
    if not value and not DEBUG:
        refuse_start(f"{name} is not set: put it into the environment or .env.")
    return value or development


def read_number(name: str, default: int, least: int = 1) -> int:
    value: str = env.str(name, default="") or str(default)
    if not value.isdecimal() or not least <= int(value) < 2**31:
        refuse_start(f"{name} must be a whole number of at least {least}.")
    return int(value)


SECRET_KEY = read_secret("SECRET_KEY", "development-only-" + "k" * 50)
FERNET_KEYS = [
    key.strip() for key in read_secret("FERNET_KEYS", "development-only").split(",") if key.strip()
]
if not FERNET_KEYS:
    refuse_start("FERNET_KEYS holds no key.")

ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "core",
    "integration",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_q",
    "simple_history",
]
AUTH_USER_MODEL = "core.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "core.tenancy.AccountScopeMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "core.urls"
WSGI_APPLICATION = "core.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


# Forms look for the templates of their widgets where pages do, so that ours come first.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"


def make_database_settings(url: str) -> dict[str, Any]:
    """SQLite needs WAL and IMMEDIATE transactions, or workers and web requests fail each other's
    writes.
    """
    try:
        config: dict[str, Any] = env.db_url_config(url)
    except (ValueError, KeyError, ImproperlyConfigured):
        config = {}
    if config.get("ENGINE") not in ("django.db.backends.sqlite3", "django.db.backends.postgresql"):
        refuse_start(
            "DATABASE_URL must be such as postgres://user:password@host:5432/name or "
            "sqlite:////path/to/file."
        )
    if "sqlite" in config["ENGINE"]:
        config["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
            "PRAGMA cache_size=-64000; "
            "PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=4000;",
        }
        config["TEST"] = {"OPTIONS": {}}
    else:
        config["CONN_MAX_AGE"] = 60
        config["CONN_HEALTH_CHECKS"] = True
    return config


DATABASES = {
    "default": make_database_settings(
        env.str("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
    )
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ja", "日本語")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE: str = env.str("TIME_ZONE", default="Asia/Tokyo")
if TIME_ZONE not in zoneinfo.available_timezones():
    refuse_start("TIME_ZONE must be a name such as Asia/Tokyo.")
USE_TZ = True
USE_I18N = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
LOGIN_URL = "admin:login"
# A page of mappings has a dozen fields a row, one of tags a field for each that is ticked.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000

if not DEBUG:
    SECURE_SSL_REDIRECT: bool = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS: int = read_number("SECURE_HSTS_SECONDS", 31_536_000, least=0)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]


def make_mail_settings(url: str) -> dict[str, Any]:
    """Django's EMAIL_ settings.

    Without a mail host nothing is sent, and a page shows what the mail would have said.
    """
    try:
        return dict(env.email_url_config(url or ("consolemail://" if DEBUG else "dummymail://")))
    except (ValueError, ImproperlyConfigured):
        refuse_start("EMAIL_URL must be such as smtp+tls://user:password@host:587.")


globals().update(make_mail_settings(env.str("EMAIL_URL", default="")))
DEFAULT_FROM_EMAIL: str = env.str("DEFAULT_FROM_EMAIL", default="") or "meishi-bridge@localhost"

# The vendors.
SANSAN_API_URL: str = env.str("SANSAN_API_URL", default="https://api.sansan.com")
SANSAN_API_VERSION: str = env.str("SANSAN_API_VERSION", default="v6.0")
HUBSPOT_API_URL: str = env.str("HUBSPOT_API_URL", default="https://api.hubapi.com")
HUBSPOT_API_VERSION: str = env.str("HUBSPOT_API_VERSION", default="2026-03")
HUBSPOT_APP_URL: str = env.str("HUBSPOT_APP_URL", default="https://app.hubspot.com")
# Where people see a card. Sansan documents no such address: {id} stands for the card's id, where
# one is known.
SANSAN_CARD_URL: str = env.str("SANSAN_CARD_URL", default="https://ap.sansan.com/")
# Of an app of one's own at HubSpot; without them connections are made with a service key only.
HUBSPOT_CLIENT_ID: str = env.str("HUBSPOT_CLIENT_ID", default="")
HUBSPOT_CLIENT_SECRET: str = env.str("HUBSPOT_CLIENT_SECRET", default="")
# Webhooks: the address under which HubSpot reaches this installation (its signature covers it), and
# whether the old signature, which tells no time, is accepted where HubSpot sends no other.
PUBLIC_URL: str = env.str("PUBLIC_URL", default="").rstrip("/")
HUBSPOT_WEBHOOK_V1: bool = env.bool("HUBSPOT_WEBHOOK_V1", default=False)
WEBHOOK_URLS = "integration.urls"

# The engine.
SYNC_WORKERS: int = read_number("SYNC_WORKERS", 4)
SYNC_SLICE_SECONDS: int = read_number("SYNC_SLICE_SECONDS", 20)
SYNC_LEASE_SECONDS: int = read_number("SYNC_LEASE_SECONDS", 90)
SYNC_OVERLAP_SECONDS: int = read_number("SYNC_OVERLAP_SECONDS", 300, least=0)
# HubSpot's search shows a change some seconds late, and may let a fresh contact vanish again.
SYNC_SEARCH_OVERLAP_SECONDS: int = read_number("SYNC_SEARCH_OVERLAP_SECONDS", 60, least=0)
SYNC_MAX_TAGS: int = read_number("SYNC_MAX_TAGS", 300)
AUDIT_RETENTION_DAYS: int = read_number("AUDIT_RETENTION_DAYS", 400, least=30)

# The queue. Every value here was chosen against a way in which the queue loses or doubles work:
# core/checks.py refuses others.
Q_WORKERS: int = read_number("Q_WORKERS", 4)
BROKER_URL: str = env.str("BROKER_URL", default="")
if BROKER_URL and not BROKER_URL.startswith(("redis://", "rediss://")):
    refuse_start("BROKER_URL must be such as redis://host:6379/0, or blank for the database.")
Q_CLUSTER: dict[str, Any] = {
    "name": "meishi-bridge",
    "workers": Q_WORKERS,
    "timeout": 120,
    "retry": 600,
    "queue_limit": 1,
    "bulk": 1,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    # What succeeded is told by the ledger; a row of it for each of many slices a second would only
    # be swept again.
    "save_limit": -1,
    "recycle": 500,
    "max_rss": 600_000,
    "poll": 0.2,
    "label": "Queue",
    "log_level": "WARNING",
    **({"redis": BROKER_URL} if BROKER_URL else {"orm": "default"}),
}

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
    ],
    # Standard output belongs to the commands' JSON; logs go to standard error.
    logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    cache_logger_on_first_use=False,
)

UNFOLD = {
    "SITE_TITLE": "Meishi Bridge",
    "SITE_HEADER": "Meishi Bridge",
    "SITE_SUBHEADER": _("Cards in, contacts true"),
    "SITE_SYMBOL": "contacts",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("core/favicon.svg")}
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda request: static("core/admin.css"), lambda request: static("core/setup.css")],
    "SCRIPTS": [lambda request: static("core/admin.js")],
    "SHOW_LANGUAGES": True,
    "COLORS": {
        "primary": {
            "50": "#eefbf6",
            "100": "#d5f5e7",
            "200": "#aeead3",
            "300": "#78d8b9",
            "400": "#41be9a",
            "500": "#1ea380",
            "600": "#118368",
            "700": "#0e6955",
            "800": "#0e5345",
            "900": "#0d453a",
            "950": "#062721",
        }
    },
    "SIDEBAR": {
        "show_search": False,
        "navigation": [
            {
                "title": _("Sync"),
                "items": [
                    {
                        "title": _("Overview"),
                        "icon": "dashboard",
                        "link": reverse_lazy("admin:index"),
                    },
                    {
                        "title": _("Rules"),
                        "icon": "sync_alt",
                        "link": reverse_lazy("admin:integration_syncrule_changelist"),
                    },
                    {
                        "title": _("Runs"),
                        "icon": "history",
                        "link": reverse_lazy("admin:integration_syncrun_changelist"),
                    },
                    {
                        "title": _("Audit log"),
                        "icon": "fact_check",
                        "link": reverse_lazy("admin:integration_auditentry_changelist"),
                    },
                ],
            },
            {
                "title": _("People"),
                "items": [
                    {
                        "title": _("Records"),
                        "icon": "badge",
                        "link": reverse_lazy("admin:integration_record_changelist"),
                    },
                    {
                        "title": _("Links"),
                        "icon": "link",
                        "link": reverse_lazy("admin:integration_link_changelist"),
                    },
                ],
            },
            {
                "title": _("Set-up"),
                "items": [
                    {
                        "title": _("Connections"),
                        "icon": "cable",
                        "link": reverse_lazy("admin:integration_connection_changelist"),
                    },
                    {
                        "title": _("Tags"),
                        "icon": "sell",
                        "link": reverse_lazy("admin:integration_tag_changelist"),
                    },
                    {
                        "title": _("Accounts"),
                        "icon": "domain",
                        "link": reverse_lazy("admin:core_account_changelist"),
                    },
                    {
                        "title": _("Members"),
                        "icon": "group",
                        "link": reverse_lazy("admin:core_membership_changelist"),
                    },
                    {
                        "title": _("Invitations"),
                        "icon": "mail",
                        "link": reverse_lazy("admin:core_invitation_changelist"),
                    },
                    {
                        "title": _("History"),
                        "icon": "manage_history",
                        "link": reverse_lazy("admin:integration_history"),
                    },
                ],
            },
            {
                "title": _("Platform"),
                "items": [
                    {
                        "title": _("Users"),
                        "icon": "person",
                        "link": reverse_lazy("admin:core_user_changelist"),
                    },
                    {
                        "title": _("Departures"),
                        "icon": "door_open",
                        "link": reverse_lazy("admin:core_departure_changelist"),
                    },
                    {
                        "title": _("Workers"),
                        "icon": "ecg_heart",
                        "link": reverse_lazy("admin:integration_heartbeat_changelist"),
                    },
                    {
                        "title": _("Queued tasks"),
                        "icon": "stacks",
                        "link": reverse_lazy("admin:django_q_ormq_changelist"),
                    },
                    {
                        "title": _("Failed tasks"),
                        "icon": "running_with_errors",
                        "link": reverse_lazy("admin:django_q_failure_changelist"),
                    },
                    {
                        "title": _("Scheduled tasks"),
                        "icon": "schedule",
                        "link": reverse_lazy("admin:django_q_schedule_changelist"),
                    },
                ],
            },
        ],
    },
}
