package loader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vf2prep/vf2prep/augment"
	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

// newSet writes n samples of 3x12x10 in shards of ten, four of an identity one after the other.
func newSet(t *testing.T, n int) (*shard.Set, string) {
	return newSetOf(t, n, shard.Shape{3, 12, 10})
}

func newSetOf(t *testing.T, n int, shape shard.Shape) (*shard.Set, string) {
	t.Helper()
	dir := t.TempDir()
	r := rng.Stream(5, "pixels")
	part := shard.PartIndex{Planned: n, Samples: n}
	k := (n + 9) / 10
	for i := range k {
		m := min(10, n-10*i)
		w, err := shard.NewWriter(dir, "train", i, k, shape, m, nil)
		if err != nil {
			t.Fatal(err)
		}
		for j := range m {
			for p := range w.Buffer(j) {
				w.Buffer(j)[p] = uint8(r.Uint64())
			}
			w.Put(j, shard.Sample{Key: fmt.Sprintf("n%06d/0001_01", 10*i+j), Label: int32((10*i + j) / 4), Age: 30})
		}
		info, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		part.Shards = append(part.Shards, info)
	}
	x := shard.Index{Shape: shape, Channels: "rgb", RecipeText: []byte("{}"), Parts: map[string]shard.PartIndex{"train": part}}
	if err := shard.WriteIndex(dir, x); err != nil {
		t.Fatal(err)
	}
	set, err := shard.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set, dir
}

type seen struct {
	keys []string
	x    []float32
}

func read(t *testing.T, l *Loader, epoch, from int) (all seen) {
	t.Helper()
	step := from
	for b, err := range l.Epoch(context.Background(), epoch, from) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Step != step || b.Epoch != epoch {
			t.Fatalf("batch is (%d, %d), want (%d, %d)", b.Epoch, b.Step, epoch, step)
		}
		step++
		all.keys = append(all.keys, b.Keys...)
		all.x = append(all.x, b.X...)
	}
	return all
}

// everySampler has chunks of three samples and windows of four chunks.
var everySampler = map[string]Options{
	"sequential": {Batch: 4},
	"shuffled":   {Batch: 4, Sampler: Shuffled},
	"chunks":     {Batch: 4, Sampler: Chunks, Chunk: 3 * 360, Window: 12 * 360},
	"identity":   {Sampler: Identity, Identities: 3, Images: 2},
}

// One worker and eight, straight through and entered anywhere, all give the same bits.
func TestEpochDoesNotDependOnWorkers(t *testing.T) {
	set, _ := newSet(t, 47)
	pipeline, err := augment.Parse("flip=0.5,crop=8x8,jitter=0.2")
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range everySampler {
		o.Seed, o.Augment, o.Train = 3, pipeline, true
		var want seen
		for _, workers := range []int{1, 2, 8} {
			o.Workers = workers
			l, err := New(set, "train", o)
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, l, 2, 0)
			if workers == 1 {
				want = got
				if len(got.keys) != l.Len() {
					t.Errorf("%s: %d samples, want %d", name, len(got.keys), l.Len())
				}
				sorted := slices.Sorted(slices.Values(got.keys))
				if n := len(slices.Compact(sorted)); n != 47 && o.Sampler != Identity {
					t.Errorf("%s: an epoch has %d different samples, want 47", name, n)
				}
				if slices.Equal(got.keys, read(t, l, 3, 0).keys) != (o.Sampler == "") {
					t.Errorf("%s: whether two epochs have the same order is wrong", name)
				}
			}
			if !slices.Equal(got.keys, want.keys) || !slices.Equal(got.x, want.x) {
				t.Errorf("%s: %d workers give other batches than 1", name, workers)
			}
			batch := len(got.keys[:min(l.o.Batch, len(got.keys))])
			for step := range l.Steps() + 1 {
				rest := read(t, l, 2, step)
				from := min(step*batch, len(want.keys))
				if !slices.Equal(rest.keys, want.keys[from:]) || !slices.Equal(rest.x, want.x[from*3*8*8:]) {
					t.Errorf("%s: entered at step %d the rest of an epoch differs", name, step)
				}
			}
		}
	}
}

