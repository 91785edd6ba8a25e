# shellcheck shell=bash
# What the judges of Google and Snowflake have in common. They read it; it is not run.
set -euo pipefail
judge=${0##*/}
[[ ${1:-} != -h ]] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit; }
accepted=$(cd "$(dirname "$0")" && pwd)/$judge.accepted
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

skip() {
  echo "SKIPPED: $judge: $*" >&2
}

# built NAME builds a program of integration/foreign, and prints where it is.
built() {
  go build -o "$tmp/$1" "./integration/foreign/$1"
  echo "$tmp/$1"
}

# python NAME PACKAGE… makes a Python with the packages, and prints where it is.
python() {
  local at=$tmp/$1
  shift
  command -v python3 >/dev/null && python3 -m venv "$at" >&2 && "$at/bin/pip" -q install "$@" >&2 && echo "$at/bin/python"
}

# node_with PACKAGE… installs the packages beside the scripts in JavaScript, and prints the folder.
node_with() {
  local at=$tmp/node
  mkdir -p "$at" && cp integration/foreign/*.mjs "$at/" && echo '{"private": true, "type": "module"}' >"$at/package.json"
  command -v npm >/dev/null && (cd "$at" && npm install --silent --no-audit --no-fund "$@" >&2) && echo "$at"
}

# jar GROUP:NAME:VERSION fetches a library for Java, and prints where it is.
jar() {
  local name=${1#*:}
  command -v java >/dev/null && command -v mvn >/dev/null &&
    mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact="$1" -DoutputDirectory="$tmp/jars" >&2 && echo "$tmp/jars/${name/:/-}.jar"
}

# asked COMMAND… runs a client where the lab has the clouds' real names, and keeps what it says.
# A client that hangs is ended after ten minutes.
asked() {
  local status=0
  timeout 600 "$tmp/realnames" "$@" >>"$tmp/said" 2>>"$tmp/errors" || status=$?
  [ "$status" = 0 ] || { tail -n 40 "$tmp/errors" >&2; echo "$judge: $* ended with status $status" >&2; }
}

# named tells whether the lab can have the clouds' real names here.
named() {
  built realnames >/dev/null
  "$tmp/realnames" true 2>>"$tmp/errors" || { skip 'no network namespace can be made here, in which the lab has the real names'; return 1; }
}

# settle N prints what the N judges said. It fails for a disagreement that is not accepted, and
# for a judge that did not come to its end. A line of NAME.accepted is a disagreement's text,
# then " # " and the reason.
settle() {
  local line text open=0 known=0 ended=0
  touch "$tmp/said"
  while IFS= read -r line; do
    case $line in
    disagreement:*)
      text=${line#disagreement: }
      if [ -f "$accepted" ] && awk -v t="$text # " 'index($0, t) == 1 { found = 1 } END { exit !found }' "$accepted"; then
        known=$((known + 1))
      else
        open=$((open + 1))
        printf '%s\n' "$line" >&2
      fi
      ;;
    judge:*)
      ended=$((ended + 1))
      printf '%s\n' "$line"
      ;;
    *) printf '%s\n' "$line" >&2 ;;
    esac
  done <"$tmp/said"
  [ "$known" = 0 ] || echo "accepted: $judge: $known, for the reasons in scripts/oracles/$judge.accepted"
  if [ "$ended" != "$1" ]; then
    echo "$judge: $ended of $1 judges came to their end" >&2
    exit 1
  fi
  [ "$open" = 0 ] || { echo "$judge: $open disagreements without a reason" >&2; exit 1; }
}
