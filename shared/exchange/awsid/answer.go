package awsid

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"carnet.dev/carnet/shared/exchange/again"
	"carnet.dev/carnet/shared/strict"
)

// An answer is taken for what it says only if no two readers of it could disagree. An
// identity was once taken out of another operation's answer, by a parser that looked for
// the first element of some name (CVE-2020-16250).

// inXML reads the answer of an operation of the Query protocol:
// <ActionResponse><ActionResult>…, from which the caller's value is filled.
func inXML(action string, answer any) reader {
	return func(contentType string, text []byte) error {
		if !isType(contentType, "text/xml") {
			return fmt.Errorf("the answer is %q and not XML", contentType)
		}
		d := document{action: action, names: make([][]byte, 0, 16), open: make([]int, 1, 8)}
		if err := d.walk(text); err != nil {
			return fmt.Errorf("the answer to %s: %w", action, err)
		}
		if d.result == 0 || xml.NewDecoder(bytes.NewReader(text[d.result:])).Decode(answer) != nil {
			return fmt.Errorf("the answer to %s is not of its shape", action) // the decoder's error may quote it
		}
		return nil
	}
}

// inJSON reads the answer of an operation of the JSON protocol.
func inJSON(answer any) reader {
	return func(contentType string, text []byte) error {
		if err := isJSON(contentType, text); err != nil {
			return err
		}
		if json.Unmarshal(text, answer) != nil {
			return errNoShape
		}
		return nil
	}
}

// errNoShape is said in the place of a decoder's error, which may quote a password.
var errNoShape = errors.New("the answer is no JSON of its shape")

func isJSON(contentType string, text []byte) error {
	switch {
	case !isType(contentType, "application/x-amz-json-1.1"):
		return fmt.Errorf("the answer is %q and not AWS's JSON", contentType)
	case strict.Check(text) != nil:
		return errNoShape
	}
	return nil
}

// isType leaves the parameters of a content type aside.
func isType(contentType, want string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), want)
}

// maxDepth bounds how deep elements stand in each other; seven is the most that is known.
const maxDepth = 16

// A document holds XML to what can be read in one way alone. It fails at a root or a second
// element that is another than it must be, at text or a root beside the root, a document
// type, a comment, a section of CDATA, a second namespace, and an element that stands twice
// where there is no list: no service sends any of these.
//
// It looks at brackets and names alone: a decoding for its sake would cost a cold chain more
// than all its signatures.
type document struct {
	action string
	names  [][]byte // of those that are open, each followed by the names of those in it so far
	open   []int    // where in names those in each open one begin, the document's own first
	result int      // where in the text the second element begins; 0: there is none
}

func (d *document) walk(text []byte) error {
	for all := len(text); ; {
		beside, rest, more := bytes.Cut(text, []byte("<"))
		switch {
		case len(d.open) == 1 && len(bytes.TrimSpace(beside)) > 0:
			return errors.New("it has text beside its root")
		case !more && (len(d.open) > 1 || len(d.names) == 0):
			return errors.New("it is not one whole document")
		case !more:
			return nil
		}
		end := tagEnd(rest)
		if end < 1 {
			return errors.New("it has a tag without an end")
		}
		if err := d.tag(rest[:end]); err != nil {
			return err
		}
		if d.result == 0 && len(d.open) == 3 && string(d.names[d.open[2]-1]) == d.action+"Result" {
			d.result = all - len(rest) - 1
		}
		text = rest[end+1:]
	}
}

// tagEnd finds the bracket that closes a tag: none within quotes does.
func tagEnd(text []byte) int {
	quote := byte(0)
	for i, c := range text {
		switch {
		case quote == 0 && c == '>':
			return i
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		}
	}
	return -1
}

// tag takes what stands between two brackets.
func (d *document) tag(tag []byte) error {
	switch tag[0] {
	case '?':
		return d.instruction(bytes.ToLower(tag))
	case '!':
		return errors.New("it has a document type, a comment or CDATA")
	case '/':
		return d.leave(bytes.TrimSpace(tag[1:]))
	}
	tag, empty := bytes.CutSuffix(tag, []byte("/"))
	name, attributes := tag, []byte(nil)
	if i := bytes.IndexAny(tag, " \t\r\n"); i >= 0 {
		name, attributes = tag[:i], bytes.TrimSpace(tag[i:])
	}
	if err := d.enter(name, attributes); err != nil || !empty {
		return err
	}
	return d.leave(name)
}

// instruction lets the XML declaration pass, in the one encoding.
func (d *document) instruction(tag []byte) error {
	switch {
	case len(d.names) > 0:
		return errors.New("it has an instruction in it")
	case bytes.Contains(tag, []byte("encoding")) && !bytes.Contains(tag, []byte("utf-8")):
		return errors.New("it is not in UTF-8")
	}
	return nil
}

func (d *document) enter(name, attributes []byte) error {
	depth := len(d.open) - 1
	from := d.open[depth]
	switch {
	case depth == 0 && (string(name) != d.action+"Response" || len(d.names) > 0):
		return fmt.Errorf("it is not one %sResponse", d.action)
	case depth == 1 && string(name) != d.action+"Result" && string(name) != "ResponseMetadata":
		return fmt.Errorf("it is not one %sResult", d.action)
	case bytes.IndexByte(name, ':') >= 0 || depth > 0 && len(attributes) > 0:
		return errors.New("it has a second namespace")
	case depth == maxDepth:
		return fmt.Errorf("it is deeper than %d elements", maxDepth)
	case depth > 0 && !isList(d.names[from-1], name):
		for _, n := range d.names[from:] {
			if bytes.Equal(n, name) {
				return fmt.Errorf("it has %s twice", name)
			}
		}
	}
	d.names = append(d.names, name)
	d.open = append(d.open, len(d.names))
	return nil
}

func (d *document) leave(name []byte) error {
	last := len(d.open) - 1
	if last == 0 || !bytes.Equal(d.names[d.open[last]-1], name) {
		return errors.New("it ends what it did not begin")
	}
	d.names = d.names[:d.open[last]]
	d.open = d.open[:last]
	return nil
}

// isList: <ClusterNodes><member>…, <Clusters><Cluster>…, <IamRoles><ClusterIamRole>….
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_Cluster.html
func isList(list, of []byte) bool {
	one, plural := bytes.CutSuffix(list, []byte("s"))
	return string(of) == "member" || plural && bytes.HasSuffix(of, one)
}

// refusal reads an error in either protocol's shape.
func refusal(resp *http.Response, text []byte, untold bool) error {
	e := &callError{status: resp.StatusCode, code: http.StatusText(resp.StatusCode), requestID: requestID(resp.Header), retryAfter: again.After(resp.Header), untold: untold}
	var inXML struct {
		Error struct{ Code, Message string }
	}
	var inJSON struct {
		Type     string `json:"__type"`
		Message  string `json:"message"`
		Message2 string `json:"Message"`
	}
	switch { // an error names nobody: its code is all that counts
	case xml.Unmarshal(text, &inXML) == nil && inXML.Error.Code != "":
		e.code, e.message = inXML.Error.Code, inXML.Error.Message
	case json.Unmarshal(text, &inJSON) == nil && inJSON.Type != "":
		e.code, e.message = inJSON.Type[strings.LastIndex(inJSON.Type, "#")+1:], inJSON.Message+inJSON.Message2
	}
	return e
}
