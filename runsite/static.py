"""Static files: collected into the data directory, and only when they changed."""

import fcntl
import hashlib
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from rjsmin import jsmin
from whitenoise.storage import CompressedManifestStaticFilesStorage

ALL_OF = re.compile(r"// all of: (.+)\n")


class Storage(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # untyped
    """Files under hashed names, compressed. Our own scripts lose their comments and white space
    first, and one that begins with ``// all of:`` is put together of those it names: one file
    compresses better than six. Vendored ones must stay as their integrity says."""

    def post_process(
        self, paths: Mapping[str, Any], dry_run: bool = False, **options: Any
    ) -> Iterator[Any]:
        """Do to collected files what is done to them before they are served."""
        made: dict[str, Any] = {}
        for name in paths:
            if name.startswith("console/") and name.endswith(".js") and not dry_run:
                path = Path(self.path(name))
                path.write_text("\n".join(str(jsmin(part)) for part in parts_of(path)))
                made[name] = (self, name)  # what is served is copied from here, not the source
        paths = {**paths, **made}
        yield from super().post_process(paths, dry_run, **options)


def parts_of(path: Path) -> list[str]:
    """The texts that a script is put together of: its own, or those of the scripts it names."""
    text = path.read_text()
    named = ALL_OF.match(text)
    return [(path.parent / name).read_text() for name in named[1].split()] if named else [text]


def fingerprint() -> str:
    """A hash over the name, size and time of every source file, and over what collects them."""
    digest = hashlib.sha256(" ".join(map(version, ("django", "whitenoise", "rjsmin"))).encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            size, changed = storage.size(path), storage.get_modified_time(path)
            digest.update(f"{path} {size} {changed.timestamp()}\n".encode())
    return digest.hexdigest()


def collect() -> None:
    """Write STATIC_ROOT anew if it does not hold the files of this version. Processes that share
    it and start at once wait for the first of them."""
    wanted = fingerprint()
    with (settings.RUNSITE_DATA_DIR / "static.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = settings.STATIC_ROOT / "collected.txt"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        call_command("collectstatic", interactive=False, verbosity=0, clear=True)
        stamp.write_text(wanted)
