"""Django's settings, all read from the environment. docs/operations.md lists the variables.

Each variable ``RUNSITE_X`` is the Django setting ``RUNSITE_X``, and can be given as
``RUNSITE_X_FILE``, the name of a file that holds the value.
"""

import sys
from pathlib import Path
from typing import Any

from runs.contract import limits
from runsite import __version__, environment

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Runsite's own settings ---

RUNSITE_DATA_DIR = environment.data_dir(BASE_DIR)
RUNSITE_HOST = environment.text("RUNSITE_HOST") or "127.0.0.1"
RUNSITE_PORT = environment.whole("RUNSITE_PORT", 8000, least=1, most=65535)
RUNSITE_ENGINE = environment.choice("RUNSITE_ENGINE", "local", ("local", "procrastinate"))
RUNSITE_SECRET_KEY = environment.secret_key(RUNSITE_DATA_DIR)
RUNSITE_API_KEY = environment.text("RUNSITE_API_KEY")
RUNSITE_UPSTREAM_URL = environment.text("RUNSITE_UPSTREAM_URL")
RUNSITE_UPSTREAM_KEY = environment.text("RUNSITE_UPSTREAM_KEY")
RUNSITE_UPSTREAM_CA_FILE = environment.text("RUNSITE_UPSTREAM_CA_FILE")
RUNSITE_RUN_LIFETIME = environment.whole("RUNSITE_RUN_LIFETIME", 600, least=1)
RUNSITE_ACTION_LIFETIME = environment.whole_or_none("RUNSITE_ACTION_LIFETIME", least=1)
RUNSITE_LEASE_SECONDS = environment.whole("RUNSITE_LEASE_SECONDS", 5, least=1)
RUNSITE_CONCURRENT_RUNS = environment.whole("RUNSITE_CONCURRENT_RUNS", 200, least=1)
RUNSITE_STRICT_BETA = environment.switch("RUNSITE_STRICT_BETA", default=False)
RUNSITE_ALLOWED_HOSTS = environment.names(
    "RUNSITE_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"]
)
RUNSITE_TRUSTED_ORIGINS = environment.names("RUNSITE_TRUSTED_ORIGINS", [])
RUNSITE_POOL_SIZE = environment.whole("RUNSITE_POOL_SIZE", 10, least=2)
RUNSITE_DRAIN_SECONDS = environment.whole("RUNSITE_DRAIN_SECONDS", 10, least=0)
RUNSITE_STREAMS = environment.whole("RUNSITE_STREAMS", 1000, least=1)
RUNSITE_STREAMS_PER_KEY = environment.whole("RUNSITE_STREAMS_PER_KEY", 200, least=1)
RUNSITE_LOG_LEVEL = environment.choice(
    "RUNSITE_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")
)
REDIS_URL = environment.text("REDIS_URL")

# --- Django ---

SECRET_KEY = RUNSITE_SECRET_KEY
DEBUG = False
ALLOWED_HOSTS = RUNSITE_ALLOWED_HOSTS
CSRF_TRUSTED_ORIGINS = RUNSITE_TRUSTED_ORIGINS
ROOT_URLCONF = "runsite.urls"
ASGI_APPLICATION = "runsite.asgi.application"
APPEND_SLASH = False  # a redirect turns the POST of an SDK into a GET
DATA_UPLOAD_MAX_MEMORY_SIZE = limits.BODY_BYTES
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

INSTALLED_APPS = [
    "runsite.admin_site.Config",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "runs",
]
if sys.argv[1:2] == ["runserver"]:  # which it replaces; to import it costs others half a second
    INSTALLED_APPS.insert(0, "daphne")
if RUNSITE_ENGINE == "procrastinate":
    environment.require("procrastinate", "RUNSITE_ENGINE=procrastinate")
    INSTALLED_APPS.append("procrastinate.contrib.django")

