-- Text as it is searched: small letters without their marks, so that zlutoucky finds Žluťoučký; words parted by single spaces.
-- Takes and returns text.
CREATE OR REPLACE FUNCTION plain_words(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(
        translate(lower(regexp_replace(normalize(left(value, 20000), NFKD), '[\u0300-\u036f]', '', 'g')), 'łøđıß', 'lodis'),
        '[^[:alnum:]]+', ' ', 'g')
$$;

-- Words of a text for an index. Takes text; returns them, none of NULL.
CREATE OR REPLACE FUNCTION words_of(value text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsvector('pg_catalog.simple'::regconfig, multiflexi.plain_words(coalesce(value, '')))
$$;

-- Words of a definition: names, titles and descriptions in all languages, tags, topics and requirements, category, author and
-- program. Takes the definition; returns the words, those of names first in weight.
CREATE OR REPLACE FUNCTION words_of_definition(definition jsonb) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT setweight(multiflexi.words_of(concat_ws(' ', definition->>'name', definition->>'title', definition->>'executable')), 'A')
        || setweight(multiflexi.words_of(concat_ws(' ', definition->>'tags', definition->>'topics', definition->>'requirements',
                                        definition->>'category')), 'B')
        || multiflexi.words_of(concat_ws(' ', definition->>'description', definition->>'author', definition->>'homepage'))
$$;

-- What finds all of the words that somebody typed, each also as the beginning of a longer one. Takes what was typed; returns the
-- query, NULL if there is no word in it.
CREATE OR REPLACE FUNCTION search_of(typed text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT string_agg(format('''%s'':*', w.word), ' & ')::tsquery
      FROM (SELECT unnest(string_to_array(multiflexi.plain_words(left(typed, 500)), ' ')) AS word LIMIT 20) w
     WHERE w.word <> ''
$$;

-- Ids of a page of companies. An operator of search is not leakproof: under row-level security no index would be used for it. So
-- this runs as the owner, and looks at the companies of the session itself.
-- Takes: what was typed, or NULL; whether archived ones too; the id that the page before ended with, or NULL; newest first; how
-- many at most; how many to skip. Returns ids in order. ROWS is a page, for the plan of what is joined with it: otherwise 1,000
-- are assumed.
CREATE OR REPLACE FUNCTION company_page(
    p_search text, p_archived boolean, p_after integer, p_descending boolean, p_limit bigint, p_offset bigint
) RETURNS SETOF integer LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 50
SET search_path = multiflexi, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    seen integer[] := CASE WHEN sees_everything() THEN NULL ELSE coalesce(session_companies(), '{}') END;
    wanted tsquery := search_of(p_search);
BEGIN
    IF btrim(coalesce(p_search, '')) <> '' AND wanted IS NULL THEN
        RETURN; -- signs alone are in no name
    ELSIF p_descending THEN
        RETURN QUERY
            SELECT c.id FROM company c
             WHERE c.removed_at IS NULL AND (seen IS NULL OR c.id = ANY (seen)) AND (p_archived OR NOT c.archived)
               AND (wanted IS NULL OR c.words @@ wanted) AND (p_after IS NULL OR c.id < p_after)
             ORDER BY c.id DESC LIMIT p_limit OFFSET coalesce(p_offset, 0);
    ELSE
        RETURN QUERY
            SELECT c.id FROM company c
             WHERE c.removed_at IS NULL AND (seen IS NULL OR c.id = ANY (seen)) AND (p_archived OR NOT c.archived)
               AND (wanted IS NULL OR c.words @@ wanted) AND (p_after IS NULL OR c.id > p_after)
             ORDER BY c.id LIMIT p_limit OFFSET coalesce(p_offset, 0);
    END IF;
END
$$;

-- Ids of a page of run templates; see company_page.
-- Takes: company or NULL; application or NULL; what was typed, or NULL; the id that the page before ended with, or NULL; newest
-- first; how many at most; how many to skip. Returns ids in order.
CREATE OR REPLACE FUNCTION run_template_page(
    p_company integer, p_application integer, p_search text, p_after integer, p_descending boolean, p_limit bigint, p_offset bigint
) RETURNS SETOF integer LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 50
SET search_path = multiflexi, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    seen integer[] := CASE WHEN sees_everything() THEN NULL ELSE coalesce(session_companies(), '{}') END;
    wanted tsquery := search_of(p_search);
BEGIN
    IF btrim(coalesce(p_search, '')) <> '' AND wanted IS NULL THEN
        RETURN;
    ELSIF p_descending THEN
        RETURN QUERY
            SELECT t.id FROM run_template t
             WHERE t.removed_at IS NULL AND (seen IS NULL OR t.company_id = ANY (seen))
               AND (p_company IS NULL OR t.company_id = p_company) AND (p_application IS NULL OR t.app_id = p_application)
               AND (wanted IS NULL OR t.words @@ wanted) AND (p_after IS NULL OR t.id < p_after)
             ORDER BY t.id DESC LIMIT p_limit OFFSET coalesce(p_offset, 0);
    ELSE
        RETURN QUERY
            SELECT t.id FROM run_template t
             WHERE t.removed_at IS NULL AND (seen IS NULL OR t.company_id = ANY (seen))
               AND (p_company IS NULL OR t.company_id = p_company) AND (p_application IS NULL OR t.app_id = p_application)
               AND (wanted IS NULL OR t.words @@ wanted) AND (p_after IS NULL OR t.id > p_after)
             ORDER BY t.id LIMIT p_limit OFFSET coalesce(p_offset, 0);
    END IF;
END
$$;
