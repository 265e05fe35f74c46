"""A day of an installation in virtual time: the scheduler and the executor as they are, hosts that follow a script."""
