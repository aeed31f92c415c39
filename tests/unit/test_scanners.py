"""Dumps are read right, whatever the size of the pieces they arrive in."""

from __future__ import annotations

import tracemalloc

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.engines.mysql_dump import (
    MySQLPartScanner,
    MySQLScanner,
)
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.engines.mysql_dump import Section as MySQLSection
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.engines.postgresql_dump import (
    PartScanner,
    PostgreSQLScanner,
    Roles,
    Section,
)
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import DamagedBackup

PIECES = [1, 2, 7, 64, 10_000]

MARIADB = rb"""/*M!999999\- enable the sandbox mode */
-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB
DROP TABLE IF EXISTS `empty`;
CREATE TABLE `empty` (
  `x` int(11) DEFAULT NULL
) ENGINE=InnoDB;
--
-- Dumping data for table `empty`
--

LOCK TABLES `empty` WRITE;
/*!40000 ALTER TABLE `empty` DISABLE KEYS */;
/*!40000 ALTER TABLE `empty` ENABLE KEYS */;
UNLOCK TABLES;
CREATE TABLE `od``d` (
  `id` int(11) NOT NULL AUTO_INCREMENT
) ENGINE=InnoDB AUTO_INCREMENT=3;
--
-- Dumping data for table `od``d`
--

LOCK TABLES `od``d` WRITE;
/*!40000 ALTER TABLE `od``d` DISABLE KEYS */;
INSERT INTO `od``d` VALUES
(1,'DEFINER=`root`@`localhost`),\n(2'),
(2,'it\'s \\ and ),('),
(3,0x00FF27);
/*!40000 ALTER TABLE `od``d` ENABLE KEYS */;
UNLOCK TABLES;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`nobody`@`nowhere`*/ /*!50003 trigger tr before insert on t for each row set @a=1*/;;
CREATE DEFINER=`root`@`localhost` PROCEDURE `p`()
begin
/*!40000 ALTER TABLE `fake` DISABLE KEYS */;
end
;;
DELIMITER ;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */
/*!50001 VIEW `v` AS select 1 AS `x` */;

-- Dump completed
"""

MYSQL = MARIADB.replace(b" VALUES\n(", b" VALUES (").replace(b"'),\n(", b"'),(").replace(b"),(3,0x", b"),(3,0x")

POSTGRESQL = rb'''--
-- PostgreSQL database dump
--

\restrict Ab12

SET statement_timeout = 0;
CREATE FUNCTION public.f() RETURNS integer
    LANGUAGE plpgsql
    AS $$ begin
COPY public.fake (x) FROM stdin;
return 1; end $$;

ALTER FUNCTION public.f() OWNER TO shop_owner;

CREATE TABLE public.e (
    x integer
);

--
-- Data for Name: e; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.e (x) FROM stdin;
\.


--
-- Data for Name: Odd "t"; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public."Odd ""t""" (id, s) FROM stdin;
1	x\n\\.\ny
2	\N
\.


SELECT pg_catalog.setval('public.t_id_seq', 2, true);
GRANT SELECT ON TABLE public.e TO reader;
GRANT SELECT ON TABLE public.e TO gone;
REVOKE USAGE ON SCHEMA public FROM PUBLIC;

--
-- PostgreSQL database dump complete
--

\unrestrict Ab12

'''


def fed(scanner, dump: bytes, size: int) -> bytes:
    """The dump as the scanner keeps it, given in pieces of `size` bytes."""
    pieces = (dump[start : start + size] for start in range(0, len(dump), size))
    return b"".join(kept for piece in pieces for kept in scanner.feed(piece)) + scanner.rest()


@pytest.mark.parametrize("size", PIECES)
@pytest.mark.parametrize("dump", [MARIADB, MYSQL], ids=["row a line", "all on one line"])
def test_mysql_rows_are_counted(dump, size):
    scanner = MySQLScanner()
    fed(scanner, dump, size)
    assert {name: table.rows for name, table in scanner.finish().tables.items()} == {"empty": 0, "od`d": 3}


