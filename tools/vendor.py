"""Check the vendored browser files against static/vendor/VENDOR.toml, or replace a package.

    python tools/vendor.py                     check; exit status 1 and a line per difference
    python tools/vendor.py htmx.org 4.0.2      fetch that version with npm, rewrite the hashes

Only the standard library is used. After a replacement read the package's release notes and run
the browser tests: the frames of runs/console/render.py and static/console/live.js rely on it.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
LIST = VENDOR / "VENDOR.toml"
HEAD = """\
# Files of others that our pages serve. `python tools/vendor.py` checks them;
# `python tools/vendor.py htmx.org 4.0.2` replaces a package by another version.
"""

Package = dict[str, Any]


def integrity(data: bytes, algorithm: str = "sha384") -> str:
    """The hash of ``data`` as in a script's ``integrity`` attribute."""
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def packages() -> list[Package]:
    """The packages of the list."""
    found: list[Package] = tomllib.loads(LIST.read_text())["package"]
    return found


def differences() -> list[str]:
    """What is not as the list says: changed, missing or unlisted files."""
    found, listed = [], {LIST}
    for package in packages():
        for name, file in package["files"].items():
            path = VENDOR / package["folder"] / name
            listed.add(path)
            if not path.is_file():
                found.append(f"{path} is missing")
            elif integrity(path.read_bytes()) != file["integrity"]:
                found.append(f"{path} is not the file that VENDOR.toml lists")
    unlisted = {path for path in VENDOR.rglob("*") if path.is_file()} - listed
    return found + [f"{path} is not listed" for path in sorted(unlisted)]


def replace(name: str, version: str) -> None:
    """Fetch another version of a listed package and rewrite the list.

    Raises:
        SystemExit: the package is not listed, or its tarball is not what npm announced.
    """
    kept = packages()
    package = next((known for known in kept if known["name"] == name), None)
    if package is None:
        raise SystemExit(f"{name} is not in {LIST}")
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", f"{name}@{version}", "--json", "--pack-destination", folder]
        told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)[0]
        tarball = Path(folder) / told["filename"]
        if integrity(tarball.read_bytes(), "sha512") != told["integrity"]:
            raise SystemExit(f"the tarball of {name} {version} is damaged")
        old = VENDOR / package["folder"]
        package |= {
            "version": version,
            "folder": f"{package['folder'].rsplit('-', 1)[0]}-{version}",
            "tarball": told["integrity"],
        }
        shutil.rmtree(old)
        take(package, tarball)
    LIST.write_text(HEAD + "".join(table(known) for known in kept))


def take(package: Package, tarball: Path) -> None:
    """Copy the listed files out of a tarball and note their hashes."""
    target = VENDOR / package["folder"]
    target.mkdir()
    with tarfile.open(tarball) as archive:
        for name, file in package["files"].items():
            member = archive.extractfile(f"package/{file['source']}")
            if member is None:
                raise SystemExit(f"{package['name']} has no {file['source']} any more")
            data = member.read()
            (target / name).write_bytes(data)
            file["integrity"] = integrity(data)


def table(package: Package) -> str:
    """A package as TOML."""
    lines = ["\n[[package]]\n"]
    lines += [f'{key} = "{package[key]}"\n' for key in ("name", "version", "folder", "tarball")]
    for name, file in package["files"].items():
        lines.append(f'\n[package.files."{name}"]\n')
        lines += [f'{key} = "{file[key]}"\n' for key in ("source", "integrity")]
    return "".join(lines)


def main() -> int:
    """Run the command line."""
    if len(sys.argv) == 3:
        replace(*sys.argv[1:])
    elif len(sys.argv) != 1:
        print(__doc__)
        return 2
    found = differences()
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
