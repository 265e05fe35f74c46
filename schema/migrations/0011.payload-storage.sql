-- depends: 0010.artifacts
-- Payloads are encrypted: trying to compress them once more takes time and saves nothing. Partitions to come inherit it.
ALTER TABLE events ALTER COLUMN payload SET STORAGE EXTERNAL;
