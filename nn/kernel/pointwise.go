package kernel

import "math"

// Add computes y = a + b.
func Add(a, b, y []float32) {
	need("Add", min(len(a), len(b)), len(y))
	pieces(len(y), func(from, to int) {
		a, b, y := a[from:to], b[from:to], y[from:to]
		for i := range y {
			y[i] = a[i] + b[i]
		}
	})
}

// AddReLU computes y = max(0, a + b).
func AddReLU(a, b, y []float32) {
	need("AddReLU", min(len(a), len(b)), len(y))
	pieces(len(y), func(from, to int) {
		a, b, y := a[from:to], b[from:to], y[from:to]
		for i := range y {
			y[i] = max(a[i]+b[i], 0)
		}
	})
}

// Copy copies x to y.
func Copy(x, y []float32) {
	need("Copy", len(x), len(y))
	pieces(len(y), func(from, to int) { copy(y[from:to], x[from:to]) })
}

// ReLUBackward computes dx = dy where y > 0, else 0, where y is what the ReLU gave out.
func ReLUBackward(y, dy, dx []float32) {
	need("ReLUBackward", min(len(y), len(dy)), len(dx))
	pieces(len(dx), func(from, to int) {
		y, dy, dx := y[from:to], dy[from:to], dx[from:to]
		for i := range dx {
			// About half of the signs are negative, in no order: a branch would be guessed wrong
			// all the time. The mask is all ones where the bits, as an integer, are positive.
			b := int32(math.Float32bits(y[i]))
			mask := uint32((-b & ^b) >> 31)
			dx[i] = math.Float32frombits(math.Float32bits(dy[i]) & mask)
		}
	})
}
