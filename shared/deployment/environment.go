package deployment

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// FromEnv reads the configuration from CARNET_CATALOG, CARNET_RUNTIME, CARNET_DOORS,
// CARNET_PROXY, CARNET_WARM, CARNET_LAB and CARNET_LAB_CA, which docs/configuration.md
// explains. The error names all that is wrong, on one line.
func FromEnv() (Config, error) {
	var wrong mistakes
	c := Config{
		Catalog: os.Getenv("CARNET_CATALOG"),
		Runtime: wrong.choice("CARNET_RUNTIME", "aws or gcp, or leave it out to be told from the environment", "", onAWS, onGCP),
		Doors:   wrong.doors(),
		Ahead:   wrong.choice("CARNET_WARM", "off, or leave it out", "", "on", "off") != "off",
		Transport: Transport{
			Lab:   os.Getenv("CARNET_LAB"),
			LabCA: os.Getenv("CARNET_LAB_CA"),
			Proxy: wrong.choice("CARNET_PROXY", "environment, to use HTTPS_PROXY and NO_PROXY, or leave it out", "", "off", "environment") == "environment",
		},
	}
	wrong.lab(c.Transport)
	return c, wrong.err()
}

// FunctionFromEnv reads the configuration of a function, which has no flags: the catalog
// stands in the environment as well. more are mistakes that the function found itself.
func FunctionFromEnv(more ...error) (Config, error) {
	c, err := FromEnv()
	wrong := mistakes{list: append([]error{err}, more...)}
	if c.Catalog == "" {
		wrong.list = append(wrong.list, errNoCatalog)
	}
	return c, wrong.err()
}

var errNoCatalog = errors.New("CARNET_CATALOG is not set: write the folder, or s3://BUCKET/PREFIX, or gs://BUCKET/PREFIX, that holds carnet.yaml and tenants/")

// Choice reads a variable that has one of a few values, the first of them where it is not
// set.
func Choice(name, write string, values ...string) (string, error) {
	v := os.Getenv(name)
	switch {
	case slices.Contains(values, v):
		return v, nil
	case v == "":
		return "", fmt.Errorf("%s is not set: write %s", name, write)
	}
	return "", fmt.Errorf("%s is %q: write %s", name, v, write)
}

// mistakes are what is wrong with an environment.
type mistakes struct{ list []error }

// err is one line, since a log's reader sees the first.
func (m *mistakes) err() error {
	err := errors.Join(m.list...)
	if err == nil {
		return nil
	}
	return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
}

func (m *mistakes) choice(name, write string, values ...string) string {
	v, err := Choice(name, write, values...)
	m.list = append(m.list, err)
	return v
}

func (m *mistakes) doors() (doors []Door) {
	for _, d := range strings.Split(cmp.Or(os.Getenv("CARNET_DOORS"), string(DoorIAM)), ",") {
		if d = strings.TrimSpace(d); d != string(DoorIAM) && d != string(DoorToken) {
			m.list = append(m.list, fmt.Errorf("CARNET_DOORS has %q: write iam, token, or iam,token", d))
		}
		doors = append(doors, Door(d))
	}
	return doors
}

func (m *mistakes) lab(t Transport) {
	if (t.Lab == "") != (t.LabCA == "") {
		m.list = append(m.list, errors.New("CARNET_LAB and CARNET_LAB_CA go together: write both, as `carnet lab --serve` prints them, or neither"))
	}
}
