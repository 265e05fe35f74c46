"""The commands, a module for each entity. Each is imported when it is called: see :mod:`cli.catalogue`."""
