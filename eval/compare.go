package eval

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/vf2prep/vf2prep/internal/progress"
)

// leftPair is a pair that could not be judged.
type leftPair struct {
	split  int // from 0
	a, b   int32
	reason string
}

// eachBlock calls f on all of 0..n-1 in blocks, with all CPUs; f must depend on its block alone.
func eachBlock(ctx context.Context, n, block int, bar progress.Reporter, f func(from, to int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(int64(block))) - block
				if from >= n {
					return
				}
				to := min(from+block, n)
				f(from, to)
				bar.Add(int64(to - from))
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// comparePairs returns the distances of the pairs whose templates both have a vector, and the
// pairs that lack one. Where subjects say it, a pair is genuine when they are equal; else its
// own label does.
func comparePairs(ctx context.Context, pairs []TemplatePair, t *templateVectors, bySubject bool, split int, bar progress.Reporter) (genuine, impostor []float64, left []leftPair, err error) {
	bar.Start(int64(len(pairs)), "compare templates")
	defer bar.Done()
	d := make([]float64, len(pairs))
	err = eachBlock(ctx, len(pairs), measureBlock, bar, func(from, to int) {
		for k := from; k < to; k++ {
			i, okA := t.at[pairs[k].A]
			j, okB := t.at[pairs[k].B]
			d[k] = math.NaN()
			if okA && okB {
				d[k] = t.distance(i, j)
			}
		}
	})
	if err != nil {
		return nil, nil, nil, err
	}
	for k, p := range pairs {
		if math.IsNaN(d[k]) {
			left = append(left, leftPair{split, p.A, p.B, t.whyNot(p.A, p.B)})
			continue
		}
		if bySubject && t.known[p.A] == t.known[p.B] || !bySubject && p.Genuine {
			genuine = append(genuine, d[k])
		} else {
			impostor = append(impostor, d[k])
		}
	}
	return genuine, impostor, left, nil
}

// whyNot returns the reason for which one of the templates has no vector.
func (t *templateVectors) whyNot(ids ...int32) string {
	for _, id := range ids {
		if _, ok := t.known[id]; !ok {
			return unknownTemplate
		}
	}
	for _, id := range ids {
		if reason, ok := t.lacks[id]; ok {
			return reason
		}
	}
	return ""
}
