package awsid

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
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
		strict := &document{raw: xml.NewDecoder(bytes.NewReader(text)), action: action, names: make([]string, 0, 16), open: make([]int, 1, 8)}
		if err := read(xml.NewTokenDecoder(strict), action+"Result", answer); err != nil {
			return fmt.Errorf("the answer to %s is not of its shape", action) // the decoder's error may quote it
		}
		return nil
	}
}

// read goes through a whole document, and decodes the element of that name.
func read(dec *xml.Decoder, name string, answer any) error {
	for found := false; ; {
		t, err := dec.Token()
		switch {
		case err == io.EOF && found:
			return nil
		case err == io.EOF:
			return errors.New("there is none")
		case err != nil:
			return err
		}
		if start, ok := t.(xml.StartElement); ok && start.Name.Local == name && !found {
			found = true
			if err := dec.DecodeElement(answer, &start); err != nil {
				return err
			}
		}
	}
}

// inJSON reads the answer of an operation of the JSON protocol.
func inJSON(answer any) reader {
	return func(contentType string, text []byte) error {
		if !isType(contentType, "application/x-amz-json-1.1") {
			return fmt.Errorf("the answer is %q and not AWS's JSON", contentType)
		}
		if _, err := strict.Parse(text); err != nil || json.Unmarshal(text, answer) != nil {
			return errors.New("the answer is no JSON of its shape") // the decoder's error may quote a password
		}
		return nil
	}
}

// isType leaves the parameters of a content type aside.
func isType(contentType, want string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), want)
}

// maxDepth bounds how deep elements stand in each other; seven is the most that is known.
const maxDepth = 16

// A document is an [xml.TokenReader] over what may be read in one way alone. It fails at a
// root or a second element that is another than it must be, at text or a root beside the
// root, a document type, a second namespace, and an element that stands twice where there is
// no list.
type document struct {
	raw    *xml.Decoder
	action string
	names  []string // of those that are open, each followed by the names of those in it so far
	open   []int    // where in names those in each open one begin, the document's own first
}

// Token implements [xml.TokenReader]. That ends match beginnings is its reader's to check.
func (d *document) Token() (xml.Token, error) {
	t, err := d.raw.RawToken()
	if err == nil {
		err = d.check(t)
	}
	if err != nil {
		return nil, err // a token beside an error would be taken
	}
	return t, nil
}

func (d *document) check(t xml.Token) error {
	switch t := t.(type) {
	case xml.Directive:
		return errors.New("it has a document type")
	case xml.CharData:
		if len(d.open) == 1 && len(bytes.TrimSpace(t)) > 0 {
			return errors.New("it has text beside its root")
		}
	case xml.StartElement:
		return d.enter(t)
	case xml.EndElement:
		return d.leave()
	}
	return nil
}

func (d *document) enter(e xml.StartElement) error {
	depth := len(d.open) - 1
	from, name := d.open[depth], e.Name.Local
	switch {
	case depth == 0 && (name != d.action+"Response" || len(d.names) > 0):
		return fmt.Errorf("it is not one %sResponse", d.action)
	case depth == 1 && name != d.action+"Result" && name != "ResponseMetadata":
		return fmt.Errorf("it is not one %sResult", d.action)
	case e.Name.Space != "" || depth > 0 && len(e.Attr) > 0:
		return errors.New("it has a second namespace")
	case depth > 0 && slices.Contains(d.names[from:], name) && !isList(d.names[from-1], name):
		return fmt.Errorf("it has %s twice", name)
	case depth == maxDepth:
		return fmt.Errorf("it is deeper than %d elements", maxDepth)
	}
	d.names = append(d.names, name)
	d.open = append(d.open, len(d.names))
	return nil
}

func (d *document) leave() error {
	last := len(d.open) - 1
	if last == 0 {
		return errors.New("it ends more than it begins")
	}
	d.names = d.names[:d.open[last]]
	d.open = d.open[:last]
	return nil
}

// isList: <ClusterNodes><member>…, <Clusters><Cluster>…, <IamRoles><ClusterIamRole>….
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_Cluster.html
func isList(list, of string) bool {
	one, plural := strings.CutSuffix(list, "s")
	return of == "member" || plural && strings.HasSuffix(of, one)
}

// refusal reads an error in either protocol's shape.
func refusal(resp *http.Response, text []byte, id string, untold bool) error {
	e := &callError{status: resp.StatusCode, code: http.StatusText(resp.StatusCode), requestID: id, retryAfter: again.After(resp.Header), untold: untold}
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
