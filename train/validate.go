package train

import (
	"context"
	"fmt"
	"math"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/loader"
	"github.com/vf2prep/vf2prep/nn"
)

// validation is what the whole validation part says of the weights.
type validation struct {
	Loss   float64 `json:"loss"` // mean cross-entropy, nats
	Top1   float64 `json:"top1"` // share of labelled images
	Top5   float64 `json:"top5"`
	Images int     `json:"images"` // those with a label
}

// validate runs the network over all of a part. The sums are taken in the order of the images,
// so the result does not depend on threads.
func validate(ctx context.Context, net *nn.Network, l *loader.Loader, classes int, r progress.Reporter) (*validation, error) {
	v := &validation{}
	top1, top5 := 0, 0
	for batch, err := range l.Epoch(ctx, 0, 0) {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out, err := net.Infer(batch.X, batch.N)
		if err != nil {
			return nil, fmt.Errorf("validation, step %d: %w", batch.Step+1, err)
		}
		for i, label := range batch.Label[:batch.N] {
			if label < 0 {
				continue
			}
			logits := out.Logits[i*classes : (i+1)*classes]
			v.Loss += crossEntropy(logits, int(label))
			v.Images++
			if r := rank(logits, int(label)); r == 0 {
				top1++
				top5++
			} else if r < 5 {
				top5++
			}
		}
		r.Add(int64(batch.N))
	}
	n := float64(v.Images)
	v.Loss = share(v.Loss, n)
	v.Top1, v.Top5 = share(float64(top1), n), share(float64(top5), n)
	return v, nil
}

// crossEntropy returns -log softmax(logits)[label] in nats.
func crossEntropy(logits []float32, label int) float64 {
	most := math.Inf(-1)
	for _, l := range logits {
		if !(float64(l) <= most) { // also takes NaN, which then stays
			most = float64(l)
		}
	}
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l) - most)
	}
	return math.Log(sum) + most - float64(logits[label])
}

// rank returns how many classes come before the label: those with a greater logit, and of equal
// ones those with a smaller index. A logit that is NaN comes before every label.
func rank(logits []float32, label int) int {
	r := 0
	for i, l := range logits {
		if l > logits[label] || l == logits[label] && i < label || l != l {
			r++
		}
	}
	return r
}
