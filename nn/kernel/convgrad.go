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
	sums := c.Out.Blocks() * c.In.Blocks() * c.KH * g.values * BlockSize
	if c.forward.winograd() && !c.forward.few() {
		g.weightsMany(sums)
	} else if c.forward.winograd() {
		frequencies := c.winoParts() * sums * 4
		sum, room := c.forward.room(c.scratch, sums+frequencies)
		g.sum = sum[:sums]
		g.weightsWinograd(sum[sums:], room)
	} else {
		// Few cells do not divide evenly, so the samples are divided instead, whatever the number of
		// threads is: it decides the order of sums.
		parts := 1
		if n < 4*maxThreads {
			parts = min(maxThreads, c.In.N)
		}
		g.sum = c.scratch.take(parts * sums)
		shares := 1
		if parts == 1 {
			shares = min(n, runtime.GOMAXPROCS(0))
		}
		Parallel(parts*shares, func(i int) {
			part, share := i/shares, i%shares
			of := *g
			of.sum = g.sum[part*sums:][:sums]
			of.add(n*share/shares, n*(share+1)/shares, c.In.N*part/parts, c.In.N*(part+1)/parts)
		})
		for part := 1; part < parts; part++ {
			addBlocks(g.sum, g.sum[part*sums:], g.sum, sums/BlockSize, none)
		}
	}
	Parallel(c.Out.Blocks(), func(i int) { g.unpack(i, dw) })
	if db != nil {
		need("BackwardWeights: db", len(db), c.OutC)
		c.sumBias(dy, db)
	}
}

// gradPixels is how many pixels are gone through for all cells before the next: they and their
// neighbours stay in the caches meanwhile.
const gradPixels = 224

// cell is where some of the sums belong: distances from the first pixel of a patch of x and of dy, and from
// the first sum.
type cell struct{ x, dy, sum, n int }

// each calls f for the cells [first, end), without a division for each.
func (g *convGrad) each(first, end int, f func(c cell)) {
	in, out := g.c.In, g.c.Out
	v := first % g.cells * BlockSize
	row := first / g.cells
	ky := row % g.c.KH
	block := row / g.c.KH % in.Blocks()
	outBlock := row / g.c.KH / in.Blocks()
	for range end - first {
		f(cell{
			x: block*in.Plane() + ky*in.Row() + v, dy: outBlock * out.Plane(),
			sum: (row*g.values + v) * BlockSize, n: min(BlockSize, g.values-v),
		})
		if v += BlockSize; v < g.values {
			continue
		}
		v, row = 0, row+1
		if ky++; ky < g.c.KH {
			continue
		}
		ky = 0
		if block++; block == in.Blocks() {
			block, outBlock = 0, outBlock+1
		}
	}
}

// add sums cells [first, end) over some of the samples.
func (g *convGrad) add(first, end, sample, last int) {
	g.each(first, end, func(c cell) { clear(g.sum[c.sum : c.sum+c.n*BlockSize]) })
	piece := (g.cols + gradPixels - 1) / gradPixels // of a long row
	piece = (g.cols + piece - 1) / piece
	tall := min(max(1, gradPixels/piece), g.rows) // rows taken together
	images := 1
	if tall == g.rows && piece == g.cols {
		images = max(1, gradPixels/(tall*piece)) // of small maps
	}
	for n := sample; n < last; n += images {
		for row := 0; row < g.rows; row += tall {
			for col := 0; col < g.cols; col += piece {
				p := g.patch(n, row, col)
				p.images, p.rows, p.cols = min(images, last-n), min(tall, g.rows-row), min(piece, g.cols-col)
				g.each(first, end, func(c cell) { g.part(&p, c) })
			}
		}
	}
}

// patch is some pixels of some images: where x and dy of its first one begin.
type patch struct{ x, dy, images, rows, cols int }

func (g *convGrad) patch(n, row, col int) patch {
	c := g.c
	return patch{
		x:  c.In.at(n, 0) + (row*c.Stride-c.Pad.Top)*c.In.Row() + (col*c.Stride-c.Pad.Left)*c.In.Block,
		dy: c.Out.at(n, 0) + row*c.Out.Row() + col*BlockSize,
	}
}

// part adds to a cell the products of a patch.
func (g *convGrad) part(p *patch, to cell) {
	c := g.c
	xStep, xRow, xImage := c.Stride*c.In.Block, c.Stride*c.In.Row(), c.In.Sample()
	gRow, gImage := c.Out.Row(), c.Out.Sample()
	x := g.x[p.x+to.x:][:(p.images-1)*xImage+(p.rows-1)*xRow+(p.cols-1)*xStep+to.n]
	dy := g.dy[p.dy+to.dy:][:(p.images-1)*gImage+(p.rows-1)*gRow+p.cols*BlockSize]
	sum := g.sum[to.sum:][:to.n*BlockSize]
	if inForce == portable {
		for l := range to.n {
			var s [BlockSize]float32
			for i := range p.images {
				for r := range p.rows {
					outerRow(x[i*xImage+r*xRow+l:], xStep, dy[i*gImage+r*gRow:], p.cols, &s)
				}
			}
			for k, v := range s {
				sum[l*BlockSize+k] += v
			}
		}
		return
	}
	t := outerTile{
		xStep: uintptr(4 * xStep), xRow: uintptr(4 * xRow), gRow: uintptr(4 * gRow), xImage: uintptr(4 * xImage), gImage: uintptr(4 * gImage),
		cols: uintptr(p.cols), rows: uintptr(p.rows),
	}
	for l := 0; l < to.n; {
		t.x, t.g, t.sum, t.images = &x[l], &dy[0], &sum[l*BlockSize], uintptr(p.images)
		l += t.compute(inForce, to.n-l)
	}
}

// unpack brings the sums of a block of dy's channels to PyTorch's order.
func (g *convGrad) unpack(block int, dw []float32) {
	c := g.c
	taps := c.KH * c.KW
	fast := inForce == avx512 && c.In.Block == BlockSize
	var rows, columns [BlockSize]int
	for l := range columns {
		columns[l] = 4 * l * c.InC * taps
	}
	for b := range c.In.Blocks() {
		sum := g.sum[(block*c.In.Blocks()+b)*c.KH*g.values*BlockSize:][:c.KH*g.values*BlockSize]
		used := min(c.In.Block, c.InC-b*c.In.Block)
		channels := min(BlockSize, c.OutC-block*BlockSize)
		to := dw[(block*BlockSize*c.InC+b*c.In.Block)*taps:]
		if fast && used == BlockSize && channels == BlockSize {
			_ = to[(BlockSize-1)*c.InC*taps+used*taps-1]
			for e := 0; e < used*taps; e += BlockSize {
				for i := range rows {
					rows[i] = 4 * ((e+i)%taps*BlockSize + (e+i)/taps) * BlockSize
				}
				transpose512(&sum[0], &rows[0], &to[e], &columns[0])
			}
			continue
		}
		for l := range channels {
			to := to[l*c.InC*taps:][:used*taps]
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

// sumBias sums dy's channels, of each sample and then of all.
func (c *Conv) sumBias(dy, db []float32) {
	blocks := c.Out.Blocks()
	if c.totals == nil {
		c.totals = make([][BlockSize]float64, c.Out.N*blocks)
	}
	Parallel(len(c.totals), func(i int) { c.totals[i] = c.Out.total(dy, i/blocks, i%blocks) })
	for o := range c.OutC {
		var sum float64
		for n := range c.Out.N {
			sum += c.totals[n*blocks+o/BlockSize][o%BlockSize]
		}
		db[o] = float32(sum)
	}
}
