package eval

import (
	"math"
	"testing"
)

// leftmost is an AttributeModel whose answers are the first pixel of a row of two.
type leftmost struct{}

func (leftmost) Batch() int           { return 2 }
func (leftmost) Shape() (c, h, w int) { return 1, 1, 2 }
func (leftmost) InferAttributes(x []float32, n int) (out AttributeOutput, err error) {
	for i := range n {
		p := float64(x[2*i]) // of a woman
		out.Age = append(out.Age, 100*p)
		if p > 0.5 {
			out.Gender, out.Probability = append(out.Gender, 1), append(out.Probability, p)
		} else {
			out.Gender, out.Probability = append(out.Gender, 0), append(out.Probability, 1-p)
		}
	}
	return out, nil
}

func TestFlipAttributes(t *testing.T) {
	out, err := FlipAttributes(leftmost{}).InferAttributes([]float32{0.25, 1, 0.75, 0}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		age, probability float64
		gender           int8
	}{{62.5, 0.625, 1}, {37.5, 0.625, 0}} {
		if math.Abs(out.Age[i]-want.age) > 1e-9 || math.Abs(out.Probability[i]-want.probability) > 1e-9 || out.Gender[i] != want.gender {
			t.Errorf("image %d: age %v, gender %d with %v, want %+v", i, out.Age[i], out.Gender[i], out.Probability[i], want)
		}
	}
}
