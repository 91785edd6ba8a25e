package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange/awsid/platform"
	googleplatform "carnet.dev/carnet/shared/exchange/gcpid/platform"
	"carnet.dev/carnet/shared/exchange/keep"
)

type serveOptions struct {
	listen, catalog, runtime string
	cert, key                string
	local                    localOptions
}

func serveCommand() *cobra.Command {
	o := new(serveOptions)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer requests as a long-running server, in a pod or on a machine",
		Long: `Serve answers the same requests as the functions do, as the identity that the machine or
the pod has: IRSA, EKS Pod Identity, GKE workload identity, an instance of either cloud.
Callers show a token; carnet.yaml names the issuers that are accepted. /healthz says that the
process runs, /readyz that it can read its catalog. It answers 512 requests at a time, and
throttles the rest.

On SIGTERM it stops taking requests and ends those that are under way.`,
		Example: `  carnet serve --catalog s3://carnet-catalog/live --listen :8080
  carnet serve --local --url https://….lambda-url.eu-west-1.on.aws --proof sigv4   # beside a job`,
		Args: cobra.NoArgs,
		RunE: o.run,
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "", "address (default :8080, and with --local 127.0.0.1:0)")
	f.StringVar(&o.catalog, "catalog", "", "a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX (default $CARNET_CATALOG)")
	f.StringVar(&o.runtime, "runtime", "", "whose identity this machine has: aws or gcp (default: told from the environment)")
	f.StringVar(&o.cert, "tls-cert", "", "certificate, where nothing in front of the server speaks TLS")
	f.StringVar(&o.key, "tls-key", "", "its key")
	o.local.flags(f)
	complete(cmd, "runtime", "aws", "gcp")
	cmd.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	return cmd
}

func (o *serveOptions) run(cmd *cobra.Command, _ []string) error {
	slog.SetDefault(deployment.Log(cmd.ErrOrStderr(), cmp.Or(o.runtime, os.Getenv("CARNET_RUNTIME"))))
	if o.local.on {
		return o.local.serve(cmd, o.listen)
	}
	c, err := deployment.FromEnv()
	if err != nil {
		return err
	}
	c.Catalog, c.Runtime = cmp.Or(o.catalog, c.Catalog), cmp.Or(o.runtime, c.Runtime)
	// Nothing stands in front of a server that could vouch for a principal, or hold
	// requests back.
	c.Doors, c.Most = []deployment.Door{deployment.DoorToken}, atATime
	c.Platform, c.Google = platform.Credentials, googleplatform.Metadata{}
	d, err := deployment.New(cmd.Context(), c)
	if err != nil {
		return err
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.Handler.ServeHTTP(w, r.WithContext(keep.InBackground(r.Context())))
	})
	l, err := net.Listen("tcp", cmp.Or(o.listen, ":8080"))
	if err != nil {
		return err
	}
	return serve(cmd.Context(), l, o.cert, o.key, h)
}

// atATime is how many requests a server answers, within the memory that deploy/kubernetes
// gives it.
const atATime = 512

// How long a client may take, and how long the last requests may.
const (
	headerTime = 10 * time.Second
	answerTime = 2 * time.Minute
	idleTime   = 2 * time.Minute
	graceTime  = 25 * time.Second // Kubernetes kills after 30
)

// serve answers until the context ends, and then ends what is under way.
func serve(ctx context.Context, l net.Listener, cert, key string, h http.Handler) (err error) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: answerTime, IdleTimeout: idleTime, MaxHeaderBytes: 64 << 10}
	begin := s.Serve
	if cert != "" {
		if s.TLSConfig, err = (&certificate{file: cert, key: key}).config(); err != nil {
			return err
		}
		begin = func(l net.Listener) error { return s.ServeTLS(l, "", "") }
	}
	slog.Info("listening", "address", l.Addr().String())
	ended := make(chan error, 1)
	go func() { ended <- begin(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	slog.Info("stopping")
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
	defer cancel()
	if err := s.Shutdown(last); err != nil {
		return fmt.Errorf("some requests were cut off: %w", err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
