"""What was removed for good: streams ``retention-COMPANY``, and ``retention-all`` for months of the whole installation.

The log keeps that it was there: these events, and lengths and digests in the events of jobs.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.event import Event


class RetentionEvent(Event, frozen=True, kw_only=True):
    """Base of the events of retention."""

    category: ClassVar[str] = "retention"


class CompanyRetentionEvent(RetentionEvent, frozen=True, kw_only=True):
    """Something of a company was removed.

    ``days`` is the rule: for how many days it was kept (None: there was no such rule), ``by_hand`` whether somebody
    asked for it; otherwise it is the rule of the company.
    """

    company_id: int
    days: int | None
    by_hand: bool
    removed_at: datetime


class OutputRemoved(CompanyRetentionEvent, frozen=True, kw_only=True):
    """The key of the output of a month was destroyed: nobody can read it any more.

    ``month`` reads ``2026-02``; ``jobs`` wrote ``bytes`` in it in ``chunks`` pieces.
    """

    month: str
    jobs: int
    chunks: int
    bytes: int


class ArtifactsRemoved(CompanyRetentionEvent, frozen=True, kw_only=True):
    """The files of jobs that ended before a moment were given up: ``files`` with ``bytes`` in all."""

    before: datetime
    files: int
    bytes: int


class ContentsRemoved(RetentionEvent, frozen=True, kw_only=True):
    """Contents of files that no job refers to any more were deleted; ``bytes`` as they were stored."""

    company_id: int
    removed_at: datetime
    contents: int
    bytes: int


class HistoryRemoved(CompanyRetentionEvent, frozen=True, kw_only=True):
    """``jobs`` that ended before a moment were taken out of the history, and the ``tasks`` that ended before it."""

    before: datetime
    jobs: int
    tasks: int


class OutputMonthDropped(RetentionEvent, frozen=True, kw_only=True):
    """All companies had removed their output of a month: its ``events`` were dropped from the log; its tree stays."""

    month: str
    partition: str
    events: int
    removed_at: datetime