// Windows and mirror images are normalised where they lie, large batches past the caches: the
// values are those of the plain way.
func TestPixelsAreThoseOfAugment(t *testing.T) {
	shape := shard.Shape{3, 112, 112}
	set, _ := newSetOf(t, 40, shape)
	part, err := set.Part("train")
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range []string{"none", "flip=0.5", "crop=104x96,flip=0.5", "crop=101x99,flip=0.5", "crop=104x112", "flip=0.5,monochrome=0.3", "crop=108x108,pad=4"} {
		a, err := augment.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, train := range []bool{false, true} {
			for _, batch := range []int{3, 40} { // 40 are more than streamFrom
				l, err := New(set, "train", Options{Batch: batch, Augment: a, Train: train, Seed: 9})
				if err != nil {
					t.Fatal(err)
				}
				got := read(t, l, 1, 0)
				c, h, w := l.Shape()
				pix := make([]uint8, c*h*w)
				for i := range 40 {
					s, err := part.Sample(i)
					if err != nil {
						t.Fatal(err)
					}
					if train {
						a.Apply(pix, s.Data, shape[0], shape[1], shape[2], 9, 1, s.Key)
					} else {
						a.Center(pix, s.Data, shape[0], shape[1], shape[2])
					}
					for j, v := range pix {
						if x, want := got.x[i*len(pix)+j], float32(float64(v)/127.5-1); x != want {
							t.Fatalf("%s, train %v, batch %d: value %d of sample %d = %v, want %v", spec, train, batch, j, i, x, want)
						}
					}
				}
			}
		}
	}
}

func TestUnshuffledKeepsTheOrder(t *testing.T) {
	set, _ := newSet(t, 13)
	l, err := New(set, "train", Options{Batch: 5})
	if err != nil {
		t.Fatal(err)
	}
	if l.Steps() != 3 || l.Len() != 13 {
		t.Errorf("%d steps of %d samples, want 3 of 13", l.Steps(), l.Len())
	}
	if got := read(t, l, 0, 0).keys; !slices.IsSorted(got) || len(got) != 13 {
		t.Errorf("keys %v", got)
	}
}

func TestEpochStops(t *testing.T) {
	set, dir := newSet(t, 40)
	before := runtime.NumGoroutine()
	for name, o := range everySampler {
		o.Workers = 3
		l, err := New(set, "train", o)
		if err != nil {
			t.Fatal(err)
		}
		for range l.Epoch(context.Background(), 0, 0) {
			break // the workers must not wait for ever
		}
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		for _, err := range l.Epoch(ctx, 0, 0) {
			if n++; n == 2 {
				cancel()
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: error %v, want Canceled", name, err)
			}
		}
		cancel()
		if n < 2 || n > 8 {
			t.Errorf("%s: %d batches before and after the cancel", name, n)
		}
	}
	// Epoch waits for its goroutines; only those that the contexts have may still be ending.
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(time.Millisecond) // a busy machine gives them no turn for a while
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}

	// A damaged sample is an error, not wrong pixels.
	path := filepath.Join(dir, shard.FileName("train", 2, 4))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	set, err = shard.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for name, o := range everySampler {
		l, err := New(set, "train", o)
		if err != nil {
			t.Fatal(err)
		}
		var last error
		for epoch := 0; epoch < 50 && last == nil; epoch++ { // identity does not come to all each time
			for _, err := range l.Epoch(context.Background(), epoch, 0) {
				last = err
			}
		}
		if !errors.Is(last, shard.ErrCorrupt) {
			t.Errorf("%s: error %v, want ErrCorrupt", name, last)
		}
	}
}
