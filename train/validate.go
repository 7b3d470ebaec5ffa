package train

import (
	"context"
	"fmt"
	"math"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/loader"
	"github.com/vf2prep/vf2prep/nn"
	"github.com/vf2prep/vf2prep/nn/kernel"
)

// validation is what the whole validation part says of the weights.
type validation struct {
	Loss   float64 `json:"loss"` // of the heads, times their weights: cross-entropies in nats
	Top1   float64 `json:"top1"` // share of labelled images
	Top5   float64 `json:"top5"`
	Images int     `json:"images"` // those with a label

	Gender  *float64 `json:"gender,omitempty"`  // share of the images whose gender is known and named; nil without that head
	Age     *float64 `json:"age_mae,omitempty"` // mean absolute error, years
	Triplet *float64 `json:"triplet,omitempty"` // the triplet loss of the first images, see tripletImages
}

// tripletImages is how many images the triplet loss is validated on: each is compared with each.
const tripletImages = 1024

// counts are the sums of a validation, by head.
type counts struct{ loss, right, n float64 }

// validate runs the network over all of a part. The sums are taken in the order of the images,
// so the result does not depend on threads. It also returns what identities were taken for.
func validate(ctx context.Context, net *nn.Network, l *loader.Loader, classes int, r progress.Reporter) (*validation, confusions, error) {
	v := &validation{}
	taken := confusions{}
	top5 := 0.0
	sums := map[nn.HeadKind]*counts{}
	for _, h := range net.Config().Heads {
		sums[h.Kind] = &counts{}
	}
	var features []float32
	var labels []int32
	for batch, err := range l.Epoch(ctx, 0, 0) {
		if err != nil {
			return nil, nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		out, err := net.Infer(batch.X, batch.N)
		if err != nil {
			return nil, nil, fmt.Errorf("validation, step %d: %w", batch.Step+1, err)
		}
		if sums[nn.Triplet] != nil && len(labels) < tripletImages {
			features = append(features, out.Embedding...)
			labels = append(labels, batch.Label[:batch.N]...)
		}
		for _, h := range out.Heads {
			if h.Kind == nn.Triplet {
				continue
			}
			width, c := len(h.Logits)/batch.N, sums[h.Kind]
			for i := range batch.N {
				if !hasTarget(h.Kind, batch.Label[i], batch.Age[i], batch.Gender[i]) {
					continue
				}
				logits := h.Logits[i*width : (i+1)*width]
				c.n++
				switch h.Kind {
				case nn.Identity:
					label := int(batch.Label[i])
					c.loss += crossEntropy(logits, label)
					taken[pair{batch.Label[i], first(logits)}]++
					if r := rank(logits, label); r == 0 {
						c.right++
						top5++
					} else if r < 5 {
						top5++
					}
				case nn.Gender:
					label := int(batch.Gender[i])
					c.loss += crossEntropy(logits, label)
					if rank(logits, label) == 0 {
						c.right++
					}
				case nn.Age:
					age := float64(batch.Age[i])
					c.loss += crossEntropy(logits, int(min(max(math.Round(age), 0), nn.Ages-1)))
					c.right += math.Abs(nn.AgeFromSoftmax(logits) - age)
				case nn.AgeRank:
					age := float64(batch.Age[i])
					c.loss += rankEntropy(logits, int(min(max(math.Round(age), 0), nn.Ages-1)))
					estimate, _ := nn.AgeFromRanks(logits)
					c.right += math.Abs(estimate - age)
				}
			}
		}
		r.Add(int64(batch.N))
	}
	for _, h := range net.Config().Heads {
		c := sums[h.Kind]
		v.Images = max(v.Images, int(c.n))
		part := share(c.right, c.n)
		switch h.Kind {
		case nn.Identity:
			v.Top1, v.Top5 = part, share(top5, c.n)
		case nn.Gender:
			v.Gender = &part
		case nn.Age, nn.AgeRank:
			v.Age = &part
		case nn.Triplet:
			c.loss = tripletLoss(net.Config(), features, labels)
			c.n = 1
			v.Images = max(v.Images, len(labels))
			v.Triplet = &c.loss
		}
		v.Loss += h.Weight * share(c.loss, c.n)
	}
	return v, taken, nil
}

// tripletLoss is the triplet loss among all of these features.
func tripletLoss(cfg nn.Config, features []float32, labels []int32) float64 {
	if len(labels) == 0 {
		return 0
	}
	alpha := cfg.Alpha
	if alpha == 0 {
		alpha = 0.2
	}
	l := kernel.NewTripletLoss(len(labels), len(features)/len(labels), alpha, kernel.MineSemiHard)
	loss, _ := l.Forward(features, labels, 1)
	return loss
}

// rankEntropy returns the cross-entropies of "older than k" summed over the ranks, in nats.
func rankEntropy(logits []float32, age int) (sum float64) {
	for k, v := range logits {
		x := float64(v)
		sum += max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
		if age > k {
			sum -= x
		}
	}
	return sum
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

// first returns the class of rank 0.
func first(logits []float32) int32 {
	at := 0
	for i, l := range logits {
		if l > logits[at] {
			at = i
		}
	}
	return int32(at)
}
