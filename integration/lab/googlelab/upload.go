package googlelab

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
)

// upload is objects.insert, in each of the ways to send an object.
// https://cloud.google.com/storage/docs/uploads-downloads
func (c *Cloud) upload(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("upload_id") != "" {
		c.resume(w, r)
		return
	}
	// Who calls is looked at before what is sent.
	t, f := c.shown(r)
	if f == nil {
		f = scoped(t, "storage.objects.insert")
	}
	switch {
	case f != nil:
		f.writeListed(w, storageReasons)
	case r.Method != http.MethodPost:
		(&fault{code: http.StatusMethodNotAllowed, status: "UNIMPLEMENTED", message: "An upload begins with a POST."}).writeListed(w, storageReasons)
	case q.Get("uploadType") == "resumable":
		c.begin(w, r)
	default:
		c.insert(w, r)
	}
}

func (c *Cloud) insert(w http.ResponseWriter, r *http.Request) {
	name, o, err := uploaded(r)
	bucket := r.PathValue("bucket")
	if err != nil || name == "" {
		unreadable(err).writeListed(w, storageReasons)
		return
	}
	t, f := c.reach(w, r, objectAccess("insert", "create", bucket, name))
	if f == nil {
		o, f = c.store(t, "insert", bucket, name, o, r.URL.Query())
	}
	c.inserted(w, bucket, name, o, f)
}

// inserted answers for an upload that is done.
func (c *Cloud) inserted(w http.ResponseWriter, bucket, name string, o object, f *fault) {
	if f != nil {
		f.writeListed(w, storageReasons)
		return
	}
	w.Header().Set("Lab-Operation", "storage.objects.insert")
	writeJSON(w, http.StatusOK, o.resource(bucket, name))
}

func unreadable(err error) *fault {
	if errors.Is(err, errTooLarge) {
		return &fault{code: http.StatusRequestEntityTooLarge, status: "INVALID_ARGUMENT", message: err.Error()}
	}
	return invalid("An upload is uploadType=media, multipart or resumable, and its object has a name.")
}

// described is what a request says of an object beside its data.
type described struct {
	Name            string
	ContentType     string
	ContentEncoding string
	Metadata        map[string]string
}

// uploaded reads an object in either of the simple ways to send it.
func uploaded(r *http.Request) (string, object, error) {
	q := r.URL.Query()
	switch q.Get("uploadType") {
	case "media":
		data, err := body(r)
		return q.Get("name"), object{kind: r.Header.Get("Content-Type"), encoding: q.Get("contentEncoding"), data: data}, err
	case "multipart":
		text, data, kind, err := related(r)
		if err != nil {
			return "", object{}, err
		}
		return makeObject(text, q, kind, data)
	}
	return "", object{}, errors.New("no such upload")
}

// makeObject is an object from its JSON, which may be missing, and what stands in the query.
func makeObject(text []byte, q url.Values, kind string, data []byte) (string, object, error) {
	var d described
	if len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &d); err != nil {
			return "", object{}, err
		}
	}
	o := object{kind: cmp.Or(d.ContentType, kind), encoding: cmp.Or(d.ContentEncoding, q.Get("contentEncoding")), metadata: d.Metadata, data: data}
	return cmp.Or(d.Name, q.Get("name")), o, nil
}

// related reads multipart/related: JSON, then the data and its type.
func related(r *http.Request) (text, data []byte, kind string, err error) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, nil, "", err
	}
	all, err := body(r)
	if err != nil {
		return nil, nil, "", err
	}
	parts := multipart.NewReader(bytes.NewReader(all), params["boundary"])
	first, err := parts.NextPart()
	if err != nil {
		return nil, nil, "", err
	}
	if text, err = io.ReadAll(first); err != nil {
		return nil, nil, "", err
	}
	second, err := parts.NextPart()
	if err != nil {
		return nil, nil, "", err
	}
	data, err = io.ReadAll(second)
	return text, data, second.Header.Get("Content-Type"), err
}
