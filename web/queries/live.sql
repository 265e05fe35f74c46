-- name: passed
-- Whether read models have passed a place in the log. $1: their names, $2: epoch, $3: xid, $4: position.
SELECT coalesce(bool_and((p.epoch, p.xid, p.position) >= ($2::smallint, $3::xid8, $4::bigint)), true)
  FROM projections p WHERE p.name = ANY ($1::text[]) AND NOT p.inline
