"""One function: a call of the Tellus HTTP API, with nothing but the standard library."""

import json
import urllib.error
import urllib.request
from typing import Any


class TellusError(Exception):
    """The service refused a request, or could not be reached; the message says why."""


def call(method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Sends `body` as JSON and returns the JSON that comes back."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as refusal:
        raise TellusError(f"{method} {url}: {explain(refusal)}") from None
    except OSError as error:
        raise TellusError(f"{method} {url}: {error}; is the service running there?") from None


def explain(refusal: urllib.error.HTTPError) -> str:
    """A problem document (RFC 9457) as text: what was wrong, then each fault on a line of its own."""
    try:
        problem = json.load(refusal)
    except ValueError:
        return f"{refusal.code} {refusal.reason}"
    faults = [f"\n  {fault['pointer']}: {fault['detail']}" for fault in problem.get("errors", [])]
    return f"{refusal.code} {problem['title']}: {problem.get('detail', '')}{''.join(faults)}"
