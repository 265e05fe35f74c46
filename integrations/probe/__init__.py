"""``multiflexi-probe``: an application that checks the host it runs on.

Readers (`host`, `clock`, `certificates`, `systemd`) take readings, `evaluation` judges them against thresholds
without any input or output, `plan` says what is to be done, `runner` does it concurrently, `output` and `report` tell.
"""

NAME = "multiflexi-probe"
"""Name of the program and producer of its reports."""

VERSION = "1.0.0"
"""Version of the program, the same as in its application definition."""
