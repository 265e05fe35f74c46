"""Tests of what builds and installs MultiFlexi."""
