package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

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

// errByHand wraps what a change of lines cannot do safely.
var errByHand = errors.New("change it by hand")

func (d *Draft) byHand(n *yaml.Node, why string) error {
	return fmt.Errorf("%s:%d: %s: %w", d.file, n.Line, why, errByHand)
}

// Set gives a key of the mapping at path a value, as YAML writes it ([keys.Scalar]). A key that is not there yet comes
// right after the key that is named by after.
func (d *Draft) Set(path []string, after, key, value string) error {
	m, err := d.at(path)
	if err != nil {
		return err
	}
	if v := under(m, key); v != nil {
		return d.replace(v, value)
	}
	anchor := under(m, after)
	if anchor == nil {
		return d.byHand(m, "there is no "+after+" to write "+key+" behind")
	}
	return d.insert(m, anchor, key+": "+value)
}

// Remove takes a key out of the mapping at path.
func (d *Draft) Remove(path []string, key string) error {
	m, err := d.at(path)
	if err != nil {
		return err
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return d.cut(m, m.Content[i], m.Content[i+1])
		}
	}
	return nil
}

// AddDestination writes a new destination at the end of the others.
func (d *Draft) AddDestination(name string, lines []string) error {
	m, err := d.at(nil)
	if err != nil {
		return err
	}
	all := under(m, "destinations")
	if all == nil {
		d.appendLines(len(d.lines()), append([]string{"destinations:", "  " + name + ":"}, indented(lines, 4)...))
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
	d.appendLines(lastLine(all), append([]string{strings.Repeat(" ", margin) + name + ":"}, indented(lines, margin+step)...))
	return nil
}

func indented(lines []string, by int) []string {
	var list []string
	for _, l := range lines {
		list = append(list, strings.Repeat(" ", by)+l)
	}
	return list
}

func under(m *yaml.Node, key string) *yaml.Node {
	for i := 0; m != nil && m.Kind == yaml.MappingNode && i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
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

// lines keep their ends.
func (d *Draft) lines() []string { return strings.SplitAfter(string(d.text), "\n") }

func (d *Draft) end() string {
	if bytes.Contains(d.text, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// appendLines puts lines behind the n-th.
func (d *Draft) appendLines(n int, add []string) {
	lines := d.lines()
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	n = min(n, len(lines))
	if n > 0 && !strings.HasSuffix(lines[n-1], "\n") {
		lines[n-1] += d.end()
	}
	for i := range add {
		add[i] += d.end()
	}
	d.text = []byte(strings.Join(slices.Insert(lines, n, add...), ""))
}

// A span is where a value stands in its line, in bytes.
type span struct{ line, from, to int }

// spanOf finds a scalar that is written in one line.
func (d *Draft) spanOf(n *yaml.Node) (span, error) {
	line := d.lines()[n.Line-1]
	from := len(string([]rune(line)[:n.Column-1])) // columns count characters
	for _, text := range []string{n.Value, `"` + n.Value + `"`, "'" + n.Value + "'"} {
		if n.Kind == yaml.ScalarNode && text != "" && strings.HasPrefix(line[from:], text) {
			return span{n.Line - 1, from, from + len(text)}, nil
		}
	}
	return span{}, d.byHand(n, "it is written in a way that is not changed here")
}

func (d *Draft) splice(at span, text string) {
	lines := d.lines()
	lines[at.line] = lines[at.line][:at.from] + text + lines[at.line][at.to:]
	d.text = []byte(strings.Join(lines, ""))
}

func (d *Draft) replace(n *yaml.Node, value string) error {
	at, err := d.spanOf(n)
	if err == nil {
		d.splice(at, value)
	}
	return err
}

// insert writes a pair behind another of the same mapping.
func (d *Draft) insert(m, anchor *yaml.Node, pair string) error {
	at, err := d.spanOf(anchor)
	if err != nil {
		return err
	}
	if m.Style&yaml.FlowStyle != 0 {
		d.splice(span{at.line, at.to, at.to}, ", "+pair)
		return nil
	}
	d.appendLines(anchor.Line, []string{strings.Repeat(" ", m.Content[0].Column-1) + pair})
	return nil
}

// cut takes a pair out: its line, or its part of one.
func (d *Draft) cut(m, key, value *yaml.Node) error {
	from, err := d.spanOf(key)
	if err != nil {
		return err
	}
	to, err := d.spanOf(value)
	if err != nil || to.line != from.line {
		return d.byHand(key, key.Value+" is written over several lines")
	}
	if m.Style&yaml.FlowStyle == 0 {
		d.text = []byte(strings.Join(slices.Delete(d.lines(), from.line, from.line+1), ""))
		return nil
	}
	line := d.lines()[from.line]
	before := strings.TrimRight(line[:from.from], " ")
	if strings.HasSuffix(before, ",") {
		d.splice(span{from.line, len(before) - 1, to.to}, "")
		return nil
	}
	rest := strings.TrimLeft(line[to.to:], " ")
	to.to = len(line) - len(strings.TrimLeft(strings.TrimPrefix(rest, ","), " "))
	d.splice(span{from.line, from.from, to.to}, "")
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
	return errors.Join(os.Rename(temp, to), removed(temp))
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
	return errors.Join(os.Link(temp, to), removed(temp))
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

// removed takes what a rename left, which is nothing where it worked.
func removed(temp string) error {
	if err := os.Remove(temp); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
