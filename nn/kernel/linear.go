package kernel

import (
	"fmt"
	"runtime"
)

// Linear is a fully connected layer from In to Out numbers, y = W x + b, on N samples.
// Weights are [Out, In] as PyTorch keeps them.
type Linear struct{ N, In, Out int }

// outBlock is how many outputs a goroutine takes at a time: a multiple of the assembly's four rows.
const outBlock = 32

// columns is how many inputs a goroutine takes at a time of the gradient of x: a multiple of the assembly's 16 columns.
// Few wide pieces go through the weights as they lie in memory; the gradient's must stay in the second-level cache.
func (l Linear) columns() int {
	const numbers = 1 << 16
	pieces := max(runtime.GOMAXPROCS(0), (l.N*l.In+numbers-1)/numbers)
	wide := (l.In + pieces - 1) / pieces
	return max(256, (wide+BlockSize-1)/BlockSize*BlockSize)
}

func (l Linear) check(what string, x, weight, y []float32) {
	if len(x) != l.N*l.In || len(weight) != l.Out*l.In || len(y) != l.N*l.Out {
		panic(fmt.Sprintf("kernel: %s: %d inputs, %d weights, %d outputs for %+v", what, len(x), len(weight), len(y), l))
	}
}

// Forward computes the first n samples of y [N, Out] from x [N, In]; bias [Out] may be nil.
func (l Linear) Forward(n int, x, weight, bias, y []float32) {
	l.check("Linear.Forward", x, weight, y)
	if bias == nil {
		bias = make([]float32, l.Out)
	}
	Parallel((l.Out+outBlock-1)/outBlock, func(i int) {
		first, end := i*outBlock, min(l.Out, (i+1)*outBlock)
		var sums [4 * linearRows]float32
		for o := first; o < end; o += linearRows {
			rows := min(linearRows, end-o)
			for s := 0; s < n; {
				k := l.dots(s, n, o, rows, x, weight, &sums)
				for b := range k {
					for r := range rows {
						y[(s+b)*l.Out+o+r] = sums[b*linearRows+r] + bias[o+r]
					}
				}
				s += k
			}
		}
	})
}

// linearRows is how many rows of weights are taken at once.
const linearRows = 4

// together is how many samples the assembly takes at once.
func together(samples int) int {
	most := 2
	if inForce == avx512 {
		most = 4
	}
	if samples < most {
		return 1
	}
	return most
}

// dots computes the products of some samples from s on with rows of weights from o on, and returns
// how many samples these are.
func (l Linear) dots(s, n, o, rows int, x, weight []float32, sums *[4 * linearRows]float32) int {
	done, k := 0, 1
	if inForce != portable && rows == linearRows && l.In >= BlockSize {
		k = together(n - s)
		done = l.In / BlockSize * BlockSize
		xp, wp, step := &x[s*l.In], &weight[o*l.In:][:rows*l.In][0], uintptr(4*l.In)
		_ = x[(s+k)*l.In-1]
		switch {
		case inForce == avx512 && k == 4:
			dot4_512(done/BlockSize, xp, wp, &sums[0], step, step)
		case inForce == avx512:
			dot1_512(done/BlockSize, xp, wp, &sums[0], step, step)
		case k == 2:
			dot2_256(done/BlockSize, xp, wp, &sums[0], step, step)
		default:
			dot1_256(done/BlockSize, xp, wp, &sums[0], step, step)
		}
	}
	for b := range k {
		xs := x[(s+b)*l.In:][:l.In]
		for r := range rows {
			w := weight[(o+r)*l.In:][:len(xs)]
			var sum float32
			if done > 0 {
				sum = sums[b*linearRows+r]
			}
			for j := done; j < len(xs); j++ {
				sum += w[j] * xs[j]
			}
			sums[b*linearRows+r] = sum
		}
	}
	return k
}

