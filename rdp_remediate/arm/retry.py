"""Which requests may be sent again: reads always, acting calls only when Azure said that it did not start them.

The SDK's own policy re-sends POST after 500, 503 and 504 and any request whose error carries Retry-After, so a script
could run twice. Here an acting call (every POST that is not listed below, and PUT, PATCH, DELETE) is sent again after
429 only; the 401 of continuous access evaluation is answered by the authentication policy with a new token.
"""

import re
from dataclasses import dataclass
from typing import Any

from azure.core.pipeline import PipelineResponse
from azure.core.pipeline.policies import AsyncRetryPolicy

_READ_POSTS = re.compile(
    r"/(effectiveNetworkSecurityGroups|effectiveRouteTable|listNetworkManagerEffectiveSecurityAdminRules|ipFlowVerify"
    r"|nextHop|retrieveBootDiagnosticsData|Microsoft\.ResourceGraph/resources|workspaces/[^/?]+/query)(\?|$)",
    re.IGNORECASE,
)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})


def is_read(method: str, url: str) -> bool:
    """Whether a request only reads: a GET, or one of the listed read POSTs."""
    method = method.upper()
    return method in _SAFE_METHODS or (method == "POST" and _READ_POSTS.search(url) is not None)


@dataclass(frozen=True, slots=True)
class RetryTimes:
    """How often and how long to try again.

    Attributes:
        attempts: How often a request is sent again at most.
        backoff_s: First wait after the second try; it doubles.
        longest_wait_s: A server that asks for a longer wait is not waited for: the caller learns of it at once.
    """

    attempts: int = 3
    backoff_s: float = 0.8
    longest_wait_s: float = 15.0


class SafeRetry(AsyncRetryPolicy[Any, Any]):
    """A retry policy under which one acting call reaches Azure at most once."""

    def __init__(self, times: RetryTimes) -> None:
        super().__init__(
            retry_total=times.attempts,
            retry_connect=times.attempts,
            retry_read=times.attempts,
            retry_status=times.attempts,
            retry_backoff_factor=times.backoff_s,
            retry_backoff_max=times.longest_wait_s,
        )
        self._longest_wait_s = times.longest_wait_s

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """Whether the answer allows the same request once more."""
        status = response.http_response.status_code
        wait_s = self.get_retry_after(response)
        if status not in _TRANSIENT or not settings["total"] or (wait_s or 0) > self._longest_wait_s:
            return False
        return status == 429 or is_read(response.http_request.method, response.http_request.url)

    def _is_method_retryable(self, settings: dict[str, Any], request: Any, response: Any = None) -> bool:
        """The SDK asks this when no answer came: only a read may go out again."""
        del settings, response
        return is_read(request.method, request.url)
