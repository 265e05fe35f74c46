"""What a check comes to."""

from __future__ import annotations

import msgspec

AVAILABLE, DEGRADED, UNAVAILABLE = "available", "degraded", "unavailable"
MISCONFIGURED, UNKNOWN = "misconfigured", "unknown"


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check came to.

    Attributes
    ----------
    outcome : str
        ``available``, ``degraded``, ``unavailable``, ``misconfigured`` or ``unknown``.
    kind : str
        What was tried: ``http``, ``tcp``, ``postgresql``, ``mysql``, ``sqlserver``, ``sqlite``, or ``none``.
    message : str
        For people; tells no value but the server's name and port.
    """

    outcome: str
    kind: str
    message: str
