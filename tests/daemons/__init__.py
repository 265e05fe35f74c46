"""Tests of the daemons and of their supervision."""
