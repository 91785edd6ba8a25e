"""redshift_connector, unmodified, at a cluster's own name."""
import os

import redshift_connector

from judge import Judge

HOST, DATABASE, USER, PASSWORD = (os.environ[f"REDSHIFT_{n}"] for n in ("HOST", "DATABASE", "USER", "PASSWORD"))
j = Judge("redshift_connector", redshift_connector.__version__)


def connect(**more):
    settings = dict(host=HOST, port=5439, database=DATABASE, user=USER, password=PASSWORD, ssl=True, sslmode="verify-full", timeout=20)
    return redshift_connector.connect(**{**settings, **more})


def asked(connection, *statements):
    with connection as c, c.cursor() as cursor:
        for s in statements:
            cursor.execute(s)
        got = [tuple(r) for r in cursor.fetchall()] if cursor.description else None
        c.commit()
    return got


def automatic():
    c = connect()
    c.autocommit = True
    return asked(c, "select greeting from greetings")


def rolled_back():
    with connect() as c, c.cursor() as cursor:
        cursor.execute("select 1")
        c.rollback()
        cursor.execute("select 1")
        return [tuple(r) for r in cursor.fetchall()]


j.works("write and read", lambda: asked(connect(), "insert into greetings values ('by redshift_connector')", "select greeting from greetings"), [("by redshift_connector",)])
j.works("with autocommit", automatic, [("by redshift_connector",)])
j.works("a rollback", rolled_back, [(1,)])
j.works("a name", lambda: asked(connect(), "select 1 as id"), [(1,)])
j.refused("another's table", lambda: asked(connect(), "select greeting from salaries"), "permission denied")
j.refused("a wrong password", lambda: connect(password="x"), "authentication failed", "password")
j.refused("another database", lambda: connect(database="other"), "does not exist", "authentication", "permission")
j.close()
