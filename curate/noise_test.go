package curate

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/rng"
)

// planted is a drawn set of embeddings and what is wrong with it.
type planted struct {
	*eval.Embeddings
	outliers, merged map[string]bool
	mislabelled      map[string]string // right identity by key
	split            map[string]bool   // "a b", a < b
}

// draw makes people with 8 to 40 images each. Two images of a person have a mean similarity of alike.
func draw(people, width int, alike float64, seed uint64) *planted {
	p := &planted{Embeddings: &eval.Embeddings{Width: width},
		outliers: map[string]bool{}, merged: map[string]bool{}, mislabelled: map[string]string{}, split: map[string]bool{}}
	for k := range people {
		c := p.person(seed, k)
		for i := range 8 + rng.Stream(seed, "images", k).IntN(33) {
			p.put(id(k), i, c, alike, seed)
		}
	}
	return p
}

func id(k int) string { return fmt.Sprintf("n%06d", k) }

func (p *planted) person(seed uint64, k int) []float64 {
	return direction(p.Width, rng.Stream(seed, "person", k))
}

func direction(width int, r *rng.Rand) []float64 {
	v := make([]float64, width)
	for i := range v {
		v[i] = r.Norm()
	}
	unit(v)
	return v
}

// put appends image i of an identity.
func (p *planted) put(identity string, i int, c []float64, alike float64, seed uint64) string {
	key := fmt.Sprintf("%s/%04d_01", identity, i)
	p.Keys = append(p.Keys, key)
	p.Data = append(p.Data, near(c, alike, rng.Stream(seed, "image", key))...)
	return key
}

func near(c []float64, alike float64, r *rng.Rand) []float32 {
	d := direction(len(c), r)
	out := make([]float32, len(c))
	for i := range c {
		out[i] = float32(c[i]*math.Sqrt(alike) + d[i]*math.Sqrt(1-alike))
	}
	return out
}

// plant adds noise of every kind.
func (p *planted) plant(people int, alike float64, seed uint64) {
	r := rng.Stream(seed, "plant")
	for i := range people / 4 { // a stranger's photo in an album
		p.outliers[p.put(id(r.IntN(people)), 1000+i, direction(p.Width, r), alike, seed)] = true
	}
	for i := range people / 4 { // a photo in the wrong album
		right := r.IntN(people)
		wrong := (right + 1 + r.IntN(people-1)) % people
		p.mislabelled[p.put(id(wrong), 2000+i, p.person(seed, right), alike, seed)] = id(right)
	}
	for m := range people / 20 { // an album of two
		name := id(people + m)
		for part := range 2 {
			c := p.person(seed, 10_000+2*m+part)
			for i := range 12 + 8*part {
				p.put(name, 100*part+i, c, alike, seed)
			}
		}
		p.merged[name] = true
	}
	for m := range people / 20 { // somebody with two albums
		c := p.person(seed, 20_000+m)
		a, b := id(people+500+2*m), id(people+501+2*m)
		for i := range 20 {
			p.put([]string{a, b}[i%2], i, c, alike, seed)
		}
		p.split[a+" "+b] = true
	}
}

