package eval

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/progress"
)

// The template protocols; numbers of different ones are not comparable.
const (
	ProtocolIJBACompare    = "ijba-compare" // 1:1, ten splits
	ProtocolIJBASearch     = "ijba-search"  // 1:N, ten splits
	ProtocolIJBB11         = "ijbb-1:1"
	ProtocolIJBB1N         = "ijbb-1:n"
	ProtocolIJBC11         = "ijbc-1:1"
	ProtocolIJBC1N         = "ijbc-1:n"
	ProtocolVGGFace2Lists  = "vggface2-templates" // pose or age, as the list says; the result has one of the next two
	ProtocolVGGFace2Pose   = "vggface2-pose"
	ProtocolVGGFace2Age    = "vggface2-age"
	ProtocolVGGFace2Enrol  = "vggface2-identify"
	ijbaSplits             = 10
	defaultEnrolTestImages = 50
)

// TemplateProtocols are the protocols that [Templates] takes.
var TemplateProtocols = []string{ProtocolIJBACompare, ProtocolIJBASearch, ProtocolIJBB11, ProtocolIJBB1N,
	ProtocolIJBC11, ProtocolIJBC1N, ProtocolVGGFace2Lists, ProtocolVGGFace2Enrol}

// TemplateOptions say what to measure.
type TemplateOptions struct {
	Protocol   string
	Meta       string // directory of the protocol's files; for VGGFace2 the list itself
	Embeddings *Embeddings
	Pooling    Pooling  // "" is PoolMedia
	KeyWith    string   // "file" (also ""), or "sighting": keys are FILE#SIGHTING_ID
	TestImages int      // vggface2-identify: images of each identity to name; 0 is 50
	Seed       uint64   // vggface2-identify: which ones
	Exclude    []string // people and images whose embeddings are left out, as if there were none
	Out        string   // directory for the results, made where missing; "" writes nothing
	From       Provenance
	Progress   progress.Reporter
}

// TemplateResult is what a protocol gave: a [Comparison], a [TemplateSearch], a
// [TemplateSimilarity] or an [Enrolment].
type TemplateResult interface {
	Print(w io.Writer)
	LeftOut() (n int, of int, what string) // pairs, searches, identities or images without a judgement
	input() *TemplateInput
	write(dir string) error
}

// TemplateInput is what every template protocol says of its inputs.
type TemplateInput struct {
	Protocol         string  `json:"protocol"`
	Pooling          Pooling `json:"pooling,omitempty"`
	ProtocolFiles    string  `json:"protocol_files,omitempty"` // digest of all that were read
	Embeddings       string  `json:"embeddings"`               // digest of keys and values
	Templates        int     `json:"templates"`                // with a vector, of all splits
	TemplatesLeftOut int     `json:"templates_left_out"`       // without one
	Faces            int     `json:"faces"`                    // in those templates, with an embedding
	FacesMissing     int     `json:"faces_missing_embedding"`
	FacesShared      int     `json:"faces_shared_photo"`            // see KeyWith
	Left             int     `json:"embeddings_left_out"`           // excluded: their faces are missing
	Excluded         string  `json:"excluded_identities,omitempty"` // digest of their keys
	Provenance
	Report string `json:"report,omitempty"` // where the report was written; not in the file itself

	Skips    []Skip    `json:"-"`
	Pictures []Picture `json:"-"`
}

func (x *TemplateInput) input() *TemplateInput { return x }

// add counts a split's templates; where names the split in the list of what was left out.
func (x *TemplateInput) add(t *templateVectors, where string) {
	x.Templates += t.len()
	x.TemplatesLeftOut += len(t.lacks)
	x.Faces += t.faces
	x.FacesMissing += t.absent
	x.skip(t.skips, where)
}

func (x *TemplateInput) skip(skips []Skip, where string) {
	for _, s := range skips {
		if s.Reason == sharedPhoto {
			x.FacesShared++
		}
		if where != "" {
			s.Detail = where + ": " + s.Detail
		}
		x.Skips = append(x.Skips, s)
	}
}

