-- What SQLite has beyond plain tables, each thing with rows in it.
PRAGMA page_size = 1024;
PRAGMA encoding = 'UTF-16';
PRAGMA user_version = 7;
PRAGMA application_id = 9;
CREATE TABLE numbered (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT);
INSERT INTO numbered (x) VALUES ('é'), ('b');
DELETE FROM numbered WHERE x = 'b';
CREATE TABLE strictly (id INTEGER PRIMARY KEY, v TEXT) STRICT;
INSERT INTO strictly VALUES (1, 'a');
CREATE TABLE without_id (k TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO without_id VALUES ('a');
CREATE TABLE "we""ird" ("a b" INT);
INSERT INTO "we""ird" VALUES (1);
CREATE VIEW broken AS SELECT * FROM nowhere;
CREATE VIRTUAL TABLE searched USING fts5 (a);
INSERT INTO searched VALUES ('hello');
CREATE VIRTUAL TABLE boxes USING rtree (id, a, b);
INSERT INTO boxes VALUES (1, 1, 2);
