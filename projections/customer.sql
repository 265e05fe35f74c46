-- Customers, to whom companies belong. Who they are is ciphertext.
CREATE TABLE customer (
    id             integer     PRIMARY KEY,
    company_id     integer,
    document       jsonb       NOT NULL,
    uuid           text        GENERATED ALWAYS AS (document->>'uuid') STORED,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    removed_at     timestamptz,
    stream_version integer     NOT NULL
);

-- Folds events of customers. Takes a batch in log order.
CREATE FUNCTION fold_customer(batch event[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO customer AS t (id, document, created_at, changed_at, removed_at, stream_version)
    SELECT (b.data->>'customer_id')::integer, jsonb_object_agg(f.key, f.value ORDER BY b.version), min(b.time), max(b.time),
           max(b.time) FILTER (WHERE b.type = 'CustomerRemoved'), max(b.version)
      FROM unnest(batch) b, jsonb_each(b.data) f
     WHERE b.type IN ('CustomerCreated', 'CustomerChanged', 'CustomerRemoved')
     GROUP BY 1
    ON CONFLICT (id) DO UPDATE
       SET document = t.document || excluded.document, changed_at = excluded.changed_at,
           removed_at = coalesce(excluded.removed_at, t.removed_at), stream_version = excluded.stream_version;
$$;
