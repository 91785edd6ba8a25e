package schedule

import (
	"encoding/json"
	"io"
	"time"
)

// Names of the metrics, on both clouds.
const (
	metricDestinations = "destinations"
	metricSeconds      = "seconds"
)

// failedMetric: an alarm stands on one of these.
func (r Report) failedMetric() string {
	if r.Action == Deliver {
		return "deliveries_failed"
	}
	return "checks_failed"
}

// EMF writes the report as one line in CloudWatch's embedded metric format, in the
// namespace carnet, by function; a line for each failure follows.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
func (r Report) EMF(w io.Writer, function string) error {
	type metric struct{ Name, Unit string }
	return r.write(w, map[string]any{
		"_aws": map[string]any{
			"Timestamp": time.Now().UnixMilli(),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace": "carnet", "Dimensions": [][]string{{"function"}},
				"Metrics": []metric{{r.failedMetric(), "Count"}, {metricDestinations, "Count"}, {metricSeconds, "Seconds"}},
			}},
		},
		"function": function, r.failedMetric(): r.Failed, metricDestinations: r.Destinations, metricSeconds: r.Took, "schedule": r.summary(),
	})
}

// summary leaves the failures out: a line of more than 256 KB is no metric any more, on
// either cloud, and most so when an alarm is due. Each failure has a line of its own.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
// https://cloud.google.com/logging/quotas
func (r Report) summary() Report {
	r.Failures = nil
	return r
}

// Log writes the report as structured log lines, one for each metric, which log-based
// metrics of Google Cloud stand on, and one for each failure.
// https://cloud.google.com/logging/docs/structured-logging
func (r Report) Log(w io.Writer) error {
	severity := "INFO"
	if r.Failed > 0 {
		severity = "ERROR"
	}
	message := "schedule " + string(r.Action)
	return r.write(w,
		map[string]any{"severity": severity, "message": message, "metric": r.failedMetric(), "value": r.Failed, "schedule": r.summary()},
		map[string]any{"severity": "INFO", "message": message, "metric": metricDestinations, "value": r.Destinations})
}

// write writes lines, and one for each failure.
func (r Report) write(w io.Writer, lines ...map[string]any) error {
	for _, f := range r.Failures {
		lines = append(lines, map[string]any{"severity": "ERROR", "message": "schedule " + string(r.Action) + " failed", "run": r.ID, "failure": f})
	}
	log := json.NewEncoder(w)
	for _, l := range lines {
		if err := log.Encode(l); err != nil {
			return err
		}
	}
	return nil
}
