package kernel

import "math"

// SoftmaxCrossEntropy computes the softmax of logits [n, classes] and the cross-entropy
// -log(probability of the label) of each sample, which goes to loss. It returns the mean loss over the samples
// with a label; label -1 marks one without, whose loss is 0. Without any label the mean is 0.
//
// With label smoothing s the label counts 1 - s and s is spread evenly over all classes, the label's
// among them, as torch.nn.CrossEntropyLoss does it (Szegedy et al., "Rethinking the Inception Architecture
// for Computer Vision", CVPR 2016).
//
// The largest logit is subtracted first, so nothing overflows. Sums are float64.
func SoftmaxCrossEntropy(classes int, smoothing float32, logits []float32, labels []int32, probabilities []float32, loss []float64) float64 {
	n := len(labels)
	need("SoftmaxCrossEntropy: logits", len(logits), n*classes)
	need("SoftmaxCrossEntropy: probabilities", len(probabilities), n*classes)
	need("SoftmaxCrossEntropy: loss", len(loss), n)
	Parallel(n, func(i int) {
		in, out := logits[i*classes:(i+1)*classes], probabilities[i*classes:(i+1)*classes]
		top := in[0]
		for _, v := range in {
			top = max(top, v)
		}
		var sum float64
		for j, v := range in {
			e := math.Exp(float64(v - top))
			out[j] = float32(e)
			sum += e
		}
		scale := float32(1 / sum)
		for j := range out {
			out[j] *= scale
		}
		loss[i] = 0
		if l := labels[i]; l >= 0 {
			loss[i] = math.Log(sum) - float64(in[l]-top)
			if smoothing > 0 {
				mean := 0.0
				for _, v := range in {
					mean += float64(v - top)
				}
				even := math.Log(sum) - mean/float64(classes)
				loss[i] += float64(smoothing) * (even - loss[i])
			}
		}
	})
	var sum float64
	labelled := 0
	for i, l := range labels {
		if l >= 0 {
			sum += loss[i]
			labelled++
		}
	}
	return sum / float64(max(labelled, 1))
}

// SoftmaxCrossEntropyBackward computes the gradient of scale times the mean loss by the logits:
// (probability - 1 at the label) * scale / labelled samples, and 0 for samples without label. With
// smoothing, what is subtracted is spread as in the loss.
func SoftmaxCrossEntropyBackward(classes int, smoothing float32, probabilities []float32, labels []int32, scale float32, dlogits []float32) {
	need("SoftmaxCrossEntropyBackward: probabilities", len(probabilities), len(labels)*classes)
	need("SoftmaxCrossEntropyBackward: dlogits", len(dlogits), len(labels)*classes)
	labelled := 0
	for _, l := range labels {
		if l >= 0 {
			labelled++
		}
	}
	scale /= float32(max(labelled, 1))
	Parallel(len(labels), func(i int) {
		p, d := probabilities[i*classes:(i+1)*classes], dlogits[i*classes:(i+1)*classes]
		if labels[i] < 0 {
			clear(d)
			return
		}
		even := smoothing / float32(classes)
		for j, v := range p {
			d[j] = (v - even) * scale
		}
		d[labels[i]] -= (1 - smoothing) * scale
	})
}
