"""google-auth, unmodified, with carnet as the token_url of an external_account file."""
import os

import google.auth
import google.auth.transport.requests
from google.auth import version

credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/devstorage.read_write"])
session = google.auth.transport.requests.AuthorizedSession(credentials)
at = os.environ["LAB_GCS"]
up = session.post(f"{at}/upload/storage/v1/b/acme-drop/o?uploadType=media&name=from-operator/by-google-auth", data=b"hello")
assert up.status_code == 200, up.text
out = session.post(f"{at}/upload/storage/v1/b/acme-drop/o?uploadType=media&name=theirs/by-google-auth", data=b"hello")
assert out.status_code == 403, out.text
print("google-auth", version.__version__)
