"""Write requirements/*.txt anew from the .in files: pinned, hashed, without any address.

Run by ``make lock``; ``python tools/lock.py sdk-1`` writes that set alone. local-model.txt is
kept by hand.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "requirements"
#: Name of a set -> the sets within which it is resolved, so that the same version of a package
#: stands in all of them. The SDKs of other ages and fuzz live in environments of their own.
SETS: dict[str, tuple[str, ...]] = {
    "base": (),
    "scaled": ("base",),
    "dev": ("base", "scaled"),
    "sdk-1": (),
    "sdk-2": (),
    "fuzz": (),
}
OPTIONS = (
    "--quiet",
    "--generate-hashes",
    "--strip-extras",
    "--allow-unsafe",
    "--no-header",
    "--no-annotate",
    "--no-emit-find-links",
    "--no-emit-index-url",
    "--no-emit-trusted-host",
)


def main() -> None:
    """Resolve each set; ``make lock UPGRADE=1`` takes newer versions where there are any."""
    names = [name for name in sys.argv[1:] if name != "--upgrade"]
    upgrade = ["--upgrade"] if "--upgrade" in sys.argv[1:] else []
    for name in names or SETS:
        within = [f"--constraint={before}.txt" for before in SETS[name]]
        command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, *upgrade, *within]
        subprocess.run(
            [*command, f"--output-file={name}.txt", f"{name}.in"], cwd=FOLDER, check=True
        )
        path = FOLDER / f"{name}.txt"
        path.write_text(f"# Written by `make lock` from {name}.in.\n{path.read_text()}")


if __name__ == "__main__":
    main()
