"""A real Apache Kafka on this machine: one node, from its jars, without containers."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from inferometer.errors import BrokerError
from inferometer.kafka.broker_jars import REMEDY, broker_jars
from inferometer.kafka.broker_properties import (
    HOST,
    Listener,
    new_cluster_id,
    properties_text,
    server_properties,
)
from inferometer.kafka.guarded_process import GuardedProcess
from inferometer.kafka.readiness import check_answers

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

MIN_JAVA = 17
START_TIMEOUT_S = 180.0
"""For formatting its folder, and again for its first answer: slow machines need a minute for each."""
STOP_TIMEOUT_S = 30.0
PORT_FREE_S = 3.0
FREE_PORTS = range(20_000, 32_000)
"""Below the ports that systems give to outgoing connections: a client that tries a broker which is
away could otherwise be given the broker's own port, and then talks to itself."""

_ANSWER_TIMEOUT_S = 2.0
_POLL_S = 0.1
_JVM = ("-Xmx768m", "-XX:+UseSerialGC")
_LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
_FOLDER_PREFIX = "inferometer-kafka-"
_LOCK_FILE = "owner.lock"
_OUTPUT_FILE = "broker.log"
_SHOWN_LINES = 5
_IS_ERROR = re.compile(r"ERROR|FATAL|Exception")


