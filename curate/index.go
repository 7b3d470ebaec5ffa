package curate

import (
	"cmp"
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Near is a pair of places in a list of hashes, A < B, whose hashes differ in Distance bits.
type Near struct {
	A, B     uint32
	Distance uint8
}

// MaxDistance is the largest distance that [Search] looks for.
const MaxDistance = 11

// ErrTooMany says that more pairs were found than were asked for.
type ErrTooMany struct{ Most int }

func (e *ErrTooMany) Error() string {
	return fmt.Sprintf("more than %d pairs of hashes are near each other; a smaller distance gives fewer", e.Most)
}

// A hash is four bands of 16 bits. Where two hashes differ in at most d bits, they differ in at most
// d/4 of some band, whose values are the buckets of a table.
const (
	bands  = 4
	values = 1 << 16
)

// Search returns every pair of hashes at most so many bits apart, in order of A and B: none is
// missed. hashes must not hold one twice; see [collapse]. It takes 48 bytes a hash.
//
// M. Norouzi, A. Punjani, D. J. Fleet, "Fast exact search in Hamming space with multi-index
// hashing", IEEE TPAMI 36(6), 2014.
func Search(hashes []uint64, distance, most int) ([]Near, error) {
	if distance < 0 || distance > MaxDistance {
		return nil, fmt.Errorf("distance of %d bits, want 0 to %d", distance, MaxDistance)
	}
	radius := distance / bands
	masks := masksWithin(radius)
	var found []Near
	var mu sync.Mutex
	var total atomic.Int64
	for band := range bands {
		t := newTable(hashes, band)
		var next atomic.Int64
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				var mine []Near
				for v := int(next.Add(1)) - 1; v < values; v = int(next.Add(1)) - 1 {
					for _, m := range masks {
						if other := v ^ m; other >= v {
							before := len(mine)
							mine = t.compare(mine, v, other, band, distance, radius, most)
							if total.Add(int64(len(mine)-before)) > int64(most) {
								return
							}
						}
					}
				}
				mu.Lock()
				found = append(found, mine...)
				mu.Unlock()
			})
		}
		wg.Wait()
		if total.Load() > int64(most) {
			return nil, &ErrTooMany{most}
		}
	}
	slices.SortFunc(found, func(a, b Near) int { return cmp.Or(cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B)) })
	return found, nil
}

// table is the hashes by one band's value, side by side in memory.
type table struct {
	start  [values + 1]uint32
	hashes []uint64
	places []uint32
}

func newTable(hashes []uint64, band int) *table {
	t := &table{hashes: make([]uint64, len(hashes)), places: make([]uint32, len(hashes))}
	for _, h := range hashes {
		t.start[int(uint16(h>>(16*band)))+1]++
	}
	for v := range values {
		t.start[v+1] += t.start[v]
	}
	at := t.start
	for i, h := range hashes {
		v := uint16(h >> (16 * band))
		t.hashes[at[v]], t.places[at[v]] = h, uint32(i)
		at[v]++
	}
	return t
}

// compare appends the pairs of two buckets that no earlier band has found; it stops where out has more than
// most.
func (t *table) compare(out []Near, v, w, band, distance, radius, most int) []Near {
	from, to := t.start[w], t.start[w+1]
	for i := t.start[v]; i < t.start[v+1] && len(out) <= most; i++ {
		h := t.hashes[i]
		if v == w {
			from = i + 1
		}
		for j := from; j < to; j++ {
			x := h ^ t.hashes[j]
			if d := bits.OnesCount64(x); d <= distance && firstBand(x, radius) == band {
				a, b := t.places[i], t.places[j]
				out = append(out, Near{min(a, b), max(a, b), uint8(d)})
			}
		}
	}
	return out
}

// firstBand is the first band in which a difference has at most so many bits.
func firstBand(x uint64, radius int) int {
	for band := range bands {
		if bits.OnesCount16(uint16(x>>(16*band))) <= radius {
			return band
		}
	}
	return bands
}

// masksWithin lists the numbers of 16 bits with at most so many ones.
func masksWithin(ones int) (list []int) {
	for m := range values {
		if bits.OnesCount(uint(m)) <= ones {
			list = append(list, m)
		}
	}
	return list
}

// buckets are places in a list, by what hash they have.
type buckets struct {
	hashes []uint64 // different ones, rising
	ends   []uint32 // of each hash's places in order
	order  []uint32
}

// at returns the places of hash k, rising.
func (b *buckets) at(k int) []uint32 {
	from := uint32(0)
	if k > 0 {
		from = b.ends[k-1]
	}
	return b.order[from:b.ends[k]]
}

// collapse puts together the places in a list that have one hash.
func collapse(hashes []uint64, skip func(i int) bool) *buckets {
	b := &buckets{order: make([]uint32, 0, len(hashes))}
	for i := range hashes {
		if !skip(i) {
			b.order = append(b.order, uint32(i))
		}
	}
	slices.SortFunc(b.order, func(x, y uint32) int { return cmp.Or(cmp.Compare(hashes[x], hashes[y]), cmp.Compare(x, y)) })
	for i, at := range b.order {
		if i+1 == len(b.order) || hashes[b.order[i+1]] != hashes[at] {
			b.hashes, b.ends = append(b.hashes, hashes[at]), append(b.ends, uint32(i+1))
		}
	}
	return b
}
