package main

import (
	"fmt"
	"strings"
)

// A chart has a background of its own, so that it can be read wherever it is shown.
const frame = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 %d" font-family="sans-serif" font-size="12">
<style>.page{fill:#fff}text{fill:#1f2328}.carnet{fill:#0969da}.warm{fill:#54aeff}.other{fill:#9a6700}
@media(prefers-color-scheme:dark){.page{fill:#0d1117}text{fill:#e6edf3}.carnet{fill:#4493f8}.warm{fill:#a5d6ff}.other{fill:#d29922}}</style>
<rect class="page" width="100%%" height="100%%"/>
<text x="12" y="24" font-size="15">A first credential, 20 ms of round trip over TLS, in a fresh process</text>
%s</svg>
`

// svg draws the cold chains at a distance as bars, with their figures written beside them.
func svg(rows []row) string {
	var b strings.Builder
	y, last := 44, ""
	for _, r := range rows {
		chain, far := strings.CutSuffix(strings.TrimPrefix(r.group, "Cold/"), "/rtt=20ms")
		if !far {
			continue
		}
		if chain != last {
			y += 6
			fmt.Fprintf(&b, `<text x="12" y="%d">%s</text>`+"\n", y+11, titled(chain))
			last = chain
		}
		wide := r.figures[0].value * 1.6
		fmt.Fprintf(&b, `<rect class="%s" x="280" y="%d" width="%.0f" height="12"/><text x="%.0f" y="%d">%.0f ms %s</text>`+"\n",
			class(r.by), y, wide, 286+wide, y+10, r.figures[0].value, r.label())
		y += 16
	}
	return fmt.Sprintf(frame, y+12, b.String())
}

// titled writes runtime=aws/tenant=gcp/to=S3 as a chain of clouds.
func titled(chain string) string {
	return strings.NewReplacer("runtime=", "", "/tenant=", " → ", "/to=", " → ", "aws", "AWS", "gcp", "Google Cloud").Replace(chain)
}

func class(by string) string {
	switch {
	case by == "carnet":
		return "carnet"
	case strings.HasPrefix(by, "carnet"):
		return "warm"
	}
	return "other"
}
