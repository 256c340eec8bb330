"""The settings: their names, what they mean, their defaults, what is allowed; and how they are read.

Owns: `Settings` and `load`. One TOML file, environment variables on top of it.

Always holds: settings that were loaded are valid as a whole. Whatever is unknown or not allowed is an error
that says where it stands, what is allowed, and which name was probably meant. No error and no `repr` has a
secret.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from callboard import config_file
from callboard.config_section import Section
from callboard.metrics.settings import Metrics
from callboard.validation import Problem, problems
from callboard.webhooks.guard import DENIED_PORTS, parse_network

PREFIX: Final = "CALLBOARD_"


class Server(Section, frozen=True):
    """Where HTTP and WebSocket are served."""

    host: Annotated[str, Meta(min_length=1, description="Address to listen on; 0.0.0.0 is every IPv4 address.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port to listen on; 0 is any free one.")] = 8080
    public_url: Annotated[
        str, Meta(description="How clients reach us, as https://rooms.example.org. Empty: host and port.")
    ] = ""
    tls_cert: Annotated[str, Meta(description="Certificate chain (PEM file). Empty: no TLS here.")] = ""
    tls_key: Annotated[str, Meta(description="Private key of the certificate (PEM file).")] = ""
    cors_origins: Annotated[
        tuple[str, ...], Meta(description="Origins whose pages may call this server; * is every one.")
    ] = ("*",)


class Database(Section, frozen=True):
    """Where everything is kept."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^(|sqlite:.+|postgres(ql)?://.+)$(?!\n)",
            extra={"allowed": "empty, sqlite:PATH or postgresql://USER:PASSWORD@HOST/NAME"},
            description="Which database. Empty: an SQLite file in data_dir.",
        ),
    ] = ""

    def __repr__(self) -> str:
        return f"Database(url={self.url.partition(':')[0]}…)"


class Workspace(Section, frozen=True):
    """The keys that tokens are signed with. Empty: made at the first start and kept in the database."""

    access_key: Annotated[str, Meta(max_length=255, description="In every token; not secret.")] = ""
    secret: Annotated[
        str,
        Meta(
            pattern=r"^(|.{32,512})$(?!\n)",
            extra={"allowed": "empty, or 32 to 512 characters"},
            description="Signs every token (HS256). Best set as CALLBOARD_WORKSPACE__SECRET.",
        ),
    ] = ""

    def __repr__(self) -> str:
        return f"Workspace(access_key={self.access_key!r}, secret=…)"


class Rooms(Section, frozen=True):
    """How sessions and peers end when nobody ends them, and what is done differently in large rooms."""

    reconnect_grace_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="How long a peer whose connection broke is waited for.")
    ] = 60.0
    max_session_seconds: Annotated[
        int, Meta(ge=120, le=604_800, description="The longest a session may last, whatever its room says.")
    ] = 43_200
    full_list_peers: Annotated[
        int,
        Meta(
            ge=1,
            le=20_000,
            description="With more peers than this in a room, who joins is told of those who publish, and asks for"
            " the others page by page, as in a room with large_room.",
        ),
    ] = 500
    on_demand_tracks: Annotated[
        bool, Meta(description="Clients are offered a video only while they show it: smaller offers in large rooms.")
    ] = False


class IceServer(Section, frozen=True):
    """A STUN or TURN server that clients are told to use."""

    urls: Annotated[tuple[str, ...], Meta(min_length=1)]
    username: str = ""
    credential: str = ""

    def __repr__(self) -> str:
        return f"IceServer(urls={self.urls!r}, username={self.username!r}, credential=…)"


class Media(Section, frozen=True):
    """The media engine (Janus) and how media reaches it."""

    janus: Annotated[str, Meta(min_length=1, description="The janus executable: a name to be found, or a path.")] = (
        "janus"
    )
    port_min: Annotated[int, Meta(ge=1024, le=65535, description="Lowest UDP port for media.")] = 20_000
    port_max: Annotated[int, Meta(ge=1024, le=65535, description="Highest UDP port for media.")] = 29_999
    ice_addresses: Annotated[
        tuple[str, ...],
        Meta(description="Addresses of this host that media may use. Empty: every one but loopback."),
    ] = ()
    public_address: Annotated[
        str, Meta(description="Address that clients see in place of this host's own (one-to-one NAT).")
    ] = ""
    ice_servers: Annotated[
        tuple[IceServer, ...],
        Meta(
            description="STUN and TURN servers for clients, as"
            ' [{urls = ["turn:turn.example.org:3478"], username = "u", credential = "p"}].'
        ),
    ] = ()
    turn_urls: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^turns?:[^\s]+$(?!\n)", extra={"allowed": "turn:… or turns:…"})], ...],
        Meta(
            description="A TURN server that shares turn_secret with us, as"
            ' ["turn:turn.example.org:3478?transport=udp", "turns:turn.example.org:5349?transport=tcp"].'
        ),
    ] = ()
    turn_secret: Annotated[
        str,
        Meta(
            max_length=512,
            description="Each client gets credentials of its own, made with this (coturn: static-auth-secret). Best set"
            " as CALLBOARD_MEDIA__TURN_SECRET.",
        ),
    ] = ""
    turn_seconds: Annotated[
        int,
        Meta(ge=60, le=604_800, description="How long those credentials are good: longer than any call may last."),
    ] = 86_400

    def __repr__(self) -> str:
        return f"Media({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())}, turn_secret=…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name != "turn_secret"]


