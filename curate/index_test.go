package curate

import (
	"errors"
	"math/bits"
	"os"
	"runtime"
	"slices"
	"strconv"
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
		hashes = collapse(hashes, func(int) bool { return false }).hashes
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

// Places of one hash are together, rising, and nothing is lost but what is passed over.
func TestCollapse(t *testing.T) {
	hashes := []uint64{7, 3, 7, 1, 3, 7, 9}
	b := collapse(hashes, func(i int) bool { return i == 6 })
	if want := []uint64{1, 3, 7}; !slices.Equal(b.hashes, want) {
		t.Fatalf("hashes %d, want %d", b.hashes, want)
	}
	for k, want := range [][]uint32{{3}, {1, 4}, {0, 2, 5}} {
		if got := b.at(k); !slices.Equal(got, want) {
			t.Errorf("hash %d at %d, want %d", b.hashes[k], got, want)
		}
	}
}

// plantedHashes draws n hashes, every tenth of which has a neighbour at 0 to 4 bits. Bits are ones or zeros with
// 0.7, so that buckets are as uneven as those of 11,589 faces, whose values of 16 bits meet 9 to 14 times as
// often as evenly drawn ones.
func plantedHashes(n int) (hashes []uint64, pairs map[[2]int]int) {
	r := rng.Stream(7, "planted")
	flip := r.Uint64()
	pairs = map[[2]int]int{}
	for len(hashes) < n {
		h := uint64(0)
		for range 64 {
			h <<= 1
			if r.Uint64()>>32 < 7*(1<<32)/10 {
				h |= 1
			}
		}
		h ^= flip
		hashes = append(hashes, h)
		if len(hashes)%10 == 0 {
			near, d := h, r.IntN(5)
			for bits.OnesCount64(near^h) < d {
				near ^= 1 << r.IntN(64)
			}
			hashes = append(hashes, near)
			pairs[[2]int{len(hashes) - 2, len(hashes) - 1}] = bits.OnesCount64(near ^ h)
		}
	}
	return hashes, pairs
}

// TestPlantedPairs takes so many hashes as VF2PREP_HASHES says.
func TestPlantedPairs(t *testing.T) {
	n := 100_000
	if s := os.Getenv("VF2PREP_HASHES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	hashes, pairs := plantedHashes(n)
	began := time.Now()
	b := collapse(hashes, func(int) bool { return false })
	found, err := Search(b.hashes, 4, maxCandidates)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	hits := 0
	for k := range b.hashes {
		for _, i := range b.at(k) {
			if d, ok := pairs[[2]int{int(i), int(i) + 1}]; ok && d == 0 && slices.Contains(b.at(k), i+1) {
				hits++
			}
		}
	}
	for _, f := range found {
		for _, i := range b.at(int(f.A)) {
			for _, j := range b.at(int(f.B)) {
				if d, ok := pairs[[2]int{int(min(i, j)), int(max(i, j))}]; ok && d == int(f.Distance) {
					hits++
				}
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d hashes: %d of %d planted pairs found, %d pairs of different hashes in all, %v, peak of %d MiB", n, hits, len(pairs), len(found), took.Round(time.Millisecond), m.Sys>>20)
	if hits != len(pairs) {
		t.Errorf("%d of %d planted pairs were found, want all", hits, len(pairs))
	}
}
