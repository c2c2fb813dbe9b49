"""The commands of assets, with a service that has what it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from useapi_runwayml import Asset
from useapi_runwayml.cli import assets
from useapi_runwayml.cli.app import run as command

Shell = Callable[..., tuple[int, str, str]]


class Service:
    """Assets, which it gives one by one and counts, and what was asked."""

    def __init__(self) -> None:
        self.assets = self
        self.known: list[Asset] = []
        self.given = 0
        self.asked: list[Any] = []

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def list(self, **how: Any) -> Iterator[Asset]:
        self.asked.append(how)
        for each in self.known:
            self.given += 1
            yield each

    def retrieve(self, asset: str) -> Asset:
        self.asked.append(asset)
        return self.known[0]

    def delete(self, asset: str) -> None:
        self.asked.append(asset)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()
    monkeypatch.setattr(assets, "RunwayClient", lambda: made)
    return made


@pytest.fixture
def shell(capsys: Any) -> Shell:
    def call(*words: str) -> tuple[int, str, str]:
        code = command(["assets", *words])
        return code, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("known", "kind", "size"),
    [
        ({"mediaType": "video", "mediaSubtype": "mp4", "fileSize": 7, "size": 8}, "video/mp4", "7"),
        ({"mediaType": "video", "size": 8}, "video", "8"),
        ({"mediaSubtype": "mp4", "fileSize": 0, "size": 8}, "mp4", "0"),
        ({}, "", ""),
    ],
)
def test_an_asset_is_told_by_what_is_known_of_it(
    service: Service, shell: Shell, known: dict[str, Any], kind: str, size: str
) -> None:
    """Alone, in a list, and as it came; an entry of a list and the answer to an upload name its size in ways of their own."""
    raw = {"assetId": "a", "name": "c.mp4", **known}
    service.known = [Asset.from_dict(raw)]
    code, out, _ = shell("get", "a")
    assert (code, service.asked) == (0, ["a"])
    assert {name: value.strip() for name, _, value in (line.partition(":") for line in out.splitlines())} == {
        "asset": "a",
        "name": "c.mp4",
        "kind": kind,
        "bytes": size,
        "created": "",
    }
    assert json.loads(shell("get", "a", "--json")[1]) == raw
    code, out, _ = shell("list")
    assert [line.split() for line in out.splitlines()] == [
        ["asset", "name", "kind", "bytes", "created"],
        ["a", "c.mp4", *filter(None, (kind, size))],
    ]
    assert json.loads(shell("list", "--json")[1]) == [raw]


def test_a_list_is_read_no_further_than_it_is_shown(service: Service, shell: Shell) -> None:
    """What is left of thousands costs no more reads; one is the least that can be shown."""
    service.known = [Asset(asset_id=f"a{number}") for number in range(9)]
    assert shell("list", "--limit", "2", "--email", "e", "--media-type", "video")[1].split()[5:] == ["a0", "a1"]
    assert service.given <= 3
    assert service.asked == [{"email": "e", "media_type": "video"}]
    assert shell("list", "--limit", "1")[1].split()[5:] == ["a0"]
    assert shell("list", "--limit", "0")[::2] == (2, "useapi-runwayml: --limit must be at least 1\n")
    service.known *= 12
    assert len(json.loads(shell("list", "--json")[1])) == 100


def test_what_is_deleted_is_named(service: Service, shell: Shell) -> None:
    """For people and for machines."""
    assert shell("delete", "a") == (0, "Deleted a\n", "")
    assert json.loads(shell("delete", "a", "--json")[1]) == {"deleted": "a"}
    assert service.asked == ["a", "a"]


def test_a_file_that_nothing_can_look_at_is_told_so(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With what to install."""
    monkeypatch.setattr(assets, "look_at", lambda file: None)
    assert shell("inspect", "c.mp4") == (
        1,
        "",
        "useapi-runwayml: c.mp4 cannot be looked at: install useapi-runwayml[media]\n",
    )