ODD_ROWS = [
    rb"""INSERT INTO `od``d` VALUES
(1,'INSERT INTO `t` VALUES\n(2),\n(3)'),
(2,'`VALUES');
INSERT INTO `od``d` VALUES
(3,NULL);""",
    rb"""INSERT INTO `od``d` (`id`, `a)
`, row_start) VALUES (1,'INSERT INTO `t` VALUES (2),\n(3)'),
(2,'),(');
INSERT INTO `od``d` (`id`, `a)
`, row_start) VALUES (3,NULL);""",
]


@pytest.mark.parametrize("size", PIECES)
@pytest.mark.parametrize("rows", ODD_ROWS, ids=["row a line", "with named columns"])
def test_mysql_statements_of_a_table_are_told_from_its_rows(size, rows):
    start = MARIADB.index(b"INSERT INTO")
    end = MARIADB.index(b"\n/*!40000 ALTER TABLE `od``d` ENABLE")
    scanner = MySQLScanner()
    fed(scanner, MARIADB[:start] + rows + MARIADB[end:], size)
    assert scanner.finish().tables["od`d"].rows == 3


@pytest.mark.parametrize("size", PIECES)
def test_mysql_loses_definers_and_the_sandbox_line_and_nothing_else(size):
    kept = fed(MySQLScanner(), MARIADB, size)
    assert b"sandbox" not in kept
    assert kept.count(b"DEFINER=") == 1, "the one in a row is data"
    assert b"CREATE PROCEDURE `p`()" in kept
    assert b"/*!50013 SQL SECURITY DEFINER */" in kept
    assert b"/*!50003 CREATE*/ /*!50003 trigger tr" in kept
    rows = kept[kept.index(b"INSERT INTO") : kept.index(b"/*!40000 ALTER TABLE `od``d` ENABLE")]
    assert rows in MARIADB


@pytest.mark.parametrize("size", PIECES)
def test_postgresql_rows_are_counted_and_every_byte_is_kept(size):
    scanner = PostgreSQLScanner()
    assert fed(scanner, POSTGRESQL, size) == POSTGRESQL
    tables = scanner.finish().tables
    assert {name: table.rows for name, table in tables.items()} == {"public.e": 0, 'public."Odd ""t"""': 2}


def test_postgresql_gives_nothing_to_roles_that_cannot_have_it():
    roles = Roles(known=frozenset({"reader", "PUBLIC", "shop_owner"}), own=frozenset({"me"}))
    kept = fed(PostgreSQLScanner(roles), POSTGRESQL, 64)
    assert b"TO reader;" in kept
    assert b"TO gone;" not in kept
    assert b"OWNER TO" not in kept
    assert b"ON SCHEMA public" not in kept


def test_postgresql_is_made_fit_for_older_servers_and_schemas_that_are_there():
    setting = b"SET transaction_timeout = 0;\n"
    body = b"CREATE SCHEMA s;\n" + setting
    dump = POSTGRESQL.replace(b"SET statement", setting + b"SET statement").replace(b"COPY public.fake (x)", body)
    schema = b"-- Name: s; Type: SCHEMA; Schema: -; Owner: me\n--\n\nCREATE SCHEMA s;\n\n"
    function = b"-- Name: f(); Type: FUNCTION; Schema: public; Owner: me\n--\n\n"
    dump = dump.replace(b"CREATE FUNCTION", schema + function + b"CREATE FUNCTION")
    kept = fed(PostgreSQLScanner(Roles(known=frozenset(), own=frozenset())), dump, 64)
    assert kept.count(setting) == 1 and body in kept, "what a function says is left alone"
    assert b"\nCREATE SCHEMA IF NOT EXISTS s;\n" in kept


