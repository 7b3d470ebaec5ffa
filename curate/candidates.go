package curate

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/internal/progress"
)

// finder compares the pictures of images whose hashes are alike.
type finder struct {
	list       pictures
	h          *hashed
	border     int // of two sets in one list, where the second begins: pairs are of one and the other; 0: one set
	distance   int
	difference float64
	progress   progress.Reporter

	hashes     int // different ones
	candidates int // pairs of which pictures were compared
	crowded    int // images that were not compared with all of their hash, and are like none of those they were compared with
	found      []Duplicate

	mu sync.Mutex // for h.rejected
}

const (
	// manyAlike is how many images of one hash are compared each with each. More of them are gathered, so that
	// a thousand black images make a thousand pairs: copies of the same bytes about the first, others about
	// images that are unlike each other, of which there may be mostLeaders.
	manyAlike   = 16
	mostLeaders = 64

	// maxCandidates bounds memory: 12 bytes each in the index and as many here.
	maxCandidates = 20_000_000
)

// candidate is two places in the list, a < b, and the bits between their hashes.
type candidate struct {
	a, b     uint32
	distance uint8
}

// find fills in what was found, in order of a, then b.
func (f *finder) find(ctx context.Context) error {
	b := collapse(f.h.near, f.h.bad)
	f.hashes = len(b.hashes)
	crowds, err := f.gather(ctx, b)
	if err != nil {
		return err
	}
	pairs, err := f.pairs(b, crowds)
	if err != nil {
		return err
	}
	f.candidates += len(pairs)
	if err := f.compare(ctx, pairs); err != nil {
		return err
	}
	slices.SortFunc(f.found, func(x, y Duplicate) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) })
	return nil
}

// sides returns the images of a hash that pairs begin with, and those that they end with.
func (f *finder) sides(members []uint32) (from, to []uint32) {
	if f.border == 0 {
		return members, members
	}
	k, _ := slices.BinarySearch(members, uint32(f.border))
	return members[:k], members[k:]
}

// pairs lists those whose pictures are to be compared, by a, then b.
func (f *finder) pairs(b *buckets, crowds map[int]*crowd) ([]candidate, error) {
	near, err := Search(b.hashes, f.distance, maxCandidates)
	if err != nil {
		return nil, err
	}
	var pairs []candidate
	for k := range b.hashes {
		if c, ok := crowds[k]; ok {
			pairs = append(pairs, c.pairs...)
			continue
		}
		from, to := f.sides(b.at(k))
		for _, i := range from {
			for _, j := range to {
				if i < j {
					pairs = append(pairs, candidate{i, j, 0})
				}
			}
		}
	}
	side := func(k int) (from, to []uint32) {
		from, to = f.sides(b.at(k))
		if c, ok := crowds[k]; ok {
			if to = c.stand; f.border == 0 {
				from = to
			}
		}
		return from, to
	}
	cross := func(from, to []uint32, distance uint8) {
		for _, i := range from {
			for _, j := range to {
				pairs = append(pairs, candidate{min(i, j), max(i, j), distance})
			}
		}
	}
	for _, n := range near {
		fromA, toA := side(int(n.A))
		fromB, toB := side(int(n.B))
		cross(fromA, toB, n.Distance)
		if f.border > 0 {
			cross(fromB, toA, n.Distance)
		}
		if len(pairs) > maxCandidates {
			return nil, &ErrTooMany{maxCandidates}
		}
	}
	slices.SortFunc(pairs, func(x, y candidate) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) })
	return pairs, nil
}

// compare keeps the pairs whose pictures differ little.
func (f *finder) compare(ctx context.Context, pairs []candidate) error {
	f.progress.Start(int64(len(pairs)), "compare pictures")
	defer f.progress.Done()
	const piece = 64
	failed := make([]error, (len(pairs)+piece-1)/piece)
	kept := make([][]Duplicate, len(failed))
	parallel(len(failed), func(k int) {
		var a, b thumb
		last, there := -1, false
		mine := pairs[k*piece : min(len(pairs), (k+1)*piece)]
		for _, q := range mine {
			if failed[k] = ctx.Err(); failed[k] != nil {
				return
			}
			apart := 0.0
			if f.h.exact[q.a] != f.h.exact[q.b] {
				if last != int(q.a) {
					if there, failed[k] = f.shrink(q.a, &a); failed[k] != nil {
						return
					}
					last = int(q.a)
				}
				if !there {
					continue
				}
				if ok, err := f.shrink(q.b, &b); !ok {
					if failed[k] = err; err != nil {
						return
					}
					continue
				}
				if apart = difference(&a, &b); apart > f.difference {
					continue
				}
			}
			kept[k] = append(kept[k], f.pair(q.a, q.b, int(q.distance), apart))
		}
		f.progress.Add(int64(len(mine)))
	})
	for _, list := range kept {
		f.found = append(f.found, list...)
	}
	return errors.Join(failed...)
}

// shrink makes a small picture again. An image that can't be read any more is a reject from now on.
func (f *finder) shrink(i uint32, t *thumb) (ok bool, err error) {
	_, err = f.list.shrink(int(i), t)
	var r *cache.Rejection
	if errors.As(err, &r) {
		f.mu.Lock()
		f.h.rejected[int(i)] = *r
		f.mu.Unlock()
		return false, nil
	}
	return err == nil, err
}

func (f *finder) pair(i, j uint32, distance int, apart float64) Duplicate {
	a, b := int(min(i, j)), int(max(i, j))
	x := Duplicate{A: f.list.key(a), B: f.list.key(b), Kind: Alike, Distance: distance, Difference: apart,
		a: a, b: b, PartA: f.list.part(a), PartB: f.list.part(b)}
	if f.h.exact[a] == f.h.exact[b] {
		x.Kind = Exact
	}
	x.SameIdentity = identity(x.A) == identity(x.B)
	switch {
	case x.PartA != x.PartB:
		x.Scope = AcrossParts
	case f.list.anonymous():
		x.Scope = UnknownIdentity
	case x.SameIdentity:
		x.Scope = SameIdentity
	default:
		x.Scope = AcrossIdentities
	}
	return x
}
