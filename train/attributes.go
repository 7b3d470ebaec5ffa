package train

import (
	"math"
	"slices"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/nn"
)

// InferAttributes says age and gender of n images, x as [Predictor.Infer] takes it, as far as the
// run has heads for them. Of equally likely genders it says male, as validation does.
func (p *Predictor) InferAttributes(x []float32, n int) (eval.AttributeOutput, error) {
	var out eval.AttributeOutput
	raw, err := p.net.Infer(x, n)
	if err != nil {
		return out, err
	}
	for _, h := range raw.Heads {
		width := len(h.Logits) / n
		for i := range n {
			logits := h.Logits[i*width : (i+1)*width]
			sound := !slices.ContainsFunc(logits, func(v float32) bool { return !finite(float64(v)) })
			or := func(v float64) float64 {
				if !sound {
					return math.NaN()
				}
				return v
			}
			switch h.Kind {
			case nn.Age:
				out.Age = append(out.Age, or(nn.AgeFromSoftmax(logits)))
			case nn.AgeRank:
				age, _ := nn.AgeFromRanks(logits)
				older := make([]bool, width)
				for k, v := range logits {
					older[k] = v > 0
				}
				out.Age, out.Older = append(out.Age, or(age)), append(out.Older, older)
			case nn.Gender:
				said := first(logits)
				out.Gender = append(out.Gender, int8(said))
				out.Probability = append(out.Probability, or(1/(1+math.Exp(float64(logits[1-said])-float64(logits[said])))))
			}
		}
	}
	return out, nil
}
