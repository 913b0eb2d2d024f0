"""What was asked of the lab, and switches that make chosen requests fail."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rdp_remediate.lab.world import utc_now


@dataclass(slots=True)
class LoggedRequest:
    """One request as it arrived, with the status that it got; tokens are not kept."""

    method: str
    path: str
    query: str
    status: int | None
    client_request_id: str
    user_agent: str
    command_name: str
    body: str
    at: datetime = field(default_factory=utc_now)


@dataclass(slots=True)
class RequestLog:
    """Every request in order of arrival."""

    entries: list[LoggedRequest] = field(default_factory=list)

    def matching(self, pattern: str, method: str | None = None) -> list[LoggedRequest]:
        """Returns the requests whose path matches a regular expression, in any case."""
        return [
            e
            for e in self.entries
            if re.search(pattern, e.path, re.IGNORECASE) and (method is None or e.method == method.upper())
        ]

    def writes(self) -> list[LoggedRequest]:
        """Returns the requests that change something: PUT, PATCH, DELETE and the acting POSTs."""
        acting = r"/(runCommand|start|restart|powerOff|deallocate|redeploy|reapply|initiate)$"
        return [
            e
            for e in self.entries
            if e.method in ("PUT", "PATCH", "DELETE")
            or (e.method == "POST" and re.search(acting, e.path, re.IGNORECASE))
        ]

    def clear(self) -> None:
        """Forgets all entries."""
        self.entries.clear()


@dataclass(slots=True)
class FailureSwitch:
    """Makes requests that match fail; `times` None = until removed."""

    pattern: str
    method: str | None = None
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    times: int | None = 1
    drop: bool = False
    """Cut the connection instead of answering."""
    after: bool = False
    """Do the work first, then lose the answer."""
    delay_s: float = 0.0
    skip: int = 0
    """Let this many matching requests through first."""
    used: int = 0
    body_pattern: str | None = None
    """Take only requests whose body matches, such as one query of many to the same path."""

    def takes(self, method: str, path_and_query: str, sent: str = "") -> bool:
        """True when the switch takes this request; counts it."""
        if self.times is not None and self.used >= self.times:
            return False
        if self.method is not None and self.method.upper() != method:
            return False
        if not re.search(self.pattern, path_and_query, re.IGNORECASE):
            return False
        if self.body_pattern is not None and not re.search(self.body_pattern, sent):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.used += 1
        return True


@dataclass(slots=True)
class Failures:
    """The switches that are set; the first that takes a request wins."""

    switches: list[FailureSwitch] = field(default_factory=list)

    def add(self, pattern: str, **settings: Any) -> FailureSwitch:
        """Sets a switch; see `FailureSwitch` for the settings."""
        switch = FailureSwitch(pattern, **settings)
        self.switches.append(switch)
        return switch

    def take(self, method: str, path_and_query: str, sent: str = "") -> FailureSwitch | None:
        """Returns the switch that takes this request."""
        return next((s for s in self.switches if s.takes(method, path_and_query, sent)), None)

    def clear(self) -> None:
        """Removes every switch."""
        self.switches.clear()

    def __iter__(self) -> Iterator[FailureSwitch]:
        """Iterates over the switches."""
        return iter(self.switches)