class Webhooks(Section, frozen=True):
    """How events are delivered to the endpoints of backends, and how often that is tried."""

    quick_retry_seconds: Annotated[
        tuple[Annotated[float, Meta(gt=0)], ...],
        Meta(max_length=20, description="Delays after the first failures, one after the other."),
    ] = (1.0, 3.0, 10.0)
    retry_first_seconds: Annotated[float, Meta(gt=0, description="The first delay after the quick ones.")] = 30.0
    retry_factor: Annotated[float, Meta(ge=1, le=10, description="Each further delay is so many times longer.")] = 2.0
    retry_most_seconds: Annotated[float, Meta(gt=0, description="The longest delay.")] = 3600.0
    retry_jitter: Annotated[
        float, Meta(ge=0, lt=1, description="Each delay is changed by at most this part of it, at random.")
    ] = 0.2
    park_after_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="How long an event is tried at an endpoint that accepts others. Then it is parked, and the"
            " events behind it go on.",
        ),
    ] = 3600.0
    probe_first_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="An endpoint that accepts nothing is paused, and keeps its events. The delay before the first"
            " probe; each further one is twice as long.",
        ),
    ] = 15.0
    probe_most_seconds: Annotated[float, Meta(gt=0, description="The longest delay between two probes.")] = 300.0
    disable_after_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="An endpoint that has accepted nothing for so long is disabled; its events are kept. 0: never.",
        ),
    ] = 432_000.0
    timeout_seconds: Annotated[
        float, Meta(gt=0, le=300, description="How long one attempt may take, from resolving the name on.")
    ] = 15.0
    connections: Annotated[int, Meta(ge=1, le=1000, description="Connections to one endpoint at the same time.")] = 64
    idle_seconds: Annotated[float, Meta(gt=0, description="How long an unused connection is kept.")] = 60.0
    allowed_networks: Annotated[
        tuple[str, ...],
        Meta(
            description="Networks beside the public internet that may be delivered to, as"
            ' ["10.1.0.0/16", "fd12:3456::/32"]. Private and loopback addresses are refused unless they are named here;'
            " link-local, metadata and multicast addresses always are."
        ),
    ] = ()
    replay_per_second: Annotated[
        float, Meta(gt=0, le=1000, description="How many events a second a replay sends to an endpoint, at most.")
    ] = 10.0
    denied_ports: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=65535)], ...],
        Meta(description="Ports that are never delivered to: those of mail, shells, databases and the like."),
    ] = DENIED_PORTS
    master_key: Annotated[
        str,
        Meta(
            pattern=r"^(|[A-Za-z0-9+/]{43}=([ ,]+[A-Za-z0-9+/]{43}=)*)$(?!\n)",
            extra={"allowed": "empty, or base64 of 32 bytes (openssl rand -base64 32), maybe several after commas"},
            description="Encrypts the secrets of endpoints in the database; older keys follow the current one. Empty:"
            " a file in data_dir, made at the first start. Best set as CALLBOARD_WEBHOOKS__MASTER_KEY, on every node.",
        ),
    ] = ""

    def __repr__(self) -> str:
        return f"Webhooks({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())}, master_key=…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name != "master_key"]


