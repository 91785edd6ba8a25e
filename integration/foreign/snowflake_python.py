"""snowflake-connector-python, unmodified, at an account's own name."""
import os

from judge import Judge

os.environ["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"
import snowflake.connector
from snowflake.connector.version import VERSION

j = Judge("snowflake-connector-python", ".".join(str(v) for v in VERSION[:3]))
ACCOUNT, HOST, TOKEN = (os.environ[f"SNOWFLAKE_{n}"] for n in ("ACCOUNT", "HOST", "TOKEN"))


def connect(**more):
    settings = dict(account=ACCOUNT, host=HOST, login_timeout=10, disable_ocsp_checks=True)
    return snowflake.connector.connect(**{**settings, **more})


def federated(**more):
    return connect(**{**dict(authenticator="WORKLOAD_IDENTITY", workload_identity_provider="OIDC", token=TOKEN), **more})


def keys(**more):
    return connect(**{**dict(authenticator="SNOWFLAKE_JWT", user=os.environ["SNOWFLAKE_KEY_USER"], private_key_file=os.environ["SNOWFLAKE_KEY"]), **more})


def asked(connection, *statements):
    with connection as c, c.cursor() as cursor:
        for s in statements:
            got = cursor.execute(s).fetchall()
    return got


def transaction():
    with federated(autocommit=False) as c, c.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("select 1").fetchall()
        c.commit()
        c.rollback()
        c.autocommit(True)
    return c.is_closed()


j.works("a workload identity", lambda: asked(federated(), "select current_user()"), [("CARNET",)])
j.works("in lower case", lambda: asked(federated(workload_identity_provider="oidc"), "select 1"), [(1,)])
j.works("a key pair", lambda: asked(keys(), "select current_user()"), [("CARNET_KEYS",)])
j.works("with a name", lambda: asked(federated(), "select 1 as id"), [(1,)])
j.works("a transaction", transaction, True)
j.works("session settings", lambda: asked(federated(session_parameters={"QUERY_TAG": "job"}), "alter session set TIMEZONE = 'UTC'", "select 1"), [(1,)])
j.works("a session that stays", lambda: asked(federated(client_session_keep_alive=True), "select 1"), [(1,)])
j.works("an account's name", lambda: asked(federated(), "select current_account()"), [(ACCOUNT,)])
j.works("a parameter", lambda: asked(federated(), "select 1", "commit"), [("Statement executed successfully.",)])
j.refused("another's token", lambda: federated(token=TOKEN[:-8] + "AAAAAAAA"), "390100", "Incorrect username", "250001")
j.refused("another account", lambda: federated(account="GLOBEX-EU"), "390201", "not exist")
j.refused("another user's key", lambda: keys(user="CARNET"), "JWT token is invalid", "390144")
j.refused("a password", lambda: connect(user="CARNET", password="x"), "Incorrect username")
j.refused("a statement that is none", lambda: asked(federated(), "drop everything"), "SQL compilation error")
j.close()
