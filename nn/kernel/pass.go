package kernel

import "fmt"

// Scratch is memory that kernels of one network use in turn. The zero value is ready.
type Scratch struct{ data []float32 }

// take returns n numbers of any value.
func (s *Scratch) take(n int) []float32 {
	if cap(s.data) < n {
		s.data = make([]float32, n)
	}
	return s.data[:n]
}

// pass slides a window over src and writes what it sums up to a grid of pixels of dst. A
// convolution forward is one pass; backward it is one for each phase of the stride.
type pass struct {
	src, dst       Layout
	rows, cols     int // of the grid
	srcRow, srcCol int // the first window's corner, frame included
	srcStep        int // from window to window
	dstRow, dstCol int // the grid's first pixel, frame included
	dstStep        int
	ky, kx         []int // the kernel's taps in the window's order
	relu           bool
}

// zeros is what sums begin with where there is no bias.
var zeros [2 * BlockSize]float32

// width is how many channels a group has: those that are computed together.
func (p *pass) width() int {
	if inForce == avx512 && p.dst.Blocks() > 1 {
		return 2 * BlockSize
	}
	return BlockSize
}

func (p *pass) groups() int {
	per := p.width() / BlockSize
	return (p.dst.Blocks() + per - 1) / per
}

// channels is how many channels, rounded up to blocks, group g has: the last may have fewer.
func (p *pass) channels(g int) int {
	return min(p.width(), p.dst.Blocks()*BlockSize-g*p.width())
}

// perChannel is how many weights a channel of dst has, those of unused lanes of src counted.
func (p *pass) perChannel() int {
	return p.src.Blocks() * len(p.ky) * len(p.kx) * p.src.Block
}

// flat reports whether the windows are single pixels and the maps without frames: their rows
// then follow each other.
func (p *pass) flat() bool {
	return len(p.ky) == 1 && len(p.kx) == 1 && p.srcStep == 1 && p.dstStep == 1 && p.src.Halo == 0 && p.dst.Halo == 0 &&
		p.cols == p.src.W && p.cols == p.dst.W && p.src.Block == BlockSize && p.dst.Block == BlockSize
}

// pack brings weights in the order in which run reads them:
//
//	[group of dst][block of src][ky][kx][lane of src][channel of the group]
//
// The weight between channel d of dst and s of src stands at d*dstStride + s*srcStride + ky*kw + kx.
func (p *pass) pack(weight []float32, dstStride, srcStride, kw int, packed []float32) {
	per, width := p.perChannel(), p.width()
	Parallel(p.groups(), func(g int) {
		p.packGroup(g, weight, dstStride, srcStride, kw, packed[g*width*per:][:p.channels(g)*per])
	})
}

// packGroup packs the weights of one group.
func (p *pass) packGroup(g int, weight []float32, dstStride, srcStride, kw int, w []float32) {
	width, n := p.width(), p.channels(g)
	taps := len(p.ky) * len(p.kx)
	if p.dst.C%BlockSize != 0 || p.src.C%p.src.Block != 0 {
		clear(w) // the lanes past the last channel
	}
	channels := min(n, p.dst.C-g*width)
	for b := range p.src.Blocks() {
		used := min(p.src.Block, p.src.C-b*p.src.Block)
		to := w[b*taps*p.src.Block*n:][:taps*p.src.Block*n]
		from := weight[g*width*dstStride+b*p.src.Block*srcStride:]
		switch {
		case dstStride > srcStride && inForce == avx512 && used == BlockSize && channels%BlockSize == 0:
			p.packColumns(from, to, dstStride, n, channels)
		case dstStride > srcStride:
			p.packSlowly(from, to, dstStride, n, channels, used)
		default:
			p.packRows(from, to, srcStride, dstStride, kw, n, channels, used)
		}
	}
}

// packColumns packs a block of src whose weights for a channel of dst lie side by side, [lane of
// src][tap], sixteen by sixteen.
func (p *pass) packColumns(from, to []float32, dstStride, n, channels int) {
	taps := len(p.ky) * len(p.kx)
	var rows, columns [BlockSize]int
	for d := range rows {
		rows[d] = 4 * d * dstStride
	}
	_ = from[(channels-1)*dstStride+BlockSize*taps-1]
	for e := 0; e < BlockSize*taps; e += BlockSize {
		for j := range columns {
			columns[j] = 4 * ((e+j)%taps*BlockSize + (e+j)/taps) * n
		}
		for d := 0; d < channels; d += BlockSize {
			transpose512(&from[d*dstStride+e], &rows[0], &to[d], &columns[0])
		}
	}
}

// packSlowly is its portable twin, and serves blocks that are not whole.
func (p *pass) packSlowly(from, to []float32, dstStride, n, channels, used int) {
	taps := len(p.ky) * len(p.kx)
	for d := range channels {
		row := from[d*dstStride:][:used*taps]
		for t := range taps {
			at := t*p.src.Block*n + d
			for e := t; e < len(row); e += taps {
				to[at] = row[e]
				at += n
			}
		}
	}
}

// packRows packs a block of src whose weights for a lane of src lie side by side, [channel of
// dst][tap of the kernel], of which the pass may take some.
func (p *pass) packRows(from, to []float32, srcStride, dstStride, kw, n, channels, used int) {
	for s := range used {
		lane := from[s*srcStride:]
		at := s * n
		for _, ky := range p.ky {
			for _, kx := range p.kx {
				row := to[at : at+channels]
				tap := lane[ky*kw+kx:]
				if dstStride == 1 {
					copy(row, tap)
				} else {
					e := 0
					for d := range row {
						row[d] = tap[e]
						e += dstStride
					}
				}
				at += p.src.Block * n
			}
		}
	}
}

