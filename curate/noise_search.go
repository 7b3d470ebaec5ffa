package curate

import (
	"context"
	"math"

	"github.com/vf2prep/vf2prep/nn/kernel"
)

// slack bounds how far a product of two unit vectors of float32 is from the exact one: a rounding of 2^-24 for each
// product, each addition and each number of the centre.
func slack(width int) float32 { return float32(width+2) * (1.0 / (1 << 23)) }

// search finds for each image the other identity whose centre it is most like. A matrix product in float32 names
// the few that may be it, and these are computed again in float64, so that every CPU finds the same.
func (n *noise) search(ctx context.Context) error {
	width, count := n.rows.Width, len(n.people)
	weight := make([]float32, count*width)
	for k := range n.people {
		for i, x := range n.people[k].unit {
			weight[k*width+i] = float32(x)
		}
	}
	n.nearest, n.other = make([]int32, len(n.rows.Keys)), make([]float64, len(n.rows.Keys))
	y := make([]float32, blockRows*count)
	near := 2 * slack(width)
	return n.blocks(ctx, "compare images with centres", func(from, rows int, x []float32) {
		kernel.Linear{N: rows, In: width, Out: count}.Forward(rows, x, weight, nil, y[:rows*count])
		parallel(rows, func(i int) {
			row := from + i
			own := int(n.of[row])
			if own < 0 {
				n.nearest[row] = -1
				return
			}
			n.nearest[row], n.other[row] = n.best(x[i*width:(i+1)*width], y[i*count:(i+1)*count], own, near)
		})
	})
}

// best returns the person, other than own, that x is most like; of several the first.
func (n *noise) best(x, scores []float32, own int, near float32) (best int32, similarity float64) {
	top := largest(scores[:own], float32(math.Inf(-1)))
	top = largest(scores[own+1:], top)
	similarity = math.Inf(-1)
	for k, s := range scores {
		if s < top-near || k == own {
			continue
		}
		if exact := product(x, n.people[k].unit); exact > similarity {
			best, similarity = int32(k), exact
		}
	}
	return best, similarity
}

func largest(v []float32, top float32) float32 {
	for _, s := range v {
		if s > top {
			top = s
		}
	}
	return top
}
