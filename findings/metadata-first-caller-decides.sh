#!/usr/bin/env bash
# Go cloud.google.com/go/compute/metadata v0.10.0: if the first context given to OnGCEWithContext is
# cancelled, the package takes the process to be off Google Cloud for the rest of its life.
#
# The package asks once whether the process runs on Google Cloud, and keeps the answer. It asks
# with the context of the first caller. If that context is over, nothing is asked, the answer is
# "no", and the package keeps it like any other. GCE_METADATA_HOST, which stands for "yes", has no
# effect afterwards. A Client of the package asks anew each time, and reading a value does not ask.
# A server that asks while it handles its first request keeps what that request's context allowed.
# Ask before the first request, with a context of the process.
#
# The metadata server below is one on the loopback address, and no name is looked up elsewhere.
# Run it outside Google Cloud, where /etc/hosts may hold the answer.
#
#     OnGCEWithContext, the context cancelled: false
#     OnGCE, once GCE_METADATA_HOST is set: false
#     Client.OnGCEWithContext: true
#     ProjectIDWithContext: acme, error <nil>
set -euo pipefail
[[ ${1:-} != -h ]] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit; }
expected=$(sed -n 's/^#     //p' "$0")
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT
export GOMODCACHE=$at/modules GOFLAGS='-modcacherw -mod=mod' GOWORK=off
mkdir "$at/ask"
cd "$at/ask"
cat >go.mod <<'EOF'
module example.com/ask

go 1.26
EOF
cat >main.go <<'EOF'
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"cloud.google.com/go/compute/metadata"
)

func main() {
	none := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no name is looked up") }
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: none}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Metadata-Flavor", "Google")
		fmt.Fprint(w, "acme")
	}))
	defer server.Close()

	ctx := context.Background()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	fmt.Println("OnGCEWithContext, the context cancelled:", metadata.OnGCEWithContext(cancelled))
	os.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(server.URL, "http://"))
	fmt.Println("OnGCE, once GCE_METADATA_HOST is set:", metadata.OnGCE())
	fmt.Println("Client.OnGCEWithContext:", metadata.NewClient(nil).OnGCEWithContext(ctx))
	project, err := metadata.ProjectIDWithContext(ctx)
	fmt.Printf("ProjectIDWithContext: %s, error %v\n", project, err)
}
EOF
{ go get cloud.google.com/go/compute/metadata@v0.10.0 && go build -o ask .; } >&2 || exit 3
seen=$(env -u GCE_METADATA_HOST NO_PROXY=127.0.0.1 timeout 60 ./ask)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo 'this is not what was seen before: see -h' >&2; exit 1; }
