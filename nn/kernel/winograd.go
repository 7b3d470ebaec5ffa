package kernel

import (
	"runtime"
	"sync/atomic"
)

// Winograd's minimal filtering, F(4x4, 3x3): a convolution of stride 1 by 3x3 windows is cut in
// tiles of 4x4 outputs, which 6x6 inputs decide. Both, and the weights, are transformed to 36 numbers
// ("frequencies"), where the convolution is a product of each with its own:
//
//	tile = A' [ (G weights G') * (B' input B) ] A
//
// for which a tile takes 36 multiplications a pair of channels, where windows take 144. The gradients follow
// the same way: that of the input is a convolution; that of the weights is
// G' [ sum of (B' input B) * (A dtile A') ] G.
//
// The sums are of other numbers than a convolution's own, so they round differently: with the points that asm
// evaluates at, errors of few channels are two to three times those of direct sums in the mean, and no more at the
// largest; of many channels they are as large, since sums go in pieces. The
// twin of this path is the direct one, which the other levels take: AVX2 has not the registers for a tile.
//
// A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.

const (
	winoTile   = 4                // outputs along a side
	winoPatch  = winoTile + 3 - 1 // inputs along a side
	winoPoints = winoPatch * winoPatch
	// winoTiles are transformed before they are multiplied: a multiple of the sizes of a
	// convolution's tiles, and few enough for the second-level cache.
	winoTiles = 56
	// winoStride is from frequency to frequency in blocks; one more than there are tiles, or frequencies would
	// compete for the same lines of the cache.
	winoStride = winoTiles + 1
	winoPlane  = winoPoints * winoStride * BlockSize // numbers of a block of channels
	winoCell   = BlockSize * BlockSize
	// winoBlocks is the most blocks of channels whose transformed weights, and tiles, stay in the second-level
	// cache; see runMany for more. Of more channels, winoLeast tiles of the whole batch are worth
	// transforming the weights for.
	winoBlocks = 4
	winoLeast  = 8
)

// winograd reports whether a pass is computed by tiles.
func (p *pass) winograd() bool {
	return inForce == avx512 && len(p.ky) == 3 && len(p.kx) == 3 && p.srcStep == 1 && p.dstStep == 1 &&
		p.src.Block == BlockSize && p.dst.Block == BlockSize && p.rows >= winoTile && p.cols >= winoTile &&
		(p.few() || p.src.N*p.grid().tiles() >= winoLeast)
}

// few reports whether all channels of a chunk of tiles stay in the second-level cache.
func (p *pass) few() bool { return p.src.Blocks() <= winoBlocks && p.dst.Blocks() <= winoBlocks }

// grid is how a map is cut in tiles: the last of a row or column may reach over the edge.
type grid struct{ rows, cols, down, across int }

func (p *pass) grid() grid {
	return grid{p.rows, p.cols, (p.rows + winoTile - 1) / winoTile, (p.cols + winoTile - 1) / winoTile}
}

func (g grid) tiles() int { return g.down * g.across }

// each calls f for the tiles [first, end) of all samples: once for those side by side that are whole, and for
// each that is not.
func (g grid) each(first, end int, f func(at, n, sample, row, col int, whole bool)) {
	for t := first; t < end; {
		sample, row, col := t/g.tiles(), t/g.across%g.down, t%g.across
		n, whole := min(end-t, g.cols/winoTile-col), true
		if n <= 0 || (row+1)*winoTile > g.rows {
			n, whole = 1, false
		}
		f(t-first, n, sample, row*winoTile, col*winoTile, whole)
		t += n
	}
}

// winoEdge is room for a tile that reaches over the edge.
type winoEdge = [winoPoints * BlockSize]float32

// load transforms tiles of a map.
func (p *pass) load(g grid, l Layout, row, col, size int, first, end int, x, v []float32) {
	for b := range l.Blocks() {
		loadBlock(g, l, row, col, size, first, end, b, x, v[b*winoPlane:][:winoPlane])
	}
}

