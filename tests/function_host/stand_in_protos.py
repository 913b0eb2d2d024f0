"""Stand-ins for the gRPC messages that azure-functions-runtime takes and returns.

The library gets its message classes injected, so plain classes do. They refuse what protobuf would refuse: a value of
the wrong type raises TypeError here as it does there. Field names are those of FunctionRpc.proto.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import ClassVar


class TypedData:
    """One value of one kind, as protobuf's oneof `data`."""

    _KINDS: ClassVar[Mapping[str, type | tuple[type, ...]]] = {}

    def __init__(
        self,
        *,
        string: str | None = None,
        json: str | None = None,
        bytes: bytes | None = None,
        http: "RpcHttp | None" = None,
        int: "int | None" = None,
        double: float | None = None,
    ) -> None:
        self.string = string
        self.json = json
        self.bytes = bytes
        self.http = http
        self.int = int
        self.double = double
        given = [name for name in self._KINDS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"TypedData takes one value, got {', '.join(given)}")
        self._kind = given[0] if given else None
        if self._kind is not None and not isinstance(getattr(self, self._kind), self._KINDS[self._kind]):
            raise TypeError(f"bad argument type for TypedData.{self._kind}: {getattr(self, self._kind)!r}")

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - protobuf's method name
        """Return the name of the field that is set."""
        if group != "data":
            raise ValueError(f'TypedData has no oneof "{group}"')
        return self._kind


def _string_map(name: str, values: Mapping[str, str] | None) -> dict[str, str]:
    copied = dict(values or {})
    for key, value in copied.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"bad argument type for {name}[{key!r}]: {value!r}")
    return copied


class RpcHttp:
    """A request on its way in, or an answer on its way out."""

    def __init__(
        self,
        *,
        method: str = "",
        url: str = "",
        headers: Mapping[str, str] | None = None,
        body: TypedData | None = None,
        params: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        status_code: str = "",
        cookies: "Iterable[RpcHttpCookie] | None" = None,
        enable_content_negotiation: bool = False,
    ) -> None:
        if not isinstance(status_code, str):
            raise TypeError(f"bad argument type for RpcHttp.status_code: {status_code!r}")
        self.method = method
        self.url = url
        self.headers = _string_map("RpcHttp.headers", headers)
        self.body = TypedData() if body is None else body
        self.params = _string_map("RpcHttp.params", params)
        self.query = _string_map("RpcHttp.query", query)
        self.status_code = status_code
        self.cookies = list(cookies or ())
        self.enable_content_negotiation = enable_content_negotiation


TypedData._KINDS = {"string": str, "json": str, "bytes": bytes, "http": RpcHttp, "int": int, "double": (float, int)}


class _SameSite:
    Lax = 1
    Strict = 2
    ExplicitNone = 3


# `None` is a keyword, so the enum's zero has to be set by name.
setattr(_SameSite, "None", 0)


@dataclass
class _Nullable:
    value: object = None


NullableString = NullableBool = NullableDouble = NullableTimestamp = _Nullable


@dataclass
class Timestamp:
    """Seconds since the epoch, as google.protobuf.Timestamp."""

    seconds: int = 0


@dataclass
class RpcHttpCookie:
    """A cookie of an HTTP answer."""

    SameSite: ClassVar[type[_SameSite]] = _SameSite
    name: str = ""
    value: str = ""
    domain: _Nullable | None = None
    path: _Nullable | None = None
    expires: _Nullable | None = None
    secure: _Nullable | None = None
    http_only: _Nullable | None = None
    same_site: int = 0
    max_age: _Nullable | None = None


@dataclass
class RpcException:
    """What went wrong in a function or while indexing."""

    message: str = ""
    stack_trace: str = ""
    source: str = ""


@dataclass
class StatusResult:
    """Success or failure of a request to the worker."""

    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1
    status: int = 0
    exception: RpcException | None = None


@dataclass
class WorkerMetadata:
    """Which Python and which runtime answered."""

    runtime_name: str = ""
    runtime_version: str = ""
    worker_version: str = ""
    worker_bitness: str = ""
    custom_properties: dict[str, str] = field(default_factory=dict)


@dataclass
class WorkerInitResponse:
    """The answer to the request that indexes the app."""

    result: StatusResult
    capabilities: dict[str, str] = field(default_factory=dict)
    worker_metadata: WorkerMetadata | None = None


@dataclass
class BindingInfo:
    """Direction and type of one binding."""

    undefined: ClassVar[int] = 0
    out: ClassVar[int] = 1
    inout: ClassVar[int] = 2
    type: str = ""
    data_type: int | None = None
    direction: int = 0


@dataclass
class RpcRetryOptions:
    """A function's retry policy."""

    max_retry_count: int = 0
    retry_strategy: str | int = ""
    delay_interval: timedelta | None = None
    minimum_interval: timedelta | None = None
    maximum_interval: timedelta | None = None


@dataclass
class RpcFunctionMetadata:
    """One indexed function."""

    name: str
    function_id: str
    raw_bindings: list[str]
    bindings: dict[str, BindingInfo]
    directory: str = ""
    script_file: str = ""
    entry_point: str = ""
    language: str = ""
    is_proxy: bool = False
    managed_dependency_enabled: bool = False
    retry_options: RpcRetryOptions | None = None
    properties: dict[str, str] = field(default_factory=dict)


@dataclass
class FunctionMetadataResponse:
    """All indexed functions."""

    result: StatusResult
    function_metadata_results: list[RpcFunctionMetadata] | None = None
    use_default_metadata_indexing: bool = False


@dataclass
class FunctionLoadResponse:
    """The answer to the loading of one function."""

    result: StatusResult
    function_id: str = ""


@dataclass
class ParameterBinding:
    """A named value: an input on its way in, an output binding on its way out."""

    name: str
    data: TypedData | None = None

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - protobuf's method name
        """Return the name of the field that is set."""
        if group != "rpc_data":
            raise ValueError(f'ParameterBinding has no oneof "{group}"')
        return None if self.data is None else "data"


@dataclass
class InvocationResponse:
    """What an invocation gave."""

    result: StatusResult
    invocation_id: str = ""
    return_value: TypedData | None = None
    output_data: list[ParameterBinding] = field(default_factory=list)


@dataclass
class InvocationRequest:
    """What an invocation is given."""

    invocation_id: str
    function_id: str
    input_data: list[ParameterBinding]
    trigger_metadata: dict[str, TypedData]
    trace_context: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(trace_parent="", trace_state="", attributes={})
    )
    retry_context: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(retry_count=0, max_retry_count=0, exception=None)
    )
