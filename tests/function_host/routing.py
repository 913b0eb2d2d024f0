"""Which HTTP function answers a URL: the part of ASP.NET Core routing that function routes use."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.function_host.invocation import Function

_PARAMETER = re.compile(r"^\{(?P<star>\*{0,2})(?P<name>\w+)(?::(?P<constraint>\w+))?(?P<optional>\?)?\}$")
_CONSTRAINTS = {"int": r"-?\d+", "guid": r"[0-9a-fA-F-]{36}", "alpha": r"[A-Za-z]+", "bool": r"(?i:true|false)"}


def _pattern(template: str) -> tuple[re.Pattern[str], tuple[int, ...]]:
    """Return the pattern of a route and its precedence: literals before constrained, plain and catch-all parameters."""
    expression, precedence = "", []
    for segment in template.strip("/").split("/"):
        parameter = _PARAMETER.match(segment)
        if parameter is None:
            expression += "/" + re.escape(segment) if segment else ""
            precedence.append(0)
        elif parameter["star"]:
            expression += f"(?:/(?P<{parameter['name']}>.*))?"
            precedence.append(3)
        else:
            value = _CONSTRAINTS[parameter["constraint"]] if parameter["constraint"] else "[^/]+"
            part = f"/(?P<{parameter['name']}>{value})"
            expression += f"(?:{part})?" if parameter["optional"] else part
            precedence.append(1 if parameter["constraint"] else 2)
    return re.compile(f"^{expression}/?$", re.IGNORECASE), tuple(precedence)


def route(functions: Iterable[Function], prefix: str, method: str, url: str) -> tuple[Function, dict[str, str]] | None:
    """Return the HTTP function for a request and its route parameters, or None where the host would say 404."""
    path = unquote(urlsplit(url).path)
    candidates = []
    for function in functions:
        trigger: Mapping[str, object] = function.trigger
        if trigger["type"] != "httpTrigger":
            continue
        methods = trigger.get("methods")
        if isinstance(methods, list) and methods and method.upper() not in {str(m).upper() for m in methods}:
            continue
        template = f"{prefix.strip('/')}/{str(trigger.get('route') or function.name).strip('/')}"
        pattern, precedence = _pattern(template)
        match = pattern.match(path)
        if match is not None:
            candidates.append((precedence, function, match))
    if not candidates:
        return None
    _, function, match = min(candidates, key=lambda candidate: candidate[0])
    return function, {name: value for name, value in match.groupdict().items() if value is not None}


def query_parameters(url: str) -> dict[str, str]:
    """Return the query of a URL; repeated names are joined by commas as the host does."""
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return {name: ",".join(all_values) for name, all_values in values.items()}