// Templates measures embeddings by a protocol that compares templates: sets of faces that stand
// for a subject. Images that the protocol names and that have no embedding are left out, and so
// are the pairs and searches that this leaves without a face; all are counted and listed.
//
// Errors: wrapping [ErrProtocolFile], with file and line, for files in another format; [ErrNoPairs]
// when nothing is left to judge.
func Templates(ctx context.Context, o TemplateOptions) (TemplateResult, error) {
	o.Progress = progress.Or(o.Progress)
	if o.Pooling == "" {
		o.Pooling = PoolMedia
	}
	if !slices.Contains(Poolings, o.Pooling) {
		return nil, fmt.Errorf("eval: pooling %q, want one of %q", o.Pooling, Poolings)
	}
	if o.KeyWith == "" {
		o.KeyWith = keyWithFile
	}
	if o.KeyWith != keyWithFile && o.KeyWith != keyWithSighting {
		return nil, fmt.Errorf("eval: keys with %q, want %s or %s", o.KeyWith, keyWithFile, keyWithSighting)
	}
	e := o.Embeddings
	if e == nil || len(e.Keys) == 0 {
		return nil, errors.New("eval: no embeddings")
	}
	left, n, excluded, err := e.without(o.Exclude)
	if err != nil {
		return nil, err
	}
	o.Embeddings = left
	var r TemplateResult
	switch o.Protocol {
	case ProtocolIJBACompare:
		r, err = compareIJBA(ctx, o)
	case ProtocolIJBASearch:
		r, err = searchIJBA(ctx, o)
	case ProtocolIJBB11, ProtocolIJBC11:
		r, err = compareIJB(ctx, o)
	case ProtocolIJBB1N, ProtocolIJBC1N:
		r, err = searchIJB(ctx, o)
	case ProtocolVGGFace2Lists:
		r, err = similarTemplates(ctx, o)
	case ProtocolVGGFace2Enrol:
		r, err = enrol(ctx, o)
	default:
		return nil, fmt.Errorf("eval: no protocol %q, want one of %q", o.Protocol, TemplateProtocols)
	}
	if err != nil {
		return nil, err
	}
	x := r.input()
	x.Left, x.Excluded = n, excluded
	x.Provenance, x.Embeddings = o.From, embeddingsDigest(e)
	if x.Provenance == (Provenance{}) {
		x.Provenance = e.Origin.Provenance
	}
	if x.Protocol == "" {
		x.Protocol = o.Protocol
	}
	if o.Protocol != ProtocolVGGFace2Enrol {
		x.Pooling = o.Pooling
	}
	if o.Out == "" {
		return r, nil
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	if err := r.write(o.Out); err != nil {
		return nil, err
	}
	x.Report = filepath.Join(o.Out, "report.html")
	return r, nil
}

// embeddingsDigest names the keys and unit vectors that a result was made from.
func embeddingsDigest(e *Embeddings) string {
	h := digest.New()
	buf := make([]byte, 0, 4*e.Width)
	for i, k := range e.Keys {
		buf = append(append(buf[:0], k...), '\n')
		for _, x := range e.Vector(i) {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
		}
		h.Write(buf)
	}
	return h.String()
}

// protocolTree is the directory of a protocol's files. It collects the digest of what is read.
type protocolTree struct {
	root *os.Root
	sum  *digest.Hash
}

func openTree(dir string) (*protocolTree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &protocolTree{root, digest.New()}, nil
}

func (t *protocolTree) close() { t.root.Close() }

// find returns the first of the names that exists, "" for none.
func (t *protocolTree) find(names ...string) string {
	for _, n := range names {
		if info, err := t.root.Stat(filepath.FromSlash(n)); err == nil && info.Mode().IsRegular() {
			return n
		}
	}
	return ""
}

// need is find, with an error for none.
func (t *protocolTree) need(names ...string) (string, error) {
	if n := t.find(names...); n != "" {
		return n, nil
	}
	return "", fmt.Errorf("%s: no %s in it: %w", t.root.Name(), names[0], ErrProtocolFile)
}

func (t *protocolTree) read(name string, read func(io.Reader) error) error {
	return openProtocol(t.root, name, func(r io.Reader) error { return read(io.TeeReader(r, t.sum)) })
}

func (t *protocolTree) faces(name string) (out []Face, err error) {
	err = t.read(name, func(r io.Reader) error {
		out, err = ReadFaces(r)
		return err
	})
	return out, err
}

// noneFound explains that not one face of a protocol has an embedding, which is hardly meant.
func noneFound(e *Embeddings, example string) error {
	return fmt.Errorf("none of the protocol's images has an embedding: its keys are like %q, those of the embeddings like %q: %w", example, e.Keys[0], ErrNoPairs)
}
