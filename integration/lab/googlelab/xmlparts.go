package googlelab

import (
	"crypto/rand"
	"encoding/xml"
	"net/http"
	"strconv"
)

// parts is an upload in parts, as the XML API has it: any order, joined at the end.
type parts struct {
	bucket, name, kind string
	data               map[int][]byte
}

// maxPart: https://cloud.google.com/storage/docs/multipart-uploads
const maxPart = 10_000

// xmlParts takes the steps of an upload in parts, with the permissions of each.
// https://cloud.google.com/storage/docs/access-control/iam-xml
func (c *Cloud) xmlParts(w http.ResponseWriter, r *http.Request) *fault {
	t, a, f := c.mayPart(w, r)
	if f != nil {
		return f
	}
	q := r.URL.Query()
	if r.Method == http.MethodPost && q.Has("uploads") {
		c.beginParts(w, r, a)
		return nil
	}
	c.mu.RLock()
	p := c.parted[q.Get("uploadId")]
	c.mu.RUnlock()
	if p == nil || p.bucket != a.bucket || p.name != a.object {
		return missing("The requested upload was not found.")
	}
	switch r.Method {
	case http.MethodPut:
		return c.addPart(w, r, p)
	case http.MethodPost:
		return c.joinParts(w, r, t, p)
	case http.MethodDelete:
		c.dropParts(q.Get("uploadId"))
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return unimplemented(r.Method + " of an upload in parts")
}

// mayPart asks for the permission of a step, and to make the object.
func (c *Cloud) mayPart(w http.ResponseWriter, r *http.Request) (*token, access, *fault) {
	step := "create"
	switch r.Method {
	case http.MethodDelete:
		step = "abort"
	case http.MethodGet:
		step = "listParts"
	}
	a := access{"storage.objects.insert", "storage.multipartUploads." + step, r.PathValue("bucket"), r.PathValue("object"), nil}
	t, f := c.reach(w, r, a)
	if f == nil && step == "create" {
		f = c.storable(t, objectAccess("insert", "create", a.bucket, a.object))
	}
	return t, a, f
}

func (c *Cloud) beginParts(w http.ResponseWriter, r *http.Request, a access) {
	id := rand.Text()
	c.mu.Lock()
	if len(c.parted) >= maxUploads {
		clear(c.parted)
	}
	c.parted[id] = &parts{a.bucket, a.object, r.Header.Get("Content-Type"), map[int][]byte{}}
	c.mu.Unlock()
	writeXML(w, http.StatusOK, struct {
		XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
		Bucket   string
		Key      string
		UploadID string `xml:"UploadId"`
	}{Bucket: a.bucket, Key: a.object, UploadID: id})
}

func (c *Cloud) addPart(w http.ResponseWriter, r *http.Request, p *parts) *fault {
	n, err := strconv.Atoi(r.URL.Query().Get("partNumber"))
	if err != nil || n < 1 || n > maxPart {
		return invalid("partNumber is 1 to 10000.")
	}
	data, err := body(r)
	if err != nil {
		return unreadable(err)
	}
	c.mu.Lock()
	p.data[n] = data
	c.mu.Unlock()
	o := object{data: data}
	w.Header().Set("ETag", strconv.Quote(o.md5()))
	w.Header().Add("X-Goog-Hash", "crc32c="+o.crc32c())
	w.Header().Add("X-Goog-Hash", "md5="+o.md5())
	return nil
}

func (c *Cloud) joinParts(w http.ResponseWriter, r *http.Request, t *token, p *parts) *fault {
	o, f := c.joined(r, p)
	if f == nil {
		o, f = c.store(t, "insert", p.bucket, p.name, o, xmlConditions(r))
	}
	if f != nil {
		return f
	}
	c.dropParts(r.URL.Query().Get("uploadId"))
	w.Header().Set("Lab-Operation", "storage.objects.insert")
	w.Header().Set("X-Goog-Generation", strconv.FormatInt(o.generation, 10))
	writeXML(w, http.StatusOK, struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
		Bucket  string
		Key     string
		ETag    string
	}{Bucket: p.bucket, Key: p.name, ETag: o.etag()})
	return nil
}

// joined is the object that the parts of a list make.
func (c *Cloud) joined(r *http.Request, p *parts) (object, *fault) {
	text, err := body(r)
	var ask struct {
		Part []struct{ PartNumber int }
	}
	if err != nil || xml.Unmarshal(text, &ask) != nil || len(ask.Part) == 0 {
		return object{}, invalid("The list of parts is missing or invalid.")
	}
	o := object{kind: p.kind}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, part := range ask.Part {
		o.data = append(o.data, p.data[part.PartNumber]...)
		if p.data[part.PartNumber] == nil || len(o.data) > maxBody {
			return object{}, invalid("One or more of the specified parts could not be found.")
		}
	}
	return o, nil
}

func (c *Cloud) dropParts(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.parted, id)
}
