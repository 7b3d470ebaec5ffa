package eval

import (
	"context"
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/shard"
)

// Skip is an item that a result leaves out.
type Skip struct {
	Item   string // key of an image, or what names a pair
	Reason string // a word for machines: "no-label", "zero-embedding", "missing-image", ..
	Detail string
}

// Embeddings are vectors, one an image, of length 1 unless Raw. [OpenEmbeddings] reads them from
// a file, [Embeddings.Save] writes one.
type Embeddings struct {
	Keys   []string
	Width  int
	Data   []float32 // len(Keys) * Width
	Raw    bool      // vectors have the lengths that they came with
	Skips  []Skip    // images that have no usable vector
	Origin EmbeddingsOrigin
}

// Vector returns embedding i.
func (e *Embeddings) Vector(i int) []float32 { return e.Data[i*e.Width : (i+1)*e.Width] }

// Rows returns the row of each key.
func (e *Embeddings) Rows() map[string]int {
	rows := make(map[string]int, len(e.Keys))
	for i, k := range e.Keys {
		rows[k] = i
	}
	return rows
}

// add appends v with its length made 1 and says whether it has one. The error names the sample
// when a value is NaN or infinite.
func (e *Embeddings) add(key string, v []float32) (bool, error) {
	from := len(e.Data)
	e.Data = append(e.Data, v...)
	ok, err := normalize(e.Data[from:])
	if err != nil {
		return false, fmt.Errorf("%s: embedding %w", key, err)
	}
	if !ok {
		e.Data = e.Data[:from]
		return false, nil
	}
	e.Keys = append(e.Keys, key)
	return true, nil
}

// normalize divides v by its Euclidean length; false for a vector of zeros.
func normalize(v []float32) (bool, error) {
	sum := 0.0
	for i, x := range v {
		f := float64(x)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return false, fmt.Errorf("value %d is %v", i, f)
		}
		sum += float64(f * f)
	}
	if sum == 0 {
		return false, nil
	}
	length := math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) / length)
	}
	return true, nil
}

const zeroEmbedding = "zero-embedding"

// embedPart runs every sample of a part through the model.
func embedPart(ctx context.Context, m Model, set *shard.Set, part string, bar progress.Reporter) (*Embeddings, []Skip, error) {
	l, err := openPart(m, set, part)
	if err != nil {
		return nil, nil, err
	}
	e := &Embeddings{Width: m.Width(), Data: make([]float32, 0, l.Len()*m.Width())}
	var skipped []Skip
	bar.Start(int64(l.Len()), "embed "+part)
	defer bar.Done()
	for b, err := range l.Epoch(ctx, 0, 0) {
		if err != nil {
			return nil, nil, err
		}
		_, v, err := m.Infer(b.X, b.N)
		if err != nil {
			return nil, nil, err
		}
		for i, key := range b.Keys {
			ok, err := e.add(key, v[i*e.Width:(i+1)*e.Width])
			if err != nil {
				return nil, nil, err
			}
			if !ok {
				skipped = append(skipped, Skip{key, zeroEmbedding, "the network gives zeros alone"})
			}
		}
		bar.Add(int64(b.N))
	}
	return e, skipped, nil
}

// identityOf returns the identity of a key: what stands before the last slash.
func identityOf(key string) string {
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		return key[:i]
	}
	return key
}

// sorted returns the embeddings in the order of identity and key, and where each identity's
// begin, with one more entry for the end.
func (e *Embeddings) sorted() (*Embeddings, []string, []int) {
	order := make([]int, len(e.Keys))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool {
		ka, kb := e.Keys[order[a]], e.Keys[order[b]]
		if ia, ib := identityOf(ka), identityOf(kb); ia != ib {
			return ia < ib
		}
		return ka < kb
	})
	out := &Embeddings{Width: e.Width, Data: make([]float32, 0, len(e.Data))}
	var names []string
	var starts []int
	for at, i := range order {
		out.Keys = append(out.Keys, e.Keys[i])
		out.Data = append(out.Data, e.Vector(i)...)
		if id := identityOf(e.Keys[i]); len(names) == 0 || names[len(names)-1] != id {
			names = append(names, id)
			starts = append(starts, at)
		}
	}
	return out, names, append(starts, len(order))
}
