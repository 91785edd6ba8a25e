"""google-cloud-storage, gcsfs, pyarrow and google-auth, unmodified, at Cloud Storage's own name."""
import datetime
import io
import os
import tempfile

os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"  # a look-up by gRPC, which the lab does not speak
import gcsfs
import google.auth.version
import pyarrow
import pyarrow.fs
import requests
from google.auth import downscoped
from google.cloud import storage
from google.cloud.storage import transfer_manager
from google.oauth2.credentials import Credentials

from judge import Judge

TOKEN, BUCKET = os.environ["GCS_TOKEN"], os.environ["GCS_BUCKET"]
IN, OUT = "from-operator", "theirs"
BIG = b"0123456789abcdef" * (10 << 16)  # 10 MiB: more than any client sends in one piece


def google_cloud_storage():
    j = Judge("google-cloud-storage", storage.__version__)
    client = storage.Client(project="acme-prod", credentials=Credentials(TOKEN))
    bucket = client.bucket(BUCKET)

    def upload(name, data=b"hello", **more):
        bucket.blob(name, chunk_size=more.pop("chunk", None)).upload_from_string(data, retry=None, **more)

    def copied(to):
        return bucket.copy_blob(bucket.blob(f"{IN}/py/a"), bucket, to).size

    def composed():
        blob = bucket.blob(f"{IN}/py/composed")
        blob.compose([bucket.blob(f"{IN}/py/a"), bucket.blob(f"{IN}/py/a")])
        return blob.download_as_bytes()

    def rewritten():
        return bucket.blob(f"{IN}/py/rewritten").rewrite(bucket.blob(f"{IN}/py/a"))[0]

    def streamed():
        with bucket.blob(f"{IN}/py/streamed").open("wb", chunk_size=1 << 20) as f:
            f.write(BIG)
        with bucket.blob(f"{IN}/py/streamed").open("rb", chunk_size=3 << 20) as f:
            return f.read()

    def batched():
        with client.batch():
            for name in ("rewritten", "composed"):
                bucket.blob(f"{IN}/py/{name}").delete()
        return bucket.blob(f"{IN}/py/composed").exists()

    def in_parts():
        with tempfile.NamedTemporaryFile() as f:
            f.write(BIG)
            f.flush()
            transfer_manager.upload_chunks_concurrently(f.name, bucket.blob(f"{IN}/py/parts"), chunk_size=5 << 20, worker_type=transfer_manager.THREAD)
        return bucket.blob(f"{IN}/py/parts").download_as_bytes()

    j.works("upload", lambda: upload(f"{IN}/py/a"))
    j.works("upload by chunks", lambda: upload(f"{IN}/py/big", BIG, chunk=1 << 20))
    j.works("upload a stream", streamed, BIG)
    j.works("upload a file without a size", lambda: bucket.blob(f"{IN}/py/file").upload_from_file(io.BytesIO(BIG)))
    j.works("upload in parts", in_parts, BIG)
    j.works("download", lambda: bucket.blob(f"{IN}/py/a").download_as_bytes(), b"hello")
    j.works("download what is big", lambda: bucket.blob(f"{IN}/py/big").download_as_bytes(), BIG)
    j.works("download by chunks", lambda: bucket.blob(f"{IN}/py/big", chunk_size=1 << 20).download_as_bytes(), BIG)
    j.works("download a range", lambda: bucket.blob(f"{IN}/py/a").download_as_bytes(start=1, end=2, checksum=None), b"el")
    j.works("look at one", lambda: bucket.get_blob(f"{IN}/py/a").size, 5)
    j.works("look for one", lambda: bucket.blob(f"{IN}/py/none").exists(), False)
    j.works("list", lambda: [b.name for b in client.list_blobs(BUCKET, prefix=f"{IN}/py/a")], [f"{IN}/py/a"])
    j.works("list by pages", lambda: len(list(client.list_blobs(BUCKET, prefix=f"{IN}/py/", page_size=1))) > 3, True)
    j.works("copy", lambda: copied(f"{IN}/py/copy"), 5)
    j.works("rewrite", rewritten)
    j.works("compose", composed, b"hellohello")
    j.works("delete in a batch", batched, False)
    j.works("replace if the generation is right", lambda: upload(f"{IN}/py/a", if_generation_match=bucket.get_blob(f"{IN}/py/a").generation))
    j.refused("make what is there", lambda: upload(f"{IN}/py/a", if_generation_match=0), "PreconditionFailed")
    j.works("delete", lambda: bucket.blob(f"{IN}/py/copy").delete())
    j.refused("delete once more", lambda: bucket.blob(f"{IN}/py/copy").delete(), "NotFound")
    for name, do in {
        "upload": lambda: upload(f"{OUT}/a"), "upload by chunks": lambda: upload(f"{OUT}/a", BIG, chunk=1 << 20),
        "download": lambda: bucket.blob(f"{OUT}/a").download_as_bytes(), "look at one": lambda: bucket.get_blob(f"{OUT}/a"),
        "list": lambda: list(client.list_blobs(BUCKET, prefix=f"{OUT}/")), "list all": lambda: list(client.list_blobs(BUCKET)),
        "copy to": lambda: copied(f"{OUT}/copy"), "delete": lambda: bucket.blob(f"{OUT}/a").delete(), "the bucket": lambda: client.get_bucket(BUCKET),
        "in parts": lambda: client._http.post(f"https://storage.googleapis.com/{BUCKET}/{OUT}/a?uploads").raise_for_status(),
    }.items():
        j.refused(f"outside: {name}", do, "Forbidden", "403")
    return j


