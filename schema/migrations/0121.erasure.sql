-- depends: 0120.refusals
-- Ids of requests for the erasure of users.
CREATE SEQUENCE erasure_id AS integer;
