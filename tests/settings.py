"""The settings of the tests: those of the product, with an environment of their own."""

import atexit
import os
import shutil
import tempfile

for name in [name for name in os.environ if name.startswith("RUNSITE_")]:
    if not name.startswith("RUNSITE_TEST_"):
        del os.environ[name]
os.environ["RUNSITE_DATA_DIR"] = tempfile.mkdtemp(prefix="runsite-tests-")
atexit.register(shutil.rmtree, os.environ["RUNSITE_DATA_DIR"], ignore_errors=True)
os.environ["RUNSITE_UPSTREAM_URL"] = "http://127.0.0.1:9/v1"  # nobody answers there

if os.environ.get("DATABASE_URL", "").startswith("postgres"):  # with the engine that is for it
    os.environ["RUNSITE_ENGINE"] = "procrastinate"
    os.environ["RUNSITE_POOL_SIZE"] = "14"  # ten for calls: tests race with as many threads
    os.environ["REDIS_URL"] = os.environ.get("RUNSITE_TEST_REDIS", "redis://127.0.0.1:6379/15")

from runsite.settings import *  # noqa: E402, F403

STATIC_ROOT.mkdir(exist_ok=True)  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
