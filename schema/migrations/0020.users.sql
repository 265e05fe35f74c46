-- depends: 0006.skipped-events
-- Ids of users and of what lets them in.
CREATE SEQUENCE user_id AS integer;
CREATE SEQUENCE membership_id AS integer;
CREATE SEQUENCE user_group_id AS integer;
CREATE SEQUENCE access_request_id AS integer;
CREATE SEQUENCE api_token_id AS integer;
