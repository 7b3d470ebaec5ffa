package kernel

import "fmt"

// Linear is a fully connected layer from In to Out numbers, y = W x + b, on N samples.
// Weights are [Out, In] as PyTorch keeps them.
type Linear struct{ N, In, Out int }

// outBlock and inBlock are how many outputs or inputs a goroutine takes at a time.
const (
	outBlock = 32
	inBlock  = 128
)

func (l Linear) check(what string, x, weight, y []float32) {
	if len(x) != l.N*l.In || len(weight) != l.Out*l.In || len(y) != l.N*l.Out {
		panic(fmt.Sprintf("kernel: %s: %d inputs, %d weights, %d outputs for %+v", what, len(x), len(weight), len(y), l))
	}
}

// Forward computes the first n samples of y [N, Out] from x [N, In].
func (l Linear) Forward(n int, x, weight, bias, y []float32) {
	l.check("Linear.Forward", x, weight, y)
	Parallel((l.Out+outBlock-1)/outBlock, func(i int) {
		for o := i * outBlock; o < min(l.Out, (i+1)*outBlock); o++ {
			w := weight[o*l.In:][:l.In]
			s := 0
			for ; s+4 <= n; s += 4 {
				x0, x1 := x[s*l.In:][:len(w)], x[(s+1)*l.In:][:len(w)]
				x2, x3 := x[(s+2)*l.In:][:len(w)], x[(s+3)*l.In:][:len(w)]
				var s0, s1, s2, s3 float32
				for j, v := range w {
					s0 += v * x0[j]
					s1 += v * x1[j]
					s2 += v * x2[j]
					s3 += v * x3[j]
				}
				y[s*l.Out+o] = s0 + bias[o]
				y[(s+1)*l.Out+o] = s1 + bias[o]
				y[(s+2)*l.Out+o] = s2 + bias[o]
				y[(s+3)*l.Out+o] = s3 + bias[o]
			}
			for ; s < n; s++ {
				xs := x[s*l.In:][:len(w)]
				var sum float32
				for j, v := range w {
					sum += v * xs[j]
				}
				y[s*l.Out+o] = sum + bias[o]
			}
		}
	})
}

// BackwardData computes dx [N, In] from dy [N, Out].
func (l Linear) BackwardData(dy, weight, dx []float32) {
	l.check("Linear.BackwardData", dx, weight, dy)
	Parallel((l.In+inBlock-1)/inBlock, func(i int) {
		from, to := i*inBlock, min(l.In, (i+1)*inBlock)
		for n := range l.N {
			clear(dx[n*l.In+from : n*l.In+to])
		}
		o := 0
		for ; o+4 <= l.Out; o += 4 {
			w0, w1 := weight[o*l.In+from:o*l.In+to], weight[(o+1)*l.In+from:(o+1)*l.In+to]
			w2, w3 := weight[(o+2)*l.In+from:(o+2)*l.In+to], weight[(o+3)*l.In+from:(o+3)*l.In+to]
			for n := range l.N {
				g := (*[4]float32)(dy[n*l.Out+o:])
				d := dx[n*l.In+from : n*l.In+to]
				w0, w1, w2, w3 := w0[:len(d)], w1[:len(d)], w2[:len(d)], w3[:len(d)]
				for j := range d {
					d[j] += g[0]*w0[j] + g[1]*w1[j] + g[2]*w2[j] + g[3]*w3[j]
				}
			}
		}
		for ; o < l.Out; o++ {
			w := weight[o*l.In+from : o*l.In+to]
			for n := range l.N {
				g := dy[n*l.Out+o]
				d := dx[n*l.In+from : n*l.In+to]
				for j := range d {
					d[j] += g * w[j]
				}
			}
		}
	})
}

// BackwardWeights computes dw [Out, In] and db [Out] from x [N, In] and dy [N, Out].
func (l Linear) BackwardWeights(x, dy, dw, db []float32) {
	l.check("Linear.BackwardWeights", x, dw, dy)
	need("Linear.BackwardWeights: db", len(db), l.Out)
	Parallel((l.Out+outBlock-1)/outBlock, func(i int) {
		for o := i * outBlock; o < min(l.Out, (i+1)*outBlock); o++ {
			w := dw[o*l.In:][:l.In]
			clear(w)
			var sum float32
			n := 0
			for ; n+4 <= l.N; n += 4 {
				g0, g1, g2, g3 := dy[n*l.Out+o], dy[(n+1)*l.Out+o], dy[(n+2)*l.Out+o], dy[(n+3)*l.Out+o]
				x0, x1 := x[n*l.In:][:len(w)], x[(n+1)*l.In:][:len(w)]
				x2, x3 := x[(n+2)*l.In:][:len(w)], x[(n+3)*l.In:][:len(w)]
				for j := range w {
					w[j] += g0*x0[j] + g1*x1[j] + g2*x2[j] + g3*x3[j]
				}
				sum += g0 + g1 + g2 + g3
			}
			for ; n < l.N; n++ {
				g := dy[n*l.Out+o]
				xs := x[n*l.In:][:len(w)]
				for j := range w {
					w[j] += g * xs[j]
				}
				sum += g
			}
			db[o] = sum
		}
	})
}