func (p *planted) save(t testing.TB, dir string) string {
	t.Helper()
	for i := range p.Keys {
		v := p.Vector(i)
		length := math.Sqrt(square(v))
		for j := range v {
			v[j] = float32(float64(v[j]) / length)
		}
	}
	path := filepath.Join(dir, "embeddings.npy")
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func options(embeddings, out string) NoiseOptions {
	return NoiseOptions{Embeddings: embeddings, Out: out, MinImages: 5, FalseAlarms: 0.1, List: 1000, Seed: 1}
}

func mustFind(t testing.TB, o NoiseOptions) *NoiseResult {
	t.Helper()
	r, err := FindNoise(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// score compares what was flagged with what was planted.
func score[V any](flagged []string, want map[string]V) (precision, recall float64) {
	hits := 0
	for _, f := range flagged {
		if _, ok := want[f]; ok {
			hits++
		}
	}
	return float64(hits) / float64(max(1, len(flagged))), float64(hits) / float64(max(1, len(want)))
}

func flaggedImages(list []Image) (out []string) {
	for _, x := range list {
		if x.Flagged {
			out = append(out, x.Key)
		}
	}
	return out
}

func flaggedMerges(r *NoiseResult) (out []string) {
	for _, m := range r.merged {
		if m.Flagged {
			out = append(out, m.Identity)
		}
	}
	return out
}

func flaggedPairs(r *NoiseResult) (out []string) {
	for _, p := range r.split {
		if p.Flagged {
			out = append(out, p.A+" "+p.B)
		}
	}
	return out
}

func TestPlantedNoiseIsFound(t *testing.T) {
	const people, width, alike = 100, 64, 0.45
	for seed := range uint64(4) {
		p := draw(people, width, alike, seed)
		p.plant(people, alike, seed)
		dir := t.TempDir()
		r := mustFind(t, options(p.save(t, dir), filepath.Join(dir, "out")))
		// A photo in the wrong album is a stranger there.
		outliers := map[string]bool{}
		for k := range p.outliers {
			outliers[k] = true
		}
		for k := range p.mislabelled {
			outliers[k] = true
		}
		// Whoever is the smaller half of an album of two is a stranger too.
		var alone []string
		for _, key := range flaggedImages(r.outliers) {
			if !p.merged[eval.IdentityOf(key)] {
				alone = append(alone, key)
			}
		}
		for _, x := range []struct {
			kind              string
			precision, recall float64
		}{
			pair(Outliers)(score(alone, outliers)),
			pair(Mislabelled)(score(flaggedImages(r.mislabelled), p.mislabelled)),
			pair(Merged)(score(flaggedMerges(r), p.merged)),
			pair(Split)(score(flaggedPairs(r), p.split)),
		} {
			t.Logf("seed %d %-11s precision %.3f recall %.3f", seed, x.kind, x.precision, x.recall)
			if x.precision < 0.8 || x.recall < 0.95 {
				t.Errorf("seed %d %s: precision %.3f, recall %.3f", seed, x.kind, x.precision, x.recall)
			}
		}
		for _, x := range r.mislabelled {
			if want, ok := p.mislabelled[x.Key]; ok && x.Flagged && x.Nearest != want {
				t.Errorf("%s: %s is proposed, want %s", x.Key, x.Nearest, want)
			}
		}
	}
}

type outcome = struct {
	kind              string
	precision, recall float64
}

func pair(kind string) func(p, r float64) outcome {
	return func(p, r float64) outcome { return outcome{kind, p, r} }
}

// Where nothing is wrong, next to nothing is flagged.
func TestCleanSetIsClean(t *testing.T) {
	for seed := range uint64(4) {
		p := draw(80, 64, 0.45, seed)
		dir := t.TempDir()
		r := mustFind(t, options(p.save(t, dir), filepath.Join(dir, "out")))
		if n := r.Flagged(); n > 3 {
			t.Errorf("seed %d: %d flagged of %d clean images: %+v %+v %+v %+v", seed, n, r.Judged, r.Outliers, r.Mislabelled, r.Merged, r.Split)
		}
	}
}

// The slow twin: for every image all centres, for its own one without the image.
func TestSearchEqualsBruteForce(t *testing.T) {
	p := draw(40, 33, 0.4, 7)
	p.plant(40, 0.4, 7)
	dir := t.TempDir()
	o := options(p.save(t, dir), filepath.Join(dir, "out"))
	o.List = 1 << 20
	one := 1.0
	o.OutlierBelow = &one
	r := mustFind(t, o)
	if len(r.outliers) != r.Judged {
		t.Fatalf("%d of %d images listed", len(r.outliers), r.Judged)
	}
	e, err := eval.OpenEmbeddings(o.Embeddings)
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string][]int{}
	for i, k := range e.Keys {
		byID[eval.IdentityOf(k)] = append(byID[eval.IdentityOf(k)], i)
	}
	cores := map[string]map[int]bool{}
	centres := map[string][]float64{}
	for name, rows := range byID {
		slices.SortFunc(rows, func(a, b int) int { return strings.Compare(e.Keys[a], e.Keys[b]) })
		v := vectors{width: e.Width}
		for _, row := range rows {
			v.data = append(v.data, e.Vector(row)...)
		}
		_, in := findCentre(v)
		cores[name] = map[int]bool{}
		for i, row := range rows {
			if in[i] {
				cores[name][row] = true
			}
		}
		centres[name] = slowMean(e, cores[name], -1)
	}
	rows := e.Rows()
	for _, x := range r.outliers {
		row := rows[x.Key]
		own := slowCosine(e.Vector(row), slowMean(e, cores[x.Identity], row))
		if math.Abs(own-x.Similarity) > 1e-9 {
			t.Fatalf("%s: similarity %v, want %v", x.Key, x.Similarity, own)
		}
		best, other := "", math.Inf(-1)
		for name, c := range centres {
			if s := slowCosine(e.Vector(row), c); name != x.Identity && s > other {
				best, other = name, s
			}
		}
		if best != x.Nearest || math.Abs(other-x.Other) > 1e-9 {
			t.Fatalf("%s: nearest %s %v, want %s %v", x.Key, x.Nearest, x.Other, best, other)
		}
	}
	// Likeness of all pairs, from all pairs of images.
	alike := func(a, b map[int]bool) float64 {
		sum, n := 0.0, 0
		for i := range a {
			for j := range b {
				if i != j {
					sum += slowCosine(e.Vector(i), slowMean(e, map[int]bool{j: true}, -1))
					n++
				}
			}
		}
		return sum / float64(n)
	}
	for _, q := range r.split[:10] {
		a, b := cores[q.A], cores[q.B]
		for what, x := range map[string][2]float64{"across": {q.Across, alike(a, b)}, "within": {q.WithinA, alike(a, a)}} {
			if math.Abs(x[0]-x[1]) > 1e-6 { // vectors of float32 have length 1 within 1e-7
				t.Errorf("%s %s: %s %v, want %v", q.A, q.B, what, x[0], x[1])
			}
		}
	}
}

func slowMean(e *eval.Embeddings, rows map[int]bool, without int) []float64 {
	out := make([]float64, e.Width)
	for row := range rows {
		if row != without {
			for i, x := range e.Vector(row) {
				out[i] += float64(x)
			}
		}
	}
	return out
}

func slowCosine(x []float32, c []float64) float64 {
	s, length := 0.0, 0.0
	for i := range c {
		s += float64(x[i]) * c[i]
		length += c[i] * c[i]
	}
	return s / math.Sqrt(length)
}

// One thread and several give the same files.
func TestNoiseIsDeterministic(t *testing.T) {
	p := draw(30, 32, 0.4, 3)
	p.plant(30, 0.4, 3)
	dir := t.TempDir()
	o := options(p.save(t, dir), filepath.Join(dir, "a"))
	o.Exclude = NoiseKinds
	r := mustFind(t, o)
	o.Out = filepath.Join(dir, "b")
	before := runtime.GOMAXPROCS(1)
	mustFind(t, o)
	runtime.GOMAXPROCS(before)
	for _, name := range append(r.Files, noiseJSON) {
		a, err := os.ReadFile(filepath.Join(dir, "a", name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "b", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) {
			t.Errorf("%s differs between 1 and several threads", name)
		}
	}
}

// Small and odd sets are judged or refused, never guessed.
func TestNoiseOfFew(t *testing.T) {
	dir := t.TempDir()
	p := draw(1, 16, 0.4, 1)
	for i := range 4 {
		p.put("n900000", i, p.person(1, 5), 0.4, 1)
	}
	path := p.save(t, dir)
	if _, err := FindNoise(context.Background(), options(path, filepath.Join(dir, "out"))); err == nil || !strings.Contains(err.Error(), "1 of 2 identities have 5 images or more") {
		t.Errorf("error %v", err)
	}
	o := options(path, filepath.Join(dir, "out"))
	o.MinImages = 3
	r := mustFind(t, o)
	if r.Outliers.Value == nil || r.Split.Value != nil || r.Split.Source == "data" {
		t.Errorf("thresholds %+v, %+v", r.Outliers, r.Split)
	}
	// Vectors that are all the same, or zero.
	same := &eval.Embeddings{Width: 4, Raw: true}
	for i := range 40 {
		same.Keys = append(same.Keys, fmt.Sprintf("n%06d/%04d_01", i/10, i))
		same.Data = append(same.Data, 1, 0, 0, 0)
	}
	same.Data[0] = 0
	path = filepath.Join(dir, "same.npy")
	if err := same.Save(path); err != nil {
		t.Fatal(err)
	}
	r = mustFind(t, options(path, filepath.Join(dir, "same")))
	if r.ZeroEmbeddings != 1 || r.Judged != 39 || r.Merged.Flagged != 0 || r.Mislabelled.Flagged != 0 {
		t.Errorf("%d zero, %d judged, %+v, %+v", r.ZeroEmbeddings, r.Judged, r.Merged, r.Mislabelled)
	}
	if rows := readTable(t, filepath.Join(dir, "same", "skipped.csv")); !slices.Contains(rows[1], zeroEmbedding) {
		t.Errorf("skipped.csv: %v", rows)
	}
}

func readTable(t testing.TB, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
