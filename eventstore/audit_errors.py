"""Errors of evidence: heads, proofs, archives, adoption; each message says what happened and what to do."""

from __future__ import annotations

from eventstore.errors import EventStoreError


class AuditError(EventStoreError):
    """Base of the errors of evidence."""


class LogTamperedError(AuditError):
    """What is stored contradicts what was signed."""


class ProofError(AuditError):
    """A proof cannot be made, or does not prove what it says."""


class ArchiveError(AuditError):
    """A month cannot be archived or attached, or its file is damaged."""


class AdoptionError(AuditError):
    """A log cannot be adopted, or needs not be."""
