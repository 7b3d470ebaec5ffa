package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/shard"
)

// shardSource exports a shard set.
type shardSource struct {
	set   *shard.Set
	index shard.Index
	parts []*shard.Part
	names []SourcePart
}

// openShards opens the named parts of a set; none are all.
func openShards(dir string, parts []string) (_ *shardSource, err error) {
	s := &shardSource{}
	if s.set, err = shard.Open(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.set.Close()
		}
	}()
	s.index = s.set.Index()
	if len(parts) == 0 {
		parts = s.set.Parts()
	}
	for i, name := range parts {
		if slices.Contains(parts[:i], name) {
			return nil, fmt.Errorf("part %q is named twice", name)
		}
		p, err := s.set.Part(name)
		if err != nil {
			return nil, err
		}
		s.parts = append(s.parts, p)
		s.names = append(s.names, SourcePart{name, p.Len()})
	}
	return s, nil
}

func (s *shardSource) Parts() []SourcePart { return s.names }
func (s *shardSource) Classes() []string   { return s.index.Classes }
func (s *shardSource) Shape() shard.Shape  { return s.index.Shape }
func (s *shardSource) Close() error        { return s.set.Close() }

func (s *shardSource) Origin() map[string]string {
	x := s.index
	return map[string]string{
		"kind": "shards", "shards": s.set.Digest(), "build": x.Build, "recipe": x.Recipe, "recipe_digest": x.RecipeDigest,
		"split": x.Split, "manifest": x.Manifest, "encoding": x.Encoding, "channels": x.Channels,
	}
}

func (s *shardSource) Size(r Ref) (int64, error) {
	if s.index.Encoding == shard.Raw {
		return int64(s.index.Shape.Bytes()), nil
	}
	f, i, err := s.parts[r.Part].At(int(r.I))
	if err != nil {
		return 0, err
	}
	return int64(f.StoredSize(i)), nil
}

func (s *shardSource) Describe(r Ref, to *Sample) error {
	f, i, err := s.parts[r.Part].At(int(r.I))
	if err != nil {
		return err
	}
	s.fill(to, f.Describe(i), s.names[r.Part].Name)
	return nil
}

func (s *shardSource) fill(to *Sample, from shard.Sample, part string) {
	*to = Sample{
		Part: part, Key: from.Key, Label: from.Label, Age: from.Age, Gender: from.Gender, Landmarks: from.Landmarks,
		Identity: identity(from.Key, from.Label, s.index.Classes), Width: s.index.Shape[2], Height: s.index.Shape[1],
	}
}

// identity returns the name of a class, or of who is shown as the key has it.
func identity(key string, label int32, classes []string) string {
	if label >= 0 && int(label) < len(classes) {
		return classes[label]
	}
	name, _, _ := strings.Cut(key, "/")
	return name
}

func (s *shardSource) Load(r Ref, to *Sample, w *worker) error {
	p := s.parts[r.Part]
	f, i, err := p.At(int(r.I))
	if err != nil {
		return err
	}
	bgr := s.index.Channels == "bgr"
	if f.Encoding() == shard.JPEG && !w.pixelsWanted && w.image == JPEG {
		stored, err := f.Stored(i)
		if err != nil {
			return damaged(err)
		}
		s.fill(to, f.Describe(i), p.Name())
		to.Image, to.Ext = stored, "jpg"
		return nil
	}
	if w.pixels == nil && f.Encoding() == shard.JPEG {
		w.pixels = make([]uint8, s.index.Shape.Bytes())
	}
	buf := w.pixels
	if f.Encoding() == shard.JPEG && w.pixelsWanted && !bgr {
		buf = slices.Grow(w.slot.planes[:0], s.index.Shape.Bytes())[:s.index.Shape.Bytes()]
		w.slot.planes = buf
	}
	sample, err := f.SampleInto(i, buf)
	if err != nil {
		return damaged(err)
	}
	s.fill(to, sample, p.Name())
	if w.pixelsWanted {
		to.Pixels = w.rgb(sample.Data, s.index.Shape, bgr)
		return nil
	}
	return w.encode(to, sample.Data, s.index.Shape, bgr)
}

// damaged turns the error of one sample into a reject.
func damaged(err error) error {
	if errors.Is(err, shard.ErrCorrupt) {
		return &cache.Rejection{Stage: "read", Reason: "damaged sample", Detail: err.Error()}
	}
	return err
}

func (s *shardSource) Expect(r Ref, n int) { s.parts[r.Part].Prefetch(int(r.I), n) }
func (s *shardSource) Forget(r Ref, n int) { s.parts[r.Part].Release(int(r.I), n) }
