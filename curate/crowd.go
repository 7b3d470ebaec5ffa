package curate

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
)

// crowd is what stands for the images of a hash of which there are many.
type crowd struct {
	stand   []uint32 // which others are compared with
	pairs   []candidate
	found   []Duplicate
	looked  int
	crowded int
}

// gather reduces the hashes that many images have, by their places among the hashes.
func (f *finder) gather(ctx context.Context, b *buckets) (map[int]*crowd, error) {
	var places []int
	total := 0
	for k := range b.hashes {
		if from, to := f.sides(b.at(k)); len(to) > manyAlike && len(from) > 0 {
			places, total = append(places, k), total+len(b.at(k))
		}
	}
	if len(places) == 0 {
		return nil, nil
	}
	f.progress.Start(int64(total), "compare images of one hash")
	defer f.progress.Done()
	crowds, failed := make([]*crowd, len(places)), make([]error, len(places))
	parallel(len(places), func(i int) {
		from, to := f.sides(b.at(places[i]))
		crowds[i] = &crowd{}
		failed[i] = f.gatherOne(ctx, crowds[i], from, to)
		f.progress.Add(int64(len(b.at(places[i]))))
	})
	out := map[int]*crowd{}
	for i, c := range crowds {
		out[places[i]] = c
		f.found = append(f.found, c.found...)
		f.candidates, f.crowded = f.candidates+c.looked, f.crowded+c.crowded
	}
	return out, errors.Join(failed...)
}

func (f *finder) gatherOne(ctx context.Context, c *crowd, from, to []uint32) error {
	distinct := f.distinct(to, func(copies []uint32) {
		if f.border == 0 {
			for k, i := range copies {
				for _, j := range copies[k+1:] {
					if k == 0 || len(copies) <= manyAlike {
						c.found = append(c.found, f.pair(i, j, 0, 0))
					}
				}
			}
		}
	})
	c.stand = distinct
	if len(distinct) <= manyAlike {
		if f.border == 0 {
			from = distinct
		}
		for _, i := range from {
			for _, j := range distinct {
				if f.border > 0 || i < j {
					c.pairs = append(c.pairs, candidate{i, j, 0})
				}
			}
		}
		return nil
	}
	var leaders []uint32
	var thumbs []thumb
	// lead pairs an image with the leader that it is most like, or makes it one if it may be.
	lead := func(i uint32, may bool) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		var t thumb
		if ok, err := f.shrink(i, &t); !ok {
			return err
		}
		c.looked += len(leaders)
		best, least := -1, math.Inf(1)
		for k := range leaders {
			if d := difference(&thumbs[k], &t); d < least {
				best, least = k, d
			}
		}
		switch {
		case least <= f.difference:
			if f.border == 0 || !may {
				c.found = append(c.found, f.pair(leaders[best], i, 0, least))
			}
		case may && len(leaders) < mostLeaders:
			leaders, thumbs = append(leaders, i), append(thumbs, t)
		default:
			c.crowded++
		}
		return nil
	}
	for _, j := range distinct {
		if err := lead(j, true); err != nil {
			return err
		}
	}
	if f.border > 0 {
		same := make(map[uint64]uint32, len(distinct))
		for _, j := range distinct {
			same[f.h.exact[j]] = j
		}
		before := c.crowded
		for _, i := range from {
			if j, ok := same[f.h.exact[i]]; ok {
				c.found = append(c.found, f.pair(i, j, 0, 0))
			} else if err := lead(i, false); err != nil {
				return err
			}
		}
		if before == 0 { // all of the second set had a leader, so these are like none of it
			c.crowded = 0
		}
	}
	c.stand = leaders[:min(len(leaders), manyAlike)]
	return nil
}

// distinct returns the first of each set of images of the same bytes, rising, and tells each set of several.
func (f *finder) distinct(members []uint32, tell func(copies []uint32)) (first []uint32) {
	order := slices.Clone(members)
	slices.SortFunc(order, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(f.h.exact[a], f.h.exact[b]), cmp.Compare(a, b))
	})
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && f.h.exact[order[to]] == f.h.exact[order[from]] {
			to++
		}
		if to-from > 1 {
			tell(order[from:to])
		}
		first = append(first, order[from])
		from = to
	}
	slices.Sort(first)
	return first
}
