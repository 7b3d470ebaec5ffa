package curate

import (
	"errors"
	"math/bits"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vf2prep/vf2prep/rng"
)

// All with all is the twin; hashes are drawn near one another, so that pairs are many.
func TestSearchFindsEveryPair(t *testing.T) {
	r := rng.Stream(1, "search")
	for round := range 4 {
		var hashes []uint64
		for range 20 {
			centre := r.Uint64()
			for range 1 + r.IntN(15) {
				h := centre
				for range r.IntN(9) {
					h ^= 1 << r.IntN(64)
				}
				hashes = append(hashes, h)
			}
		}
		hashes, places := collapse(hashes, func(int) bool { return false })
		if len(places) != len(hashes) {
			t.Fatal("places and hashes differ in number")
		}
		r.Shuffle(len(hashes), func(i, j int) { hashes[i], hashes[j] = hashes[j], hashes[i] })
		for _, distance := range []int{0, 1, 3, 4, 7, 8, 11} {
			var want []Near
			for a := range hashes {
				for b := a + 1; b < len(hashes); b++ {
					if d := bits.OnesCount64(hashes[a] ^ hashes[b]); d <= distance {
						want = append(want, Near{uint32(a), uint32(b), uint8(d)})
					}
				}
			}
			got, err := Search(hashes, distance, 1e6)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("round %d, distance %d: %d pairs, %v, want %d", round, distance, len(got), err, len(want))
			}
		}
	}
}

func TestSearchRefuses(t *testing.T) {
	if _, err := Search(nil, 12, 1); err == nil {
		t.Error("a distance of 12 bits passes")
	}
	many := &ErrTooMany{}
	if _, err := Search([]uint64{0, 1, 2, 3, 4, 5, 6, 7}, 3, 5); !errors.As(err, &many) || many.Most != 5 {
		t.Errorf("error %v, want more than 5 pairs", err)
	}
	if got, err := Search(nil, 4, 1); err != nil || len(got) != 0 {
		t.Errorf("no hashes: %v, %v", got, err)
	}
}

// plantedHashes draws n different hashes of which every tenth has a neighbour at 0 to 4 bits; those at 0
// are one hash afterwards.
func plantedHashes(n int) (hashes []uint64, pairs map[[2]uint64]int) {
	r := rng.Stream(7, "planted")
	pairs = map[[2]uint64]int{}
	for len(hashes) < n {
		h := r.Uint64()
		hashes = append(hashes, h)
		if len(hashes)%10 == 0 {
			near, d := h, 1+r.IntN(4)
			for bits.OnesCount64(near^h) < d {
				near ^= 1 << r.IntN(64)
			}
			d = bits.OnesCount64(near ^ h)
			hashes = append(hashes, near)
			pairs[[2]uint64{min(h, near), max(h, near)}] = d
		}
	}
	return hashes, pairs
}

// TestPlantedPairs takes a million hashes with VF2PREP_HASHES=1000000.
func TestPlantedPairs(t *testing.T) {
	n := 100_000
	if os.Getenv("VF2PREP_HASHES") == "1000000" {
		n = 1_000_000
	}
	hashes, pairs := plantedHashes(n)
	began := time.Now()
	unique, _ := collapse(hashes, func(int) bool { return false })
	found, err := Search(unique, 4, 10*n)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	hits := 0
	for _, f := range found {
		if d, ok := pairs[[2]uint64{unique[f.A], unique[f.B]}]; ok && d == int(f.Distance) {
			hits++
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d hashes: %d of %d planted pairs found, %d in all, %v, %d MiB from the system", n, hits, len(pairs), len(found), took.Round(time.Millisecond), m.Sys>>20)
	if hits != len(pairs) {
		t.Errorf("%d of %d planted pairs were found, want all", hits, len(pairs))
	}
}
