"""The recipes in ``deploy/`` say what Runsite can do and must have; they are run in
``tests/process/test_deploy_compose.py``."""

import json
import re
import shutil
import stat
import subprocess
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db.migrations.operations import AddField
from django.db.models import NOT_PROVIDED

from runs.contract.errors import TooLarge
from runs.contract.limits import BODY_BYTES
from tests.live import ROOT
from tests.test_docs import variables
from tests.test_migrations import MIGRATIONS

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "runsite"]
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
NGINX = (DEPLOY / "nginx.conf").read_text()


def known(names: set[str]) -> set[str]:
    """Those of ``names`` that are ours to know, as settings are called."""
    ours = {name for name in names if name.startswith("RUNSITE_") or name.endswith("_URL")}
    return {name.removesuffix("_FILE") for name in ours | (names & {"DATABASE_URL_FILE"})}


class TestCompose:
    def test_every_variable_is_a_setting(self):
        for name in OURS:
            assert known(set(SERVICES[name]["environment"])) <= variables()

    def test_only_the_proxy_can_be_reached_from_outside(self):
        assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
        for name in ("postgres", "redis"):
            assert SERVICES[name]["networks"] == ["inside"]
        assert COMPOSE["networks"]["inside"] == {"internal": True}

    def test_secrets_are_files_and_stand_nowhere_else(self):
        for name in OURS:
            service = SERVICES[name]
            files = [value for key, value in service["environment"].items() if "_FILE" in key]
            assert sorted(files) == sorted(f"/run/secrets/{name}" for name in service["secrets"])
        assert not re.search(r"postgres(ql)?://|PASSWORD: ", (DEPLOY / "compose.yaml").read_text())

    def test_only_who_makes_the_key_is_given_it(self):
        given = [name for name in OURS if "api_key" in SERVICES[name]["secrets"]]
        assert given == ["web1", "web2"]
        for path in UNITS:
            serves = "manage.py serve" in path.read_text()
            assert ("api-key" in path.read_text()) == serves, path.name

    def test_a_folder_of_secrets_that_was_there_is_closed(self, tmp_path: Path):
        shutil.copy(DEPLOY / "make-secrets", tmp_path)
        folder = tmp_path / "secrets"
        folder.mkdir()
        folder.chmod(0o755)
        for _ in range(2):
            subprocess.run([str(tmp_path / "make-secrets")], check=True, capture_output=True)
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_what_is_ours_may_do_nothing_but_its_work(self):
        for name in [*OURS, "proxy"]:
            service = SERVICES[name]
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]

    def test_a_stop_has_time_for_the_drain(self):
        for name in OURS:
            service = SERVICES[name]
            grace = int(service["stop_grace_period"].removesuffix("s"))
            assert grace >= int(service["environment"]["RUNSITE_DRAIN_SECONDS"]) + 20

    def test_two_of_each_wait_for_the_migration(self):
        kinds = [SERVICES[name]["command"][-1] for name in OURS]
        assert sorted(kinds) == ["migrate", "serve", "serve", "worker", "worker"]
        for name in ("worker1", "worker2", "web1"):
            needed = SERVICES[name]["depends_on"]["migrate"]
            assert needed == {"condition": "service_completed_successfully"}

    def test_one_service_builds_the_image_of_all(self):
        assert [name for name in SERVICES if "build" in SERVICES[name]] == ["migrate"]
        assert {SERVICES[name]["pull_policy"] for name in OURS} == {"never"}

    def test_each_process_says_whether_it_is_ready(self):
        """``up --wait`` waits for that."""
        for name in OURS:
            check = ["CMD", "python", "deploy/ready.py"]
            if name == "migrate":
                assert "healthcheck" not in SERVICES[name]
            else:
                check += ["--worker"] if name.startswith("worker") else []
                assert SERVICES[name]["healthcheck"]["test"] == check

    def test_what_an_operator_writes_stays_on_the_machine(self):
        written = {".env", "runsite.env", "secrets/"}
        assert written <= set((DEPLOY / ".gitignore").read_text().split())
        assert (DEPLOY / "Dockerfile.dockerignore").read_text().startswith("*\n")

    def test_images_are_pinned_by_a_tag(self):
        for service in SERVICES.values():
            assert re.fullmatch(r"runsite|[a-z]+:\d+(\.\d+)?", service["image"])

    def test_there_are_connections_for_all(self):
        """The figure of docs/operations.md, below what PostgreSQL allows by itself."""
        webs = sum(name.startswith("web") for name in OURS)
        workers = sum(name.startswith("worker") for name in OURS)
        pool = 10  # the default: compose sets no other
        assert not any("RUNSITE_POOL_SIZE" in SERVICES[name]["environment"] for name in OURS)
        assert webs * pool + workers * (pool + 4 + 2) + 10 == 62 < 100