def fsspec():
    j = Judge("gcsfs", gcsfs.__version__)
    fs = gcsfs.GCSFileSystem(project="acme-prod", token=Credentials(TOKEN), asynchronous=False, skip_instance_cache=True)
    at = f"{BUCKET}/{IN}/fs"

    def written(data):
        with fs.open(f"{at}/written", "wb", block_size=1 << 20) as f:
            f.write(data)
        return fs.cat_file(f"{at}/written")

    def removed():
        fs.rm(at, recursive=True)
        fs.invalidate_cache()
        return fs.exists(f"{at}/a")

    j.works("pipe and cat", lambda: (fs.pipe_file(f"{at}/a", b"hello"), fs.cat_file(f"{at}/a"))[1], b"hello")
    j.works("a big pipe", lambda: (fs.pipe_file(f"{at}/big", BIG), fs.cat_file(f"{at}/big"))[1], BIG)
    j.works("write by blocks", lambda: written(BIG), BIG)
    j.works("a range", lambda: fs.cat_file(f"{at}/a", start=1, end=3), b"el")
    j.works("ls", lambda: sorted(fs.ls(at, detail=False)), [f"{at}/a", f"{at}/big", f"{at}/written"])
    j.works("info", lambda: fs.info(f"{at}/a")["size"], 5)
    j.works("copy", lambda: (fs.cp_file(f"{at}/a", f"{at}/copy"), fs.cat_file(f"{at}/copy"))[1], b"hello")
    j.works("move", lambda: (fs.mv(f"{at}/copy", f"{at}/moved"), fs.cat_file(f"{at}/moved"))[1], b"hello")
    j.works("rm of a folder", removed, False)
    for name, do in {"pipe": lambda: fs.pipe_file(f"{BUCKET}/{OUT}/a", b"x"), "cat": lambda: fs.cat_file(f"{BUCKET}/{OUT}/a"), "ls": lambda: fs.ls(f"{BUCKET}/{OUT}"), "a big pipe": lambda: fs.pipe_file(f"{BUCKET}/{OUT}/a", BIG)}.items():
        j.refused(f"outside: {name}", do, "403", "Forbidden", "does not have storage", "PermissionError", "denied")
    return j


