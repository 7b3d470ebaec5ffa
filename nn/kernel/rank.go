package kernel

import "math"

// RankLoss computes for each sample with a label the sum over k of the cross-entropies of "label is
// greater than k" with the sigmoids of logits [n, ranks], in loss. It returns the mean over these samples.
// gradient becomes the gradient of scale times the mean.
//
// S. Chen et al., "Using Ranking-CNN for Age Estimation", CVPR 2017.
func RankLoss(ranks int, logits []float32, labels []int32, scale float64, loss []float64, gradient []float32) float64 {
	n := len(labels)
	need("RankLoss: logits", len(logits), n*ranks)
	need("RankLoss: loss", len(loss), n)
	need("RankLoss: gradient", len(gradient), n*ranks)
	labelled := 0
	for _, l := range labels {
		if l >= 0 {
			labelled++
		}
	}
	scale /= float64(max(labelled, 1))
	total := 0.0
	for i, label := range labels {
		z, g := logits[i*ranks:(i+1)*ranks], gradient[i*ranks:(i+1)*ranks]
		loss[i] = 0
		clear(g)
		if label < 0 {
			continue
		}
		for k, v := range z {
			x, yes := float64(v), 0.0
			if int(label) > k {
				yes = 1
			}
			loss[i] += max(x, 0) - float64(x*yes) + math.Log1p(math.Exp(-math.Abs(x)))
			g[k] = float32((1/(1+math.Exp(-x)) - yes) * scale)
		}
		total += loss[i]
	}
	return total / float64(max(labelled, 1))
}
