package loader

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync"

	"github.com/vf2prep/vf2prep/augment"
	"github.com/vf2prep/vf2prep/pixel"
	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

// Options say how a part is read.
type Options struct {
	Batch   int               // samples a batch, at least 1
	Seed    uint64            // of order and augmentation
	Shuffle bool              // another order each epoch; else the shards' order
	Augment *augment.Pipeline // nil: samples as they are
	Train   bool              // random augmentation; else its centre crop alone
	Workers int               // goroutines that make batches; 0: one per CPU
}

// Loader reads one part of a shard set. It may serve several epochs at once.
type Loader struct {
	part    *shard.Part
	o       Options
	stored  shard.Shape
	c, h, w int
}

// New returns a Loader of a part: "train", "val" or "test".
func New(set *shard.Set, part string, o Options) (*Loader, error) {
	p, err := set.Part(part)
	if err != nil {
		return nil, err
	}
	if o.Batch < 1 {
		return nil, fmt.Errorf("loader: batch of %d samples, want at least 1", o.Batch)
	}
	if o.Workers < 1 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	l := &Loader{part: p, o: o, stored: set.Index().Shape}
	l.c, l.h, l.w = l.stored[0], l.stored[1], l.stored[2]
	if o.Augment != nil {
		l.c, l.h, l.w = o.Augment.OutputShape(l.c, l.h, l.w)
		if l.h > l.stored[1] || l.w > l.stored[2] || l.h < 1 || l.w < 1 {
			return nil, fmt.Errorf("loader: a crop of %dx%d does not fit samples of %v", l.h, l.w, l.stored)
		}
	}
	return l, nil
}

// Len returns the number of samples of the part.
func (l *Loader) Len() int { return l.part.Len() }

// Steps returns the batches of an epoch; the last one may be smaller.
func (l *Loader) Steps() int { return (l.Len() + l.o.Batch - 1) / l.o.Batch }

// Shape returns a sample's size in a batch: channels, rows, columns.
func (l *Loader) Shape() (c, h, w int) { return l.c, l.h, l.w }

// Batch is N samples ready for a network.
type Batch struct {
	X      []float32 // N, C, H, W
	N      int
	Label  []int32   // class, -1 none
	Age    []float32 // years, NaN unknown
	Gender []int8    // 0 male, 1 female, -1 unknown
	Keys   []string
	Epoch  int
	Step   int // of the epoch, from 0
}

type made struct {
	batch *Batch
	err   error
}

// Epoch yields the batches of an epoch in order, from step fromStep on. A batch is valid until
// the next one is asked for. The first error ends the sequence: a damaged sample (wrapping
// [shard.ErrCorrupt]) or a cancelled context.
func (l *Loader) Epoch(ctx context.Context, epoch, fromStep int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		var workers sync.WaitGroup
		defer workers.Wait() // the caller may close the set after the last batch
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		order := l.order(epoch)
		steps := l.Steps()

		// Batches are handed out in order through a queue of promises; as many are under way as
		// there are workers, and their buffers go round.
		depth := l.o.Workers + 1
		free := make(chan *Batch, depth+1)
		for range depth + 1 {
			free <- l.newBatch()
		}
		type job struct {
			step  int
			batch *Batch
			out   chan made
		}
		jobs := make(chan job)
		queue := make(chan chan made, depth)
		for range l.o.Workers {
			workers.Go(func() {
				scratch := make([]uint8, l.c*l.h*l.w)
				for j := range jobs {
					j.out <- made{j.batch, l.fill(j.batch, order, epoch, j.step, scratch)}
				}
			})
		}
		go func() {
			defer close(jobs)
			defer close(queue)
			for step := fromStep; step < steps; step++ {
				var b *Batch
				select {
				case b = <-free:
				case <-ctx.Done():
					return
				}
				out := make(chan made, 1)
				select {
				case jobs <- job{step, b, out}:
				case <-ctx.Done():
					return
				}
				select {
				case queue <- out:
				case <-ctx.Done():
					return
				}
			}
		}()
		for step := fromStep; step < steps; step++ {
			var m made
			select {
			case out, ok := <-queue:
				if !ok {
					yield(nil, ctx.Err())
					return
				}
				m = <-out
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
			if m.err != nil {
				yield(nil, m.err)
				return
			}
			if !yield(m.batch, nil) {
				return
			}
			free <- m.batch
		}
	}
}

// order returns which sample stands where in an epoch.
func (l *Loader) order(epoch int) []int {
	if l.o.Shuffle {
		return rng.Stream(l.o.Seed, "shuffle", epoch).Perm(l.Len())
	}
	p := make([]int, l.Len())
	for i := range p {
		p[i] = i
	}
	return p
}

func (l *Loader) newBatch() *Batch {
	n := l.o.Batch
	return &Batch{
		X:      make([]float32, n*l.c*l.h*l.w),
		Label:  make([]int32, n),
		Age:    make([]float32, n),
		Gender: make([]int8, n),
		Keys:   make([]string, n),
	}
}

func (l *Loader) fill(b *Batch, order []int, epoch, step int, scratch []uint8) error {
	from := step * l.o.Batch
	n := min(l.o.Batch, len(order)-from)
	row := l.c * l.h * l.w
	b.X, b.Label, b.Age, b.Gender, b.Keys = b.X[:n*row], b.Label[:n], b.Age[:n], b.Gender[:n], b.Keys[:n]
	b.N, b.Epoch, b.Step = n, epoch, step
	for i := range n {
		s, err := l.part.Sample(order[from+i])
		if err != nil {
			return err
		}
		b.Label[i], b.Age[i], b.Gender[i], b.Keys[i] = s.Label, s.Age, s.Gender, s.Key
		pixels := s.Data
		if a := l.o.Augment; a != nil {
			if l.o.Train {
				a.Apply(scratch, s.Data, l.stored[0], l.stored[1], l.stored[2], l.o.Seed, epoch, s.Key)
			} else {
				a.Center(scratch, s.Data, l.stored[0], l.stored[1], l.stored[2])
			}
			pixels = scratch
		}
		pixel.Normalize(b.X[i*row:(i+1)*row], pixels)
	}
	return nil
}
