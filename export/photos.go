package export

import (
	"fmt"
	"math"
	"slices"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/jpeg"
	"github.com/vf2prep/vf2prep/shard"
)

// photoSource exports the photos of a split byte for byte.
type photoSource struct {
	photos *cache.Photos
	root   string
	seed   uint64
	names  []SourcePart
}

func openPhotos(o *Options) (_ *photoSource, err error) {
	s := &photoSource{root: o.Root, seed: o.Seed}
	s.photos, err = cache.OpenPhotos(cache.PhotoOptions{Manifest: o.Manifest, Split: o.Split, Root: o.Root, Scratch: o.Out, Seed: o.Seed})
	if err != nil {
		return nil, err
	}
	names, counts := s.photos.Parts()
	parts := o.Parts
	if len(parts) == 0 {
		parts = names
	}
	for i, name := range parts {
		at := slices.Index(names, name)
		if at < 0 || slices.Contains(parts[:i], name) {
			s.photos.Close()
			return nil, fmt.Errorf("%s: no part %q, or named twice; there are %v", o.Split, name, names)
		}
		s.names = append(s.names, SourcePart{name, counts[at]})
	}
	return s, nil
}

func (s *photoSource) Parts() []SourcePart { return s.names }
func (s *photoSource) Classes() []string   { return s.photos.Classes() }
func (s *photoSource) Shape() shard.Shape  { return shard.Shape{} }
func (s *photoSource) Close() error        { return s.photos.Close() }
func (s *photoSource) Expect(Ref, int)     {}
func (s *photoSource) Forget(Ref, int)     {}

func (s *photoSource) Origin() map[string]string {
	return map[string]string{
		"kind": "photos", "manifest": s.photos.Manifest(), "split": s.photos.Split(), "seed": fmt.Sprint(s.seed),
	}
}

func (s *photoSource) Size(r Ref) (int64, error) {
	ph, err := s.photos.Photo(s.names[r.Part].Name, int(r.I))
	return ph.Bytes, err
}

func (s *photoSource) Describe(r Ref, to *Sample) error {
	ph, err := s.photos.Photo(s.names[r.Part].Name, int(r.I))
	if err != nil {
		return err
	}
	s.fill(to, &ph, s.names[r.Part].Name)
	return nil
}

func (s *photoSource) fill(to *Sample, ph *cache.Photo, part string) {
	nan := float32(math.NaN())
	*to = Sample{Part: part, Key: ph.Key, Identity: identity(ph.Key, ph.Label, s.photos.Classes()), Label: ph.Label, Age: ph.Age, Gender: ph.Gender}
	for i := range to.Landmarks {
		to.Landmarks[i] = [2]float32{nan, nan}
		if ph.Landmarks != nil {
			to.Landmarks[i] = [2]float32{float32(ph.Landmarks[i].X), float32(ph.Landmarks[i].Y)}
		}
	}
	if b := ph.Box; b != nil {
		to.Box = &[4]float32{float32(b.X), float32(b.Y), float32(b.W), float32(b.H)}
	}
}

func (s *photoSource) Load(r Ref, to *Sample, w *worker) error {
	part := s.names[r.Part].Name
	ph, err := s.photos.Photo(part, int(r.I))
	if err != nil {
		return err
	}
	s.fill(to, &ph, part)
	if w.slot.image, err = s.photos.Read(&ph, w.slot.image[:0]); err != nil {
		return err
	}
	h, err := jpeg.ReadHeader(w.slot.image)
	if err != nil {
		return err // Read has seen it
	}
	to.Image, to.Ext, to.Width, to.Height = w.slot.image, "jpg", h.Width, h.Height
	return nil
}
