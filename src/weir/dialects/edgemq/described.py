"""The EdgeMQ data plane in the OpenAPI description."""

from weir.domain.described import Body, DescribedOperation, Parameter
from weir.domain.keys import Scope

_INGEST = DescribedOperation(
    method="POST",
    path="/v1/endpoints/{id}/ingest",
    name="edgemq_ingest",
    summary=(
        "Send records of any bytes to an endpoint: one a line of NDJSON, else one a body. Also"
        " `POST /ingest` on the endpoint's host, and on any host for NDJSON."
    ),
    scope=Scope.INGEST,
    parameters=(
        Parameter(
            name="id", words="An endpoint of the key's project.", required=True, place="path"
        ),
    ),
    body=Body(
        examples={"object": {"event": "reading", "ts": "2026-04-23T18:30:12Z", "value": 2.5}},
        other_types={
            "application/x-ndjson": '{"event":"reading","value":2}\n{"event":"boot"}\n',
            "application/octet-stream": "",
        },
    ),
    status=202,
    reply_words="On disk: so many records, so many bytes (after decompression).",
    reply=Body(examples={"taken": {"accepted": 3, "bytes": 182}}),
    errors=(400, 401, 403, 404, 405, 408, 413, 415, 429, 431, 503),
    refusals={
        404: Body(
            examples={
                "unknown": {
                    "error": "endpoint_not_found",
                    "message": "The API key's project has no such endpoint.",
                }
            }
        )
    },
)

OPERATIONS = (_INGEST,)