def test_the_image_has_pinned_packages_no_root_and_what_is_needed():
    lines = (DEPLOY / "Dockerfile").read_text()
    assert "--require-hashes --requirement /requirements.txt" in lines
    assert lines.count("FROM python:3.11-slim\n") + lines.count("FROM python:3.11-slim AS") == 2
    assert lines.index("\nUSER runsite\n") < lines.index("\nCMD ")
    copied = {match[1] for match in re.finditer(r"^COPY (?!--from)(\S+)", lines, re.MULTILINE)}
    assert all((ROOT / name).exists() for name in copied)
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text()
    assert copied == set(re.findall(r"^!(.+)$", allowed, re.MULTILINE))


class TestNginx:
    def test_refuses_large_bodies_as_runsite_does(self):
        assert f"client_max_body_size {BODY_BYTES // 2**20}m;" in NGINX
        (body,) = re.findall(r"return 413 '(.+)';", NGINX)
        assert json.loads(body) == TooLarge(BODY_BYTES).body()

    @pytest.mark.parametrize(
        "line",
        [
            "proxy_http_version 1.1;",
            "proxy_buffering off;",
            "proxy_cache off;",
            "gzip off;",
            "proxy_request_buffering on;",
            "proxy_next_upstream error timeout;",
            "proxy_next_upstream error timeout http_404;",
            "proxy_set_header X-Forwarded-For $remote_addr;",
            "proxy_set_header Upgrade $http_upgrade;",
            "client_header_timeout 10s;",
            "client_body_timeout 30s;",
        ],
    )
    def test_is_made_for_streams_and_slow_clients(self, line):
        assert line in NGINX

    def test_waits_longer_than_a_quiet_stream(self):
        for name in ("proxy_read_timeout", "proxy_send_timeout", "send_timeout"):
            (seconds,) = re.findall(rf"^\s+{name} (\d+)s;", NGINX, re.MULTILINE)
            assert int(seconds) >= 75


