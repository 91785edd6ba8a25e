package deployment

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"carnet.dev/carnet/shared/exchange/awsid"
)

// warmTime bounds the warming up: a host that is away costs a start no more than this.
const warmTime = 2 * time.Second

// Warm opens a connection to each host that a first request will want, side by side, and
// parses the system's roots with the first of them. It is for Lambda's init, which has a
// whole CPU whatever the function's memory is. What cannot be opened now is opened when it
// is needed.
func (d *Deployment) Warm(ctx context.Context) {
	d.warmed.Store(true)
	ctx, cancel := context.WithTimeout(ctx, warmTime)
	defer cancel()
	var all sync.WaitGroup
	for _, host := range d.hosts() {
		all.Go(func() { d.open(ctx, host) })
	}
	all.Wait()
}

// reach opens the connections that the first chain of a process will want after its first
// call, while that call is made.
func (d *Deployment) reach() {
	if !d.warmed.CompareAndSwap(false, true) {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), warmTime)
		defer cancel()
		for _, host := range d.hosts()[1:] {
			go d.open(ctx, host)
		}
		<-ctx.Done()
	}()
}

// hosts are those of the chains that this runtime can begin, the first call's first.
func (d *Deployment) hosts() []string {
	const google, accounts = "sts.googleapis.com", "iamcredentials.googleapis.com"
	if _, onAWS := d.Runtime.(*awsid.Identity); !onAWS {
		return []string{accounts, google, d.sts}
	}
	if len(d.Operator.Providers) == 0 {
		return []string{d.sts}
	}
	return []string{d.sts, google, accounts}
}

// open makes a request for nothing in particular: whatever a host answers, the connection to
// it stays open.
func (d *Deployment) open(ctx context.Context, host string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/", nil)
	if err != nil {
		return
	}
	resp, err := d.http.Do(r)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
}
