"""``python -m daemons``: everything on one machine."""

import sys

from daemons.launch import main

sys.exit(main())
