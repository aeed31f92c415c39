-- What PostgreSQL has beyond plain tables, each thing with rows in it. The role `reader` is there.
CREATE TABLE parts (id INT, d DATE, PRIMARY KEY (id, d)) PARTITION BY RANGE (d);
CREATE TABLE parts_2019 PARTITION OF parts FOR VALUES FROM ('2019-01-01') TO ('2020-01-01');
CREATE TABLE parts_other PARTITION OF parts DEFAULT;
INSERT INTO parts VALUES (1, '2019-01-01'), (2, '2025-01-01');
CREATE TABLE parent (x INT);
CREATE TABLE child (y INT) INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2, 3);

CREATE DOMAIN positive AS INT CHECK (VALUE > 0);
CREATE TYPE pair AS (a INT, b TEXT);
CREATE CAST (pair AS TEXT) WITH INOUT;
CREATE TABLE kinds (p positive, q pair, r INT4RANGE, n NUMERIC, f FLOAT8, b BIT(3), u UUID DEFAULT gen_random_uuid(),
  ts TIMESTAMPTZ, iv INTERVAL, l TEXT[][]);
INSERT INTO kinds VALUES (1, ROW (1, E'a\\b\t"'), '[1,5)', 'NaN', 'Infinity', B'101', DEFAULT,
  '2024-03-31 02:30:00.123456+02', '1 mon 2 days', '{{a,NULL},{"x,y",""}}');
INSERT INTO kinds DEFAULT VALUES;
ALTER TABLE kinds ENABLE ROW LEVEL SECURITY;
CREATE POLICY positive_only ON kinds USING (p > 0);

CREATE TABLE numbered (id BIGINT GENERATED ALWAYS AS IDENTITY (START 7 INCREMENT 5), v TEXT);
INSERT INTO numbered (v) VALUES ('a'), ('b');
CREATE TABLE computed (a INT, g INT GENERATED ALWAYS AS (a + 1) STORED, EXCLUDE USING btree (a WITH =));
INSERT INTO computed (a) VALUES (1);
CREATE UNLOGGED TABLE unlogged (x INT);
INSERT INTO unlogged VALUES (1);

CREATE TABLE "Weird "" t" ("co"" l" INT, "new
line" INT, "\." TEXT);
INSERT INTO "Weird "" t" VALUES (1, 2, '\.'), (3, 4, E'\n');
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;

CREATE TABLE hen (id INT PRIMARY KEY, egg INT);
CREATE TABLE egg (id INT PRIMARY KEY, hen INT REFERENCES hen (id) DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg (id) NOT VALID;
INSERT INTO hen VALUES (1, NULL);
INSERT INTO egg VALUES (1, 1);
UPDATE hen SET egg = 1;
COMMENT ON TABLE hen IS 'it''s
-- PostgreSQL database dump complete
COPY x FROM stdin;';
CREATE STATISTICS both_columns ON id, egg FROM hen;

-- Names without their schema, in what a restore has to evaluate.
CREATE FUNCTION plus(x INT) RETURNS INT LANGUAGE sql IMMUTABLE AS 'SELECT x + 1';
CREATE FUNCTION plus_two(x INT) RETURNS INT LANGUAGE sql IMMUTABLE AS 'SELECT plus(plus(x))';
CREATE INDEX by_function ON hen (plus_two(id)) WHERE id > 0;
CREATE FUNCTION is_hen(i INT) RETURNS BOOLEAN LANGUAGE plpgsql
  AS $$ BEGIN RETURN EXISTS (SELECT 1 FROM hen WHERE id = i); END $$;
CREATE TABLE roost (i INT CHECK (is_hen(i)));
INSERT INTO roost VALUES (1);

CREATE VIEW z AS SELECT plus(id) AS q FROM hen;
CREATE VIEW a AS SELECT * FROM z;
CREATE MATERIALIZED VIEW counted AS SELECT * FROM a;
CREATE UNIQUE INDEX counted_once ON counted (q);
CREATE MATERIALIZED VIEW not_yet AS SELECT 1 AS x WITH NO DATA;
CREATE TABLE watched (x INT);
CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.x := NEW.x + 1; RETURN NEW; END $$;
CREATE TRIGGER on_insert BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION more();
INSERT INTO watched VALUES (1);
CREATE RULE kept AS ON DELETE TO watched DO INSTEAD NOTHING;

CREATE AGGREGATE total (INT) (SFUNC = int4pl, STYPE = INT, INITCOND = '0');
CREATE OPERATOR === (LEFTARG = INT, RIGHTARG = INT, FUNCTION = int4eq);
CREATE COLLATION unaccented (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TEXT SEARCH CONFIGURATION searched (COPY = english);
CREATE PROCEDURE one(INOUT x INT) LANGUAGE plpgsql AS $$ BEGIN x := 1; END $$;
SELECT lo_from_bytea(4242, '\x00ff5c0a27');

CREATE SCHEMA side;
CREATE EXTENSION citext WITH SCHEMA side;
CREATE EXTENSION pg_trgm;
CREATE TABLE side.mails (e side.citext UNIQUE);
CREATE INDEX alike ON side.mails USING gin ((e::text) gin_trgm_ops);
INSERT INTO side.mails VALUES ('Ab');
CREATE SCHEMA other;
CREATE TABLE other.t (x INT DEFAULT 3);
INSERT INTO other.t DEFAULT VALUES;
ALTER DEFAULT PRIVILEGES IN SCHEMA other GRANT SELECT ON TABLES TO PUBLIC;
GRANT USAGE ON SCHEMA other TO reader;
GRANT SELECT (x) ON other.t TO reader;
