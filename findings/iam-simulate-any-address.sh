#!/usr/bin/env bash
# npm @cloud-copilot/iam-simulate 0.1.173, a simulator of AWS IAM policies: a condition IpAddress
# with 0.0.0.0/0 allows the address 0.0.0.0 alone.
#
# IAM reads 0.0.0.0/0 as every IPv4 address, and 0.0.0.0/1 as the lower half of them. The
# simulator makes the mask of a prefix by a shift to the left: 32 less the prefix's length. For /0
# that is a shift by 32, which JavaScript takes modulo 32, so nothing is shifted and the mask is the
# one of /32. Other lengths work.
# The two halves, 0.0.0.0/1 and 128.0.0.0/1, together say "every address" to both.
#
# Below: the source address, the condition, the simulator's answer.
#
#     203.0.113.7 in 203.0.113.0/24: Allowed
#     203.0.113.7 in 0.0.0.0/0: ImplicitlyDenied
#     10.0.0.1 in 0.0.0.0/0: ImplicitlyDenied
#     0.0.0.0 in 0.0.0.0/0: Allowed
#     203.0.113.7 in 0.0.0.0/1 or 128.0.0.0/1: Allowed
#     10.0.0.1 in 0.0.0.0/1 or 128.0.0.0/1: Allowed
set -euo pipefail
[[ ${1:-} != -h ]] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit; }
expected=$(sed -n 's/^#     //p' "$0")
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT
npm install --prefix "$at" --silent --no-audit --no-fund --ignore-scripts @cloud-copilot/iam-simulate@0.1.173 >&2 || exit 3

cat >"$at/ask.mjs" <<'EOF'
import { runSimulation } from "@cloud-copilot/iam-simulate";

const ask = async (address, ...ranges) => {
  const answer = await runSimulation({
    request: {
      principal: "arn:aws:iam::111122223333:role/reader",
      action: "s3:GetObject",
      resource: { resource: "arn:aws:s3:::exports/one.csv", accountId: "111122223333" },
      contextVariables: { "aws:SourceIp": address },
    },
    identityPolicies: [{ name: "read", policy: {
      Version: "2012-10-17",
      Statement: [{
        Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::exports/*",
        Condition: { IpAddress: { "aws:SourceIp": ranges } },
      }],
    } }],
    serviceControlPolicies: [], resourceControlPolicies: [],
  }, {});
  console.log(`${address} in ${ranges.join(" or ")}: ${answer.overallResult ?? JSON.stringify(answer)}`);
};

await ask("203.0.113.7", "203.0.113.0/24");
for (const address of ["203.0.113.7", "10.0.0.1", "0.0.0.0"]) await ask(address, "0.0.0.0/0");
for (const address of ["203.0.113.7", "10.0.0.1"]) await ask(address, "0.0.0.0/1", "128.0.0.0/1");
EOF
seen=$(cd "$at" && timeout 60 node ask.mjs)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo 'this is not what was seen before: see -h' >&2; exit 1; }
