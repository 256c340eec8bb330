"""A PostgreSQL cluster of the tests' own.

Owns: `PostgresqlCluster`.

Always holds: it lives in a temporary folder, listens on loopback and a socket in that folder only, keeps `fsync` on as
a real one does, and does not outlive the process that started it, however that one ends.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from callboard.testing.ports import free_port

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, prctl(2)
_LIBC = ctypes.CDLL(None)


class PostgresqlCluster:
    """A running cluster. `start()` returns when it accepts connections; `stop()` ends it and removes its folder."""

    def __init__(self, *, survives_power_loss: bool = True) -> None:
        """Without `survives_power_loss` nothing is forced to the disk: quicker, and no process's death loses anything
        all the same."""
        self._options = () if survives_power_loss else ("-c", "fsync=off", "-c", "full_page_writes=off")
        self._programs = _server_programs()
        self._account = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._password = secrets.token_hex(16)
        self._folder = Path(tempfile.mkdtemp(prefix="callboard-postgresql-"))
        self._port = free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self._databases = 0

    @property
    def pid(self) -> int:
        """The server's first process."""
        assert self._server is not None
        return self._server.pid

    def url(self, database: str = "postgres") -> str:
        """Where a database of the cluster is."""
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Raises `RuntimeError` with the server's log if it does not come up."""
        password_file = self._folder / "password"
        password_file.write_text(self._password)
        for path in (self._folder, password_file):
            os.chown(path, self._account.pw_uid, self._account.pw_gid)
        self._run(
            "initdb",
            *("-D", f"{self._folder}/data", "-U", "postgres", "--pwfile", str(password_file)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
            *("--locale-provider", "icu", "--icu-locale", "en-US"),  # orders text as people do, not by its bytes
        )
        command = [
            *(str(self._programs / "postgres"), "-D", f"{self._folder}/data", "-p", str(self._port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._folder}"),
            *self._options,
        ]
        with (self._folder / "log").open("wb") as server_log:
            self._server = subprocess.Popen(  # noqa: S603 - our own arguments, here and below
                command,
                stdin=subprocess.DEVNULL,
                stdout=server_log,
                stderr=subprocess.STDOUT,
                cwd="/",
                user=self._account.pw_uid,
                group=self._account.pw_gid,
                extra_groups=[],
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - after the change of user, which would clear it
            )
        self._wait_until_ready()

    def create_database(self) -> str:
        """The URL of a new, empty database."""
        self._databases += 1
        name = f"test_{self._databases}"
        self._run("createdb", "--maintenance-db", self.url(), name)
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database that `create_database` made, whoever is still connected to it."""
        self._run("dropdb", "--force", "--maintenance-db", self.url(), url.rpartition("/")[2])

    def stop(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)  # "immediate": its files are not needed any more
            self._server.wait(_STOP_SECONDS)
        shutil.rmtree(self._folder)

    def _wait_until_ready(self) -> None:
        assert self._server is not None
        deadline = time.monotonic() + _START_SECONDS
        while not self._accepts_connections():
            if self._server.poll() is not None or time.monotonic() > deadline:
                server_log = (self._folder / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not come up in {_START_SECONDS:.0f} s:\n{server_log}")
            time.sleep(0.05)

    def _accepts_connections(self) -> bool:
        command = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(command, timeout=_START_SECONDS, check=False).returncode == 0  # noqa: S603

    def _run(self, program: str, *arguments: str) -> None:
        outcome = subprocess.run(  # noqa: S603
            [str(self._programs / program), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            user=self._account.pw_uid,
            group=self._account.pw_gid,
            extra_groups=[],
            timeout=_START_SECONDS,
            check=False,
        )
        if outcome.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{outcome.stdout}{outcome.stderr}")


def _server_programs() -> Path:
    """The folder of the newest server's programs: Debian's place for them, else where `initdb` is found."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    if found is None:
        raise RuntimeError("these tests need PostgreSQL's server programs (initdb, postgres); or: -m 'not postgresql'")
    return Path(found).resolve().parent


def _die_with_parent() -> None:
    _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGQUIT)
