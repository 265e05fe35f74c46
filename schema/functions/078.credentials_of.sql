-- The credentials that jobs of a run template get, in the order in which they were assigned: what each is called, the fields of its
-- prototype, and its values, those of its type among them, as ciphertext. Only those of the template's own company.
-- Takes a run template. Returns a JSON list; NULL if it has none.
CREATE OR REPLACE FUNCTION credentials_of(p_run_template integer) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
    SELECT jsonb_agg(jsonb_build_object(
               'id', c.id, 'name', c.name, 'type_id', y.id, 'type', y.name, 'prototype', p.code,
               'fields', p.document->'definition'->'fields', 'shared', y.document->'values', 'values', c.document->'values')
               ORDER BY a.position)
      FROM run_template_credential a
      JOIN credential c ON c.id = a.credential_id AND c.company_id = a.company_id AND c.removed_at IS NULL
      JOIN credential_type y ON y.id = c.credential_type_id AND y.company_id = c.company_id
      JOIN credential_prototype p ON p.id = y.prototype_id
     WHERE a.run_template_id = p_run_template);
END
$$;