@pytest.mark.parametrize(("scanner", "dump"), [(MySQLScanner, MARIADB), (PostgreSQLScanner, POSTGRESQL)])
def test_a_dump_that_breaks_off_is_refused_wherever_it_does(scanner, dump):
    whole = dump.rindex(b"complete") + len(b"complete")
    for end in range(0, whole - len(b"completed\n"), 5):
        with pytest.raises(DamagedBackup, match="breaks off"):
            scanner().examine([dump[:end]])


@pytest.mark.parametrize(
    ("scanner", "dump", "before", "after"),
    [
        (MySQLScanner, MARIADB, b"AUTO_INCREMENT=3", b"AUTO_INCREMENT=9"),
        (MySQLScanner, MARIADB, b"10.11.19", b"11.4.1"),
        (PostgreSQLScanner, POSTGRESQL, b"'public.t_id_seq', 2", b"'public.t_id_seq', 3"),
        (PostgreSQLScanner, POSTGRESQL, b"Ab12", b"Zz99"),
        (PostgreSQLScanner, POSTGRESQL, b"OWNER TO shop_owner", b"OWNER TO postgres"),
    ],
)
def test_counters_versions_and_owners_are_not_schema(scanner, dump, before, after):
    assert before in dump
    one, other = scanner().examine([dump]), scanner().examine([dump.replace(before, after)])
    assert (one.schema, one.tables) == (other.schema, other.tables)


@pytest.mark.parametrize(
    ("scanner", "dump", "before", "after", "said"),
    [
        (MySQLScanner, MARIADB, b"it\\'s", b"it\\'t", "not the same content"),
        (MySQLScanner, MARIADB, b"`x` int(11)", b"`x` bigint(20)", "schema"),
        (MySQLScanner, MARIADB, b"AUTO_INCREMENT=3", b"AUTO_INCREMENT=9", "`od``d` go on with 9 instead of 3"),
        (PostgreSQLScanner, POSTGRESQL, b"seq', 2, true", b"seq', 2, false", "go on with 2, false instead of 2, true"),
        (PostgreSQLScanner, POSTGRESQL, b"2\t\\N\n", b"", "has 1 rows instead of 2"),
        (PostgreSQLScanner, POSTGRESQL, b"x integer", b"x bigint", "schema"),
    ],
)
def test_a_difference_is_named(scanner, dump, before, after, said):
    assert before in dump
    one, other = scanner().examine([dump]), scanner().examine([dump.replace(before, after)])
    assert said in one.difference(other)


@pytest.mark.parametrize(
    ("scanner", "dump", "row"),
    [
        (MySQLScanner, MARIADB, b"(2,'" + b"x" * 1000 + b"'),\n"),
        (MySQLScanner, MYSQL, b"(2,'" + b"x" * 1000 + b"'),"),
        (PostgreSQLScanner, POSTGRESQL, b"2\t" + b"x" * 1000 + b"\n"),
    ],
    ids=["row a line", "all on one line", "copy"],
)
def test_memory_does_not_grow_with_the_dump(scanner, dump, row):
    where = dump.index(b"(2,'it") if scanner is MySQLScanner else dump.index(b"2\t\\N")
    piece = row * 200

    def pieces():
        yield dump[:where]
        for _ in range(200):
            yield piece
        yield dump[where:]

    tracemalloc.start()
    content = scanner().examine(pieces())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(table.rows for table in content.tables.values()) > 40_000
    assert peak < 12 * len(piece), "the dump is two hundred pieces long"


@pytest.mark.parametrize("size", PIECES)
@pytest.mark.parametrize(
    ("kind", "dump", "tables", "gone"),
    [
        (MySQLPartScanner, MARIADB, ["empty", "od`d"], [b"sandbox", b"PROCEDURE `nobody`", b"-- Dump completed"]),
        (PartScanner, POSTGRESQL, ["public.e", 'public."Odd ""t"""'], [b"SET ", b"CREATE", b"setval", b"restrict"]),
    ],
)
def test_a_part_leaves_out_what_its_main_dump_has(kind, dump, tables, gone, size):
    scanner = kind()
    kept = fed(scanner, dump, size)
    assert list(scanner.finish().tables) == tables
    assert not [words for words in [*gone, b"dump complete"] if words in kept]
    rows = dump[dump.index(b"1\tx") : dump.index(b"2\t\\N")] if kind is PartScanner else b"(3,0x00FF27);\n"
    assert rows in kept


