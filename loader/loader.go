package loader

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"

	"github.com/vf2prep/vf2prep/augment"
	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

// Options say how a part is read.
type Options struct {
	Batch   int               // samples a batch, at least 1; for Identity 0 is Identities x Images
	Seed    uint64            // of order and augmentation
	Sampler Sampler           // "": Sequential
	Augment *augment.Pipeline // nil: samples as they are
	Train   bool              // random augmentation; else its centre crop alone
	Workers int               // goroutines that make batches; 0: one per CPU

	Chunk  int // Chunks: bytes of consecutive samples that are read together; 0: 2 MiB
	Window int // Chunks: bytes of samples that are shuffled together; 0: 256 MiB

	Identities int // Identity: classes a batch
	Images     int // Identity: samples of each
}

// Loader reads one part of a shard set. It may serve several epochs at once.
type Loader struct {
	part    *shard.Part
	o       Options
	stored  shard.Shape
	c, h, w int

	chunks    []span  // of Chunks and Sequential
	perWindow int     // chunks
	classes   classes // of Identity

	spare sync.Pool // *Batch, of epochs that ended
}

// New returns a Loader of a part: "train", "val" or "test".
func New(set *shard.Set, part string, o Options) (*Loader, error) {
	p, err := set.Part(part)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
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
	switch o.Sampler {
	case Sequential, Chunks:
		var shards []int
		for _, s := range set.Index().Parts[part].Shards {
			shards = append(shards, s.Samples)
		}
		var samples int
		samples, l.perWindow = o.chunk(l.stored.Bytes())
		l.chunks = cut(shards, samples)
	case Identity:
		labels := make([]int32, p.Len())
		for i := range labels {
			if labels[i], err = p.Label(i); err != nil {
				return nil, err
			}
		}
		l.classes = group(labels)
		if n := len(l.classes.members); n < o.Identities {
			return nil, fmt.Errorf("%w: batches of %d identities, part %s has %d", ErrOption, o.Identities, part, n)
		}
	}
	return l, nil
}

// Len returns the number of samples that an epoch visits. It is the part's, but for Identity:
// there it is that of the samples with a label, rounded up to whole batches.
func (l *Loader) Len() int {
	if l.o.Sampler == Identity {
		return l.Steps() * l.o.Batch
	}
	return l.part.Len()
}

// Steps returns the batches of an epoch; the last one may be smaller.
func (l *Loader) Steps() int {
	if l.o.Sampler == Identity {
		return l.classes.steps(l.o.Identities, l.o.Images)
	}
	return (l.part.Len() + l.o.Batch - 1) / l.o.Batch
}

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

// Clone copies a batch, which then stays valid.
func (b *Batch) Clone() *Batch {
	c := *b
	c.X, c.Label, c.Age, c.Gender = slices.Clone(b.X), slices.Clone(b.Label), slices.Clone(b.Age), slices.Clone(b.Gender)
	c.Keys = slices.Clone(b.Keys)
	return &c
}

type made struct {
	batch *Batch
	err   error
}

// Epoch yields the batches of an epoch in order, from step fromStep on. A batch is valid until
// the next one is asked for, the last one until the next epoch begins. The first error ends the sequence: a damaged sample (wrapping
// [shard.ErrCorrupt]) or a cancelled context.
func (l *Loader) Epoch(ctx context.Context, epoch, fromStep int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		var workers sync.WaitGroup
		defer workers.Wait() // the caller may close the set after the last batch
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		order, ahead := l.order(epoch)
		steps := l.Steps()

		// Batches are handed out in order through a queue of promises; as many are under way as
		// there are workers, and their buffers go round.
		depth := l.o.Workers + 1
		free := make(chan *Batch, depth+1)
		for range depth + 1 {
			b, ok := l.spare.Get().(*Batch)
			if !ok {
				b = l.newBatch()
			}
			free <- b
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
				f := filler{Loader: l, epoch: epoch}
				for j := range jobs {
					j.out <- made{j.batch, f.fill(j.batch, order, j.step)}
				}
			})
		}
		position := make(chan int, 1)
		workers.Go(func() { ahead.follow(ctx, l.part, position) })
		workers.Go(func() {
			defer close(jobs)
			defer close(queue)
			for step := fromStep; step < steps; step++ {
				var b *Batch
				select {
				case b = <-free:
				case <-ctx.Done():
					return
				}
				select { // only the newest position counts
				case <-position:
				default:
				}
				position <- step * l.o.Batch
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
		})
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
		for range depth + 1 {
			l.spare.Put(<-free)
		}
	}
}

// order returns which sample stands where in an epoch, and what to read ahead for it.
func (l *Loader) order(epoch int) ([]int, *ahead) {
	switch l.o.Sampler {
	case Chunks:
		w := windows(l.chunks, l.perWindow, l.o.Seed, epoch)
		return mix(w, l.o.Seed, epoch), windowsAhead(w)
	case Identity:
		order := l.classes.balanced(l.o.Identities, l.o.Images, l.o.Seed, epoch)
		return order, samplesAhead(order, l.lead())
	case Shuffled:
		order := rng.Stream(l.o.Seed, "shuffle", epoch).Perm(l.part.Len())
		return order, samplesAhead(order, l.lead())
	}
	return sequential(l.part.Len()), chunksAhead(l.chunks)
}

// lead returns how many samples ahead of the newest batch single samples are read.
func (l *Loader) lead() int { return l.o.Batch + max(l.o.Batch, leadSamples) }
