"""Ways to run a job: natively on this host; containers and clusters come beside it."""
