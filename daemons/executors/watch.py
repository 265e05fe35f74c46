"""Descriptors of many processes, watched through one of the event loop's.

A job has three of them: two pipes and a pidfd. In an epoll of their own (epoll(7)), one more costs a system call
instead of a handle of the event loop.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

AT_ONCE = 256
"""Descriptors that are looked at in one turn of the event loop."""


class Watch:
    """Calls a function when a descriptor can be read."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[], object]] = {}
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._ready)

    def add(self, descriptor: int, call: Callable[[], object]) -> None:
        """Call a function whenever there is something to read."""
        self._calls[descriptor] = call
        self._epoll.register(descriptor, select.EPOLLIN)

    def remove(self, descriptor: int) -> None:
        """Watch a descriptor no more; before it is closed, so that its number is nobody else's yet."""
        if self._calls.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def _ready(self) -> None:
        for descriptor, _ in self._epoll.poll(0, AT_ONCE):
            call = self._calls.get(descriptor)
            if call is not None:  # not one whose end the call before it has seen
                call()
