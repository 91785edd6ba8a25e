#!/usr/bin/env bash
# npm @google-cloud/storage 7.22.0 given a client of google-auth-library 10.9.0: most of its calls
# leave the client's token out.
#
# The option authClient takes a client of google-auth-library. This package depends on version 9, so
# npm nests a 9.15.1 in it when the program itself has a newer one. Version 10 returns its headers
# as a Headers object, where 9 returns a plain object. The nested library copies the object's own
# properties, and a Headers object has none. Nothing complains before the server answers 401, as it
# does for a wrong token. Calls that the client itself sends, such as createResumableUpload, work.
# @google-cloud/storage 8.4.0 takes a client of 10.9.0.
#
# Below: whose client it was, what was asked of a server on the loopback address, the answer, and
# the Authorization header that the server saw.
#
#     google-auth-library 9.15.1, the nested one: getMetadata: works; Bearer T
#     google-auth-library 9.15.1, the nested one: delete: works; Bearer T
#     google-auth-library 9.15.1, the nested one: createResumableUpload: works; Bearer T
#     google-auth-library 10.9.0, the program's: getMetadata: 401; no header
#     google-auth-library 10.9.0, the program's: delete: 401; no header
#     google-auth-library 10.9.0, the program's: createResumableUpload: works; Bearer T
set -euo pipefail
[[ ${1:-} != -h ]] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit; }
expected=$(sed -n 's/^#     //p' "$0")
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT
npm install --prefix "$at" --silent --no-audit --no-fund --ignore-scripts @google-cloud/storage@7.22.0 google-auth-library@10.9.0 >&2 || exit 3

cat >"$at/ask.mjs" <<'EOF'
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { Storage } from "@google-cloud/storage";

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

async function ask(whose, require) {
  const { OAuth2Client } = require("google-auth-library");
  const { version } = require("google-auth-library/package.json");
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: "T", expiry_date: Date.now() + 3600_000 });
  const file = new Storage({
    projectId: "acme", apiEndpoint: here, useAuthWithCustomEndpoint: true, authClient,
    retryOptions: { autoRetry: false, maxRetries: 0 },
  }).bucket("exports").file("a.csv");
  for (const what of ["getMetadata", "delete", "createResumableUpload"]) {
    saw = [];
    const answer = await file[what]().then(() => "works", (error) => error.code ?? error.message);
    console.log(`google-auth-library ${version}, ${whose}: ${what}: ${answer}; ${[...new Set(saw)].join(", ")}`);
  }
}

const own = createRequire(import.meta.url);
await ask("the nested one", createRequire(own.resolve("@google-cloud/storage")));
await ask("the program's", own);
server.close();
server.closeAllConnections();
EOF
seen=$(cd "$at" && NO_PROXY=127.0.0.1 timeout 60 node ask.mjs)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo 'this is not what was seen before: see -h' >&2; exit 1; }
