package eval

// FlipAttributes returns a model whose answer for an image is the mean of those for it and for its
// mirror: of the ages, and of the probabilities of a gender. Whether ranks contradict one another
// is asked of the image alone.
func FlipAttributes(m AttributeModel) AttributeModel { return &flipAttributes{AttributeModel: m} }

type flipAttributes struct {
	AttributeModel
	mirrored []float32
}

func (f *flipAttributes) InferAttributes(x []float32, n int) (AttributeOutput, error) {
	c, h, w := f.Shape()
	out, err := f.AttributeModel.InferAttributes(x, n)
	if err != nil {
		return out, err
	}
	f.mirrored = mirror(f.mirrored, x[:n*c*h*w], w)
	other, err := f.AttributeModel.InferAttributes(f.mirrored, n)
	if err != nil {
		return out, err
	}
	for i := range out.Age {
		out.Age[i] = (out.Age[i] + other.Age[i]) / 2
	}
	for i := range out.Gender {
		female := (female(out, i) + female(other, i)) / 2
		if out.Gender[i], out.Probability[i] = 0, 1-female; female > 0.5 {
			out.Gender[i], out.Probability[i] = 1, female
		}
	}
	return out, nil
}

// female is the probability of the answer 1.
func female(out AttributeOutput, i int) float64 {
	if out.Gender[i] == 1 {
		return out.Probability[i]
	}
	return 1 - out.Probability[i]
}
