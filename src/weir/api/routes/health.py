"""Whether a node is up, alive, ready: answered by the door, in every worker."""

from weir.domain.described import Body, DescribedOperation

_HEALTH = DescribedOperation(
    method="GET",
    path="/v1/health",
    name="health",
    summary="Whether the node is up.",
    reply_words="The node is up. `uptime` is a percentage of the last 30 days.",
    reply=Body(
        examples={
            "up": {
                "status": "ok",
                "node": "weir-1",
                "region": "local",
                "version": "0.1.0",
                "uptime": 99.98,
            }
        }
    ),
)

_LIVEZ = DescribedOperation(
    method="GET",
    path="/livez",
    name="live",
    summary="Whether the process answers at all, for a supervisor of processes.",
    reply_words="It does.",
    reply=Body(examples={"alive": {"alive": True}}),
)

_READYZ = DescribedOperation(
    method="GET",
    path="/readyz",
    name="ready",
    summary="Whether the node takes events and answers queries, for a load balancer.",
    reply_words="It does. 503 with the same body while a part does not, or the node is stopping.",
    reply=Body(examples={"ready": {"ready": True, "registry": True, "api": True, "loader": True}}),
    errors=(503,),
)

HEALTH = (_HEALTH, _LIVEZ, _READYZ)
