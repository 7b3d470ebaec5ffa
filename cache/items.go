package cache

import (
	"fmt"
	"math"

	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
	"github.com/vf2prep/vf2prep/split"
)

// item is what is needed of one image to make its sample: kept small, since there are millions.
type item struct {
	id        manifest.ImageID
	path      string
	xxh3      uint64
	box       [4]float32 // boxes are whole numbers
	landmarks [10]float32
	age       float32
	label     int32
	gender    int8
	hasBox    bool
	hasMarks  bool
	problem   string // why the manifest calls the image unusable
}

func (it *item) faceBox() *face.Box {
	if !it.hasBox {
		return nil
	}
	b := it.box
	return &face.Box{X: float64(b[0]), Y: float64(b[1]), W: float64(b[2]), H: float64(b[3])}
}

func (it *item) faceLandmarks() *face.Landmarks {
	if !it.hasMarks {
		return nil
	}
	var l face.Landmarks
	for i := range l {
		l[i] = face.Point{X: float64(it.landmarks[2*i]), Y: float64(it.landmarks[2*i+1])}
	}
	return &l
}

// cachedParts are the parts of a split that become shards, in this order.
var cachedParts = []split.Part{split.Train, split.Val, split.Test}

// collect joins a split with its manifest: the items of each part, in seeded shuffled order.
func collect(m *manifest.Reader, s *split.Split, seed uint64) (map[split.Part][]item, error) {
	if s.Manifest != m.Digest() {
		return nil, fmt.Errorf("the split was made from manifest %s, this one is %s: %w", s.Manifest, m.Digest(), split.ErrMismatch)
	}
	labels := s.Labels()
	parts := map[split.Part][]item{}
	var next [split.Excluded + 1]int
	for r, err := range m.All() {
		if err != nil {
			return nil, err
		}
		// Manifest and lists have the same order, so one pass over all of them joins them.
		for _, p := range cachedParts {
			list := s.Parts[p]
			if i := next[p]; i < len(list) && list[i] == r.ID {
				next[p]++
				parts[p] = append(parts[p], newItem(r, p, labels))
				break
			}
		}
	}
	for _, p := range cachedParts {
		if next[p] != len(s.Parts[p]) {
			return nil, fmt.Errorf("%s of the split's %s is not in the manifest, or out of order: %w", s.Parts[p][next[p]], p, split.ErrMismatch)
		}
		items := parts[p]
		rng.Stream(seed, "cache order", p.String()).Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	}
	return parts, nil
}

func newItem(r *manifest.Record, p split.Part, labels map[string]int32) item {
	it := item{
		id: r.ID, path: r.Path, xxh3: r.XXH3,
		age: r.Age, label: -1, gender: int8(r.Gender),
		hasBox: r.HasBox, hasMarks: r.HasLandmarks,
	}
	if l, ok := labels[r.ID.Identity]; ok && p != split.Test {
		it.label = l
	}
	it.box = [4]float32{float32(r.Box.X), float32(r.Box.Y), float32(r.Box.W), float32(r.Box.H)}
	for i, q := range r.Landmarks {
		it.landmarks[2*i], it.landmarks[2*i+1] = float32(q.X), float32(q.Y)
	}
	for _, code := range r.Problems {
		if !(&manifest.Record{Problems: []string{code}}).Usable() {
			it.problem = code
			break
		}
	}
	return it
}

// sample returns the sample of an item, whose points the map moved.
func (it *item) sample(to face.Affine) shard.Sample {
	s := shard.Sample{Key: it.id.String(), Label: it.label, Age: it.age, Gender: it.gender}
	nan := float32(math.NaN())
	for i := range s.Landmarks {
		s.Landmarks[i] = [2]float32{nan, nan}
		if l := it.faceLandmarks(); l != nil {
			p := to.Apply(l[i])
			s.Landmarks[i] = [2]float32{float32(p.X), float32(p.Y)}
		}
	}
	return s
}