// BackwardData computes dx [N, In] from dy [N, Out].
func (l Linear) BackwardData(dy, weight, dx []float32) {
	l.check("Linear.BackwardData", dx, weight, dy)
	columns := l.columns()
	Parallel((l.In+columns-1)/columns, func(i int) {
		from, to := i*columns, min(l.In, (i+1)*columns)
		for n := range l.N {
			clear(dx[n*l.In+from : n*l.In+to])
		}
		o := 0
		for ; o+linearRows <= l.Out; o += linearRows {
			w := weight[o*l.In:][:linearRows*l.In]
			for n := 0; n < l.N; {
				n += l.combine(n, o, from, to, dy, w, dx)
			}
		}
		for ; o < l.Out; o++ {
			w := weight[o*l.In+from : o*l.In+to]
			for n := range l.N {
				axpy(dy[n*l.Out+o], w, dx[n*l.In+from:n*l.In+to])
			}
		}
	})
}

// combine adds four rows of weights, w, times dy to columns [from, to) of some samples of dx from n
// on, and returns how many samples these are.
func (l Linear) combine(n, o, from, to int, dy, w, dx []float32) int {
	done, k := from, 1
	if inForce != portable && to-from >= BlockSize {
		k = together(l.N - n)
		blocks := (to - from) / BlockSize
		done = from + blocks*BlockSize
		var c [4 * linearRows]float32
		for b := range k {
			copy(c[b*linearRows:], dy[(n+b)*l.Out+o:][:linearRows])
		}
		yp, wp, step := &dx[n*l.In+from], &w[from], uintptr(4*l.In)
		_ = dx[(n+k-1)*l.In+to-1]
		switch {
		case inForce == avx512 && k == 4:
			combine4_512(blocks, yp, wp, &c[0], step, step)
		case inForce == avx512:
			combine1_512(blocks, yp, wp, &c[0], step, step)
		case k == 2:
			combine2_256(blocks, yp, wp, &c[0], step, step)
		default:
			combine1_256(blocks, yp, wp, &c[0], step, step)
		}
	}
	for b := range k {
		g := (*[linearRows]float32)(dy[(n+b)*l.Out+o:])
		d := dx[(n+b)*l.In+done : (n+b)*l.In+to]
		w0, w1, w2, w3 := w[done:][:len(d)], w[l.In+done:][:len(d)], w[2*l.In+done:][:len(d)], w[3*l.In+done:][:len(d)]
		for j := range d {
			d[j] += g[0]*w0[j] + g[1]*w1[j] + g[2]*w2[j] + g[3]*w3[j]
		}
	}
	return k
}

// axpy adds a*x to y.
func axpy(a float32, x, y []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += a * x[i]
	}
}

// BackwardWeights computes dw [Out, In] and db [Out] from x [N, In] and dy [N, Out]. db may be nil.
func (l Linear) BackwardWeights(x, dy, dw, db []float32) {
	l.check("Linear.BackwardWeights", x, dw, dy)
	Parallel((l.Out+outBlock-1)/outBlock, func(i int) {
		c := make([]float32, l.N*linearRows) // dy of four outputs, sample by sample
		for o := i * outBlock; o < min(l.Out, (i+1)*outBlock); o += linearRows {
			rows := min(linearRows, l.Out-o)
			for n := range l.N {
				copy(c[n*linearRows:], dy[n*l.Out+o:][:rows])
			}
			done := 0
			if blocks := l.In / BlockSize; inForce != portable && rows == linearRows && blocks > 0 {
				done = blocks * BlockSize
				to, step := &dw[o*l.In:][:rows*l.In][0], uintptr(4*l.In)
				if inForce == avx512 {
					spread512(blocks, &x[0], &c[0], to, l.N, step, step)
				} else {
					spread256(blocks, &x[0], &c[0], to, l.N, step, step)
				}
			}
			for r := range rows {
				w := dw[(o+r)*l.In+done : (o+r+1)*l.In]
				clear(w)
				var sum float32
				for n := range l.N {
					g := c[n*linearRows+r]
					axpy(g, x[n*l.In+done:(n+1)*l.In], w)
					sum += g
				}
				if db != nil {
					db[o+r] = sum
				}
			}
		}
	})
}
