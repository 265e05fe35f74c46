"""Write the samples that are missing."""

from __future__ import annotations

import sys

from tests.eventstore.samples import write_missing

for path in write_missing():
    sys.stdout.write(f"{path}\n")