// Work is divided in tasks of so many numbers of input, which then stay in the second-level cache
// while all groups of channels are computed from them; and of no fewer pixels than weights are
// worth being read for.
const (
	taskNumbers   = 1 << 16
	minTaskPixels = 64
	maxTaskPixels = 256
	flatPiece     = 112 // pixels of a row of a flat pass: a multiple of all but one size of tiles
)

// run computes the grid of the first n samples from packed weights. bias holds a number for each channel
// of each group, or is nil. add adds the sums to what y holds.
func (p *pass) run(n int, x, packed, bias, y []float32, add bool) {
	if p.perChannel() == 0 { // no tap meets this phase
		if !add {
			p.clear(n, y)
		}
		return
	}
	rows, cols, pieces, piece := p.rows, p.cols, 1, p.cols
	if p.flat() {
		cols, rows = rows*cols, 1
		piece = min(cols, flatPiece)
		pieces = (cols + piece - 1) / piece
	}
	units := n * rows * pieces
	pixels := min(max(taskNumbers/(p.src.Blocks()*p.src.Block*p.srcStep), minTaskPixels), maxTaskPixels)
	perTask := max(1, pixels/piece)
	tasks := (units + perTask - 1) / perTask
	// Few tasks are divided further, by channels.
	shares := 1
	if tasks < 4*maxThreads {
		shares = min(p.groups(), (4*maxThreads+tasks-1)/tasks)
	}
	Parallel(tasks*shares, func(i int) {
		share, first := i%shares, i/shares*perTask
		for g := p.groups() * share / shares; g < p.groups()*(share+1)/shares; g++ {
			for u := first; u < min(units, first+perTask); u++ {
				c := u % pieces * piece
				p.line(g, u/pieces/rows, u/pieces%rows, c, min(piece, cols-c), x, packed, bias, y, add)
			}
		}
	})
}

// maxThreads is how many threads work is divided for; more find less to do.
const maxThreads = 8

// line computes windows side by side for one group of channels.
func (p *pass) line(g, sample, row, col, cols int, x, packed, bias, y []float32, add bool) {
	src, dst, width, channels := p.src, p.dst, p.width(), p.channels(g)
	from := sample*src.Sample() + (p.srcRow+row*p.srcStep)*src.Row() + (p.srcCol+col*p.srcStep)*src.Block
	to := sample*dst.Sample() + g*(width/BlockSize)*dst.Plane() + (p.dstRow+row*p.dstStep)*dst.Row() + (p.dstCol+col*p.dstStep)*dst.Block
	step, out := p.srcStep*src.Block, p.dstStep*dst.Block
	run := len(p.kx) * src.Block
	per := p.perChannel()
	w := packed[g*width*per:][:channels*per]
	b := zeros[:]
	if bias != nil {
		b = bias[g*width:][:channels]
	}
	last := from + (cols-1)*step + (src.Blocks()-1)*src.Plane() + (len(p.ky)-1)*src.Row() + run
	end := to + (cols-1)*out + (channels/BlockSize-1)*dst.Plane() + dst.Block
	if last > len(x) || end > len(y) || from < 0 || to < 0 {
		panic(fmt.Sprintf("kernel: windows reach from %d to %d of %d numbers, outputs from %d to %d of %d", from, last, len(x), to, end, len(y)))
	}
	if inForce == portable || dst.Block != BlockSize {
		p.lineSlowly(from, to, step, out, run, cols, x, w, b, y, add)
		return
	}
	t := tile{
		w: &w[0], bias: &b[0],
		xStep: uintptr(4 * step), xRow: uintptr(4 * src.Row()), xPlane: uintptr(4 * src.Plane()),
		rows: uintptr(len(p.ky)), run: uintptr(run), yStep: uintptr(4 * out), yBlock: uintptr(4 * dst.Plane()),
	}
	if p.relu {
		t.flags |= tileReLU
	}
	if add {
		t.flags |= tileAdd
	}
	sizes := windowSizes(inForce, channels)
	for k := 0; cols > 0; {
		for sizes[k] > cols {
			k++
		}
		n := sizes[k]
		t.x, t.y, t.blocks = &x[from], &y[to], uintptr(src.Blocks())
		t.compute(inForce, n, channels)
		from, to, cols = from+n*step, to+n*out, cols-n
	}
}

// lineSlowly is the portable twin, and serves outputs that are not in whole blocks. Either way a
// group is one block.
func (p *pass) lineSlowly(from, to, step, out, run, cols int, x, w, bias, y []float32, add bool) {
	var sum [BlockSize]float32
	for c := range cols {
		place := y[to+c*out:][:p.dst.Block]
		copy(sum[:], bias[:BlockSize])
		if add {
			copy(sum[:], place)
		}
		correlate(x[from+c*step:], p.src.Plane(), p.src.Row(), p.src.Blocks(), len(p.ky), run, w, &sum)
		if p.relu {
			for l, v := range sum {
				sum[l] = max(v, 0)
			}
		}
		copy(place, sum[:])
	}
}

// clear writes zeros to the grid.
func (p *pass) clear(n int, y []float32) {
	dst := p.dst
	Parallel(n*dst.Blocks()*p.rows, func(i int) {
		row, block, sample := i%p.rows, i/p.rows%dst.Blocks(), i/p.rows/dst.Blocks()
		at := sample*dst.Sample() + block*dst.Plane() + (p.dstRow+row*p.dstStep)*dst.Row() + p.dstCol*dst.Block
		for range p.cols {
			clear(y[at : at+dst.Block])
			at += p.dstStep * dst.Block
		}
	})
}
