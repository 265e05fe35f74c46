-- depends: 0004.projections
CREATE SEQUENCE task_id AS integer;
