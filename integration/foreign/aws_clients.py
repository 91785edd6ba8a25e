"""AWS's clients as judges of the lab's S3 and Redshift, over TLS and under AWS's own names:

    carnet lab -- python3 aws_clients.py

A proxy in this process leads every host's port 443 to the lab, and the drivers' connections
go there as well. Nothing else of the clients is changed.
"""
import contextlib
import io
import json
import os
import socket
import ssl
import subprocess
import threading
import urllib.parse

import boto3
import psycopg
import pyarrow
import pyarrow.fs
import redshift_connector
from botocore.config import Config
from botocore.exceptions import ClientError

CA = os.environ["CARNET_LAB_CA"]
cases = {}
disagreements = {}


@contextlib.contextmanager
def case(client, name, refused=None):
    """Must work, or be refused with a code."""
    cases[client] = cases.get(client, 0) + 1
    try:
        yield
        got = None
    except Exception as e:
        got = getattr(e, "response", {}).get("Error", {}).get("Code") or getattr(e, "sqlstate", None) or f"{type(e).__name__}: {e}"
    if got != refused:
        disagreements[client] = disagreements.get(client, 0) + 1
        print(f"disagreement: {client}: {name}: {got or 'it worked'}, not {refused or 'well'}", flush=True)


def pump(a, b):
    with contextlib.suppress(OSError):
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)


def tunnel(client):
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(4096)
        if not data:
            return
        head += data
    host, port = os.environ["CARNET_LAB"].split(":")
    lab = socket.create_connection((host, int(port)))
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    threading.Thread(target=pump, args=(client, lab), daemon=True).start()
    pump(lab, client)


def proxy():
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=tunnel, args=(client,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def vend(what):
    return json.loads(subprocess.run(["carnet", "vend", what, "--json"], check=True, capture_output=True).stdout)


def judge_boto3(s, through):
    s3 = boto3.client("s3", region_name="eu-west-1", verify=CA, config=Config(proxies={"https": through}, retries={"max_attempts": 0}),
                      aws_access_key_id=s["access_key_id"], aws_secret_access_key=s["secret_access_key"], aws_session_token=s["session_token"])
    at = {"Bucket": "acme-lake", "Key": "from-operator/judge"}
    for algorithm in (None, "CRC32", "SHA1", "SHA256"):
        with case("boto3", f"put, {algorithm}"):
            s3.put_object(**at, Body=io.BytesIO(b"x" * 100_000), **({"ChecksumAlgorithm": algorithm} if algorithm else {}))
            assert s3.get_object(**at)["Body"].read() == b"x" * 100_000
    with case("boto3", "upload in parts"):
        s3.upload_fileobj(io.BytesIO(b"y" * (9 << 20)), "acme-lake", "from-operator/large")
    with case("boto3", "copy in parts"):
        s3.copy({"Bucket": "acme-lake", "Key": "from-operator/large"}, "acme-lake", "from-operator/larger")
        assert s3.head_object(Bucket="acme-lake", Key="from-operator/larger")["ContentLength"] == 9 << 20
    with case("boto3", "put elsewhere", "AccessDenied"):
        s3.put_object(Bucket="acme-lake", Key="theirs/judge", Body=b"x")
    for name, more in {
        "get_object_attributes": {"ObjectAttributes": ["ETag"]}, "get_object_retention": {}, "get_object_legal_hold": {}, "get_object_torrent": {},
        "get_object_tagging": {}, "restore_object": {"RestoreRequest": {"Days": 1}}, "put_object_legal_hold": {"LegalHold": {"Status": "ON"}},
    }.items():
        with case("boto3", name, "AccessDenied"):
            getattr(s3, name)(**at, **more)
    with case("boto3", "head_bucket tells the Region to whom it refuses", "403"):
        try:
            s3.head_bucket(Bucket="acme-lake")
        except ClientError as e:
            assert e.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "eu-west-1"
            raise


def judge_pyarrow(s, through):
    fs = pyarrow.fs.S3FileSystem(access_key=s["access_key_id"], secret_key=s["secret_access_key"], session_token=s["session_token"],
                                 region="eu-west-1", proxy_options=through, tls_ca_file_path=CA)
    for size in (10, 12 << 20):
        with case("pyarrow", f"write {size} bytes"):
            with fs.open_output_stream(f"acme-lake/from-operator/arrow-{size}") as out:
                out.write(b"z" * size)


def judge_drivers(login):
    at = urllib.parse.urlsplit(login["dsn"])
    host, database = at.hostname, at.path[1:]
    port = int(os.environ["LAB_PGPORT"])
    with case("psycopg", "a transaction"):
        with psycopg.connect(host=host, hostaddr="127.0.0.1", port=port, user=login["user"], password=login["password"], dbname=database, sslmode="verify-full", sslrootcert=CA) as c:
            assert c.execute("select 1 as id").fetchall() == [(1,)]
            c.execute("insert into greetings values ('from psycopg')")
            c.rollback()
            assert ("from psycopg",) not in c.execute("select greeting from greetings").fetchall()
            with case("psycopg", "a table of others", "42501"):
                c.execute("select greeting from salaries")
            with case("psycopg", "after an error", "25P02"):
                c.execute("select 1")
    resolve, trust = socket.getaddrinfo, ssl.SSLContext.load_verify_locations
    socket.getaddrinfo = lambda host, port, *a, **k: resolve("127.0.0.1", port, *a, **k)
    ssl.SSLContext.load_verify_locations = lambda self, *a, **k: trust(self, CA)
    try:
        with case("redshift_connector", "a transaction"):
            c = redshift_connector.connect(host=host, port=port, user=login["user"], password=login["password"], database=database, ssl=True, sslmode="verify-ca")
            cursor = c.cursor()
            cursor.execute("select 1 as id")
            assert list(cursor.fetchall()[0]) == [1]
            cursor.execute("insert into greetings values ('from redshift_connector')")
            c.commit()
            cursor.execute("select version()")
            assert "Redshift" in cursor.fetchall()[0][0]
    finally:
        socket.getaddrinfo, ssl.SSLContext.load_verify_locations = resolve, trust


session, login = vend("acme/lake")["session"], vend("acme/marts")["login"]
for name in [n for n in os.environ if n.startswith("AWS_ENDPOINT_URL") or n == "AWS_PROFILE"]:
    del os.environ[name]
through = proxy()
judge_boto3(session, through)
judge_pyarrow(session, through)
judge_drivers(login)
for client, version in {"boto3": boto3.__version__, "pyarrow": pyarrow.__version__, "psycopg": psycopg.__version__, "redshift_connector": redshift_connector.__version__}.items():
    print(f"judge: {client} {version}: {cases.get(client, 0)} cases, {disagreements.get(client, 0)} disagreements")
