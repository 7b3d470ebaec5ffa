package kernel

import "fmt"

// BlockSize is how many channels lie side by side: one AVX-512 register or two of AVX2.
const BlockSize = 16

// Layout says how a batch of maps lies in one slice:
//
//	[N][blocks][H + 2*Halo][W + 2*Halo][Block]
//
// Channel c is lane c%Block of block c/Block. The frame of Halo pixels and the lanes past the last
// channel are zero. It is nChw16c with a frame; a network's input has fewer channels and a
// block of just those.
type Layout struct {
	N, C, H, W int
	Halo       int // pixels on each side
	Block      int // channels side by side
}

// NewLayout returns the layout of maps between layers, in blocks of [BlockSize].
func NewLayout(n, c, h, w, halo int) Layout {
	return Layout{N: n, C: c, H: h, W: w, Halo: halo, Block: BlockSize}
}

// InputLayout returns the layout of a network's input: one block of its c channels.
func InputLayout(n, c, h, w, halo int) Layout {
	return Layout{N: n, C: c, H: h, W: w, Halo: halo, Block: min(c, BlockSize)}
}

// Blocks is the number of channel blocks.
func (l Layout) Blocks() int { return (l.C + l.Block - 1) / l.Block }

// Row is the distance between two rows, in numbers.
func (l Layout) Row() int { return (l.W + 2*l.Halo) * l.Block }

// Plane is the distance between two channel blocks, in numbers.
func (l Layout) Plane() int { return (l.H + 2*l.Halo) * l.Row() }

// Sample is the distance between two samples, in numbers.
func (l Layout) Sample() int { return l.Blocks() * l.Plane() }

// Len is the length of the slice.
func (l Layout) Len() int { return l.N * l.Sample() }

// Shape is the layout as the shape of a dense array of five dimensions.
func (l Layout) Shape() []int {
	return []int{l.N, l.Blocks(), l.H + 2*l.Halo, l.W + 2*l.Halo, l.Block}
}

// at returns the place of pixel (0, 0) of a block, lane 0.
func (l Layout) at(sample, block int) int {
	return sample*l.Sample() + block*l.Plane() + l.Halo*l.Row() + l.Halo*l.Block
}

// Pack copies the first n samples of x, in NCHW order, into dst, which has the layout l.
func (l Layout) Pack(n int, x, dst []float32) {
	need("Pack: input", len(x), n*l.C*l.H*l.W)
	l.check("Pack: output", dst)
	Parallel(n*l.Blocks()*l.H, func(i int) {
		row, block, sample := i%l.H, i/l.H%l.Blocks(), i/l.H/l.Blocks()
		to := dst[l.at(sample, block)+row*l.Row():][:l.W*l.Block]
		for lane := range min(l.Block, l.C-block*l.Block) {
			from := x[((sample*l.C+block*l.Block+lane)*l.H+row)*l.W:][:l.W]
			for j, v := range from {
				to[j*l.Block+lane] = v
			}
		}
	})
}

// Unpack copies the first n samples of src, which has the layout l, to x in NCHW order.
func (l Layout) Unpack(n int, src, x []float32) {
	l.check("Unpack: input", src)
	need("Unpack: output", len(x), n*l.C*l.H*l.W)
	Parallel(n*l.Blocks()*l.H, func(i int) {
		row, block, sample := i%l.H, i/l.H%l.Blocks(), i/l.H/l.Blocks()
		from := src[l.at(sample, block)+row*l.Row():][:l.W*l.Block]
		for lane := range min(l.Block, l.C-block*l.Block) {
			to := x[((sample*l.C+block*l.Block+lane)*l.H+row)*l.W:][:l.W]
			for j := range to {
				to[j] = from[j*l.Block+lane]
			}
		}
	})
}

func (l Layout) check(what string, s []float32) {
	if len(s) != l.Len() {
		panic(fmt.Sprintf("kernel: %s: %d numbers, want %d for %+v", what, len(s), l.Len(), l))
	}
}

// need panics unless a slice has at least the wanted length.
func need(what string, got, want int) {
	if got < want {
		panic(fmt.Sprintf("kernel: %s: %d numbers, want %d", what, got, want))
	}
}

// runs calls f with the place and the number of the pixels of a block that lie side by side: the
// rows, or all of a map without a frame.
func (l Layout) runs(sample, block int, f func(at, pixels int)) {
	at := l.at(sample, block)
	if l.Halo == 0 {
		f(at, l.H*l.W)
		return
	}
	for range l.H {
		f(at, l.W)
		at += l.Row()
	}
}

// ClearFrame writes zeros to the frame. Kernels leave it as it is, so it is for memory that held
// something else.
func (l Layout) ClearFrame(x []float32) {
	if l.Halo == 0 {
		return
	}
	l.check("ClearFrame", x)
	side, edge := l.Halo*l.Block, l.Halo*l.Row()
	for p := 0; p < len(x); p += l.Plane() {
		plane := x[p : p+l.Plane()]
		clear(plane[:edge+side])
		for r := l.Halo + 1; r < l.Halo+l.H; r++ { // the end of a row and the beginning of the next
			clear(plane[r*l.Row()-side : r*l.Row()+side])
		}
		clear(plane[(l.Halo+l.H)*l.Row()-side:])
	}
}
