package eval

import (
	"fmt"
	"math"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// Template is a set of faces of one subject that are compared as one.
type Template struct {
	ID      int
	Subject string // "": not known
	Faces   []TemplateFace
}

// TemplateFace is one face of a template; of one Media are frames of one video, say.
type TemplateFace struct {
	Key   string // of its embedding
	Or    string // another key, where there is nothing under Key; "" for none
	Media int
}

// Pooling is how the vectors of a template become one.
type Pooling string

const (
	// PoolMedia is the field's: mean of each medium's unit vectors, sum over the media, length 1.
	// So a video of 200 frames weighs as much as one photo.
	PoolMedia Pooling = "media"
	// PoolUnitMedia makes each medium's mean length 1 before they are added, so that a video
	// whose frames differ does not weigh less than a photo. It is what the VGGFace2 authors'
	// ijb_evaluation.py does.
	PoolUnitMedia Pooling = "unit-media"
	// PoolMean is the mean of all unit vectors, length 1.
	PoolMean Pooling = "mean"
)

// Poolings are all of them.
var Poolings = []Pooling{PoolMedia, PoolUnitMedia, PoolMean}

// Reasons for leaving out faces, templates, pairs and searches.
const (
	missingEmbedding  = "missing-embedding"
	sharedPhoto       = "shared-photo" // one key for the faces of several subjects
	templateNoFace    = "template-without-face"
	templateNoLength  = "template-without-direction" // the vectors cancel out
	unknownTemplate   = "unknown-template"
	mateNotInGallery  = "mate-without-face"
	tooFewImages      = "too-few-images"
	identityNoFace    = "identity-without-template"
	keyWithFile       = "file"
	keyWithSighting   = "sighting"
	sightingSeparator = "#"
)

// keyFinder finds the embedding of a file named in a protocol.
type keyFinder struct{ rows map[string]int }

func newKeyFinder(e *Embeddings) keyFinder { return keyFinder{e.Rows()} }

// row returns the row of the key, -1 for none. A key in the embeddings may lack the extension,
// as vf2prep's own do, and "frame/" may stand for "frames/" and the reverse: releases of IJB-A
// differ in it.
func (f keyFinder) row(key string) int {
	name, sighting, _ := strings.Cut(key, sightingSeparator)
	if sighting != "" {
		sighting = sightingSeparator + sighting
	}
	for _, n := range []string{name, otherFrames(name)} {
		if n == "" {
			continue
		}
		for _, k := range []string{n + sighting, strings.TrimSuffix(n, filepath.Ext(n)) + sighting} {
			if i, ok := f.rows[k]; ok {
				return i
			}
		}
	}
	return -1
}

func otherFrames(name string) string {
	if rest, ok := strings.CutPrefix(name, "frame/"); ok {
		return "frames/" + rest
	}
	if rest, ok := strings.CutPrefix(name, "frames/"); ok {
		return "frame/" + rest
	}
	return ""
}

// templateVectors are templates as unit vectors.
type templateVectors struct {
	at     map[int32]int // place by template id; one without a vector has none
	known  map[int32]string
	lacks  map[int32]string // reason, of those without a vector
	width  int
	data   []float64
	skips  []Skip
	faces  int // with an embedding
	absent int // without
}

func (t *templateVectors) len() int               { return len(t.at) }
func (t *templateVectors) vector(i int) []float64 { return t.data[i*t.width : (i+1)*t.width] }

// distance returns the squared Euclidean distance of two unit vectors, 2 - 2 cosine, with a
// rounding error below zero made zero.
func (t *templateVectors) distance(i, j int) float64 {
	return math.Max(0, 2-2*dot(t.vector(i), t.vector(j)))
}

// dot is the inner product: four sums side by side, in a fixed order, each product rounded by
// itself, so every CPU gives the same bits.
func dot(a, b []float64) float64 {
	var s [4]float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s[0] += float64(a[i] * b[i])
		s[1] += float64(a[i+1] * b[i+1])
		s[2] += float64(a[i+2] * b[i+2])
		s[3] += float64(a[i+3] * b[i+3])
	}
	for ; i < len(a); i++ {
		s[0] += float64(a[i] * b[i])
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// unit64 makes the length of v 1; false where it has none, up to the rounding of its terms.
func unit64(v []float64) bool {
	length := math.Sqrt(dot(v, v))
	if length < 1e-6 { // sums of unit vectors in float32
		return false
	}
	for i := range v {
		v[i] /= length
	}
	return true
}

// buildTemplates makes a vector of each template that has a face with an embedding; vectors
// stand in the order of the template ids. e holds unit vectors.
func buildTemplates(list []Template, e *Embeddings, find keyFinder, pool Pooling) (*templateVectors, error) {
	sorted := append([]Template(nil), list...)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].ID < sorted[j].ID })
	t := &templateVectors{at: map[int32]int{}, known: map[int32]string{}, lacks: map[int32]string{}, width: e.Width}
	v := make([]float64, e.Width)
	for i, tpl := range sorted {
		if i > 0 && sorted[i-1].ID == tpl.ID {
			return nil, fmt.Errorf("template %d comes twice: %w", tpl.ID, ErrProtocolFile)
		}
		id := int32(tpl.ID)
		t.known[id] = tpl.Subject
		n := t.pool(v, tpl, e, find, pool)
		switch {
		case n == 0:
			t.lack(id, templateNoFace, fmt.Sprintf("none of its %s has an embedding", plural(len(tpl.Faces), "face")))
		case !unit64(v):
			t.lack(id, templateNoLength, "the embeddings add up to zero")
		default:
			t.at[id] = len(t.at)
			t.data = append(t.data, v...)
		}
	}
	return t, nil
}

