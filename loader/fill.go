package loader

import (
	"github.com/vf2prep/vf2prep/pixel"
	"github.com/vf2prep/vf2prep/shard"
)

// streamFrom is the size of a batch in bytes from which on its values go past the caches. With
// a second level of 2 MiB, streams are slower up to 16 samples of 3x112x112, 2.4 MB, equal at
// 32, faster by a third at 64 and by more than two from 256 on.
const streamFrom = 4 << 20

func (l *Loader) newBatch() *Batch {
	n := l.o.Batch
	b := &Batch{
		X:      make([]float32, n*l.c*l.h*l.w),
		Label:  make([]int32, n),
		Age:    make([]float32, n),
		Gender: make([]int8, n),
		Keys:   make([]string, n),
	}
	hugePages(b.X)
	return b
}

// filler makes the batches of one epoch, one at a time.
type filler struct {
	*Loader
	epoch   int
	scratch []uint8 // an augmented sample
}

func (f *filler) fill(b *Batch, order []int, step int) error {
	from := step * f.o.Batch
	n := min(f.o.Batch, len(order)-from)
	row := f.c * f.h * f.w
	b.X, b.Label, b.Age, b.Gender, b.Keys = b.X[:n*row], b.Label[:n], b.Age[:n], b.Gender[:n], b.Keys[:n]
	b.N, b.Epoch, b.Step = n, f.epoch, step
	next, err := f.part.Sample(order[from])
	if err != nil {
		return err
	}
	for i := range n {
		s := next
		next.Data = nil
		if i+1 < n {
			if next, err = f.part.Sample(order[from+i+1]); err != nil {
				return err
			}
		}
		b.Label[i], b.Age[i], b.Gender[i], b.Keys[i] = s.Label, s.Age, s.Gender, s.Key
		f.pixels(b.X[i*row:(i+1)*row], &s, next.Data, 4*len(b.X) > streamFrom)
	}
	return nil
}

// pixels writes the values of a sample. A window or a mirror image is read where it lies; what
// changes values needs a copy.
func (f *filler) pixels(dst []float32, s *shard.Sample, next []uint8, stream bool) {
	c, h, w := f.stored[0], f.stored[1], f.stored[2]
	src, y, x, flip, only := s.Data, 0, 0, false, true
	if a := f.o.Augment; f.o.Train {
		y, x, flip, only = a.Window(h, w, f.o.Seed, f.epoch, s.Key)
	} else {
		y, x = a.CenterWindow(h, w)
	}
	if !only {
		if f.scratch == nil {
			f.scratch = make([]uint8, len(dst))
		}
		f.o.Augment.Apply(f.scratch, src, c, h, w, f.o.Seed, f.epoch, s.Key)
		src, h, w, y, x, flip = f.scratch, f.h, f.w, 0, 0, false
	}
	rows := pixel.Rows{W: f.w, N: f.h, Stride: w, Flip: flip, Stream: stream, Next: next}
	if h == f.h {
		rows.N *= c // the planes go on as one
		c = 1
	}
	n := rows.W * rows.N
	for k := range c {
		at := k*h*w + y*w + x
		if rows.Next = next; k+1 < c {
			rows.Next = src[at+h*w:]
		}
		pixel.NormalizeRows(dst[k*n:(k+1)*n], src[at:], rows)
	}
}