// loadBlock transforms tiles of one block of a map, from size x size pixels, of which those past rows and cols are 0.
func loadBlock(g grid, l Layout, row, col, size int, first, end, b int, x, v []float32) {
	over := size - winoTile
	g.each(first, end, func(at, n, sample, r, c int, whole bool) {
		from := x[sample*l.Sample()+b*l.Plane()+(row+r)*l.Row()+(col+c)*BlockSize:]
		if whole {
			_ = from[(size-1)*l.Row()+(n*winoTile+over)*BlockSize-1]
			if size == winoPatch {
				winoInput512(n, &from[0], &v[at*BlockSize], uintptr(4*l.Row()))
			} else {
				winoGradient512(n, &from[0], &v[at*BlockSize], uintptr(4*l.Row()))
			}
			return
		}
		var edge winoEdge
		wide := min(size, g.cols+over-c) * BlockSize
		for i := range min(size, g.rows+over-r) {
			copy(edge[i*size*BlockSize:], from[i*l.Row():][:wide])
		}
		if size == winoPatch {
			winoInput512(1, &edge[0], &v[at*BlockSize], uintptr(4*size*BlockSize))
		} else {
			winoGradient512(1, &edge[0], &v[at*BlockSize], uintptr(4*size*BlockSize))
		}
	})
}

// store transforms the products m of a block of channels to tiles of y.
func (p *pass) store(g grid, first, end, block int, m, bias, y []float32, add bool) {
	l, floor := p.dst, floorOf(p.relu)
	g.each(first, end, func(at, n, sample, r, c int, whole bool) {
		to := y[sample*l.Sample()+block*l.Plane()+(p.dstRow+r)*l.Row()+(p.dstCol+c)*BlockSize:]
		tile, row := to, l.Row()
		var edge winoEdge
		wide, tall := min(winoTile, g.cols-c)*BlockSize, min(winoTile, g.rows-r)
		if whole {
			_ = to[(winoTile-1)*row+n*winoTile*BlockSize-1]
		} else {
			tile, row = edge[:], winoTile*BlockSize
			for i := 0; add && i < tall; i++ {
				copy(tile[i*row:], to[i*l.Row():][:wide])
			}
		}
		if add {
			winoOutputAdd512(n, &m[at*BlockSize], &tile[0], uintptr(4*row))
		} else {
			winoOutput512(n, &m[at*BlockSize], &tile[0], uintptr(4*row), &bias[0], floor)
		}
		for i := 0; !whole && i < tall; i++ {
			copy(to[i*l.Row():][:wide], tile[i*row:])
		}
	})
}

// workers calls f(w, i) once for each i of [0, n), as [Parallel] does, where w < workers tells
// apart those at work at the same time.
func workers(workers, n int, f func(w, i int)) {
	var next atomic.Int64
	Parallel(workers, func(w int) {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			f(w, i)
		}
	})
}

// runWinograd is run for passes that are computed by tiles; weights is for transformed ones.
func (p *pass) runWinograd(n int, x, packed, weights, bias, y []float32, add bool, room winoRoom) {
	nb, width, per := p.src.Blocks(), p.width(), p.perChannel()
	Parallel(p.groups()*nb, func(i int) {
		g, b := i/nb, i%nb
		p.transform(g, b, packed[g*width*per:], weights[g*p.transformed(width):])
	})
	g := p.grid()
	tiles := n * g.tiles()
	workers(room.workers, (tiles+winoTiles-1)/winoTiles, func(w, i int) {
		first, end := i*winoTiles, min(tiles, (i+1)*winoTiles)
		v := room.tiles[w*room.each:][:room.each]
		m := v[nb*winoPlane:]
		p.load(g, p.src, p.srcRow, p.srcCol, winoPatch, first, end, x, v)
		for k := range p.groups() {
			p.multiply(k, end-first, v, weights[k*p.transformed(width):], m[k*width/BlockSize*winoPlane:], nil)
		}
		for b := range p.dst.Blocks() {
			from := zeros[:]
			if bias != nil {
				from = bias[b*BlockSize:]
			}
			p.store(g, first, end, b, m[b*winoPlane:][:winoPlane], from, y, add)
		}
	})
}

// frequency is how far the transformed weights of so many channels are from frequency to frequency: a line more
// than they are, or lines would compete as those of tiles would.
func (p *pass) frequency(channels int) int {
	return (p.src.Blocks()*channels + 1) * BlockSize
}

// transformed is how many numbers the transformed weights of so many channels take.
func (p *pass) transformed(channels int) int { return winoPoints * p.frequency(channels) }

// transform transforms the weights of a group of channels and a block of src.
func (p *pass) transform(group, block int, packed, weights []float32) {
	c := p.channels(group)
	from := packed[block*9*BlockSize*c:][:9*BlockSize*c]
	to := weights[block*BlockSize*c:]
	_ = to[(winoPoints-1)*p.frequency(c)+BlockSize*c-1]
	winoWeights512(c, &from[0], &to[0], uintptr(4*BlockSize*c), uintptr(4*p.frequency(c)))
}

