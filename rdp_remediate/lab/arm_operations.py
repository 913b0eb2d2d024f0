"""Polling of long-running operations."""

from rdp_remediate.lab.arm_http import SUB, Call, Reply, Route


async def poll_compute(call: Call) -> Reply:
    """GET of a Compute operation: its status, or with `monitor=true` its result."""
    operation = call.context.operations.find(call.params["operation"])
    if call.query.get("monitor", "").lower() == "true":
        return call.context.operations.poll_result(call, operation)
    return call.context.operations.poll_status(operation)


async def poll_network(call: Call) -> Reply:
    """GET of a network operation's status."""
    return call.context.operations.poll_status(call.context.operations.find(call.params["operation"]))


async def poll_network_result(call: Call) -> Reply:
    """GET of a network operation's result."""
    return call.context.operations.poll_result(call, call.context.operations.find(call.params["operation"]))


def routes() -> list[Route]:
    """The routes of this area; the permission is asked for at the subscription."""
    compute = f"{SUB}/providers/Microsoft.Compute/locations/{{location}}/operations/{{operation}}"
    network = f"{SUB}/providers/Microsoft.Network/locations/{{location}}"
    return [
        Route("GET", compute, "Microsoft.Compute/locations/operations/read", poll_compute, drop=6),
        Route(
            "GET",
            f"{network}/operations/{{operation}}",
            "Microsoft.Network/locations/operations/read",
            poll_network,
            drop=6,
        ),
        Route(
            "GET",
            f"{network}/operationResults/{{operation}}",
            "Microsoft.Network/locations/operationResults/read",
            poll_network_result,
            drop=6,
        ),
    ]
