package loader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vf2prep/vf2prep/augment"
	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

// newSet writes n samples of 3x12x10 in shards of ten.
func newSet(t *testing.T, n int) (*shard.Set, string) {
	t.Helper()
	dir := t.TempDir()
	shape := shard.Shape{3, 12, 10}
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
			w.Put(j, shard.Sample{Key: fmt.Sprintf("n%06d/0001_01", 10*i+j), Label: int32(10*i + j), Age: 30})
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

func TestEpochDoesNotDependOnWorkers(t *testing.T) {
	set, _ := newSet(t, 47)
	pipeline, err := augment.Parse("flip=0.5,crop=8x8,jitter=0.2")
	if err != nil {
		t.Fatal(err)
	}
	var want seen
	for _, workers := range []int{1, 2, 8} {
		l, err := New(set, "train", Options{Batch: 4, Seed: 3, Shuffle: true, Augment: pipeline, Train: true, Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, l, 2, 0)
		if workers == 1 {
			want = got
			sorted := slices.Sorted(slices.Values(got.keys))
			if len(slices.Compact(sorted)) != 47 {
				t.Errorf("an epoch has %d different samples, want 47", len(slices.Compact(sorted)))
			}
			if slices.Equal(got.keys, read(t, l, 3, 0).keys) {
				t.Error("two epochs have the same order")
			}
			// Going on in mid-epoch sees what would have been seen.
			if rest := read(t, l, 2, 5); !slices.Equal(rest.x, got.x[5*4*3*8*8:]) {
				t.Error("the rest of an epoch differs from the whole one's rest")
			}
			continue
		}
		if !slices.Equal(got.keys, want.keys) || !slices.Equal(got.x, want.x) {
			t.Errorf("%d workers give other batches than 1", workers)
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
	l, err := New(set, "train", Options{Batch: 4, Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	for range l.Epoch(context.Background(), 0, 0) {
		break // the workers must not wait for ever
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	for _, err := range l.Epoch(ctx, 0, 0) {
		if n++; n == 2 {
			cancel()
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want Canceled", err)
		}
	}
	if n < 2 || n > 8 {
		t.Errorf("%d batches before and after the cancel", n)
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
	l, err = New(set, "train", Options{Batch: 4})
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range l.Epoch(context.Background(), 0, 0) {
		last = err
	}
	if !errors.Is(last, shard.ErrCorrupt) {
		t.Errorf("error %v, want ErrCorrupt", last)
	}
}
