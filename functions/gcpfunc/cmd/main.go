// Cmd runs the Cloud Function on loopback. FUNCTION_TARGET says which: Vend or Schedule.
package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	_ "carnet.dev/carnet/functions/gcpfunc"
)

func main() {
	// funcframework.Start would listen on every interface.
	if err := funcframework.StartHostPort("127.0.0.1", cmp.Or(os.Getenv("PORT"), "8080")); err != nil {
		fmt.Fprintln(os.Stderr, "carnet:", err)
		os.Exit(1)
	}
}