class LocalBroker:
    """One broker; may be started, stopped, killed and started again on the same port and data.

    Enter it to start it; leaving it stops it. Data in a folder that was given stay, with topics,
    records and committed offsets; the folder that it makes for itself is removed in the end. The
    broker never outlives this process.
    """

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        port: int = 0,
        listeners: Sequence[Listener] = (),
        properties: Mapping[str, str] | None = None,
        jvm_options: Sequence[str] = (),
    ) -> None:
        """Take a folder and a port; 0 is any free one. `properties` win over the defaults."""
        self._given_dir = data_dir
        self._listeners = tuple(listeners)
        self._port = port or free_port(besides=[each.port for each in listeners])
        self._properties = dict(properties or {})
        self._jvm_options = tuple(jvm_options)
        self._folder: Path | None = None
        self._lock: int | None = None
        self._process: GuardedProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Address of the plain listener, the same after a restart."""
        return f"{HOST}:{self._port}"

    @property
    def folder(self) -> Path:
        """Where data, configuration and log are. Raises BrokerError before the first start."""
        if self._folder is None:
            raise BrokerError("the local broker has not been started", retryable=False)
        return self._folder

    @property
    def pid(self) -> int:
        """Process id of the broker, to freeze it with a signal. Raises BrokerError if it is down."""
        if self._process is None or self._process.exit_code() is not None:
            raise BrokerError("the local broker is not running", retryable=False)
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process runs; that says nothing about its health."""
        return self._process is not None and self._process.exit_code() is None

    def start(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start it and return once metadata and a group coordinator have answered.

        Raises BrokerError, with what to do about it; nothing is left running then.
        """
        if self.is_running:
            raise BrokerError("the local broker is already running", retryable=False)
        java, jars = find_java(), broker_jars()
        self._take_folder()
        try:
            for port in self._ports():
                _require_free(port)
            self._format(java, jars, timeout_s)
            self._launch(java, jars)
            self._wait_until_ready(timeout_s)
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """End it in order; data stay. Nothing happens where it is down."""
        if self._process is not None:
            self._process.stop(timeout_s=STOP_TIMEOUT_S)

    def kill(self) -> None:
        """End it as kill -9 does; data stay. Nothing happens where it is down."""
        if self._process is not None:
            self._process.kill()

    def wait(self, timeout_s: float) -> int:
        """Wait for the process to end by itself and return its code. Raises TimeoutError."""
        if self._process is None:
            raise BrokerError("the local broker has not been started", retryable=False)
        return self._process.wait(timeout_s)

    def last_lines(self) -> str:
        """Return the end of the broker's log, its errors if there are any."""
        if self._folder is None:
            return ""
        text = (self._folder / _OUTPUT_FILE).read_text(encoding="utf-8", errors="replace")
        return _telling_lines(text)

    def close(self) -> None:
        """Stop it and let the folder go; one that it made for itself is removed."""
        self.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self._folder is not None and self._given_dir is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ports(self) -> list[int]:
        return [self._port, *(each.port for each in self._listeners)]

    def _take_folder(self) -> None:
        if self._lock is not None:
            return
        if self._given_dir is None:
            _remove_abandoned()
            self._folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
        else:
            self._folder = self._given_dir.absolute()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self._folder)
        except OSError as error:
            raise BrokerError(
                f"cannot write to {self._folder} ({error.strerror}); choose another --data",
                retryable=False,
            ) from error

    def _format(self, java: str, jars: Path, timeout_s: float) -> None:
        """Make the log folder once; it gets its name when it is whole."""
        log_dir, unfinished = self.folder / "log", self.folder / "log.unfinished"
        if log_dir.is_dir():
            return
        shutil.rmtree(unfinished, ignore_errors=True)
        config = self._write_properties(unfinished)
        command = ["kafka.tools.StorageTool", "format", "-t", new_cluster_id(), "-c", str(config)]
        try:
            done = subprocess.run(
                [java, "-cp", f"{jars}/*", *command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise BrokerError(
                f"Kafka did not format {self.folder} within {timeout_s:g} s; is the machine or its "
                "disk busy? Try again",
                retryable=True,
            ) from error
        if done.returncode:
            raise BrokerError(
                f"Kafka cannot format {self.folder}:\n{_telling_lines(done.stdout + done.stderr)}",
                retryable=False,
            )
        unfinished.rename(log_dir)

    def _write_properties(self, log_dir: Path) -> Path:
        properties = server_properties(
            port=self._port,
            controller_port=free_port(besides=self._ports()),
            log_dir=str(log_dir),
            listeners=self._listeners,
            extra=self._properties,
        )
        path = self.folder / "server.properties"
        # It may hold passwords of listeners.
        path.touch(mode=0o600)
        path.write_text(properties_text(properties), encoding="utf-8")
        return path

    def _launch(self, java: str, jars: Path) -> None:
        config = self._write_properties(self.folder / "log")
        with (self.folder / _OUTPUT_FILE).open("wb") as output:
            self._process = GuardedProcess(
                [java, *_JVM, *_LOGGING, *self._jvm_options, "-cp", f"{jars}/*", "kafka.Kafka",
                 str(config)],
                output=output,
                cwd=self.folder,
            )  # fmt: skip

    def _wait_until_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            if not self.is_running:
                raise BrokerError(
                    f"Kafka ended while it started:\n{self.last_lines()}", retryable=False
                )
            try:
                if _is_open(self._port):
                    check_answers(self.bootstrap_servers, timeout_s=_ANSWER_TIMEOUT_S)
                    return
            except BrokerError:
                pass
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"Kafka did not answer within {timeout_s:.0f} s:\n{self.last_lines()}",
                    retryable=True,
                )
            time.sleep(_POLL_S)


def free_port(besides: Collection[int] = ()) -> int:
    """Return a port of `FREE_PORTS` that nobody holds now and that is not spoken for."""
    # Random, so that processes that look at the same time find different ones.
    for port in random.sample(FREE_PORTS, 200):
        if port not in besides and _is_free(port):
            return port
    raise BrokerError(
        f"no free port between {FREE_PORTS.start} and {FREE_PORTS.stop}; give one by --port",
        retryable=True,
    )


def find_java() -> str:
    """Return a Java that Kafka runs on. Raises BrokerError where there is none."""
    home = os.environ.get("JAVA_HOME", "")
    program = shutil.which("java", path=f"{home}/bin") if home else None
    program = program or shutil.which("java")
    if program is None:
        raise BrokerError(
            f"Java {MIN_JAVA} or newer is needed and is not on PATH; {REMEDY}", retryable=False
        )
    done = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', done.stderr + done.stdout)
    if found is None or int(found.group(1)) < MIN_JAVA:
        raise BrokerError(
            f"{program} is no Java {MIN_JAVA} or newer, which Apache Kafka 4 needs; {REMEDY}, or let "
            "JAVA_HOME name a newer one",
            retryable=False,
        )
    return program


def _require_free(port: int) -> None:
    # A process that was killed lets go of its sockets a little after it is gone from the list.
    deadline = time.monotonic() + PORT_FREE_S
    while not _is_free(port) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    if not _is_free(port):
        raise BrokerError(
            f"port {port} of {HOST} is taken; stop what listens there, or choose another --port "
            "(0 is any free one)",
            retryable=False,
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As Kafka itself binds: what is left of closed connections is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(_ANSWER_TIMEOUT_S)
        return probe.connect_ex((HOST, port)) == 0


def _locked(folder: Path) -> int:
    """Return a lock on a folder; the system lets it go with this process."""
    path = folder / _LOCK_FILE
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        holder = path.read_text(encoding="utf-8").strip() or "another process"
        raise BrokerError(
            f"{folder} is in use by process {holder}; stop it, or choose another --data",
            retryable=False,
        ) from error
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    return handle


def _telling_lines(output: str) -> str:
    """Return the last errors of a program's output, or its last lines where none looks like one."""
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if _IS_ERROR.search(line)]
    return "\n".join((errors or lines)[-_SHOWN_LINES:])


def _remove_abandoned() -> None:
    """Remove folders of brokers whose process was killed before it could."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*/{_LOCK_FILE}"):
        # Without a holder's number in it, its maker may not have come to lock it yet.
        with contextlib.suppress(OSError, BrokerError):
            if lock.stat().st_size:
                handle = _locked(lock.parent)
                shutil.rmtree(lock.parent, ignore_errors=True)
                os.close(handle)
