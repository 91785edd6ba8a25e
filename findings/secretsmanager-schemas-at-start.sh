#!/usr/bin/env bash
# Go github.com/aws/aws-sdk-go-v2/service/secretsmanager: since v1.50.0 every start of a program
# that imports it builds the schemas of all its operations, also if it calls none.
#
# v1.50.0 came with a package schemas, whose variables are filled when the program starts. That is
# about 700 allocations and 120 kB, and took 0.2 ms where this was written. A function pays that at
# each cold start. v1.49.0 has no such package. Both build a table of endpoints at the start too.
# GODEBUG=inittrace=1 makes a program print what it initialises.
#
# Below: the packages of the module whose initialisation makes more than 100 allocations, in a
# program that imports the package and does nothing.
#
#     v1.49.0: internal/endpoints
#     v1.50.0: internal/endpoints schemas
set -euo pipefail
[[ ${1:-} != -h ]] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit; }
expected=$(sed -n 's/^#     //p' "$0")
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT
export GOMODCACHE=$at/modules GOFLAGS='-modcacherw -mod=mod' GOWORK=off
module=github.com/aws/aws-sdk-go-v2/service/secretsmanager

initialised() {
  local at=$at/$1
  mkdir "$at"
  cd "$at" || exit
  printf 'module example.com/start\n\ngo 1.24\n' >go.mod
  printf 'package main\n\nimport _ "%s"\n\nfunc main() {}\n' "$module" >main.go
  { go get "$module@$1" && go build -o start .; } >&2 || exit 3
  GODEBUG=inittrace=1 ./start 2>trace
  awk -v module="$module/" '$1 == "init" && index($2, module) == 1 && $(NF-1) > 100 { print substr($2, length(module) + 1) }' trace | sort | paste -sd ' '
}

seen=$(for version in v1.49.0 v1.50.0; do
  packages=$(initialised "$version") || exit
  echo "$version: $packages"
done)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo 'this is not what was seen before: see -h' >&2; exit 1; }
