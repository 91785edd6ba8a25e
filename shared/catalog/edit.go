package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/catalog/keys"
	"go.yaml.in/yaml/v3"
)

// A Draft is a tenant's file that is being changed, as text: what is not meant keeps its
// place, its comments and its layout. Only a file that parses is drafted, and only one
// that still parses is written.
type Draft struct {
	kinds *Kinds
	file  string
	was   []byte
	text  []byte
}

// Draft begins with a file as it stands.
func (ks *Kinds) Draft(file string, text []byte) (*Draft, error) {
	if _, err := ks.ParseTenant(file, text); err != nil {
		return nil, fmt.Errorf("the file is not changed while it has problems:\n%w", err)
	}
	return &Draft{kinds: ks, file: file, was: slices.Clone(text), text: slices.Clone(text)}, nil
}

// Text is the file as it would be written.
func (d *Draft) Text() []byte { return d.text }

// Tenant parses the draft.
func (d *Draft) Tenant() (*Tenant, error) { return d.kinds.ParseTenant(d.file, d.text) }

// byHand is for what a change of bytes cannot do safely.
func (d *Draft) byHand(n *yaml.Node, why string) error {
	return fmt.Errorf("%s:%d: %s: change it by hand", d.file, n.Line, why)
}

// Set gives a key of the mapping at path a value, as YAML writes it ([keys.Scalar]). A key that is not there yet comes
// right after the key that is named by after.
func (d *Draft) Set(path []string, after, key, value string) error {
	m, err := d.at(path)
	if err != nil {
		return err
	}
	if v := under(m, key); v != nil {
		from, to, err := d.span(v)
		if err == nil {
			d.splice(from, to, value)
		}
		return err
	}
	anchor := under(m, after)
	if anchor == nil {
		return d.byHand(m, "there is no "+after+" to write "+key+" behind")
	}
	_, to, err := d.span(anchor)
	switch pair := key + ": " + value; {
	case err != nil:
		return err
	case m.Style&yaml.FlowStyle != 0:
		d.splice(to, to, ", "+pair)
	default:
		d.appendLines(d.behind(anchor.Line), indented([]string{pair}, m.Content[0].Column-1))
	}
	return nil
}

// Remove takes a key out of the mapping at path.
func (d *Draft) Remove(path []string, key string) error {
	m, err := d.at(path)
	if err != nil {
		return err
	}
	k, v := pair(m, key)
	if k == nil {
		return nil
	}
	return d.cut(m, k, v)
}

// AddDestination writes a new destination at the end of the others.
func (d *Draft) AddDestination(name string, lines []string) error {
	m, err := d.at(nil)
	if err != nil {
		return err
	}
	all := under(m, "destinations")
	if all == nil {
		d.appendLines(len(d.text), append([]string{"destinations:", "  " + keys.Scalar(name) + ":"}, indented(lines, 4)...))
		return nil
	}
	if all.Style&yaml.FlowStyle != 0 || all.Kind != yaml.MappingNode || len(all.Content) == 0 {
		return d.byHand(all, "destinations are written in one line")
	}
	if under(all, name) != nil {
		return fmt.Errorf("%s has a destination %s already, which is not overwritten: change it there, or choose another name", d.file, name)
	}
	first, body := all.Content[0], all.Content[1]
	margin := first.Column - 1
	step := 2
	if body.Kind == yaml.MappingNode && body.Style&yaml.FlowStyle == 0 && len(body.Content) > 0 {
		step = body.Content[0].Column - first.Column
	}
	d.appendLines(d.behind(lastLine(all)), append([]string{strings.Repeat(" ", margin) + keys.Scalar(name) + ":"}, indented(lines, margin+step)...))
	return nil
}

func indented(lines []string, by int) []string {
	var list []string
	for _, l := range lines {
		list = append(list, strings.Repeat(" ", by)+l)
	}
	return list
}

// pair finds a key of a mapping and its value; nil where there is none.
func pair(m *yaml.Node, key string) (k, v *yaml.Node) {
	for i := 0; m != nil && m.Kind == yaml.MappingNode && i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i], m.Content[i+1]
		}
	}
	return nil, nil
}

