package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
)

// A document describes an API. https://developers.google.com/discovery/v1/reference/apis
type document struct {
	Name        string
	Revision    string
	ServicePath string
	Parameters  map[string]*schema
	Schemas     map[string]*schema
	Auth        struct {
		OAuth2 struct{ Scopes map[string]any }
	}
	resource
	methods []*method
}

type resource struct {
	Methods   map[string]*method
	Resources map[string]*resource
}

type method struct {
	ID                    string
	HTTPMethod            string
	Path                  string
	Parameters            map[string]*schema
	Request, Response     *schema
	Scopes                []string
	SupportsMediaDownload bool
	MediaUpload           *struct {
		Protocols map[string]struct{ Path string }
	}
	paths []*regexp.Regexp
}

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 string
	Format               string
	Enum                 []string
	Properties           map[string]*schema
	Items                *schema
	AdditionalProperties *schema
	Repeated             bool
}

func readDocument(name string) (*document, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	d := new(document)
	if err := json.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	d.collect(&d.resource)
	return d, nil
}

func (d *document) collect(r *resource) {
	for _, m := range r.Methods {
		m.paths = append(m.paths, pathOf("/"+d.ServicePath+m.Path))
		if m.SupportsMediaDownload {
			m.paths = append(m.paths, pathOf("/download/"+d.ServicePath+m.Path))
		}
		if m.MediaUpload != nil {
			for _, p := range m.MediaUpload.Protocols {
				m.paths = append(m.paths, pathOf(p.Path))
			}
		}
		d.methods = append(d.methods, m)
	}
	for _, inner := range r.Resources {
		d.collect(inner)
	}
}

var (
	reserved = regexp.MustCompile(`\\\{\\\+\w+\\\}`)
	simple   = regexp.MustCompile(`\\\{\w+\\\}`)
)

// pathOf makes an expression of a template: {+name} has slashes in it, {name} has none.
func pathOf(template string) *regexp.Regexp {
	text := regexp.QuoteMeta(template)
	text = reserved.ReplaceAllString(text, `.+`)
	return regexp.MustCompile("^" + simple.ReplaceAllString(text, `[^/]+`) + "$")
}

// find returns the method that a request is of. The one with the longest template counts,
// since {+name} takes in more than it means.
func (d *document) find(verb string, u *url.URL) *method {
	var found *method
	for _, m := range d.methods {
		for _, p := range m.paths {
			if m.HTTPMethod == verb && p.MatchString(u.EscapedPath()) && (found == nil || len(m.Path) > len(found.Path)) {
				found = m
			}
		}
	}
	return found
}

// resumes tells whether a request is a step of an upload that began before: the description
// says of it only that it is resumable.
func resumes(u *url.URL) bool {
	return strings.HasPrefix(u.Path, "/upload/") && u.Query().Get("upload_id") != ""
}
