-- depends: 0021.signing-in
-- Ids of customers, to whom companies belong, and of servers that companies use.
CREATE SEQUENCE customer_id AS integer;
CREATE SEQUENCE server_id AS integer;
