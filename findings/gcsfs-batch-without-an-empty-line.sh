#!/usr/bin/env bash
# PyPI gcsfs 2026.10.1: the requests inside its batch have headers that no empty line ends.
#
# Cloud Storage's batch is a multipart/mixed body, and each part holds one HTTP request. An empty
# line ends the headers of an HTTP request, also of one without a body. The line break before
# `--boundary` belongs to the boundary (RFC 2046, 5.1.1). gcsfs writes that one line break and no
# other, so its parts end inside their headers. A strict reader of HTTP requests meets the end of
# its input there.
# google-cloud-storage 3.17.1 writes the empty line. A server of batches has to read both.
#
# Both delete two objects here, at a server on the loopback address. gcsfs sends batches to
# Google's hosts alone, so it is told that it is at one. Below: each part's request line, and
# whether an empty line ends its headers.
#
#     gcsfs: DELETE /storage/v1/b/exports/o/a.csv HTTP/1.1: no empty line
#     gcsfs: DELETE /storage/v1/b/exports/o/b.csv HTTP/1.1: no empty line
#     google-cloud-storage: DELETE /storage/v1/b/exports/o/a.csv?prettyPrint=false HTTP/1.1: an empty line
#     google-cloud-storage: DELETE /storage/v1/b/exports/o/b.csv?prettyPrint=false HTTP/1.1: an empty line
set -euo pipefail
[[ ${1:-} != -h ]] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit; }
expected=$(sed -n 's/^#     //p' "$0")
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT
python3 -m venv "$at/venv"
"$at/venv/bin/pip" install --quiet --no-cache-dir gcsfs==2026.10.1 google-cloud-storage==3.17.1 >&2 || exit 3

cat >"$at/ask.py" <<'EOF'
import json
import os
import re
import threading
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"  # a look-up of the bucket's kind, elsewhere
import gcsfs
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

batches = []


class AtGoogle(gcsfs.GCSFileSystem):
    on_google = True


class Storage(BaseHTTPRequestHandler):
    def do_GET(self):  # gcsfs looks at an object before it deletes it
        name = self.path.split("?")[0].rsplit("/", 1)[1]
        self.answer("application/json", json.dumps({"name": name, "bucket": "exports", "size": "3", "generation": "1"}))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        batches.append((self.headers["Content-Type"], body))
        part = "--x\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\r\n"
        self.answer("multipart/mixed; boundary=x", part * body.count(b"DELETE ") + "--x--\r\n")

    def answer(self, kind, text):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def show(name):
    for kind, body in batches:
        for part in message_from_bytes(b"Content-Type: " + kind.encode() + b"\n\n" + body).get_payload():
            request = part.get_payload().replace("\r\n", "\n")
            line = re.sub(r"http://[^/]+", "", request.split("\n")[0])
            ended = "an" if "\n\n" in request else "no"
            print(f"{name}: {line}: {ended} empty line")
    batches.clear()


server = ThreadingHTTPServer(("127.0.0.1", 0), Storage)
threading.Thread(target=server.serve_forever, daemon=True).start()
here = f"http://127.0.0.1:{server.server_port}"

AtGoogle(project="acme", token="anon", endpoint_url=here).rm(["exports/a.csv", "exports/b.csv"])
show("gcsfs")
client = storage.Client(project="acme", credentials=AnonymousCredentials(), client_options={"api_endpoint": here})
with client.batch():
    for name in ("a.csv", "b.csv"):
        client.bucket("exports").blob(name).delete()
show("google-cloud-storage")
server.shutdown()
EOF
seen=$(NO_PROXY=127.0.0.1 timeout 60 "$at/venv/bin/python" "$at/ask.py")
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo 'this is not what was seen before: see -h' >&2; exit 1; }
