// google-auth-library, unmodified, with carnet as the token_url of an external_account file.
import { GoogleAuth } from "google-auth-library";

const client = await new GoogleAuth({ scopes: "https://www.googleapis.com/auth/devstorage.read_write" }).getClient();
const { token } = await client.getAccessToken();
const put = (name) =>
  fetch(`${process.env.LAB_GCS}/upload/storage/v1/b/acme-drop/o?uploadType=media&name=${name}`, {
    method: "POST", headers: { authorization: `Bearer ${token}` }, body: "hello",
  });
if ((await put("from-operator/by-js")).status !== 200) throw new Error("refused under the prefix");
if ((await put("theirs/by-js")).status !== 403) throw new Error("let in outside the prefix");
console.log("google-auth-library");