def arrow():
    j = Judge("pyarrow", pyarrow.__version__)
    fs = pyarrow.fs.GcsFileSystem(access_token=TOKEN, credential_token_expiration=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=50), retry_time_limit=datetime.timedelta(seconds=5))
    at = f"{BUCKET}/{IN}/arrow"

    def write(path, data):
        with fs.open_output_stream(path) as f:
            f.write(data)

    def read(path):
        with fs.open_input_stream(path) as f:
            return f.read()

    def ranged():
        with fs.open_input_file(f"{at}/a") as f:
            f.seek(1)
            return f.read(2)

    j.works("write and read", lambda: (write(f"{at}/a", b"hello"), read(f"{at}/a"))[1], b"hello")
    j.works("write and read what is big", lambda: (write(f"{at}/big", BIG), read(f"{at}/big"))[1], BIG)
    j.works("a range", ranged, b"el")
    j.works("info", lambda: fs.get_file_info(f"{at}/a").size, 5)
    j.works("list", lambda: [i.base_name for i in fs.get_file_info(pyarrow.fs.FileSelector(at))], ["a", "big"])
    j.works("copy", lambda: (fs.copy_file(f"{at}/a", f"{at}/copy"), read(f"{at}/copy"))[1], b"hello")
    j.works("delete", lambda: fs.delete_file(f"{at}/copy"))
    j.refused("outside: write", lambda: write(f"{BUCKET}/{OUT}/a", b"x"), "403", "does not have storage", "PERMISSION_DENIED")
    j.refused("outside: write what is big", lambda: write(f"{BUCKET}/{OUT}/a", BIG), "403", "does not have storage", "PERMISSION_DENIED")
    j.refused("outside: read", lambda: read(f"{BUCKET}/{OUT}/a"), "403", "does not have storage", "PERMISSION_DENIED")
    return j


def narrowed():
    j = Judge("google-auth downscoped", google.auth.version.__version__)
    condition = downscoped.AvailabilityCondition(f"resource.name.startsWith('projects/_/buckets/{BUCKET}/objects/{IN}/auth/')")
    rule = downscoped.AccessBoundaryRule(available_resource=f"//storage.googleapis.com/projects/_/buckets/{BUCKET}", available_permissions=["inRole:roles/storage.objectAdmin"], availability_condition=condition)
    credentials = downscoped.Credentials(source_credentials=Credentials(None, refresh_handler=lambda _, scopes: (os.environ["CLOUD_TOKEN"], datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + datetime.timedelta(minutes=50))), credential_access_boundary=downscoped.CredentialAccessBoundary(rules=[rule]))
    bucket = storage.Client(project="acme-prod", credentials=credentials).bucket(BUCKET)
    j.works("inside", lambda: bucket.blob(f"{IN}/auth/a").upload_from_string(b"x"))
    j.refused("outside", lambda: bucket.blob(f"{IN}/other").upload_from_string(b"x"), "Forbidden")
    return j


def lines():
    """The XML API by hand, as object_store and opendal speak it."""
    j = Judge("the XML API by requests", requests.__version__)
    at, auth = f"https://storage.googleapis.com/{BUCKET}", {"Authorization": f"Bearer {TOKEN}"}

    def ask(method, path, status, **more):
        r = requests.request(method, at + path, headers={**auth, **more.pop("headers", {})}, **more)
        assert r.status_code == status, f"{r.status_code}: {r.text:.300}"
        return r.content

    j.works("PUT", lambda: ask("PUT", f"/{IN}/xml/a", 200, data=b"hello"))
    j.works("GET of a range", lambda: ask("GET", f"/{IN}/xml/a", 206, headers={"Range": "bytes=1-2"}), b"el")
    j.works("list", lambda: b"<Key>from-operator/xml/a</Key>" in ask("GET", f"?list-type=2&prefix={IN}/xml/", 200), True)
    j.works("DELETE", lambda: ask("DELETE", f"/{IN}/xml/a", 204))
    for method, path in (("PUT", f"/{OUT}/a"), ("GET", f"/{OUT}/a"), ("GET", f"?list-type=2&prefix={OUT}/"), ("DELETE", f"/{OUT}/a"), ("HEAD", "")):
        j.works(f"outside: {method} {path}", lambda: ask(method, path, 403))
    return j


for run in google_cloud_storage, fsspec, arrow, narrowed, lines:
    run().close()
