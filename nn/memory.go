package nn

import (
	"cmp"
	"slices"
	"unsafe"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/vf2prep/vf2prep/nn/kernel"
)

// buffer is an array that operators write and read. It has storage of its own, or a place in the
// arena from the first operator that writes it to the last that touches it.
type buffer struct {
	shape       tensor.Shape
	layout      *kernel.Layout // of maps
	data        []float32
	value       gorgonia.Value
	first, last int // operators, by their place in the graph's order
	at          int // in the arena
}

// bufferOf is an array that exists already.
func bufferOf(data []float32, shape ...int) *buffer {
	return &buffer{shape: shape, data: data, first: -1}
}

// mapBuffer is maps in the arena.
func mapBuffer(l kernel.Layout) *buffer { return &buffer{shape: l.Shape(), layout: &l, first: -1} }

// flatBuffer is an array in the arena.
func flatBuffer(shape ...int) *buffer { return &buffer{shape: shape, first: -1} }

func (b *buffer) typeOf() hm.Type { return gorgonia.TensorType{Dims: len(b.shape), Of: tensor.Float32} }

// touch notes that operator i reads or writes the buffer.
func (b *buffer) touch(i int) {
	if b.first < 0 {
		b.first = i
	}
	b.last = max(b.last, i)
}

// align is what places in the arena are multiples of, in numbers: a cache line.
const align = 16

// arrange gives each buffer without storage a place and returns the length of the arena. Buffers
// that live at the same time have places apart.
//
// The largest goes first, each to the lowest gap that is free while it lives: within a few
// percent of the least that is possible.
func arrange(buffers []*buffer) (size int) {
	var all []*buffer
	for _, b := range buffers {
		if b.data == nil {
			all = append(all, b)
		}
	}
	slices.SortStableFunc(all, func(a, b *buffer) int {
		return cmp.Or(cmp.Compare(b.size(), a.size()), cmp.Compare(a.first, b.first))
	})
	for i, b := range all {
		var living []*buffer
		for _, o := range all[:i] {
			if o.first <= b.last && b.first <= o.last {
				living = append(living, o)
			}
		}
		slices.SortFunc(living, func(a, b *buffer) int { return cmp.Compare(a.at, b.at) })
		b.at = 0
		for _, o := range living {
			if b.at+b.size() <= o.at {
				break
			}
			b.at = max(b.at, o.at+o.size())
		}
		size = max(size, b.at+b.size())
	}
	return size
}

func (b *buffer) size() int { return (b.shape.TotalSize() + align - 1) / align * align }

// settle gives the buffers their storage.
func settle(buffers []*buffer, arena []float32) {
	for _, b := range buffers {
		if b.data == nil {
			n := b.shape.TotalSize()
			b.data = arena[b.at : b.at+n : b.at+n]
		}
		b.value = tensor.New(tensor.WithShape(b.shape...), tensor.WithBacking(b.data))
	}
}

// newArena returns n numbers that begin at a cache line.
func newArena(n int) []float32 {
	a := make([]float32, n+align)
	hugePages(a)
	skip := int(-uintptr(unsafe.Pointer(&a[0]))%(4*align)) / 4
	return a[skip : skip+n]
}
