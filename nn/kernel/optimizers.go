package kernel

import "math"

// Momentum is one step of stochastic gradient descent with momentum and weight decay, as
// torch.optim.SGD takes it: d = g + decay*w; v = mu*v + d; w = w - rate*v. Each operation is rounded
// on its own, so the bits are the same on every CPU. Where mu is 0, v may be nil.
func Momentum(w, g, v []float32, rate, mu, decay float32) {
	if v == nil && mu == 0 {
		descend(w, g, rate, decay)
		return
	}
	need("Momentum", min(len(g), len(v)), len(w))
	pieces(len(w), func(from, to int) {
		w, g, v := w[from:to], g[from:to], v[from:to]
		n := len(w) / BlockSize
		switch {
		case n == 0:
		case inForce == avx512:
			momentum512(n, &w[0], &g[0], &v[0], rate, mu, decay)
		case inForce == avx2:
			momentum256(n, &w[0], &g[0], &v[0], rate, mu, decay)
		default:
			n = 0
		}
		for i := n * BlockSize; i < len(w); i++ {
			d := g[i] + float32(decay*w[i])
			v[i] = float32(mu*v[i]) + d
			w[i] -= float32(rate * v[i])
		}
	})
}

// descend is Momentum without any: w = w - rate*(g + decay*w).
func descend(w, g []float32, rate, decay float32) {
	need("Momentum", len(g), len(w))
	pieces(len(w), func(from, to int) {
		w, g := w[from:to], g[from:to]
		n := len(w) / BlockSize
		switch {
		case n == 0:
		case inForce == avx512:
			descend512(n, &w[0], &g[0], rate, decay)
		case inForce == avx2:
			descend256(n, &w[0], &g[0], rate, decay)
		default:
			n = 0
		}
		for i := n * BlockSize; i < len(w); i++ {
			w[i] -= float32(rate * (g[i] + float32(decay*w[i])))
		}
	})
}

// Adadelta is one step of Adadelta as Keras and PyTorch take it, with a learning rate that Zeiler's
// has not; rest is 1 - rho:
//
//	d = g + decay*w
//	squares = rho*squares + rest*d*d
//	u = d * sqrt(updates + eps) / sqrt(squares + eps)
//	updates = rho*updates + rest*u*u
//	w = w - rate*u
//
// Each operation is rounded on its own, so the bits are the same on every CPU.
//
// M. D. Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701, 2012.
func Adadelta(w, g, squares, updates []float32, rate, rho, rest, eps, decay float32) {
	need("Adadelta", min(len(g), len(squares), len(updates)), len(w))
	pieces(len(w), func(from, to int) {
		w, g, s, a := w[from:to], g[from:to], squares[from:to], updates[from:to]
		n := len(w) / BlockSize
		switch {
		case n == 0:
		case inForce == avx512:
			adadelta512(n, &w[0], &g[0], &s[0], &a[0], rate, rho, rest, eps, decay)
		case inForce == avx2:
			adadelta256(n, &w[0], &g[0], &s[0], &a[0], rate, rho, rest, eps, decay)
		default:
			n = 0
		}
		for i := n * BlockSize; i < len(w); i++ {
			d := g[i] + float32(decay*w[i])
			si := float32(rho*s[i]) + float32(rest*float32(d*d))
			u := root(a[i]+eps) / root(si+eps) * d
			s[i] = si
			a[i] = float32(rho*a[i]) + float32(rest*float32(u*u))
			w[i] -= float32(rate * u)
		}
	})
}

// root is the square root in float32: the compiler knows the conversion and takes the one
// instruction, and both roundings give the same.
func root(x float32) float32 { return float32(math.Sqrt(float64(x))) }
