"""The same studies for `asyncio`: every call runs on a thread, so that the event loop never waits."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

from .study import Best, Client, Study, Trial

T = TypeVar("T")


class _Threads:
    """Threads with their kept-alive connections, as many as calls may be under way."""

    def __init__(self, size: int):
        self.pool = concurrent.futures.ThreadPoolExecutor(size, thread_name_prefix="tellus")

    async def run(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, functools.partial(call, *arguments, **named))


class AsyncClient:
    """A Tellus service, awaited. `calls` is how many may be under way at once."""

    def __init__(self, url: str | None = None, *, token: str | None = None, calls: int = 16, **options: Any):
        self._client = Client(url, token=token, **options)
        self._threads = _Threads(calls)

    async def study(self, name: str, *arguments: Any, **definition: Any) -> AsyncStudy:
        """As `Client.study`."""
        study = await self._threads.run(self._client.study, name, *arguments, **definition)
        return AsyncStudy(study, self._threads)

    async def close(self) -> None:
        """Ends the threads."""
        self._threads.pool.shutdown(wait=False)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncStudy:
    """A study, awaited; `sync` is the same study as other code takes it."""

    def __init__(self, study: Study, threads: _Threads):
        self.sync = study
        self._threads = threads

    async def ask(self, **request: Any) -> AsyncTrial:
        """As `Study.ask`."""
        return AsyncTrial(await self._threads.run(self.sync.ask, **request), self._threads)

    async def ask_batch(self, count: int, **request: Any) -> list[AsyncTrial]:
        """As `Study.ask_batch`."""
        trials = await self._threads.run(self.sync.ask_batch, count, **request)
        return [AsyncTrial(trial, self._threads) for trial in trials]

    async def best(self) -> Best:
        """As `Study.best`."""
        return await self._threads.run(self.sync.best)

    async def attach(self, trials: list[Mapping[str, Any]]) -> list[int]:
        """As `Study.attach`."""
        return await self._threads.run(self.sync.attach, trials)

    async def trials(self, **query: Any) -> AsyncIterator[Trial]:
        """As `Study.trials`."""
        for trial in await self._threads.run(lambda: list(self.sync.trials(**query))):
            yield trial


class AsyncTrial:
    """A trial, awaited; `sync` is the same trial as other code takes it."""

    def __init__(self, trial: Trial, threads: _Threads):
        self.sync = trial
        self._threads = threads

    @property
    def number(self) -> int:
        return self.sync.number

    @property
    def state(self) -> str:
        return self.sync.state

    @property
    def parameters(self) -> dict[str, Any]:
        return self.sync.parameters

    async def tell(self, value: Any = None, /, **metrics: Any) -> AsyncTrial:
        """As `Trial.tell`."""
        await self._threads.run(self.sync.tell, value, **metrics)
        return self

    async def fail(self, reason: str = "") -> AsyncTrial:
        """As `Trial.fail`."""
        await self._threads.run(self.sync.fail, reason)
        return self

    async def abandon(self, reason: str = "") -> AsyncTrial:
        """As `Trial.abandon`."""
        await self._threads.run(self.sync.abandon, reason)
        return self

    async def heartbeat(self) -> bool:
        """As `Trial.heartbeat`."""
        return await self._threads.run(self.sync.heartbeat)
