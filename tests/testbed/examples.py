"""Settings of Hypothesis for tests whose examples work on a real database."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings

UNDISTURBED = (
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,
    HealthCheck.function_scoped_fixture,
)


def on_database(max_examples: int, **further: Any) -> settings:
    """Return settings for examples that take tenths of a second.

    Shrinking what fails takes minutes then; ``SHRINK=1`` asks for it.
    """
    phases = [Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if os.environ.get("SHRINK") else [])]
    return settings(
        max_examples=max_examples, deadline=None, phases=phases, suppress_health_check=UNDISTURBED, **further
    )