func under(m *yaml.Node, key string) *yaml.Node {
	_, v := pair(m, key)
	return v
}

func (d *Draft) at(path []string) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(d.text, &doc); err != nil {
		return nil, err
	}
	m := doc.Content[0]
	for _, key := range path {
		if m = under(m, key); m == nil {
			return nil, fmt.Errorf("%s has no %s", d.file, strings.Join(path, "."))
		}
	}
	return m, nil
}

// behind is where the n-th line ends, and the next one begins.
func (d *Draft) behind(n int) int {
	lines := bytes.SplitAfter(d.text, []byte("\n"))
	return len(bytes.Join(lines[:min(n, len(lines))], nil))
}

func (d *Draft) splice(from, to int, text string) {
	d.text = slices.Replace(d.text, from, to, []byte(text)...)
}

// appendLines puts lines where one ends.
func (d *Draft) appendLines(at int, add []string) {
	end := "\n"
	if bytes.Contains(d.text, []byte("\r\n")) {
		end = "\r\n"
	}
	text := strings.Join(add, end) + end
	if at > 0 && d.text[at-1] != '\n' {
		text = end + text
	}
	d.splice(at, at, text)
}

// span finds where a scalar stands that is written in one line.
func (d *Draft) span(n *yaml.Node) (from, to int, err error) {
	line := d.text[d.behind(n.Line-1):d.behind(n.Line)]
	column := len(string(bytes.Runes(line)[:n.Column-1])) // columns count characters
	for _, text := range []string{n.Value, `"` + n.Value + `"`, "'" + n.Value + "'"} {
		if n.Kind == yaml.ScalarNode && text != "" && bytes.HasPrefix(line[column:], []byte(text)) {
			from = d.behind(n.Line-1) + column
			return from, from + len(text), nil
		}
	}
	return 0, 0, d.byHand(n, "it is written in a way that is not changed here")
}

// cut takes a pair out: its line, or its part of one.
func (d *Draft) cut(m, key, value *yaml.Node) error {
	from, _, err := d.span(key)
	if err != nil {
		return err
	}
	_, to, err := d.span(value)
	if err != nil || key.Line != value.Line {
		return d.byHand(key, key.Value+" is written over several lines")
	}
	before := bytes.TrimRight(d.text[:from], " ")
	switch {
	case m.Style&yaml.FlowStyle == 0:
		d.splice(d.behind(key.Line-1), d.behind(key.Line), "")
	case bytes.HasSuffix(before, []byte(",")):
		d.splice(len(before)-1, to, "")
	default:
		rest := bytes.TrimPrefix(bytes.TrimLeft(d.text[to:], " "), []byte(","))
		d.splice(from, len(d.text)-len(bytes.TrimLeft(rest, " ")), "")
	}
	return nil
}

// lastLine is the last that a node's values begin on.
func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last
}

// Write puts the draft in the place of the file, whole or not at all. A file that was
// changed by somebody in between is left as it is.
func (d *Draft) Write(dir string) error {
	if _, err := d.Tenant(); err != nil {
		return fmt.Errorf("nothing was written, since the file would not be read any more:\n%w", err)
	}
	to := filepath.Join(dir, filepath.FromSlash(d.file))
	now, err := os.ReadFile(to)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, d.was) {
		return fmt.Errorf("%s was changed by somebody else in the meantime, and is left so: try again", d.file)
	}
	info, err := os.Stat(to)
	if err != nil {
		return err
	}
	temp, err := written(to, d.text, info.Mode().Perm())
	if err != nil {
		return err
	}
	if err := os.Rename(temp, to); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}

// Create writes a new tenant's file, and never over another.
func (ks *Kinds) Create(dir, file string, text []byte) error {
	if _, err := ks.ParseTenant(file, text); err != nil {
		return err
	}
	to := filepath.Join(dir, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	temp, err := written(to, text, 0o644)
	if err != nil {
		return err
	}
	// A link is made whole, and fails where the name is taken.
	return errors.Join(os.Link(temp, to), os.Remove(temp))
}

// written puts text beside a file, on disk before it gets its name.
func written(to string, text []byte, mode os.FileMode) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(to), ".carnet-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