class Recording(Section, frozen=True):
    """What is captured of sessions, and where recordings go. What is recorded, templates and rooms say."""

    capture_dir: Annotated[
        str,
        Meta(
            description="Folder for what is captured, until recordings are made of it; capture, in data_dir, if empty."
        ),
    ] = ""
    min_free_bytes: Annotated[
        int,
        Meta(ge=0, description="With less free space on the disk of capture_dir nothing new is captured."),
    ] = 2_147_483_648
    folder: Annotated[
        str,
        Meta(description="Folder for recordings of templates that name no bucket. Empty: recordings, in data_dir."),
    ] = ""
    s3_endpoint: Annotated[
        str,
        Meta(
            pattern=r"^(|https?://[^/\s]+)$(?!\n)",
            extra={"allowed": "empty, or http(s)://host[:port]"},
            description="Where buckets of type s3 are. Empty: at Amazon; else a server that speaks its protocol.",
        ),
    ] = ""
    composite_width: Annotated[
        int, Meta(ge=240, le=1920, multiple_of=2, description="Pixels of composed recordings, unless a template says.")
    ] = 1280
    composite_height: Annotated[int, Meta(ge=240, le=1920, multiple_of=2, description="The same.")] = 720
    composite_rate: Annotated[
        Literal[10, 12, 15, 20, 24, 25, 30, 50, 60], Meta(description="Their pictures a second.")
    ] = 25
    composite_tiles: Annotated[
        int, Meta(ge=1, le=49, description="How many people and screens they show at the same time, at most.")
    ] = 16
    composite_font: Annotated[
        str, Meta(description="File of the font for names in them. Empty: DejaVu Sans (Debian: fonts-dejavu-core).")
    ] = ""
    composite_memory_bytes: Annotated[
        int, Meta(ge=0, description="Address space that FFmpeg may take to compose; 0: no limit.")
    ] = 6_442_450_944
    deprecated_fields: Annotated[
        bool, Meta(description="Whether recording.success also has location and URL, for old consumers.")
    ] = True
    upload_give_up_seconds: Annotated[
        float, Meta(gt=0, le=2_592_000, description="How long an upload is tried again when its storage fails.")
    ] = 259_200.0
    upload_refused_seconds: Annotated[
        float,
        Meta(ge=0, description="How long it is when the storage refuses: a wrong key, no such bucket, no permission."),
    ] = 3_600.0
    upload_most_delay_seconds: Annotated[float, Meta(gt=0, description="The longest delay between two tries.")] = 600.0
    keep_failed_seconds: Annotated[
        float, Meta(ge=0, description="How long captures are kept of which a recording failed, for another try.")
    ] = 604_800.0


class Jobs(Section, frozen=True):
    """Background work: recordings that are made and uploaded after their session, and the like."""

    worker: Annotated[bool, Meta(description="Whether this server does it. Else only `callboard worker` does.")] = True
    cores: Annotated[
        float, Meta(ge=0, le=1024, description="How many cores it may keep busy; 0 is all but one, and at least one.")
    ] = 0.0
    lease_seconds: Annotated[
        float, Meta(ge=1, le=600, description="How long after a worker's end others take up its jobs.")
    ] = 10.0


class Retention(Section, frozen=True):
    """For how long what has happened is kept, in days; 0 is for ever, unless something else is said."""

    events_days: Annotated[float, Meta(ge=0, le=36_500, description="Events: what is read, exported, replayed.")] = (
        365.0
    )
    undelivered_days: Annotated[
        float,
        Meta(
            ge=0,
            le=36_500,
            description="How much longer an event is kept that an endpoint has not had yet (down, paused, disabled);"
            " then it is deleted all the same, and counted as expired. 0: no longer.",
        ),
    ] = 30.0
    attempts_days: Annotated[
        float, Meta(ge=0, le=36_500, description="Attempts to deliver, and replays. The history shows 30 days.")
    ] = 40.0
    every_seconds: Annotated[float, Meta(ge=1, le=86_400, description="How often to look for what is too old.")] = (
        3600.0
    )


class Limits(Section, frozen=True):
    """Bounds that keep one client from taking what belongs to all."""

    max_body_bytes: Annotated[int, Meta(ge=1024, le=104_857_600, description="The longest body of a request.")] = (
        1_048_576
    )
    max_frame_bytes: Annotated[
        int, Meta(ge=16_384, le=16_777_216, description="The longest WebSocket message from a client.")
    ] = 262_144
    messages_per_second: Annotated[
        float,
        Meta(gt=0, le=100_000, description="How fast messages of one client are read; what comes faster waits."),
    ] = 100.0
    messages_burst: Annotated[int, Meta(ge=1, le=100_000, description="How many of them may come at once.")] = 400
    calls_per_second: Annotated[
        float,
        Meta(gt=0, le=100_000, description="How many of them may be calls; more are answered 429 (try again later)."),
    ] = 25.0
    calls_burst: Annotated[int, Meta(ge=1, le=100_000, description="How many calls may come at once.")] = 150
    inbox_messages: Annotated[
        int, Meta(ge=1, le=100_000, description="Messages of one client that may wait to be handled.")
    ] = 256
    outbox_messages: Annotated[
        int, Meta(ge=16, le=1_000_000, description="Messages that may wait for one client before it is cut off.")
    ] = 2048


