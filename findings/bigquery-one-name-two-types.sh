#!/usr/bin/env bash
# PyPI google-cloud-bigquery 3.47.0: a load job carries skipLeadingRows as a string, and jobs.get
# carries a parameter that it does not have.
#
# BigQuery's description, here the copy in google-api-python-client 2.202.0, gives the name
# skipLeadingRows two types. It is an integer (int32) in a load job, and a string (int64) in the
# options of an external table. The client writes a string in both. It writes maxBadRecords, an
# int32 as well, as a number. A server of load jobs has to read numbers in strings.
# The client also sends projection=full with jobs.get. In the description, jobs.list alone has it.
#
# The client's requests below went to a server on the loopback address.
#
#     described: JobConfigurationLoad.skipLeadingRows: integer, int32
#     described: JobConfigurationLoad.maxBadRecords: integer, int32
#     described: CsvOptions.skipLeadingRows: string, int64
#     sent: load.skipLeadingRows: "1"
#     sent: load.maxBadRecords: 2
#     sent: csvOptions.skipLeadingRows: "1"
#     described: parameters of jobs.get: jobId, location, projectId
#     described: projection is a parameter of: jobs.list
#     sent: GET /bigquery/v2/projects/acme/jobs/one?projection=full&location=US&prettyPrint=false
set -euo pipefail
[[ ${1:-} != -h ]] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit; }
expected=$(sed -n 's/^#     //p' "$0")
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT
python3 -m venv "$at/venv"
"$at/venv/bin/pip" install --quiet --no-cache-dir google-cloud-bigquery==3.47.0 google-api-python-client==2.202.0 >&2 || exit 3

cat >"$at/ask.py" <<'EOF'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import googleapiclient
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

requests = []
table = {"projectId": "acme", "datasetId": "d", "tableId": "t"}
job = {
    "jobReference": {"projectId": "acme", "jobId": "one", "location": "US"},
    "configuration": {"jobType": "LOAD", "load": {"destinationTable": table, "sourceUris": ["gs://exports/a.csv"]}},
    "status": {"state": "DONE"},
}


class BigQuery(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        requests.append((f"{self.command} {self.path}", json.loads(body or "{}")))
        text = json.dumps(job).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST

    def log_message(self, *_):
        pass


found = Path(googleapiclient.__file__).parent / "discovery_cache/documents/bigquery.v2.json"
described = json.loads(found.read_text())


def field(schema, name):
    of = described["schemas"][schema]["properties"][name]
    print(f"described: {schema}.{name}: {of['type']}, {of['format']}")


field("JobConfigurationLoad", "skipLeadingRows")
field("JobConfigurationLoad", "maxBadRecords")
field("CsvOptions", "skipLeadingRows")

server = ThreadingHTTPServer(("127.0.0.1", 0), BigQuery)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = bigquery.Client(
    project="acme",
    credentials=AnonymousCredentials(),
    client_options={"api_endpoint": f"http://127.0.0.1:{server.server_port}"},
)
how = bigquery.LoadJobConfig(source_format="CSV", skip_leading_rows=1, max_bad_records=2)
client.load_table_from_uri("gs://exports/a.csv", "acme.d.t", job_config=how, job_id="one", location="US")
external = bigquery.ExternalConfig("CSV")
external.source_uris = ["gs://exports/a.csv"]
external.options.skip_leading_rows = 1
query = bigquery.QueryJobConfig(table_definitions={"a": external})
client.query("SELECT 1 FROM a", job_config=query, job_id="two", location="US", job_retry=None)
client.get_job("one", location="US")
server.shutdown()

load, query, get = requests
for name in ("skipLeadingRows", "maxBadRecords"):
    print(f"sent: load.{name}: {json.dumps(load[1]['configuration']['load'][name])}")
options = query[1]["configuration"]["query"]["tableDefinitions"]["a"]["csvOptions"]
print(f"sent: csvOptions.skipLeadingRows: {json.dumps(options['skipLeadingRows'])}")
methods = described["resources"]["jobs"]["methods"]
print("described: parameters of jobs.get:", ", ".join(sorted(methods["get"]["parameters"])))
having = [name for name, method in methods.items() if "projection" in method["parameters"]]
print("described: projection is a parameter of:", ", ".join("jobs." + name for name in having))
print("sent:", get[0])
EOF
seen=$(NO_PROXY=127.0.0.1 timeout 60 "$at/venv/bin/python" "$at/ask.py")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo 'this is not what was seen before: see -h' >&2; exit 1; }
