// Package queue is a kind of place that carnet does not have: a queue of SQS. A test adds it to the
// lists, to show that a kind is one room; docs/add-a-kind.md follows its order.
package queue

import (
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/keys"
	"carnet.dev/carnet/shared/check/cause"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/mend"
	"carnet.dev/carnet/shared/trust"
)

// Name is the kind's in files.
const Name = "queue"

// Kind returns the kind, for the functions' list. A queue's session needs neither Hosts nor Answers,
// since AWS's STS alone is called for it; they stand here to be tried.
func Kind() destination.Kind {
	return destination.Kind{
		Kind:    catalog.Kind{Name: Name, New: func() catalog.Place { return new(Place) }, Keys: placeKeys},
		Hosts:   func(host string) bool { service, ok := awsid.ServiceOf(host); return ok && service == "sqs" },
		Answers: answers,
	}
}

func answers() []cause.Rule {
	return []cause.Rule{{Ops: "sqs", Means: []cause.Cause{cause.Far("queue_missing", "there is no such queue")}}}
}

// A Place is a queue and the role that may use it.
type Place struct {
	Role   catalog.Role
	Region string
	Queue  string
	Access exchange.Access
}

func placeKeys() keys.Set {
	return keys.Set{
		catalog.RoleAt(func(p *Place) *catalog.Role { return &p.Role }),
		keys.Text("region", func(p *Place) *string { return &p.Region }, catalog.Region()).Says("The queue's AWS Region."),
		keys.Text("queue", func(p *Place) *string { return &p.Queue }, queue()).Says("The queue's name."),
		catalog.AccessKey(func(p *Place) *exchange.Access { return &p.Access }),
	}
}

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html
func queue() keys.Grammar {
	return keys.Grammar{Name: "the name of a queue", Example: "acme-jobs", Pattern: `^[A-Za-z0-9_-]{1,80}(\.fifo)?$`, Most: 80}
}

// About implements [catalog.Place].
func (p *Place) About() catalog.About {
	return catalog.About{Shown: p.Queue, Where: "sqs:" + p.Queue, End: catalog.End{Role: &p.Role}, Grant: exchange.Grant{Access: p.Access}, Gives: catalog.Session}
}

// Link implements [destination.Place].
func (p *Place) Link(at destination.At) (destination.Linked, error) {
	return at.Sessions(Name, map[string]string{"region": p.Region, "queue": p.Queue}, func(grant exchange.Grant) (string, error) {
		return awsid.SessionPolicy([]awsid.Statement{p.statement(grant.Access)})
	}), nil
}

func (p *Place) statement(a exchange.Access) awsid.Statement {
	var actions []string
	if a.CanRead() {
		actions = append(actions, "sqs:ReceiveMessage", "sqs:DeleteMessage")
	}
	if a.CanWrite() {
		actions = append(actions, "sqs:SendMessage")
	}
	arn := "arn:" + awsid.PartitionOf(p.Role.ARN) + ":sqs:" + p.Region + ":" + awsid.AccountOf(p.Role.ARN) + ":" + p.Queue
	return awsid.Allow([]string{arn}, actions...)
}

// People returns the kind's part for people, for their list. In a kind of carnet's it is a package
// of its own, apply, which no function links.
func People() mend.Kind {
	return mend.Kind{
		Kind: trust.Kind{Apply: func(s *trust.Sheet) {
			p := s.Dest.Place.(*Place)
			r := s.Role(p.Role.ARN)
			r.Lasts(s.Dest.Lifetime)
			r.Policy = append(r.Policy, trust.Permit("Queue", "access: "+string(p.Access)+", of this queue alone.", p.statement(p.Access)))
		}},
		Remedies: map[string]mend.Remedy{
			"queue_missing": {What: "There is no queue for {{.Name}}.", Text: "# In the tenant's file: queue: and region:, as the customer's administrator names them.\n", Where: "the tenant's file"},
		},
	}
}
