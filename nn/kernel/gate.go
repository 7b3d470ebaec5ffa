package kernel

import (
	"fmt"
	"math"
)

// Gate scales each map by the sigmoid of a number, as squeeze-and-excitation does, and adds the
// shortcut that follows it in a residual block:
//
//	y = max(0, x * sigmoid(z) + shortcut)
//
// J. Hu, L. Shen, G. Sun, "Squeeze-and-Excitation Networks", CVPR 2018.
type Gate struct {
	In, Out Layout
	open    []float32 // sigmoid(z) [N, C] of the last forward pass
}

// NewGate prepares a gate. The layouts may differ in their frames.
func NewGate(in, out Layout) *Gate {
	if !sameMaps(in, out) {
		panic(fmt.Sprintf("kernel: gate from %+v to %+v", in, out))
	}
	return &Gate{in, out, make([]float32, in.N*in.Blocks()*BlockSize)}
}

// Sigmoid is 1 / (1 + exp(-x)).
func Sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

// Forward computes the first n samples of y from x, z [N, C] and the shortcut, which has the layout
// of y.
func (g *Gate) Forward(n int, x, z, shortcut, y []float32) {
	g.In.check("Gate: x", x)
	g.Out.check("Gate: y", y)
	g.Out.check("Gate: shortcut", shortcut)
	need("Gate: z", len(z), n*g.In.C)
	nb := g.In.Blocks()
	Parallel(n*nb, func(i int) {
		b, sample := i%nb, i/nb
		open := (*vec)(g.open[i*BlockSize:])
		for l := range min(BlockSize, g.In.C-b*BlockSize) {
			open[l] = Sigmoid(z[sample*g.In.C+b*BlockSize+l])
		}
		var shift vec
		pairs(g.In, g.Out, sample, b, func(in, out, pixels int) {
			scaleShiftAdd(x[in:], shortcut[out:], y[out:], pixels, open, &shift, 0)
		})
	})
}

// Backward computes after a Forward of all samples the gradients: sum, of the shortcut, which may
// be dy itself; dx, which has the layout of x; and dz [N, C].
func (g *Gate) Backward(x, y, dy, sum, dx, dz []float32) {
	g.Out.check("Gate: dy", dy)
	g.Out.check("Gate: sum", sum)
	g.In.check("Gate: dx", dx)
	need("Gate: dz", len(dz), g.In.N*g.In.C)
	nb := g.In.Blocks()
	Parallel(g.In.N*nb, func(i int) {
		b, sample := i%nb, i/nb
		open := (*vec)(g.open[i*BlockSize:])
		var zero vec
		var total [BlockSize]float64
		pairs(g.In, g.Out, sample, b, func(in, out, pixels int) {
			for pixels > 0 {
				k := min(pixels, momentPixels)
				var s, dot vec
				reduceMasked(x[in:], y[out:], dy[out:], sum[out:], k, &zero, &s, &dot)
				scaleShift(sum[out:], dx[in:], k, open, &zero, none)
				for l, v := range dot {
					total[l] += float64(v)
				}
				in, out, pixels = in+k*BlockSize, out+k*BlockSize, pixels-k
			}
		})
		for l := range min(BlockSize, g.In.C-b*BlockSize) {
			o := float64(open[l])
			dz[sample*g.In.C+b*BlockSize+l] = float32(total[l] * o * (1 - o))
		}
	})
}