func (t *templateVectors) lack(id int32, reason, detail string) {
	t.lacks[id] = reason
	t.skips = append(t.skips, Skip{fmt.Sprintf("template %d", id), reason, detail})
}

// pool adds up a template's faces in v and returns how many had an embedding. Its length is left
// to the caller, so the mean over all faces is their sum.
func (t *templateVectors) pool(v []float64, tpl Template, e *Embeddings, find keyFinder, pool Pooling) int {
	clear(v)
	media := map[int][]int{} // rows by medium
	var order []int          // media by their first face
	n := 0
	for _, f := range tpl.Faces {
		row := find.row(f.Key)
		if row < 0 && f.Or != "" {
			row = find.row(f.Or)
		}
		if row < 0 {
			t.skips = append(t.skips, Skip{f.Key, missingEmbedding, fmt.Sprintf("of template %d", tpl.ID)})
			t.absent++
			continue
		}
		if len(media[f.Media]) == 0 {
			order = append(order, f.Media)
		}
		media[f.Media] = append(media[f.Media], row)
		n++
	}
	m := make([]float64, len(v))
	for _, id := range order {
		clear(m)
		for _, row := range media[id] {
			for i, x := range e.Vector(row) {
				m[i] += float64(x)
			}
		}
		share := 1.0
		switch pool {
		case PoolMedia:
			share = 1 / float64(len(media[id]))
		case PoolUnitMedia:
			if !unit64(m) {
				continue // frames that cancel out say nothing
			}
		}
		for i, x := range m {
			v[i] += float64(x * share)
		}
	}
	t.faces += n
	return n
}

// templatesOf groups rows of metadata by template, in the order of their first face. The key of a
// face is its file. A file that shows several subjects is no key of one of them: with keyWith
// "file" these faces are left out and returned as skips; with "sighting" the key of every face is
// FILE#SIGHTING_ID, or else the file alone where it shows a single subject.
func templatesOf(faces []Face, keyWith string) ([]Template, []Skip, error) {
	subjectOf, shared := map[string]int{}, map[string]bool{}
	for _, f := range faces {
		if s, ok := subjectOf[f.File]; ok && s != f.Subject {
			shared[f.File] = true
		}
		subjectOf[f.File] = f.Subject
	}
	at, line := map[int]int{}, map[int]int{}
	var out []Template
	var skips []Skip
	for _, f := range faces {
		subject := ""
		if f.Subject >= 0 {
			subject = strconv.Itoa(f.Subject)
		}
		i, ok := at[f.Template]
		if !ok {
			i = len(out)
			at[f.Template], line[f.Template] = i, f.Line
			out = append(out, Template{ID: f.Template, Subject: subject})
		}
		if out[i].Subject != subject {
			return nil, nil, fmt.Errorf("%d: template %d is of subject %s here and of %s in line %d: %w", f.Line, f.Template, subject, out[i].Subject, line[f.Template], ErrProtocolFile)
		}
		face := TemplateFace{Key: f.File, Media: f.Media}
		switch {
		case keyWith == keyWithSighting && f.Sighting < 0:
			return nil, nil, fmt.Errorf("%d: no SIGHTING_ID, which the keys are to have: %w", f.Line, ErrProtocolFile)
		case keyWith == keyWithSighting:
			face.Key += sightingSeparator + strconv.Itoa(f.Sighting)
			if !shared[f.File] {
				face.Or = f.File
			}
		case shared[f.File]:
			skips = append(skips, Skip{f.File, sharedPhoto, fmt.Sprintf("subject %s of template %d: the file shows several subjects, their keys need the sighting", subject, f.Template)})
			continue
		}
		out[i].Faces = append(out[i].Faces, face)
	}
	return out, skips, nil
}
