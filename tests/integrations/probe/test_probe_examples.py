"""The examples in the probe's docstrings are true."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("module", ["certificates", "network", "results", "texts"])
def test_examples(module):
    outcome = doctest.testmod(importlib.import_module(f"integrations.probe.{module}"))
    assert outcome.attempted > 0
    assert outcome.failed == 0
