package gcpid

import (
	"context"
	"encoding/base64"
	"time"
)

// A secretVersion is as Secret Manager lists it, the newest first.
// https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/list
type secretVersion struct {
	Name       string    `json:"name"`
	State      string    `json:"state"`
	CreateTime time.Time `json:"createTime"`
}

// Pace is how many deliveries a second stay under Secret Manager's quotas of 600 reads and
// 600 writes a minute of a project: one that is made lists twice, adds and destroys.
// https://cloud.google.com/secret-manager/quotas
func (i *Identity) Pace() float64 { return 4 }

// Delivered tells whether a secret got a version since then. Secret Manager names its
// versions itself, so that the ids count for nothing here.
func (i *Identity) Delivered(ctx context.Context, secret string, _ []string, since time.Time) (bool, error) {
	versions, err := i.versions(ctx, secret)
	return err == nil && len(versions) > 0 && !versions[0].CreateTime.Before(since), err
}

func (i *Identity) versions(ctx context.Context, secret string) ([]secretVersion, error) {
	var answer struct {
		Versions []secretVersion `json:"versions"`
	}
	_, err := i.secrets(ctx, secret, "list", secret+"/versions?filter=state:ENABLED&pageSize=100", nil, &answer)
	return answer.Versions, err
}

// keptVersions stay: the current one, and the one before for whoever is reading it now.
const keptVersions = 2

// Deliver adds a version, which is the latest from then on, and destroys those that
// nobody needs: each that is not destroyed is paid for. What cannot be destroyed is left
// for the next time, since the delivery itself is done.
func (i *Identity) Deliver(ctx context.Context, secret, _ string, text []byte) error {
	body := map[string]any{"payload": map[string]string{"data": base64.StdEncoding.EncodeToString(text)}}
	var added secretVersion
	if _, err := i.secrets(ctx, secret, "add", secret+":addVersion", body, &added); err != nil {
		return err
	}
	versions, err := i.versions(ctx, secret)
	if err != nil || len(versions) <= keptVersions {
		return nil
	}
	for _, old := range versions[keptVersions:] {
		if _, err := i.secrets(ctx, secret, "destroy", old.Name+":destroy", map[string]any{}, &added); err != nil {
			return nil
		}
	}
	return nil
}
