"""What `callboard doctor` sees: each fault is made for real, and named with what helps."""

from __future__ import annotations

import fcntl
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callboard.clock import SystemClock
from callboard.config import Media, Server, Settings
from callboard.database import open_database
from callboard.doctor import Verdict, data, examine, network, programs, turn
from callboard.testing.certificates import Authority
from callboard.testing.coturn import running_coturn

NOW = datetime.now(UTC)
SECRET = "a-secret-shared-with-coturn"


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    """A TCP port that somebody else has."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other


def server_at(other: socket.socket) -> Server:
    return Server(port=other.getsockname()[1])


async def test_janus_is_found_with_its_version() -> None:
    found = await programs.janus("janus")
    assert found.verdict is Verdict.WELL
    assert "1." in found.found


@pytest.mark.parametrize("program", ["/nowhere/janus", "false"])
async def test_a_janus_that_is_not_there_or_does_not_run_is_broken(program: str) -> None:
    found = await programs.janus(program)
    assert found.verdict is Verdict.BROKEN
    assert found.remedy


async def test_ffmpeg_has_the_encoders_that_recordings_need() -> None:
    assert (await programs.ffmpeg()).verdict is Verdict.WELL


def test_a_meeting_page_that_is_not_built_says_how_to_build_it() -> None:
    found = programs.meeting_page(lambda: None)
    assert found.verdict is Verdict.CARE
    assert "make meeting" in found.remedy


def test_a_port_that_another_program_has_is_broken_and_one_that_is_free_is_well(taken: socket.socket) -> None:
    server = server_at(taken)
    found = network.http_port(server, running=False)
    assert found.verdict is Verdict.BROKEN
    assert str(server.port) in found.remedy
    taken.close()
    assert network.http_port(server, running=False).verdict is Verdict.WELL


def test_a_port_that_our_own_server_has_is_well(taken: socket.socket) -> None:
    assert network.http_port(server_at(taken), running=True).verdict is Verdict.WELL


def test_an_address_that_is_not_ours_is_broken() -> None:
    assert network.http_port(Server(host="203.0.113.7", port=0), running=False).verdict is Verdict.BROKEN


def test_a_certificate_is_read_with_its_key_and_its_end(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    def server(name: str, chain: str, key: str) -> Server:
        (tmp_path / f"{name}.crt").write_text(chain)
        (tmp_path / f"{name}.key").write_text(key)
        return Server(tls_cert=str(tmp_path / f"{name}.crt"), tls_key=str(tmp_path / f"{name}.key"))

    chain, key = authority.identity("rooms.example.org")
    ours = server("ours", chain, key)
    assert network.tls(ours, NOW - timedelta(days=20)).verdict is Verdict.WELL
    assert network.tls(ours, NOW).verdict is Verdict.CARE  # it ends tomorrow
    assert network.tls(ours, NOW + timedelta(days=3)).verdict is Verdict.BROKEN
    _, another = authority.identity("rooms.example.org")
    assert network.tls(server("mixed", chain, another), NOW).verdict is Verdict.BROKEN
    assert network.tls(Server(tls_cert="/nowhere.pem", tls_key="/nowhere.key"), NOW).verdict is Verdict.BROKEN
    assert network.tls(Server(), NOW).verdict is Verdict.WELL


async def test_a_public_address_in_clear_text_is_warned_of_and_an_unknown_host_is_broken() -> None:
    assert (await network.public_url(Server())).verdict is Verdict.WELL
    assert (await network.public_url(Server(public_url="http://192.0.2.9"))).verdict is Verdict.CARE
    assert (await network.public_url(Server(public_url="https://no-such-host.invalid"))).verdict is Verdict.BROKEN


def test_media_ports_are_counted_and_the_ones_others_have_are_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 0))
        port = other.getsockname()[1]
        found = network.udp_ports(Media(port_min=port, port_max=port))
        assert found.verdict is Verdict.BROKEN
        assert str(port) in found.found
    assert network.udp_ports(Media()).verdict is Verdict.WELL


def test_media_addresses_that_this_host_does_not_have_are_broken() -> None:
    assert network.addresses(Media(ice_addresses=("203.0.113.7",))).verdict is Verdict.BROKEN


def test_a_data_folder_that_does_not_exist_yet_is_well(tmp_path: Path) -> None:
    assert data.data_folder(tmp_path / "to" / "come").verdict is Verdict.WELL
    assert not (tmp_path / "to").exists()


def test_a_data_folder_below_something_that_cannot_be_written_is_broken() -> None:
    for below in ("/proc", __file__):
        assert data.data_folder(Path(below) / "callboard").verdict is Verdict.BROKEN


def test_a_server_in_the_data_folder_is_seen_by_its_lock(tmp_path: Path) -> None:
    assert not data.is_running(tmp_path)
    assert not (tmp_path / "callboard.lock").exists()
    with (tmp_path / "callboard.lock").open("a") as file:
        assert not data.is_running(tmp_path)
        fcntl.flock(file, fcntl.LOCK_EX)
        assert data.is_running(tmp_path)


async def test_a_database_is_read_and_not_made(database_url: str, tmp_path: Path) -> None:
    assert (await data.database(database_url)).verdict is Verdict.WELL
    assert not list(tmp_path.glob("*.db"))
    database = open_database(database_url)
    await database.open()
    await database.close()
    found = await data.database(database_url)
    assert found.verdict is Verdict.WELL
    assert "schema" in found.found


async def test_a_database_that_does_not_answer_is_broken_and_its_password_is_not_told(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    taken.close()
    found = await data.database(f"postgresql://somebody:hidden-word@127.0.0.1:{port}/callboard")
    assert found.verdict is Verdict.BROKEN
    assert "hidden-word" not in found.found


async def test_a_file_that_is_no_database_is_broken(tmp_path: Path) -> None:
    (tmp_path / "callboard.db").write_text("this is not a database, and long enough to be seen as none" * 10)
    assert (await data.database(f"sqlite:///{tmp_path}/callboard.db")).verdict is Verdict.BROKEN


async def test_a_turn_server_relays_and_media_ports_are_reached_from_it(tmp_path: Path) -> None:
    async with running_coturn(tmp_path, SECRET) as coturn:
        media = Media(ice_addresses=("127.0.0.1",), turn_secret=SECRET)
        for transport in ("udp", "tcp"):
            found = await turn.turn_server(
                f"turn:127.0.0.1:{coturn.port}?transport={transport}", media, SystemClock().now()
            )
            assert [one.verdict for one in found] == [Verdict.WELL, Verdict.WELL], found


async def test_media_that_do_not_arrive_from_outside_are_told_with_what_to_open(tmp_path: Path) -> None:
    async with running_coturn(tmp_path, SECRET) as coturn:
        nobody = Media(public_address="192.0.2.250", turn_secret=SECRET)
        found = await turn.turn_server(f"turn:127.0.0.1:{coturn.port}", nobody, SystemClock().now())
    assert [one.verdict for one in found] == [Verdict.WELL, Verdict.CARE], found
    assert "20000 to 29999" in found[1].remedy


async def test_a_turn_server_with_another_secret_refuses_us_and_that_is_said(tmp_path: Path) -> None:
    async with running_coturn(tmp_path, SECRET) as coturn:
        found = await turn.turn_server(
            f"turn:127.0.0.1:{coturn.port}", Media(turn_secret="another-secret"), SystemClock().now()
        )
    assert [one.verdict for one in found] == [Verdict.BROKEN]
    assert "static-auth-secret" in found[0].remedy
    assert "another-secret" not in str(found)


async def test_a_turn_server_that_is_not_there_is_broken(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    taken.close()
    found = await turn.turn_server(
        f"turn:127.0.0.1:{port}?transport=tcp", Media(turn_secret=SECRET), SystemClock().now()
    )
    assert [one.verdict for one in found] == [Verdict.BROKEN]


async def test_everything_is_looked_at_and_nothing_is_left_behind(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"), server=Server(port=0))
    found = [one async for one in examine(settings, SystemClock())]
    assert not [one for one in found if one.verdict is Verdict.BROKEN], found
    assert all(one.remedy for one in found if one.verdict is not Verdict.WELL)
    assert list(tmp_path.iterdir()) == []


def test_the_command_ends_with_1_when_something_is_broken_and_its_json_can_be_read(tmp_path: Path) -> None:
    from tests.unit.cli.test_commands import callboard

    done = callboard(tmp_path, "doctor", "--json", CALLBOARD_MEDIA__JANUS="/nowhere/janus", CALLBOARD_SERVER__PORT="0")
    assert done.returncode == 1, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found[0] == {
        "subject": "Janus",
        "verdict": "broken",
        "found": "'/nowhere/janus' was not found",
        "remedy": "apt install janus, or set media.janus to its path",
    }
    shown = callboard(tmp_path, "doctor", CALLBOARD_SERVER__PORT="0")
    assert shown.returncode == 0, shown.stdout
    assert "Janus" in shown.stdout
