-- Makes the partitions of jobs and output for a month and the months after it, where they are not there yet.
-- Takes a moment in the first month and how many months further; returns the names of those it made. Runs as its owner, so
-- that daemons, which may not change the schema, can keep the log supplied.
CREATE OR REPLACE FUNCTION ensure_partitions(first timestamptz, months integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = multiflexi, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    start_of date := date_trunc('month', first)::date;
    kind text;
    leaf text;
    class_of integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('multiflexi.ensure_partitions'));
    FOR i IN 0 .. months LOOP
        FOREACH kind IN ARRAY ARRAY['job', 'output'] LOOP
            class_of := CASE kind WHEN 'job' THEN 2 ELSE 3 END;
            leaf := format('events_%s_%s', kind, to_char(start_of + make_interval(months => i), 'YYYY_MM'));
            IF to_regclass('multiflexi.' || leaf) IS NULL
               AND NOT EXISTS (SELECT FROM archived_partitions WHERE partition = leaf AND attached_at IS NULL) THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%s, %L) TO (%s, %L)', leaf, class_of,
                    (start_of + make_interval(months => i))::timestamptz, class_of,
                    (start_of + make_interval(months => i + 1))::timestamptz);
                EXECUTE format('CREATE UNIQUE INDEX %I ON %I (stream, version)', leaf || '_stream', leaf);
                EXECUTE format('CREATE UNIQUE INDEX %I ON %I (epoch, xid, position)', leaf || '_log', leaf);
                RETURN NEXT leaf;
            END IF;
        END LOOP;
    END LOOP;
END
$$;