@pytest.mark.parametrize("size", PIECES)
def test_where_sections_begin_does_not_depend_on_the_pieces(size):
    for scanner, dump, section, mark in [
        (MySQLScanner(), MARIADB, MySQLSection.TABLES, b"-- Dumping data for table `empty`"),
        (PostgreSQLScanner(), POSTGRESQL, Section.DATA, b"-- Data for Name: e;"),
    ]:
        kept = fed(scanner, dump, size)
        assert kept[scanner.starts[section] :].startswith(mark)


def test_a_schema_is_the_same_in_another_order_and_not_with_other_columns():
    def schema(dump: bytes) -> str:
        scanner = MySQLScanner()
        fed(scanner, dump, 10_000)
        return scanner.finish().schema

    head, one, other = (
        b"-- MariaDB dump\n",
        *(
            b"-- Table structure for table `%s`\nCREATE TABLE `%s` (\n  `x` int,\n  `y` int\n);\n" % (name, name)
            for name in (b"a", b"b")
        ),
    )
    end = b"-- Dump completed\n"
    assert schema(head + one + other + end) == schema(head + other + one + end)
    assert schema(head + one + other + end) != schema(head + one + end)
    assert schema(head + one + end) != schema(head + one.replace(b"`x` int,\n  `y` int", b"`y` int,\n  `x` int") + end)


LITERALS = rb"""--
-- PostgreSQL database dump
--

CREATE TABLE public.t (
    x text DEFAULT 'a''b
-- Data for Name: e; Type: TABLE DATA; Schema: public; Owner: -
' NOT NULL, y$a$b integer DEFAULT 1
);
COMMENT ON TABLE public."o'dd
-- Name: i; Type: INDEX; Schema: public; Owner: -
" IS '
-- PostgreSQL database dump complete
"';
CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $_$ SELECT '
-- Name: i; Type: INDEX; Schema: public; Owner: -
$$ '; $_$; -- it's over
-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: -
COPY public.t (x) FROM stdin;
'
\.
-- Name: t_x; Type: INDEX; Schema: public; Owner: -
CREATE INDEX t_x ON public.t USING btree (x);
-- PostgreSQL database dump complete
"""


@pytest.mark.parametrize("size", PIECES)
def test_what_is_quoted_begins_no_section(size):
    scanner = PostgreSQLScanner()
    assert fed(scanner, LITERALS, size) == LITERALS
    assert LITERALS[scanner.starts[Section.DATA] :].startswith(b"-- Data for Name: t; Type: TABLE DATA;")
    assert LITERALS[scanner.starts[Section.POST_DATA] :].startswith(b"-- Name: t_x; Type: INDEX;")
    assert LITERALS[scanner.starts[Section.END] :] == b"-- PostgreSQL database dump complete\n"


@pytest.mark.parametrize("size", PIECES)
def test_what_a_trigger_says_begins_no_section(size):
    body = b"DELIMITER ;;\n/*!50003 CREATE*/ /*!50003 trigger t\n%s*/;;\nDELIMITER ;\n"
    body %= b"-- Dumping events for database 'x'\n/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n-- Dump completed\n"
    end = MARIADB.index(b"DELIMITER ;;")
    scanner, part = MySQLScanner(), MySQLPartScanner()
    fed(scanner, MARIADB[:end] + body + MARIADB[end:], size)
    assert set(scanner.starts) == {MySQLSection.TABLES, MySQLSection.END}
    assert body in fed(part, MARIADB[:end] + body + MARIADB[end:], size)
