"""Janus's configuration files, as text.

Owns: `Access` (how to reach one Janus), `config_files`.

Always holds: pure. The WebSocket API listens on two UNIX sockets in the engine's private directory and on
nothing else: no port to choose, nothing another user of the host could connect to. Only the VideoRoom plugin
and the WebSocket transport are loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from callboard.media.contract import EngineStartError, MediaSettings

SESSION_TIMEOUT: Final = 60
"""Seconds without a request after which Janus drops our session, and with it every peer."""
RECLAIM_TIMEOUT: Final = 20
"""Seconds for which Janus keeps our session when only the control socket dropped."""

# fmt: off
_PLUGINS: Final = (
    "audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay", "sip", "streaming", "textroom",
    "videocall", "voicemail",
)
# fmt: on
_TRANSPORTS: Final = ("http", "mqtt", "nanomsg", "pfunix", "rabbitmq")
_HANDLERS: Final = ("gelfevh", "mqttevh", "nanomsgevh", "rabbitmqevh", "sampleevh", "wsevh")
_SOCKET_PATH_LIMIT: Final = 107  # sun_path, unix(7)


@dataclass(frozen=True, slots=True)
class Access:
    """One Janus's sockets and secrets. The secrets are new with every start and never leave this process."""

    folder: Path
    api_secret: str
    admin_secret: str
    room_key: str
    room_secret: str

    @classmethod
    def random(cls, folder: Path, token: Callable[[], str]) -> Access:
        """With secrets from `token`. Raises `EngineStartError` when `folder` is too long for a socket."""
        access = cls(folder, token(), token(), token(), token())
        if len(str(access.admin_socket).encode()) > _SOCKET_PATH_LIMIT:
            raise EngineStartError(
                f"the media folder {folder.parent} is too long for a UNIX socket: choose a shorter one"
            )
        return access

    @property
    def api_socket(self) -> Path:
        return self.folder / "api.sock"

    @property
    def admin_socket(self) -> Path:
        return self.folder / "admin.sock"

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.api_secret, self.admin_secret, self.room_key, self.room_secret)


def config_files(access: Access, settings: MediaSettings, addresses: Sequence[str]) -> dict[str, str]:
    """File name → text, for Janus's configuration folder."""
    low, high = settings.port_range
    nat: dict[str, object] = {
        "ice_enforce_list": ",".join(addresses),
        "full_trickle": False,
        "ignore_mdns": True,
        "ice_keepalive_conncheck": True,
    }
    if settings.public_address is not None:
        nat["nat_1_1_mapping"] = settings.public_address
    core: dict[str, dict[str, object]] = {
        "general": {
            "configs_folder": str(access.folder),
            "debug_level": 3,
            "debug_timestamps": False,
            "debug_colors": False,
            "api_secret": access.api_secret,
            "admin_secret": access.admin_secret,
            "session_timeout": SESSION_TIMEOUT,
            "reclaim_session_timeout": RECLAIM_TIMEOUT,
            "hide_dependencies": True,
        },
        "media": {
            "ipv6": any(":" in address for address in addresses),
            "rtp_port_range": f"{low}-{high}",
            "no_media_timer": 2,
            "slowlink_threshold": 4,
        },
        "nat": nat,
        "plugins": {"disable": _libraries(_PLUGINS)},
        "transports": {"disable": _libraries(_TRANSPORTS)},
        "loggers": {"disable": _libraries(["jsonlog"])},
        "events": {"broadcast": False, "disable": _libraries(_HANDLERS)},
    }
    websockets: dict[str, dict[str, object]] = {
        "general": {"json": "compact", "ws": True, "ws_unix": str(access.api_socket), "wss": False},
        "admin": {"admin_ws": True, "admin_ws_unix": str(access.admin_socket), "admin_wss": False},
    }
    videoroom: dict[str, dict[str, object]] = {
        "general": {"string_ids": True, "admin_key": access.room_key, "lock_rtp_forward": True, "events": False}
    }
    return {
        "janus.jcfg": _libconfig(core),
        "janus.transport.websockets.jcfg": _libconfig(websockets),
        "janus.plugin.videoroom.jcfg": _libconfig(videoroom),
    }


def _libraries(names: Sequence[str]) -> str:
    return ",".join(f"libjanus_{name}.so" for name in names)


def _libconfig(groups: dict[str, dict[str, object]]) -> str:
    lines = []
    for name, settings in groups.items():
        lines.append(f"{name}: {{")
        lines += [f"\t{key} = {_value(value)}" for key, value in settings.items()]
        lines.append("}")
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if not text.isprintable():
        raise EngineStartError(f"not usable in Janus's configuration: {text!r}")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
