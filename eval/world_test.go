package eval

import (
	"fmt"
	"math"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

// world is a small shard set in which an identity is a random pattern and an image is the
// pattern with noise; nearest judges by distance to the patterns, so it is a real classifier.
type world struct {
	set      *shard.Set
	classes  []string
	patterns [][]uint8
}

var worldShape = shard.Shape{3, 6, 5}

type worldSample struct {
	part, key string
	label     int32
	pixels    []uint8
}

// newWorld makes classes identities with val images each, one image of an unknown identity in
// val, and in test testIDs identities with one, two, .. images.
func newWorld(t testing.TB, classes, val, testIDs int, noise float64) *world {
	t.Helper()
	w := &world{}
	var samples []worldSample
	pattern := func(id string) []uint8 {
		r := rng.Stream(1, "pattern", id)
		p := make([]uint8, worldShape.Bytes())
		for i := range p {
			p[i] = uint8(r.IntN(256))
		}
		return p
	}
	image := func(part, id string, n int, label int32) {
		r := rng.Stream(1, "image", id, n)
		p := pattern(id)
		for i, v := range p {
			p[i] = uint8(math.Max(0, math.Min(255, math.Round(float64(v)+noise*r.Norm()))))
		}
		samples = append(samples, worldSample{part, fmt.Sprintf("%s/%04d_01", id, n), label, p})
	}
	for k := range classes {
		id := fmt.Sprintf("n%06d", k+1)
		w.classes = append(w.classes, id)
		w.patterns = append(w.patterns, pattern(id))
		for n := range val {
			image("val", id, n+1, int32(k))
		}
	}
	image("val", "n000999", 1, -1)
	for k := range testIDs {
		for n := range k + 1 {
			image("test", fmt.Sprintf("n%06d", 500+k), n+1, -1)
		}
	}
	w.set = writeSet(t, w.classes, samples)
	return w
}

// writeSet writes the samples in an order of its own.
func writeSet(t testing.TB, classes []string, samples []worldSample) *shard.Set {
	t.Helper()
	dir := t.TempDir()
	x := shard.Index{Shape: worldShape, Channels: "rgb", Recipe: "patterns", RecipeText: []byte("{}"), RecipeDigest: "xxh3-128:recipe",
		Manifest: "xxh3-128:manifest", Split: "xxh3-128:split", Classes: classes, Parts: map[string]shard.PartIndex{}}
	for _, part := range []string{"val", "test"} {
		var mine []worldSample
		for _, s := range samples {
			if s.part == part {
				mine = append(mine, s)
			}
		}
		rng.Stream(2, "order", part).Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
		w, err := shard.NewWriter(dir, part, 0, 1, worldShape, len(mine)+1, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range mine {
			copy(w.Buffer(i), s.pixels)
			w.Put(i, shard.Sample{Key: s.key, Label: s.label, Age: float32(math.NaN()), Gender: -1})
		}
		w.Reject(len(mine), shard.Reject{Key: "n000998/0001_01", Stage: "decode", Reason: "empty file"})
		info, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		x.Parts[part] = shard.PartIndex{Planned: len(mine) + 1, Samples: len(mine), Rejected: 1, Shards: []shard.Info{info}}
	}
	if err := shard.WriteIndex(dir, x); err != nil {
		t.Fatal(err)
	}
	set, err := shard.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

// nearest is a Model: the score of a class is minus the squared distance to its pattern, the
// embedding is the pixels themselves.
type nearest struct {
	patterns [][]uint8
	batch    int
	shape    shard.Shape
	change   func(i int, logits, embedding []float32) // of the i-th image so far
	seen     int
}

func (w *world) model(batch int) *nearest {
	return &nearest{patterns: w.patterns, batch: batch, shape: worldShape}
}

func (m *nearest) Classes() int         { return len(m.patterns) }
func (m *nearest) Width() int           { return m.shape.Bytes() }
func (m *nearest) Batch() int           { return m.batch }
func (m *nearest) Shape() (c, h, w int) { return m.shape[0], m.shape[1], m.shape[2] }

func (m *nearest) Infer(x []float32, n int) (logits, embedding []float32, err error) {
	size := m.shape.Bytes()
	if n < 1 || n > m.batch || len(x) < n*size {
		return nil, nil, fmt.Errorf("%d images in %d values, want 1 to %d images", n, len(x), m.batch)
	}
	logits = make([]float32, n*len(m.patterns))
	embedding = append(embedding, x[:n*size]...)
	for i := range n {
		for k, p := range m.patterns {
			sum := 0.0
			for j, v := range p[:size] {
				d := float64(x[i*size+j]) - (float64(v)/127.5 - 1)
				sum += d * d
			}
			logits[i*len(m.patterns)+k] = float32(-sum)
		}
		if m.change != nil {
			m.change(m.seen, logits[i*len(m.patterns):(i+1)*len(m.patterns)], embedding[i*size:(i+1)*size])
		}
		m.seen++
	}
	return logits, embedding, nil
}
