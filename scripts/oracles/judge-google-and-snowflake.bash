# shellcheck shell=bash
# What the judges of Google, Snowflake and Redshift's drivers have in common. They read it; it
# is not run. ORACLES is the folder that they may fill, and SEED that of generated cases, as
# scripts/test-oracles sets them; a judge that is run by itself makes its own.
set -euo pipefail
judge=${0##*/}
[[ ${1:-} != -h ]] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit; }
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [ -z "${ORACLES:-}" ]; then
  ORACLES=$(mktemp -d)
  trap 'rm -rf "$ORACLES"' EXIT
fi
here=$ORACLES/$judge.d
mkdir -p "$here"
: >"$here/said"
: >"$here/errors"
n=0 # judges that were begun

# skip says on both sides what was not tried: a judge that tried nothing ends with status 3.
skip() {
  echo "skipped: $*" >>"$here/said"
  echo "SKIPPED: $judge: $*" >&2
}

# python NAME PACKAGE… makes a Python with the packages, and prints where it is.
python() {
  local at=$ORACLES/$1
  shift
  command -v python3 >/dev/null && python3 -m venv "$at" >&2 && "$at/bin/pip" -q install "$@" >&2 && echo "$at/bin/python"
}

# node_with PACKAGE… installs the packages beside the scripts in JavaScript, and prints the folder.
node_with() {
  local at=$here/node
  mkdir -p "$at" && cp integration/foreign/*.mjs "$at/" && echo '{"private": true, "type": "module"}' >"$at/package.json"
  command -v node >/dev/null && command -v npm >/dev/null && (cd "$at" && npm install --silent --no-audit --no-fund "$@" >&2) && echo "$at"
}

# jar GROUP:NAME:VERSION fetches a library for Java, and prints where it is.
jar() {
  local name=${1#*:}
  command -v java >/dev/null && command -v mvn >/dev/null &&
    mvn -q -B -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact="$1" -DoutputDirectory="$here" >&2 && echo "$here/${name/:/-}.jar"
}

# named tells whether the lab can have the clouds' real names here.
named() {
  go build -o "$here/realnames" ./integration/foreign/realnames
  "$here/realnames" true 2>>"$here/errors" || { skip 'no network namespace can be made here, in which the lab has the real names'; settle; }
}

# asked COMMAND… runs a client where the lab has the clouds' real names, and keeps what it says.
# A client that hangs is ended after ten minutes.
asked() {
  local status=0
  n=$((n + 1))
  timeout 600 "$here/realnames" "$@" >>"$here/said" 2>>"$here/errors" || status=$?
  [ "$status" = 0 ] || echo "$judge: $* ended with status $status" >>"$here/errors"
}

# settle prints what was said. It fails where fewer judges came to their end than were begun,
# or than $1 says, and ends with 3 where none was begun.
settle() {
  local ended begun=${1:-$n}
  ended=$(grep -c '^judge: ' "$here/said" || true)
  grep -E '^(judge|disagreement|skipped): ' "$here/said" || true
  if [ "$ended" -lt "$begun" ] || grep -q '^disagreement: ' "$here/said"; then
    tail -n 40 "$here/errors" >&2
  fi
  [ "$begun" != 0 ] || exit 3
  if [ "$ended" -lt "$begun" ]; then
    echo "$judge: $ended of $begun judges came to their end"
    exit 1
  fi
  exit 0
}
