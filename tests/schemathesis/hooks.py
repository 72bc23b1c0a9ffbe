"""How Schemathesis writes the bodies that it has no form for."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_context, value) -> bytes:
    """An archive: what is no text already is one line of JSON."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode(errors="replace")
