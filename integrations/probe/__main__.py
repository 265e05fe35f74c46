"""Makes ``python -m integrations.probe`` the same as ``multiflexi-probe``."""

import sys

from integrations.probe.main import main

sys.exit(main())
