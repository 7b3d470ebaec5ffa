package kernel

// Padding is the number of zero rows and columns around an input.
type Padding struct{ Top, Bottom, Left, Right int }

// Uniform is the same padding on each side, as PyTorch's layers know it; Uniform(0) is "valid".
func Uniform(p int) Padding { return Padding{p, p, p, p} }

// Same is TensorFlow's "same": the output has ceil(size / stride) pixels, and when the padding is
// odd the extra row and column stand at the end. With stride 2 and a 3x3 kernel an even size
// is padded at the end only.
func Same(h, w, kh, kw, stride int) Padding {
	top, bottom := same(h, kh, stride)
	left, right := same(w, kw, stride)
	return Padding{top, bottom, left, right}
}

func same(size, k, stride int) (before, after int) {
	out := (size + stride - 1) / stride
	total := max((out-1)*stride+k-size, 0)
	return total / 2, total - total/2
}
