"""google-cloud-bigquery, unmodified, at BigQuery's own name."""
import io
import os

from google.cloud import bigquery
from google.oauth2.credentials import Credentials

from judge import Judge

PROJECT, DATASET = os.environ["BQ_PROJECT"], os.environ["BQ_DATASET"]
client = bigquery.Client(project=PROJECT, credentials=Credentials(os.environ["BQ_TOKEN"]))
j = Judge("google-cloud-bigquery", bigquery.__version__)
at = f"{PROJECT}.{DATASET}.py"
schema = [bigquery.SchemaField("n", "INTEGER"), bigquery.SchemaField("s", "STRING"), bigquery.SchemaField("f", "FLOAT")]


def create():
    return client.create_table(bigquery.Table(at, schema=schema)).table_type


def values(rows):
    return [tuple(r.values()) for r in rows]


def load_file():
    config = bigquery.LoadJobConfig(source_format="CSV", skip_leading_rows=1, schema=schema)
    client.load_table_from_file(io.BytesIO(b"n,s,f\n3,c,3.5\n"), at, job_config=config).result()


def load_json():
    config = bigquery.LoadJobConfig(schema=schema)
    client.load_table_from_json([{"n": 2, "s": "b", "f": 2.5}], at, job_config=config).result()


def into_a_table():
    config = bigquery.QueryJobConfig(destination=f"{at}_copy", write_disposition="WRITE_TRUNCATE")
    client.query(f"SELECT * FROM `{at}`", job_config=config).result()
    return client.get_table(f"{at}_copy").num_rows


j.works("make a table", create, "TABLE")
j.works("stream rows", lambda: client.insert_rows_json(at, [{"n": 1, "s": "a", "f": 1.5}]), [])
j.works("load JSON", load_json)
j.works("load a file", load_file)
j.works("query", lambda: values(client.query(f"SELECT * FROM `{at}`").result()), [(1, "a", 1.5), (2, "b", 2.5), (3, "c", 3.5)])
j.works("query by jobs.query", lambda: values(client.query(f"SELECT n FROM `{at}` LIMIT 2", api_method=bigquery.enums.QueryApiMethod.QUERY).result()), [(1,), (2,)])
j.works("query and wait", lambda: values(client.query_and_wait("SELECT 1 AS one, 'x' AS s")), [(1, "x")])
j.works("query by pages", lambda: len(list(client.query(f"SELECT * FROM `{at}`").result(page_size=1))), 3)
j.works("look at a job", lambda: client.get_job(client.query("SELECT 1").job_id).state, "DONE")
j.works("a dry run", lambda: client.query(f"SELECT * FROM `{at}`", job_config=bigquery.QueryJobConfig(dry_run=True)).total_bytes_processed, 0)
j.works("query into a table", into_a_table, 3)
j.works("list rows", lambda: len(list(client.list_rows(at))), 3)
j.works("look at a table", lambda: client.get_table(at).num_rows, 3)
j.works("look at the dataset", lambda: client.get_dataset(DATASET).dataset_id, DATASET)
j.works("list tables", lambda: {t.table_type for t in client.list_tables(DATASET)}, {"TABLE"})
j.works("list datasets", lambda: [d.dataset_id for d in client.list_datasets()], [DATASET])
j.works("delete a table", lambda: client.delete_table(f"{at}_copy"))
j.refused("a statement that is none", lambda: client.query("SELEC 1").result(), "BadRequest")
j.refused("a table that is not there", lambda: client.get_table(f"{PROJECT}.{DATASET}.none"), "NotFound")
j.refused("a table that is there", lambda: client.create_table(bigquery.Table(at, schema=schema)), "Conflict")
for name, do in {
    "another project's dataset": lambda: client.get_dataset("globex-data.inbox"),
    "another project's rows": lambda: list(client.list_rows(client.get_table("globex-data.inbox.t"))),
    "a query of another project's": lambda: client.query("SELECT * FROM `globex-data.inbox.t`").result(),
    "a query in another project": lambda: client.query("SELECT 1", project="globex-data").result(),
    "a table of another project's": lambda: client.create_table(bigquery.Table("globex-data.inbox.t", schema=schema)),
}.items():
    j.refused(f"outside: {name}", do, "Forbidden")
j.close()