class Log(Section, frozen=True):
    """What is logged, to standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="The least important level.")] = (
        "info"
    )


class Settings(Section, frozen=True):
    """Everything that can be set."""

    data_dir: Annotated[
        str, Meta(min_length=1, description="Folder for the database, recordings and temporary files.")
    ] = "callboard-data"
    server: Server = Server()
    database: Database = Database()
    workspace: Workspace = Workspace()
    rooms: Rooms = Rooms()
    media: Media = Media()
    webhooks: Webhooks = Webhooks()
    recording: Recording = Recording()
    jobs: Jobs = Jobs()
    retention: Retention = Retention()
    limits: Limits = Limits()
    metrics: Metrics = Metrics()
    log: Log = Log()


class ConfigError(Exception):
    """The settings cannot be used. `problems`: one line each, with its place and what is allowed."""

    def __init__(self, found: list[str]) -> None:
        super().__init__("\n".join(found))
        self.problems = found


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings in the file at `path` (None: the defaults) with the `CALLBOARD_…` variables on top.

    `CALLBOARD_SERVER__PORT=9000` sets `port` of `[server]`, `CALLBOARD_DATA_DIR` the one key outside the
    tables. Variables of any other form are left alone (Kubernetes makes some: `CALLBOARD_PORT_8080_TCP`).
    Raises `ConfigError`.
    """
    text = _read(path) if path else ""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: not TOML: {error}"]) from None
    places = {keys: f"{path}:{line}" for keys, line in config_file.lines_of(text).items()}
    for name, value in environ.items():
        keys = _keys_of(name)
        if keys:
            places[keys] = f"environment variable {name}"
            if not config_file.put(raw, keys, config_file.value_of(value, Settings, keys)):
                raise ConfigError([f"{places[keys]}: there is no such setting"])
    wrong = list(problems(raw, Settings))
    settings = Settings() if wrong else msgspec.convert(raw, Settings)
    wrong += _contradictions(settings)
    if wrong:
        raise ConfigError([_line(problem, places, str(path)) for problem in wrong])
    return settings


def default_toml() -> str:
    """The settings file with every setting, its meaning, what is allowed, and its default."""
    return config_file.rendered(Settings())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from None


def _keys_of(variable: str) -> tuple[str, ...]:
    """Which setting a variable stands for: in a table, with two underscores; outside, known by its name."""
    if not variable.startswith(PREFIX):
        return ()
    keys = tuple(variable.removeprefix(PREFIX).lower().split("__"))
    return keys if len(keys) > 1 or keys[0] in config_file.outside_tables(Settings()) else ()


def _line(problem: Problem, places: Mapping[tuple[str | int, ...], str], otherwise: str) -> str:
    """The problem with the place of its key, or of the nearest thing around it, or of the first one within
    it.
    """
    around = (problem.path[:length] for length in range(len(problem.path), 0, -1))
    within = (keys for keys in places if keys[: len(problem.path)] == problem.path)
    found = next((places[keys] for keys in (*around, *within) if keys in places), otherwise)
    return f"{found}: {problem}"


def _contradictions(settings: Settings) -> Iterator[Problem]:
    """What is wrong although its type allows it, and what is wrong only together with another setting."""
    server, media, webhooks = settings.server, settings.media, settings.webhooks
    if bool(server.tls_cert) != bool(server.tls_key):
        missing = "tls_key" if server.tls_cert else "tls_cert"
        yield Problem(("server", missing), "must be set: a certificate and its key belong together")
    if server.public_url and not _is_origin(server.public_url):
        yield Problem(("server", "public_url"), "must be http:// or https://, a host, maybe a port, and no path")
    if media.port_min >= media.port_max:
        yield Problem(("media", "port_max"), "must be above port_min")
    if bool(media.turn_urls) != bool(media.turn_secret):
        missing = "turn_secret" if media.turn_urls else "turn_urls"
        yield Problem(("media", missing), "must be set: a TURN server and the secret shared with it belong together")
    if webhooks.retry_most_seconds < webhooks.retry_first_seconds:
        yield Problem(("webhooks", "retry_most_seconds"), "must be at least retry_first_seconds")
    if webhooks.probe_most_seconds < webhooks.probe_first_seconds:
        yield Problem(("webhooks", "probe_most_seconds"), "must be at least probe_first_seconds")
    for network in webhooks.allowed_networks:
        try:
            parse_network(network)
        except ValueError as wrong:
            yield Problem(("webhooks", "allowed_networks"), f"must be networks, as 10.0.0.0/8: {wrong}")


def _is_origin(url: str) -> bool:
    return re.fullmatch(r"https?://[^/?#@\s]+/?", url) is not None and bool(urlsplit(url).hostname)
