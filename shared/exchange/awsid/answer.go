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
		if err := unambiguous(text, action+"Response", action+"Result"); err != nil {
			return fmt.Errorf("the answer to %s: %w", action, err)
		}
		dec := xml.NewDecoder(bytes.NewReader(text))
		for {
			t, err := dec.Token()
			if err != nil {
				return err // not reached: the element is there
			}
			if start, ok := t.(xml.StartElement); ok && start.Name.Local == action+"Result" {
				if dec.DecodeElement(answer, &start) != nil {
					return fmt.Errorf("the answer to %s is not of its shape", action) // the decoder's error may quote it
				}
				return nil
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

// An element is one that is open.
type element struct {
	name xml.Name
	has  []string // names of those in it
}

// unambiguous tells what is wrong with a document: that it is none or more than one, has
// another root or second element than it must, a DTD, a second namespace, or one element
// twice where there is no list. A list's elements are all alike.
func unambiguous(text []byte, root, second string) error {
	dec := xml.NewDecoder(bytes.NewReader(text))
	open := make([]element, 1, 8)
	for {
		t, err := dec.Token()
		switch {
		case err == io.EOF && len(open[0].has) == 1:
			return nil
		case err != nil:
			return errors.New("is not one whole document of XML")
		}
		if open, err = step(open, t, root, second); err != nil {
			return err
		}
	}
}

func step(open []element, t xml.Token, root, second string) ([]element, error) {
	depth := len(open) - 1
	switch t := t.(type) {
	case xml.Directive:
		return open, errors.New("has a document type")
	case xml.CharData:
		if depth == 0 && len(bytes.TrimSpace(t)) > 0 {
			return open, errors.New("has text beside its root")
		}
	case xml.EndElement:
		return open[:depth], nil
	case xml.StartElement:
		return enter(open, t.Name, root, second)
	}
	return open, nil
}

func enter(open []element, name xml.Name, root, second string) ([]element, error) {
	depth := len(open) - 1
	inside := &open[depth]
	switch {
	case depth == 0 && (name.Local != root || len(inside.has) > 0):
		return open, fmt.Errorf("is not one %s", root)
	case depth == 1 && name.Local != second && name.Local != "ResponseMetadata":
		return open, fmt.Errorf("is not one %s", second)
	case depth > 0 && name.Space != open[1].name.Space:
		return open, errors.New("has a second namespace")
	case slices.Contains(inside.has, name.Local) && !isList(inside.name.Local, name.Local):
		return open, fmt.Errorf("has %s twice", name.Local)
	case depth == maxDepth:
		return open, fmt.Errorf("is deeper than %d elements", maxDepth)
	}
	inside.has = append(inside.has, name.Local)
	return append(open, element{name: name}), nil
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
