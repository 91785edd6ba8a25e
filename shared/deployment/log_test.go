package deployment_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"carnet.dev/carnet/shared/deployment"
)

// TestCloudLoggingKnowsTheSeverity, and CloudWatch the level.
func TestCloudLoggingKnowsTheSeverity(t *testing.T) {
	for runtime, want := range map[string]map[string]string{
		"gcp": {"severity": "WARNING", "message": "refused", "request_id": "R1"},
		"aws": {"level": "WARN", "msg": "refused", "request_id": "R1"},
	} {
		var out bytes.Buffer
		deployment.Log(&out, runtime).Warn("refused", "request_id", "R1")
		var line map[string]string
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		for key, value := range want {
			if line[key] != value || len(line) != len(want)+1 {
				t.Errorf("%s: %s", runtime, out.String())
			}
		}
	}
}
