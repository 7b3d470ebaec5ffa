package kernel

import "runtime"

// convGrad is the gradient of a convolution's weights under way.
//
// It is summed in scratch, which is cut in cells of up to 16 values of x that lie side by side in a row
// of the window, times 16 channels of dy:
//
//	[block of dy][block of x][ky][kx, lane of x][16]
//
// Each cell belongs to one goroutine, which goes through the pixels in a fixed order: it sums up
// to some hundred in registers, then adds these sums, which keeps float32 exact enough over 10^6.
type convGrad struct {
	c          *Conv
	x, dy, sum []float32
	values     int // of a row of the window
	cells      int // of such a row
	rows, cols int // of a sample of dy; one long row where maps have no frame and windows are pixels
	flat       bool
}

// BackwardWeights computes dw [OutC, InC, KH, KW] and db [OutC] from the input x and from dy, the
// gradient of the output before its ReLU. db may be nil.
func (c *Conv) BackwardWeights(x, dy, dw, db []float32) {
	c.In.check("BackwardWeights: x", x)
	c.Out.check("BackwardWeights: dy", dy)
	need("BackwardWeights: dw", len(dw), c.weights())
	g := &convGrad{c: c, x: x, dy: dy, values: c.KW * c.In.Block, rows: c.Out.H, cols: c.Out.W, flat: c.forward.flat()}
	g.cells = (g.values + BlockSize - 1) / BlockSize
	if g.flat {
		g.rows, g.cols = 1, g.rows*g.cols
	}
	n := c.Out.Blocks() * c.In.Blocks() * c.KH * g.cells
	g.sum = c.scratch.take(c.Out.Blocks() * c.In.Blocks() * c.KH * g.values * BlockSize)
	shares := min(n, runtime.GOMAXPROCS(0))
	Parallel(shares, func(i int) { g.add(n*i/shares, n*(i+1)/shares) })
	Parallel(c.Out.Blocks(), func(i int) { g.unpack(i, dw) })
	if db != nil {
		need("BackwardWeights: db", len(db), c.OutC)
		Parallel(c.Out.Blocks(), func(i int) { c.sumBias(i, dy, db) })
	}
}

// gradPixels is how many pixels are gone through for all cells before the next: they and their
// neighbours stay in the caches meanwhile.
const gradPixels = 128

// add sums cells [first, end) over all samples.
func (g *convGrad) add(first, end int) {
	c := g.c
	for i := first; i < end; i++ {
		_, at, n := g.cell(i)
		clear(g.sum[at : at+n*BlockSize])
	}
	piece := (g.cols + gradPixels - 1) / gradPixels // of a long row
	piece = (g.cols + piece - 1) / piece
	perRow := (g.cols + piece - 1) / piece
	tall := max(1, gradPixels/g.cols) // rows taken together
	perSample := (g.rows + tall - 1) / tall * perRow
	units := c.In.N * perSample
	together := max(1, gradPixels/(min(tall, g.rows)*piece)) // of small maps
	for u := 0; u < units; u += together {
		for i := first; i < end; i++ {
			for k := u; k < min(units, u+together); k++ {
				row, col := k%perSample/perRow*tall, k%perRow*piece
				g.part(i, k/perSample, row, min(tall, g.rows-row), col, min(piece, g.cols-col))
			}
		}
	}
}

// cell returns the blocks and the row of the window of a cell, where its sums are, and how many values it has.
func (g *convGrad) cell(i int) (place [4]int, at, n int) {
	c := g.c
	v := i % g.cells * BlockSize
	row := i / g.cells
	place = [4]int{row / c.KH / c.In.Blocks(), row / c.KH % c.In.Blocks(), row % c.KH, v}
	return place, (row*g.values + v) * BlockSize, min(BlockSize, g.values-v)
}

// part adds to a cell the products of some rows and columns of a sample.
func (g *convGrad) part(i, sample, row, rows, col, cols int) {
	c := g.c
	place, at, n := g.cell(i)
	xStep, xRow := c.Stride*c.In.Block, c.Stride*c.In.Row()
	from := c.In.at(sample, place[1]) + (row*c.Stride+place[2]-c.Pad.Top)*c.In.Row() + (col*c.Stride-c.Pad.Left)*c.In.Block + place[3]
	x := g.x[from : from+(rows-1)*xRow+(cols-1)*xStep+n]
	to := c.Out.at(sample, place[0]) + row*c.Out.Row() + col*BlockSize
	dy := g.dy[to : to+(rows-1)*c.Out.Row()+cols*BlockSize]
	sum := g.sum[at : at+n*BlockSize]
	if inForce == portable {
		for l := range n {
			var s [BlockSize]float32
			for r := range rows {
				outerRow(x[r*xRow+l:], xStep, dy[r*c.Out.Row():], cols, &s)
			}
			for k, v := range s {
				sum[l*BlockSize+k] += v
			}
		}
		return
	}
	t := outerTile{
		g: &dy[0], xStep: uintptr(4 * xStep), xRow: uintptr(4 * xRow), gRow: uintptr(4 * c.Out.Row()),
		cols: uintptr(cols), rows: uintptr(rows),
	}
	for l := 0; l < n; {
		t.x, t.sum = &x[l], &sum[l*BlockSize]
		l += t.compute(inForce, n-l)
	}
}

// unpack brings the sums of a block of dy's channels to PyTorch's order.
func (g *convGrad) unpack(block int, dw []float32) {
	c := g.c
	taps := c.KH * c.KW
	for b := range c.In.Blocks() {
		sum := g.sum[(block*c.In.Blocks()+b)*c.KH*g.values*BlockSize:]
		used := min(c.In.Block, c.InC-b*c.In.Block)
		for l := range min(BlockSize, c.OutC-block*BlockSize) {
			to := dw[((block*BlockSize+l)*c.InC+b*c.In.Block)*taps:][:used*taps]
			for in := range used {
				at := in*BlockSize + l
				for t := range taps {
					to[in*taps+t] = sum[at]
					at += c.In.Block * BlockSize
				}
			}
		}
	}
}

// sumBias sums a block of dy's channels.
func (c *Conv) sumBias(block int, dy, db []float32) {
	var sum [BlockSize]float64
	for n := range c.Out.N {
		for l, v := range c.Out.total(dy, n, block) {
			sum[l] += v
		}
	}
	for l := range min(BlockSize, c.OutC-block*BlockSize) {
		db[block*BlockSize+l] = float32(sum[l])
	}
}
