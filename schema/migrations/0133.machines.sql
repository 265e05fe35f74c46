-- depends: 0121.erasure
-- The machine that a daemon runs on: two may have the same host name, and each only knows its own processes.
ALTER TABLE daemons ADD COLUMN machine text;
