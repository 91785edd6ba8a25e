"""DuckDB, unmodified, with its own extensions and the secret that docs/use.md shows."""
import os
import pathlib

import duckdb
import duckdb_extension_aws
import duckdb_extension_httpfs

db = duckdb.connect()  # which loads no extension that DuckDB has not signed
for package in duckdb_extension_httpfs, duckdb_extension_aws:
    (extension,) = pathlib.Path(package.__file__).parent.rglob("*.duckdb_extension")
    db.execute(f"LOAD '{extension}'")
db.execute(os.environ["DUCKDB_SECRET"])
db.execute("COPY (SELECT 42 AS answer) TO 's3://acme-lake/from-operator/answer.parquet'")
assert db.execute("SELECT answer FROM 's3://acme-lake/from-operator/*.parquet'").fetchall() == [(42,)]
# What is outside the scope gets no secret, and with a wider scope S3 refuses it.
db.execute(os.environ["DUCKDB_SECRET"].replace("SECRET lake", "SECRET wide").replace("acme-lake/from-operator/", "acme-lake/theirs/"))
try:
    db.execute("COPY (SELECT 42 AS answer) TO 's3://acme-lake/theirs/answer.parquet'")
except duckdb.Error as e:
    assert "403" in str(e), e
else:
    raise SystemExit("DuckDB wrote outside the prefix")
print("duckdb", duckdb.__version__)
