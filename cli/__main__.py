"""``python -m cli``: the same as ``multiflexi-cli``."""

import sys

from cli.main import main

sys.exit(main())
