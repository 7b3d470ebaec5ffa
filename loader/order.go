package loader

import (
	"errors"
	"fmt"

	"github.com/vf2prep/vf2prep/rng"
)

// Sampler names an order of samples. All are functions of seed, epoch and options alone, so an
// epoch can be entered at any step.
type Sampler string

const (
	// Sequential is the shards' order, the same in every epoch.
	Sequential Sampler = "sequential"
	// Shuffled is a permutation of all samples. It reads at random places: for sets that fit in
	// memory or lie on a disk that is good at it.
	Shuffled Sampler = "shuffled"
	// Chunks reads runs of consecutive samples in random order and permutes the samples of
	// Options.Window bytes of them: for a cold disk, or a set larger than memory.
	Chunks Sampler = "chunks"
	// Identity makes batches of Options.Images samples of each of Options.Identities classes.
	Identity Sampler = "identity"
)

// Samplers lists the names, the usual one first.
var Samplers = []Sampler{Shuffled, Chunks, Sequential, Identity}

const (
	usualChunk  = 2 << 20   // bytes; a disk with a head moves as long as it reads 1 to 2 MB
	usualWindow = 256 << 20 // bytes
)

// span is n consecutive samples.
type span struct{ first, n int }

// cut divides shards of so many samples into chunks of at most size samples. A chunk lies in one
// shard, the last of a shard may be smaller.
func cut(shards []int, size int) (chunks []span) {
	first := 0
	for _, n := range shards {
		for at := 0; at < n; at += size {
			chunks = append(chunks, span{first + at, min(size, n-at)})
		}
		first += n
	}
	return chunks
}

// sequential returns 0 .. n-1.
func sequential(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

// windows returns the chunks in the order in which an epoch reads them, in groups of perWindow
// that are shuffled together; the last group may be smaller.
func windows(chunks []span, perWindow int, seed uint64, epoch int) (out [][]span) {
	mixed := make([]span, len(chunks))
	for i, j := range rng.Stream(seed, "chunks", epoch).Perm(len(chunks)) {
		mixed[i] = chunks[j]
	}
	for len(mixed) > 0 {
		n := min(perWindow, len(mixed))
		out, mixed = append(out, mixed[:n:n]), mixed[n:]
	}
	return out
}

// mix returns the samples of windows, those of each in random order.
func mix(windows [][]span, seed uint64, epoch int) (order []int) {
	for k, chunks := range windows {
		from := len(order)
		for _, c := range chunks {
			for i := range c.n {
				order = append(order, c.first+i)
			}
		}
		window := order[from:]
		rng.Stream(seed, "window", epoch, k).Shuffle(len(window), func(i, j int) {
			window[i], window[j] = window[j], window[i]
		})
	}
	return order
}

// ErrOption says that an option makes no sense, alone or with the part.
var ErrOption = errors.New("sampling")

// check completes the options of batches.
func (o *Options) check() error {
	if o.Sampler == "" {
		o.Sampler = Sequential
	}
	switch o.Sampler {
	case Sequential, Shuffled, Chunks:
		if o.Identities != 0 || o.Images != 0 {
			return fmt.Errorf("%w: %d identities x %d images are of sampler %s, not %s", ErrOption, o.Identities, o.Images, Identity, o.Sampler)
		}
	case Identity:
		if o.Identities < 1 || o.Images < 1 || o.Identities > maxBatch/o.Images {
			return fmt.Errorf("%w: %d identities x %d images a batch, want at least 1 of each", ErrOption, o.Identities, o.Images)
		}
		if o.Batch == 0 {
			o.Batch = o.Identities * o.Images
		}
		if o.Batch != o.Identities*o.Images {
			return fmt.Errorf("%w: batch of %d samples, want %d identities x %d images", ErrOption, o.Batch, o.Identities, o.Images)
		}
	default:
		return fmt.Errorf("%w: sampler %q, want one of %v", ErrOption, o.Sampler, Samplers)
	}
	if o.Batch < 1 || o.Batch > maxBatch {
		return fmt.Errorf("%w: batch of %d samples, want 1 to %d", ErrOption, o.Batch, maxBatch)
	}
	return nil
}

// chunk returns the samples of a chunk and the chunks of a window.
func (o *Options) chunk(sample int) (samples, perWindow int) {
	bytes, window := o.Chunk, o.Window
	if bytes <= 0 {
		bytes = usualChunk
	}
	if window <= 0 {
		window = usualWindow
	}
	samples = max(1, bytes/sample)
	return samples, max(1, window/sample/samples)
}

// maxBatch is the most samples of a batch that is believed.
const maxBatch = 1 << 24
