"""Two network namespaces joined by a cable, for packet filtering that loopback cannot show."""

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import pytest

from tests.probe.real_servers import find

T = TypeVar("T")
CLIENT_ADDRESS, SERVER_ADDRESS, NOBODYS_ADDRESS = "10.99.0.1", "10.99.0.2", "10.99.0.99"
_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Cable:
    """The names of both namespaces."""

    client: str
    server: str

    def filter_at_server(self, rules: str) -> None:
        """Replaces the server's packet filter."""
        nft = ["ip", "netns", "exec", self.server, "nft", "-f", "-"]
        text = f"flush ruleset\ntable inet probe {{\n{rules}\n}}\n"
        subprocess.run(nft, input=text, check=True, capture_output=True, text=True)

    def in_client(self, call: Callable[[], T]) -> T:
        """Runs a call in a thread of the client's namespace."""
        return _in_namespace(self.client, call)

    def in_server(self, call: Callable[[], T]) -> T:
        """Runs a call in a thread of the server's namespace."""
        return _in_namespace(self.server, call)


def _in_namespace(name: str, call: Callable[[], T]) -> T:
    def enter_and_call() -> T:
        descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns failed")
        finally:
            os.close(descriptor)
        return call()

    # Only the entering thread changes its namespace, and it ends with the pool.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(enter_and_call).result()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@contextmanager
def cable() -> Iterator[Cable]:
    """Makes both namespaces and the cable; skips where the machine does not allow it."""
    find("ip")
    find("nft")
    if os.geteuid() != 0:
        pytest.skip("packet filtering needs root; sudo .venv/bin/python -m pytest tests/probe/test_filtering.py")
    names = Cable(f"rdp-probe-c{os.getpid()}", f"rdp-probe-s{os.getpid()}")
    try:
        for name in (names.client, names.server):
            _ip("netns", "add", name)
        _ip("link", "add", "near", "netns", names.client, "type", "veth", "peer", "name", "near", "netns", names.server)
        for name, address in ((names.client, CLIENT_ADDRESS), (names.server, SERVER_ADDRESS)):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "near")
            _ip("-n", name, "link", "set", "near", "up")
            # The kernel's own ICMP errors, such as for a failed ARP, travel over the loopback device.
            _ip("-n", name, "link", "set", "lo", "up")
        names.filter_at_server("")
    except subprocess.CalledProcessError as error:
        _remove(names)
        pytest.skip(f"this machine allows no network namespaces ({error.stderr.strip()}); run as root with NET_ADMIN")
    try:
        yield names
    finally:
        _remove(names)


def _remove(names: Cable) -> None:
    for name in (names.client, names.server):
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
