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
	"carnet.dev/carnet/shared/exchange/keep"
)

func serveCommand() *cobra.Command {
	var listen, dir, runtime, cert, key string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer requests as a long-running server, in a pod or on a machine",
		Long: `Serve answers the same requests as the functions do, as the identity that the machine or
the pod has: IRSA, EKS Pod Identity, GKE workload identity, an instance of either cloud.
Callers show a token; the issuers that count stand in carnet.yaml. /healthz tells that the
process runs, /readyz that it can read its catalog. It answers 512 requests at a time, and
tells others to come again.

On SIGTERM it stops taking requests and ends those that are under way.`,
		Example: `  carnet serve --catalog s3://carnet-catalog/live --listen :8080
  carnet serve --local --url https://….lambda-url.eu-west-1.on.aws --proof sigv4   # beside a job`,
		Args: cobra.NoArgs,
	}
	local := new(localOptions)
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "", "address (default :8080, and with --local 127.0.0.1:0)")
	f.StringVar(&dir, "catalog", "", "a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX (default $CARNET_CATALOG)")
	f.StringVar(&runtime, "runtime", "", "whose identity this machine has: aws or gcp (default: told from the environment)")
	f.StringVar(&cert, "tls-cert", "", "certificate, where nothing in front of the server speaks TLS")
	f.StringVar(&key, "tls-key", "", "its key")
	local.flags(f)
	complete(cmd, "runtime", "aws", "gcp")
	cmd.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		slog.SetDefault(deployment.Log(cmd.ErrOrStderr(), cmp.Or(runtime, os.Getenv("CARNET_RUNTIME"))))
		if local.on {
			return local.serve(cmd, listen)
		}
		c, err := deployment.FromEnv()
		if err != nil {
			return err
		}
		if dir != "" {
			c.Catalog = dir
		}
		if runtime != "" {
			c.Runtime = runtime
		}
		if listen == "" {
			listen = ":8080"
		}
		// Nothing stands in front of a server that could vouch for a principal, or hold
		// requests back.
		c.Doors, c.Platform, c.Most = []deployment.Door{deployment.DoorToken}, platform.Credentials, atATime
		d, err := deployment.New(cmd.Context(), c)
		if err != nil {
			return err
		}
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d.Handler.ServeHTTP(w, r.WithContext(keep.InBackground(r.Context())))
		})
		return serve(cmd.Context(), listen, cert, key, h)
	}
	return cmd
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

// serve listens until the context ends, and then ends what is under way.
func serve(ctx context.Context, listen, cert, key string, h http.Handler) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
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

// environment reads a variable that a flag would otherwise have to say.
func environment(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}