# The first four are native async. Those of Django are sync and would cost each API request
# a thread hop apiece: the subclasses step aside outside the pages.
MIDDLEWARE = [
    "runsite.middleware.request_context",
    "runsite.middleware.security_headers",
    "runsite.middleware.host_check",
    "runsite.middleware.body_limit",
    "runsite.pages.SecurityMiddleware",
    "runsite.pages.WhiteNoiseMiddleware",
    "runsite.pages.SessionMiddleware",
    "runsite.pages.CommonMiddleware",
    "runsite.pages.CsrfViewMiddleware",
    "runsite.pages.AuthenticationMiddleware",
    "runsite.pages.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

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
            ],
            "libraries": {
                "console": "runs.console.tags",
                "run_page": "runs.console.run_tags",
            },
        },
    },
]

DATABASES = {"default": environment.database(RUNSITE_DATA_DIR, RUNSITE_POOL_SIZE)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Between processes: Redis, by the pub/sub layer, which has no bound at which it drops the
# newest message. The sockets of pages have a layer because channels wants one for each: no
# message goes through it, and they must open while Redis is away.
IN_MEMORY = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {"default": IN_MEMORY, "sockets": IN_MEMORY}
if REDIS_URL:
    environment.require("channels_redis", "REDIS_URL")
    CHANNEL_LAYERS["default"] = {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_connect_timeout": 2}]},
    }

# Of this process alone. Tries to sign in have a cache of their own, which nothing else fills.
CACHES = {
    name: {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": name,
        "OPTIONS": {"MAX_ENTRIES": entries},
    }
    for name, entries in (("default", 300), ("tries", 10_000))
}

# --- people ---

AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "/console/login/"
LOGIN_REDIRECT_URL = "/console/"
LOGOUT_REDIRECT_URL = "/console/login/"
SESSION_COOKIE_NAME = "runsite_session"
SESSION_COOKIE_AGE = 12 * 3600  # seconds without use
SESSION_SAVE_EVERY_REQUEST = True
CSRF_COOKIE_NAME = "runsite_csrf"
CSRF_COOKIE_HTTPONLY = True  # forms and htmx take the token from the page
CSRF_FAILURE_VIEW = "runsite.errors.csrf_failure"

# --- files ---

STATIC_URL = "/static/"
STATIC_ROOT = RUNSITE_DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "runsite.static.Storage"},
}
WHITENOISE_ALLOW_ALL_ORIGINS = False

# --- the API ---

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["runs.inputs.parsers.StrictJSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["runs.api.auth.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "runs.api.negotiation.IgnoreAccept",
    "DEFAULT_SCHEMA_CLASS": "runs.api.openapi.generator.ApiSchema",
    "EXCEPTION_HANDLER": "runs.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Runsite",
    "VERSION": __version__,
    "OAS_VERSION": "3.1.1",
    "DEFAULT_GENERATOR_CLASS": "runs.api.openapi.generator.Generator",
    "POSTPROCESSING_HOOKS": [],
    "SORT_OPERATIONS": False,
}

# --- logs ---

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "context": {"()": "runsite.logs.ContextFilter"},
        "defects": {"()": "runsite.logs.DefectFilter"},
    },
    "formatters": {
        "json": {"()": "runsite.logs.JsonFormatter"},
        "human": {"()": "runsite.logs.HumanFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "filters": ["context"],
            "formatter": "human" if sys.stderr.isatty() else "json",
        }
    },
    "root": {"handlers": ["stderr"], "level": RUNSITE_LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # 4xx answers are the caller's business and have their line in the access log.
        "django.request": {"level": "ERROR", "filters": ["defects"]},
        "daphne": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},  # its INFO lines hold upstream addresses
        "httpcore": {"level": "WARNING"},
        "asyncio": {"level": "WARNING"},
        "markdown_it": {"level": "WARNING"},
        "procrastinate": {"level": "WARNING"},  # two INFO lines for each job
        "channels_redis": {"level": "CRITICAL"},  # the relay says once that Redis is away
    },
}
