-- Moving a month out of the log and back in; for the owner of the tables.

-- Makes a table that can become a leaf partition of events, not attached yet. Takes its name, its class and its times;
-- returns nothing. A table of that name that an interrupted run left is replaced; one that is attached is not.
CREATE OR REPLACE FUNCTION make_detached_partition(leaf text, class_of integer, from_time timestamptz, until_time timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(format('multiflexi.%I', leaf))) THEN
        EXECUTE format('DROP TABLE IF EXISTS multiflexi.%I', leaf);
    END IF;
    EXECUTE format('CREATE TABLE multiflexi.%I (LIKE multiflexi.events INCLUDING DEFAULTS)', leaf);
    -- With this check, attaching needs not scan the table.
    EXECUTE format('ALTER TABLE multiflexi.%I ADD CONSTRAINT %I CHECK (class = %s AND time >= %L AND time < %L)', leaf,
        leaf || '_bounds', class_of, from_time, until_time);
    EXECUTE format('CREATE UNIQUE INDEX %I ON multiflexi.%I (stream, version)', leaf || '_stream', leaf);
    EXECUTE format('CREATE UNIQUE INDEX %I ON multiflexi.%I (epoch, xid, position)', leaf || '_log', leaf);
END
$$;

-- The events of a table that is not attached, in log order. Takes its name, the place after which to read, how many; returns
-- the events.
CREATE OR REPLACE FUNCTION detached_events(leaf text, after_epoch smallint, after_xid xid8, after_position bigint, most integer)
RETURNS SETOF events LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT * FROM multiflexi.%I e WHERE (e.epoch, e.xid, e.position) > ($1, $2, $3) ORDER BY e.epoch, e.xid, e.position LIMIT $4',
        leaf) USING after_epoch, after_xid, after_position, most;
END
$$;

-- Attaches a table that make_detached_partition made. Takes its name, its class and its times; returns nothing.
CREATE OR REPLACE FUNCTION attach_partition(leaf text, class_of integer, from_time timestamptz, until_time timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE multiflexi.events ATTACH PARTITION multiflexi.%I FOR VALUES FROM (%s, %L) TO (%s, %L)', leaf,
        class_of, from_time, class_of, until_time);
    EXECUTE format('ALTER TABLE multiflexi.%I DROP CONSTRAINT %I', leaf, leaf || '_bounds');
END
$$;

-- Keeps everybody from writing into a leaf partition until the end of the transaction. Takes its name; returns nothing.
CREATE OR REPLACE FUNCTION seal_partition(leaf text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('LOCK TABLE multiflexi.%I IN SHARE MODE', leaf);
END
$$;

-- Takes a leaf partition out of events and drops it. Takes its name; returns nothing.
CREATE OR REPLACE FUNCTION drop_partition(leaf text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE multiflexi.events DETACH PARTITION multiflexi.%I', leaf);
    EXECUTE format('DROP TABLE multiflexi.%I', leaf);
END
$$;