// multiply computes for one group of channels the products of n transformed tiles. Sums over more than
// winoBlocks blocks are summed in pieces, which brings rounding down to that of direct convolutions; some is room
// for a piece of one frequency.
func (p *pass) multiply(group, n int, v, weights, m, some []float32) {
	nb, c := p.src.Blocks(), p.channels(group)
	u := weights[:p.transformed(c)]
	m = m[:c/BlockSize*winoPlane]
	sizes := windowSizes(inForce, c)
	t := tile{bias: &zeros[0], xStep: 4 * BlockSize, xPlane: 4 * winoPlane, rows: 1, run: BlockSize, yStep: 4 * BlockSize}
	for f := range winoPoints {
		at := f * winoStride * BlockSize
		for first := 0; first < nb; first += winoBlocks {
			t.w = &u[f*p.frequency(c)+first*BlockSize*c]
			x, y := v[first*winoPlane+at:], m[at:]
			t.yBlock = 4 * winoPlane
			if first > 0 {
				y, t.yBlock = some, 4*winoTiles*BlockSize
			}
			for done, k := 0, 0; done < n; done += sizes[k] {
				for sizes[k] > n-done {
					k++
				}
				t.x, t.y, t.blocks = &x[done*BlockSize], &y[done*BlockSize], uintptr(min(winoBlocks, nb-first))
				t.compute(inForce, sizes[k], c)
			}
			for b := 0; b < c/BlockSize && first > 0; b++ {
				sum := m[b*winoPlane+at:]
				addBlocks(sum, some[b*winoTiles*BlockSize:], sum, n, none)
			}
		}
	}
}

// winoRoom is scratch for what workers do to tiles.
type winoRoom struct {
	tiles         []float32
	workers, each int // numbers that a worker has
}

// room takes scratch: n numbers, and room for tiles.
func (p *pass) room(s *Scratch, n int) ([]float32, winoRoom) {
	r := winoRoom{workers: runtime.GOMAXPROCS(0), each: (p.src.Blocks() + p.dst.Blocks()) * winoPlane}
	all := s.take(n + r.workers*r.each)
	r.tiles = all[n:]
	return all[:n], r
}

// weightsWinograd brings the gradient of the weights to g.sum. The tiles are cut in parts whatever the number of threads
// is; each part's sums are added in its own order, then those of the parts.
func (g *convGrad) weightsWinograd(sums []float32, room winoRoom) {
	p, nx, ng := g.c.forward, g.c.In.Blocks(), g.c.Out.Blocks()
	of := *p // dy has the grid of the output
	of.src, of.srcRow, of.srcCol = g.c.Out, p.dstRow, p.dstCol
	tiles := p.grid()
	total := g.c.In.N * tiles.tiles()
	chunks := (total + winoTiles - 1) / winoTiles
	parts := g.c.winoParts()
	per := nx * ng * winoPoints * winoCell
	workers(room.workers, parts, func(w, part int) {
		s := sums[part*per:][:per]
		clear(s)
		v := room.tiles[w*room.each:][:room.each]
		z := v[nx*winoPlane:]
		for k := chunks * part / parts; k < chunks*(part+1)/parts; k++ {
			first, end := k*winoTiles, min(total, (k+1)*winoTiles)
			p.load(tiles, p.src, p.srcRow, p.srcCol, winoPatch, first, end, g.x, v)
			of.load(tiles, of.src, of.srcRow, of.srcCol, winoTile, first, end, g.dy, z)
			t := outerTile{xStep: 4 * BlockSize, cols: uintptr(end - first), rows: 1}
			for b := range nx * ng {
				for f := range winoPoints {
					at := f * winoStride * BlockSize
					t.x, t.g, t.sum = &v[b%nx*winoPlane+at], &z[b/nx*winoPlane+at], &s[(b*winoPoints+f)*winoCell]
					t.images = 1
					t.compute(inForce, BlockSize)
				}
			}
		}
	})
	Parallel(nx*ng, func(b int) {
		first := sums[b*winoPoints*winoCell:][:winoPoints*winoCell]
		for part := 1; part < parts; part++ {
			addBlocks(first, sums[part*per+b*winoPoints*winoCell:], first, winoPoints*BlockSize, none)
		}
		to := g.sum[b*9*winoCell:][:9*winoCell]
		winoSums512(BlockSize, &first[0], &to[0])
	})
}

// winoParts is in how many parts the gradient of the weights is summed.
func (c *Conv) winoParts() int {
	chunks := (c.In.N*c.forward.grid().tiles() + winoTiles - 1) / winoTiles
	return min(maxThreads, chunks)
}
