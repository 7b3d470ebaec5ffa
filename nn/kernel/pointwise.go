package kernel

import "math"

// none is the floor that changes nothing.
var none = float32(math.Inf(-1))

// floorOf is 0 for a ReLU, else none.
func floorOf(relu bool) float32 {
	if relu {
		return 0
	}
	return none
}

// Add computes y = a + b, and max(0, a + b) where relu says so.
func Add(a, b, y []float32, relu bool) {
	need("Add", min(len(a), len(b)), len(y))
	floor := floorOf(relu)
	pieces(len(y), func(from, to int) {
		a, b, y := a[from:to], b[from:to], y[from:to]
		n := len(y) / BlockSize
		if n > 0 {
			addBlocks(a, b, y, n, floor)
		}
		n *= BlockSize
		addRest(a[n:], b[n:], y[n:], floor)
	})
}

// ReLU computes x = max(0, x).
func ReLU(x []float32) {
	pieces(len(x), func(from, to int) {
		for i, v := range x[from:to] {
			x[from+i] = max(v, 0)
		}
	})
}

// Copy copies x to y.
func Copy(x, y []float32) {
	need("Copy", len(x), len(y))
	pieces(len(y), func(from, to int) { copy(y[from:to], x[from:to]) })
}

// ReLUBackward computes dx = dy where y > 0, else 0, where y is what the ReLU gave out. dx may
// be dy.
func ReLUBackward(y, dy, dx []float32) {
	need("ReLUBackward", min(len(y), len(dy)), len(dx))
	pieces(len(dx), func(from, to int) {
		y, dy, dx := y[from:to], dy[from:to], dx[from:to]
		n := len(dx) / BlockSize
		if n > 0 {
			reluGrad(y, dy, dx, n)
		}
		n *= BlockSize
		reluGradRest(y[n:], dy[n:], dx[n:])
	})
}

func reluGradRest(y, dy, dx []float32) {
	y, dy = y[:len(dx)], dy[:len(dx)]
	for i := range dx {
		// About half of the signs are negative, in no order: a branch would be guessed wrong
		// all the time. The mask is all ones where the bits, as an integer, are positive.
		b := int32(math.Float32bits(y[i]))
		mask := uint32((-b & ^b) >> 31)
		dx[i] = math.Float32frombits(math.Float32bits(dy[i]) & mask)
	}
}
