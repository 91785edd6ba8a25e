package integration

import (
	"context"
	"fmt"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// A crowd is so many tenants of ten destinations each, whose chains take 20 ms.
type crowd struct{ destinations int }

func (c crowd) names(context.Context) ([]string, error) {
	var names []string
	for i := range c.destinations / 10 {
		names = append(names, fmt.Sprint("tenant-", i))
	}
	return names, nil
}

func (c crowd) Tenant(_ context.Context, name string) (*exchange.Tenant, error) {
	t := &exchange.Tenant{Name: name, Destinations: map[string]exchange.Destination{}}
	for i := range 10 {
		t.Destinations[fmt.Sprint("d", i)] = nil
	}
	return t, nil
}

func (c crowd) vend(ctx context.Context, _ exchange.Request) (*exchange.Credential, error) {
	select {
	case <-time.After(20 * time.Millisecond):
		return new(exchange.Credential), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
