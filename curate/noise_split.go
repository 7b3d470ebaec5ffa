package curate

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"

	"github.com/vf2prep/vf2prep/nn/kernel"
)

// Pair is two identities that may be one person.
type Pair struct {
	a, b     int
	A, B     string
	ImagesA  int
	ImagesB  int
	Likeness float64
	Across   float64 // mean similarity of an image of one and an image of the other
	WithinA  float64 // and of two images of one
	WithinB  float64
	Flagged  bool
}

// loose is the share of identities whose images may be so unlike each other that their own spread is not believed:
// hardly anything within them would make anybody look like them.
const loose = 0.05

// setFloor decides below which spread an identity's own is not believed.
func (n *noise) setFloor() {
	var alike []float64
	for k := range n.people {
		if w := n.people[k].alike; w > 0 {
			alike = append(alike, w)
		}
	}
	slices.Sort(alike)
	n.floor = math.SmallestNonzeroFloat32
	if len(alike) > 0 {
		n.floor = max(n.floor, quantile(alike, loose))
	}
}

// likeness is that of two identities.
func (n *noise) likeness(a, b int) float64 {
	p, q := &n.people[a], &n.people[b]
	return likeness(&p.core, &q.core, max(p.alike, n.floor), max(q.alike, n.floor))
}

// maxPairs bounds the pairs of identities that are looked at more closely: where there are more of them than
// identities by far, the embeddings do not tell people apart.
const maxPairs = 4 << 20

// splits flags pairs of identities that are as much like each other as the two halves of one are.
func (n *noise) splits(ctx context.Context, s strangers) error {
	var twins []float64
	for k := range n.people {
		if t := n.people[k].twin; !math.IsNaN(t) {
			twins = append(twins, t)
		}
	}
	slices.Sort(twins)
	total := len(n.people) * (len(n.people) - 1) / 2
	least := quantile(s.likeness, 1-float64(n.List)/float64(total)) // what is listed at any rate
	if len(twins) > 0 {
		least = min(least, -tailQuantile(negated(twins), knownTwins))
	}
	if n.SplitAbove != nil {
		least = min(least, *n.SplitAbove)
	}
	pairs, err := n.likePairs(ctx, least)
	if err != nil {
		return err
	}
	t := Threshold{Source: "identities are too much alike", Known: len(twins)}
	if len(pairs) <= maxPairs {
		found := make([]float64, len(pairs))
		for i := range pairs {
			found[i] = pairs[i].Likeness
		}
		t = highTail(found, twins, knownTwins, n.FalseAlarms)
	}
	t = given(n.SplitAbove, t)
	t.Flagged = 0
	slices.SortFunc(pairs, func(p, q Pair) int {
		return cmp.Or(cmp.Compare(q.Likeness, p.Likeness), cmp.Compare(p.a, q.a), cmp.Compare(p.b, q.b))
	})
	extra := 0
	for _, p := range pairs {
		if p.Flagged = t.Value != nil && p.Likeness >= *t.Value; !p.Flagged {
			if extra++; extra > n.List {
				break
			}
		} else {
			t.Flagged++
		}
		n.r.split = append(n.r.split, p)
	}
	n.r.Split, n.r.PairsCompared = t, total
	return nil
}

// likePairs finds the pairs whose likeness is at least that, by a matrix product in float32 whose finds are
// computed again. It stops after maxPairs.
func (n *noise) likePairs(ctx context.Context, least float64) ([]Pair, error) {
	width, count := n.rows.Width, len(n.people)
	mean := make([]float32, count*width)
	longest := 0.0
	for k := range n.people {
		p := &n.people[k]
		scale := 1 / (float64(p.core.n) * math.Sqrt(max(p.alike, n.floor)))
		for i, s := range p.core.sum {
			mean[k*width+i] = float32(s * scale)
		}
		longest = max(longest, dot(p.core.sum, p.core.sum)*scale*scale)
	}
	near := float32(least) - 2*slack(width)*float32(longest)
	var out []Pair
	var mu sync.Mutex
	y := make([]float32, blockRows*count)
	n.Progress.Start(int64(count), "compare identities")
	defer n.Progress.Done()
	for from := 0; from < count && len(out) <= maxPairs; from += blockRows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows := min(blockRows, count-from)
		kernel.Linear{N: rows, In: width, Out: count}.Forward(rows, mean[from*width:(from+rows)*width], mean, nil, y[:rows*count])
		parallel(rows, func(i int) {
			a := from + i
			var mine []Pair
			for b, s := range y[i*count : i*count+a] {
				if s < near {
					continue
				}
				if l := n.likeness(b, a); l >= least {
					p, q := &n.people[b], &n.people[a]
					mine = append(mine, Pair{a: b, b: a, A: p.id, B: q.id, ImagesA: len(p.rows), ImagesB: len(q.rows),
						Likeness: l, Across: across(&p.core, &q.core), WithinA: p.alike, WithinB: q.alike})
				}
			}
			mu.Lock()
			out = append(out, mine...)
			mu.Unlock()
		})
		n.Progress.Add(int64(rows))
	}
	return out, nil
}
