"""Whether a credential works: its server is asked, and what it answers is put into one of a few words.

``available``: it works. ``degraded``: the server answers, but is in trouble. ``unavailable``: it does not answer, which
may pass. ``misconfigured``: somebody has to change something, waiting does not help. ``unknown``: there is nothing that
could be asked.
"""

from integrations.checks.check import check
from integrations.checks.result import Checked

__all__ = ["Checked", "check"]
