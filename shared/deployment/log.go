package deployment

import (
	"io"
	"log/slog"
)

// Log makes a logger of JSON lines. Those of a runtime on Google Cloud have their severity
// and message under the names by which Cloud Logging knows them: to it, every other line on
// standard error is an error.
// https://cloud.google.com/logging/docs/structured-logging
func Log(w io.Writer, runtime string) *slog.Logger {
	o := new(slog.HandlerOptions)
	if runtime == onGCP {
		o.ReplaceAttr = asCloudLogging
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

func asCloudLogging(groups []string, a slog.Attr) slog.Attr {
	switch {
	case len(groups) > 0:
	case a.Key == slog.MessageKey:
		a.Key = "message"
	case a.Key == slog.LevelKey && a.Value.Any() == slog.LevelWarn:
		return slog.String("severity", "WARNING")
	case a.Key == slog.LevelKey:
		a.Key = "severity"
	}
	return a
}
