package kernel

import "fmt"

// The loops over runs of blocks that normalisation, gates and activations are made of. Each goes
// through n blocks of 16 numbers; scale, shift and the like hold a number for each channel of the block.
// A floor of 0 is a ReLU, a floor of [none] is nothing.

// vec is one number for each channel of a block.
type vec = [BlockSize]float32

// within panics unless each slice holds n blocks.
func within(n int, slices ...[]float32) {
	for _, s := range slices {
		if n < 1 || n*BlockSize > len(s) {
			panic(fmt.Sprintf("kernel: %d blocks of %d numbers", n, len(s)))
		}
	}
}

// moments adds to sum and squares those of x - shift.
func moments(x []float32, n int, shift, sum, squares *vec) {
	within(n, x)
	switch inForce {
	case avx512:
		moments512(n, &x[0], &shift[0], &sum[0], &squares[0])
	case avx2:
		moments256(n, &x[0], &shift[0], &sum[0], &squares[0])
	default:
		var s, q vec
		for i, v := range x[:n*BlockSize] {
			l := i % BlockSize
			d := v - shift[l]
			s[l] += d
			q[l] += float32(d * d)
		}
		for l := range s {
			sum[l] += s[l]
			squares[l] += q[l]
		}
	}
}

// scaleShift computes y = max(floor, x*scale + shift).
func scaleShift(x, y []float32, n int, scale, shift *vec, floor float32) {
	within(n, x, y)
	switch inForce {
	case avx512:
		scaleShift512(n, &x[0], &y[0], &scale[0], &shift[0], floor)
	case avx2:
		scaleShift256(n, &x[0], &y[0], &scale[0], &shift[0], floor)
	default:
		y = y[:n*BlockSize]
		for i, v := range x[:len(y)] {
			l := i % BlockSize
			y[i] = max(float32(v*scale[l])+shift[l], floor)
		}
	}
}

// scaleShiftAdd computes y = max(floor, x*scale + shift + r).
func scaleShiftAdd(x, r, y []float32, n int, scale, shift *vec, floor float32) {
	within(n, x, r, y)
	switch inForce {
	case avx512:
		scaleShiftAdd512(n, &x[0], &r[0], &y[0], &scale[0], &shift[0], floor)
	case avx2:
		scaleShiftAdd256(n, &x[0], &r[0], &y[0], &scale[0], &shift[0], floor)
	default:
		y, r = y[:n*BlockSize], r[:n*BlockSize]
		for i, v := range x[:len(y)] {
			l := i % BlockSize
			y[i] = max(float32(v*scale[l])+shift[l]+r[i], floor)
		}
	}
}

// reduce adds to sum and dot g and g*(x - mean), where g is dy where x*scale + shift is above
// floor, else 0.
func reduce(x, dy []float32, n int, scale, shift, mean, sum, dot *vec, floor float32) {
	within(n, x, dy)
	switch inForce {
	case avx512:
		reduce512(n, &x[0], &dy[0], &scale[0], &shift[0], &mean[0], &sum[0], &dot[0], floor)
	case avx2:
		reduce256(n, &x[0], &dy[0], &scale[0], &shift[0], &mean[0], &sum[0], &dot[0], floor)
	default:
		var s, d vec
		dy = dy[:n*BlockSize]
		for i, v := range x[:len(dy)] {
			l := i % BlockSize
			if float32(v*scale[l])+shift[l] > floor {
				s[l] += dy[i]
				d[l] += float32(dy[i] * (v - mean[l]))
			}
		}
		for l := range s {
			sum[l] += s[l]
			dot[l] += d[l]
		}
	}
}

// reduceMasked writes g, which is dy where y is above 0, else 0, and adds g and g*(x - mean) to
// sum and dot. g may be dy.
func reduceMasked(x, y, dy, g []float32, n int, mean, sum, dot *vec) {
	within(n, x, y, dy, g)
	switch inForce {
	case avx512:
		reduceMasked512(n, &x[0], &y[0], &dy[0], &g[0], &mean[0], &sum[0], &dot[0])
	case avx2:
		reduceMasked256(n, &x[0], &y[0], &dy[0], &g[0], &mean[0], &sum[0], &dot[0])
	default:
		var s, d vec
		y, dy, g = y[:n*BlockSize], dy[:n*BlockSize], g[:n*BlockSize]
		for i, v := range x[:len(y)] {
			l := i % BlockSize
			if y[i] > 0 {
				g[i] = dy[i]
				s[l] += dy[i]
				d[l] += float32(dy[i] * (v - mean[l]))
			} else {
				g[i] = 0
			}
		}
		for l := range s {
			sum[l] += s[l]
			dot[l] += d[l]
		}
	}
}

// normGrad computes dx = a*g + b*x + c, where g is dy where x*scale + shift is above floor, else 0.
// dx may be dy.
func normGrad(x, dy, dx []float32, n int, a, b, c, scale, shift *vec, floor float32) {
	within(n, x, dy, dx)
	switch inForce {
	case avx512:
		normGrad512(n, &x[0], &dy[0], &dx[0], &a[0], &b[0], &c[0], &scale[0], &shift[0], floor)
	case avx2:
		normGrad256(n, &x[0], &dy[0], &dx[0], &a[0], &b[0], &c[0], &scale[0], &shift[0], floor)
	default:
		dy, dx = dy[:n*BlockSize], dx[:n*BlockSize]
		for i, v := range x[:len(dx)] {
			l := i % BlockSize
			g := float32(0)
			if float32(v*scale[l])+shift[l] > floor {
				g = dy[i]
			}
			dx[i] = float32(a[l]*g) + (float32(b[l]*v) + c[l])
		}
	}
}

// addBlocks computes y = max(floor, a + b).
func addBlocks(a, b, y []float32, n int, floor float32) {
	within(n, a, b, y)
	switch inForce {
	case avx512:
		add512(n, &a[0], &b[0], &y[0], floor)
	case avx2:
		add256(n, &a[0], &b[0], &y[0], floor)
	default:
		addRest(a, b, y[:n*BlockSize], floor)
	}
}

func addRest(a, b, y []float32, floor float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = max(a[i]+b[i], floor)
	}
}

// reluGrad computes dx, which is dy where y is above 0, else 0.
func reluGrad(y, dy, dx []float32, n int) {
	within(n, y, dy, dx)
	switch inForce {
	case avx512:
		reluGrad512(n, &y[0], &dy[0], &dx[0])
	case avx2:
		reluGrad256(n, &y[0], &dy[0], &dx[0])
	default:
		reluGradRest(y, dy, dx[:n*BlockSize])
	}
}
