"""Calls of the HTTP API with the standard library alone: one kept-alive connection a thread, retries under one
idempotency key, refusals as exceptions."""

from __future__ import annotations

import http.client
import json
import os
import random
import ssl
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from typing import Any

from .errors import Refused, TellusError, Unreachable, refusal

DEFAULT_URL = "http://127.0.0.1:8080"
#: Answers that a later attempt may improve on.
PASSING = frozenset({408, 429, 500, 502, 503, 504})
FIRST_WAIT = 0.1
LONGEST_WAIT = 10.0


class Connection:
    """A service, and how it is called. May be shared by threads.

    `url` is `TELLUS_URL` or http://127.0.0.1:8080 where absent, `token` is `TELLUS_TOKEN`; a call gives up after
    `patience` seconds of failed attempts, and one attempt after `timeout` seconds.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        timeout: float = 90.0,
        patience: float = 120.0,
    ):
        self.url = (url or os.environ.get("TELLUS_URL") or DEFAULT_URL).rstrip("/")
        self.timeout = timeout
        self.patience = patience
        self._token = token or os.environ.get("TELLUS_TOKEN")
        self._address = urllib.parse.urlsplit(self.url)
        if self._address.scheme not in ("http", "https") or not self._address.hostname:
            raise TellusError(f"{self.url!r} is no address of a service: http://host:port")
        self._local = threading.local()

    def __getstate__(self) -> dict[str, Any]:
        # Sockets stay here; another process opens its own.
        return {key: value for key, value in self.__dict__.items() if key != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._local = threading.local()

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Reads. `query` without what is `None`."""
        asked = urllib.parse.urlencode({key: value for key, value in query.items() if value is not None})
        return self.call("GET", f"{path}?{asked}" if asked else path)

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Writes, once however often it has to be sent."""
        return self.call("POST", path, body or {})

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One call with its retries; `path` begins with `/v1`."""
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        headers = self._headers()
        if data is not None:
            headers["Content-Type"] = "application/json"
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        give_up = time.monotonic() + self.patience
        wait = FIRST_WAIT
        while True:
            failure: TellusError
            asked_to_wait = 0.0
            try:
                status, answer, asked_to_wait = self._send(method, path, data, headers)
            except (OSError, http.client.HTTPException) as error:
                failure = Unreachable(f"{method} {self.url}{path}: {error!r}; is the service running there?")
            else:
                if status < 300:
                    return _object(answer)
                failure = refusal(f"{method} {path}", status, _object(answer))
                passes = status in PASSING or failure.cause == "request-in-progress"
                if not passes:
                    raise failure
            pause = max(asked_to_wait, wait * random.uniform(0.5, 1.0))
            if time.monotonic() + pause > give_up:
                raise failure
            time.sleep(pause)
            wait = min(2 * wait, LONGEST_WAIT)

    def stream(self, path: str, last_id: int | None = None) -> Iterator[dict[str, Any]]:
        """The server-sent events of a path, taken up again behind the last one where the connection ends."""
        seen = last_id
        while True:
            connection = self._open()
            try:
                headers = self._headers() | {"Accept": "text/event-stream"}
                if seen is not None:
                    headers["Last-Event-ID"] = str(seen)
                connection.request("GET", self._address.path + path, headers=headers)
                response = connection.getresponse()
                if response.status != 200:
                    raise refusal(f"GET {path}", response.status, _object(response.read()))
                for line in response:
                    if line.startswith(b"data:"):
                        event = json.loads(line[5:])
                        if isinstance(event, dict):
                            seen = event.get("id", seen)
                            yield event
            except Refused:
                raise
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(FIRST_WAIT)

    def close(self) -> None:
        """Closes this thread's connection; the next call opens another."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    def _open(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._address.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=context)
        return http.client.HTTPConnection(host, port, timeout=self.timeout)

    def _send(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes, float]:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        was_open = connection is not None
        if connection is None:
            connection = self._local.connection = self._open()
        try:
            try:
                connection.request(method, self._address.path + path, data, headers)
                response = connection.getresponse()
            except (ConnectionError, http.client.BadStatusLine):
                # A kept-alive connection may have been closed meanwhile; that alone is no failure.
                if not was_open:
                    raise
                connection.close()
                connection.request(method, self._address.path + path, data, headers)
                response = connection.getresponse()
            answer = response.read()
        except BaseException:
            connection.close()
            self._local.connection = None
            raise
        retry_after = response.headers.get("Retry-After", "")
        return response.status, answer, float(retry_after) if retry_after.isdigit() else 0.0


def _object(answer: bytes) -> dict[str, Any]:
    try:
        read = json.loads(answer) if answer else {}
    except ValueError:
        read = {"detail": answer[:200].decode(errors="replace")}
    return read if isinstance(read, dict) else {"value": read}