class TestSystemd:
    def test_every_variable_is_a_setting(self):
        for path in UNITS:
            names = re.findall(
                r"^Environment=(\w+)=|(?<= )([A-Z_]+)=", path.read_text(), re.MULTILINE
            )
            assert known({first or second for first, second in names}) <= variables(), path.name
        example = (DEPLOY / "systemd" / "runsite.env.example").read_text()
        assert known(set(re.findall(r"^(\w+)=", example, re.MULTILINE))) <= variables()

    @pytest.mark.parametrize(
        "line",
        [
            "User=runsite",
            "UMask=0077",
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "PrivateTmp=yes",
            "CapabilityBoundingSet=",
        ],
    )
    def test_units_may_do_nothing_but_their_work(self, line):
        assert [path.name for path in UNITS if f"\n{line}\n" not in path.read_text()] == []

    @pytest.mark.parametrize("kind", ["-web@", "-worker@", ""])
    def test_units_are_restarted_and_have_time_for_the_drain(self, kind):
        text = (DEPLOY / "systemd" / f"runsite{kind}.service").read_text()
        assert "\nStartLimitIntervalSec=0\n" in text
        for line in ("Restart=on-failure", "TimeoutStopSec=45", "LimitNOFILE=65536", "MemoryMax="):
            assert f"\n{line}" in text
        example = (DEPLOY / "systemd" / "runsite.env.example").read_text()
        assert "\nRUNSITE_DRAIN_SECONDS=25\n" in example  # 20 s less than TimeoutStopSec

    @pytest.mark.parametrize("kind", ["web", "worker"])
    def test_a_failed_migration_keeps_nobody_down_for_good(self, kind):
        """They refuse a database that does not fit themselves, and are tried again."""
        text = (DEPLOY / "systemd" / f"runsite-{kind}@.service").read_text()
        assert "Requires=" not in text
        assert "\nStartLimitIntervalSec=0\n" in text
        migrate = (DEPLOY / "systemd" / "runsite-migrate.service").read_text()
        assert "\nRestart=on-failure\nRestartSec=5\n" in migrate
        target = (DEPLOY / "systemd" / "runsite.target").read_text()
        assert "\nWants=runsite-migrate.service\n" in target

    def test_a_migration_has_all_the_time_it_needs(self):
        for path in UNITS:
            text = path.read_text()
            if "manage.py migrate" in text:
                assert "\nType=oneshot\n" in text or "\nTimeoutStartSec=infinity\n" in text

    @pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
    def test_systemd_understands_them(self, tmp_path: Path):
        for path in [*UNITS, DEPLOY / "systemd" / "runsite.target"]:
            text = path.read_text().replace("/opt/runsite", str(ROOT))
            (tmp_path / path.name).write_text(text)
        target = (tmp_path / "runsite.target").read_text()
        wanted = re.findall(r"runsite-\w+@\w+\.service", target)
        assert len(wanted) == 4
        for name in wanted:
            (tmp_path / name).symlink_to(re.sub(r"@\w+", "@", name))
        done = subprocess.run(
            ["systemd-analyze", "verify", "runsite.target", *(p.name for p in UNITS), *wanted],
            cwd=tmp_path,
            env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PROOF = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_failure_has_its_row_and_names_tests_that_are_there():
    rows = re.findall(r"^\| (\d+) \|.*$", OPERATIONS, re.MULTILINE)
    assert [int(number) for number in rows] == list(range(1, 36))
    for line in re.findall(r"^\| \d+ \|.*$", OPERATIONS, re.MULTILINE):
        proofs = PROOF.findall(line.strip("| ").split(" | ")[-1])
        assert proofs, line
        for path, name in proofs:
            assert re.search(rf"\bdef {name}\(", (ROOT / path).read_text()), (path, name)


def test_an_upgrade_and_a_backup_make_no_other_service_anew():
    """compose would, where the definition of PostgreSQL or Redis has changed."""
    upgrade = OPERATIONS.split("### Upgrading while running")[1].split("```")[1]
    commands = re.findall(r"docker compose (?:run|up) .*", upgrade)
    commands += re.findall(r"docker compose run .* backup", OPERATIONS)
    assert len(commands) == 3
    assert [line for line in commands if "--no-deps" not in line] == []


def without_default(migration: Path) -> list[str]:
    """Columns that a migration adds and a process that does not know them cannot fill."""
    module = import_module(f"runs.migrations.{migration.stem}")
    return [
        f"{operation.model_name}.{operation.name}"
        for operation in module.Migration.operations
        if isinstance(operation, AddField)
        and not operation.field.many_to_many
        and not operation.field.null
        and operation.field.db_default is NOT_PROVIDED
    ]


def test_an_older_process_can_write_beside_a_newer_one():
    """What docs/operations.md promises of upgrades; 0001 to 0013 are the first release."""
    first = [path for path in MIGRATIONS if int(path.name[:4]) <= 13]
    assert "run.in_line" in [name for path in first for name in without_default(path)]
    assert [name for path in MIGRATIONS[13:] for name in without_default(path)] == []


def test_procrastinate_has_the_migrations_that_were_looked_at():
    """Those that are named "post" remove what its older version calls. When this fails, read the
    new ones: do processes with the older version go on beside them? If not, the changelog has to
    say that the upgrade is an outage. Then write the new last one here."""
    package = find_spec("procrastinate.contrib.django.migrations")
    assert package is not None
    assert package.origin is not None
    names = sorted(path.stem for path in Path(package.origin).parent.glob("0*.py"))
    assert (len(names), names[-1]) == (41, "0041_post_retry_failed_job")
