#!/usr/bin/env bash
# npm @google-cloud/storage 8.4.0 with an endpoint of one's own: useAuthWithCustomEndpoint does not
# reach a resumable upload, and `save` uploads that way unless told otherwise.
#
# With apiEndpoint set, the client sends a token if useAuthWithCustomEndpoint is true. It does so
# for every call below but one. `save` and `createWriteStream` start their resumable upload without
# passing the option on, so the upload begins without a token and the server answers 401.
# createResumableUpload passes it on. `save` works with resumable: false.
#
# Below: what was asked of a server on the loopback address, the answer, and the Authorization
# header that the server saw.
#
#     getMetadata: works; Bearer T
#     download: works; Bearer T
#     save, resumable: false: works; Bearer T
#     createResumableUpload: works; Bearer T
#     save: 401; no header
set -euo pipefail
[[ ${1:-} != -h ]] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit; }
expected=$(sed -n 's/^#     //p' "$0")
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT
npm install --prefix "$at" --silent --no-audit --no-fund --ignore-scripts @google-cloud/storage@8.4.0 google-auth-library@11.3.4 >&2 || exit 3

cat >"$at/ask.mjs" <<'EOF'
import { createServer } from "node:http";
import { Storage } from "@google-cloud/storage";
import { OAuth2Client } from "google-auth-library";

let saw = [];
const server = createServer((request, response) => {
  const token = request.headers.authorization;
  saw.push(token ?? "no header");
  request.resume().on("end", () => {
    response.setHeader("content-type", "application/json");
    response.setHeader("location", `${here}/session`);
    response.statusCode = token === "Bearer T" ? 200 : 401;
    response.end(token === "Bearer T" ? '{"name":"a.csv","bucket":"exports","size":"3"}' : '{"error":{"code":401,"message":"no token"}}');
  });
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const here = `http://127.0.0.1:${server.address().port}`;

const authClient = new OAuth2Client();
authClient.setCredentials({ access_token: "T", expiry_date: Date.now() + 3600_000 });
const file = new Storage({
  projectId: "acme", apiEndpoint: here, useAuthWithCustomEndpoint: true, authClient,
  retryOptions: { autoRetry: false, maxRetries: 0 },
}).bucket("exports").file("a.csv");

async function ask(what, call) {
  saw = [];
  const answer = await call().then(() => "works", (error) => error.code ?? error.message);
  console.log(`${what}: ${answer}; ${[...new Set(saw)].join(", ")}`);
}

await ask("getMetadata", () => file.getMetadata());
await ask("download", () => file.download({ validation: false }));
await ask("save, resumable: false", () => file.save("abc", { resumable: false, validation: false }));
await ask("createResumableUpload", () => file.createResumableUpload());
await ask("save", () => file.save("abc", { validation: false }));
server.close();
server.closeAllConnections();
EOF
seen=$(cd "$at" && NO_PROXY=127.0.0.1 timeout 60 node ask.mjs)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo 'this is not what was seen before: see -h' >&2; exit 1; }
