package loader

import (
	"context"

	"github.com/vf2prep/vf2prep/shard"
)

const (
	// leadSamples is how many samples ahead single ones are asked for, at least.
	leadSamples = 1024
	// leadChunks is how many chunks ahead Sequential reads.
	leadChunks = 16
)

// ahead says what of an epoch is read from the disk before its use. It decides when bytes come,
// never which.
type ahead struct {
	requests []request // in the order of from and of end
	release  bool      // the memory of those that came from the disk, at end

	order []int // or single samples, in this order
	lead  int   // so many positions before their use
}

// request is a span that is asked for when the epoch has come to position from, and that is not
// needed any more when it has come to position end.
type request struct {
	span
	from, end int
	read      bool // from the disk, not found in memory
}

// windowsAhead spreads the reading of a window over the time in which the one before it is
// used; the memory of what was read goes when the next window is begun, so at most two are held.
// A set that is in memory stays there.
func windowsAhead(windows [][]span) *ahead {
	a := &ahead{release: true}
	begin, before := 0, 0
	for _, chunks := range windows {
		n := 0
		for _, c := range chunks {
			n += c.n
		}
		for j, c := range chunks {
			from := before + int(int64(begin-before)*int64(j)/int64(len(chunks)))
			a.requests = append(a.requests, request{c, from, begin + n, false})
		}
		begin, before = begin+n, begin
	}
	return a
}

// chunksAhead reads chunks in their order.
func chunksAhead(chunks []span) *ahead {
	a := &ahead{}
	for i, c := range chunks {
		a.requests = append(a.requests, request{c, chunks[max(0, i-leadChunks)].first, c.first + c.n, false})
	}
	return a
}

func samplesAhead(order []int, lead int) *ahead { return &ahead{order: order, lead: lead} }

// follow reads ahead of the positions that it is told of, until ctx ends.
func (a *ahead) follow(ctx context.Context, part *shard.Part, position <-chan int) {
	asked, given, began := 0, 0, false
	for {
		var at int
		select {
		case at = <-position:
		case <-ctx.Done():
			return
		}
		if !began { // an epoch may be entered anywhere
			began = true
			if a.order != nil {
				asked = at
			}
			for asked < len(a.requests) && a.requests[asked].end <= at {
				asked++
			}
			given = asked
		}
		if end := min(at+a.lead, len(a.order)); asked < end {
			samples := a.order[asked:end]
			asked = end
			gone := evicted(part, samples)
			for _, i := range samples {
				if ctx.Err() == nil && (gone || !part.Visited(i)) {
					part.Prefetch(i, 1)
				}
			}
		}
		for ; asked < len(a.requests) && a.requests[asked].from <= at && ctx.Err() == nil; asked++ {
			q := &a.requests[asked]
			q.read = a.release && !(part.InMemory(q.first) && part.InMemory(q.first+q.n/2) && part.InMemory(q.first+q.n-1))
			part.Prefetch(q.first, q.n)
		}
		for ; a.release && given < asked && a.requests[given].end <= at && ctx.Err() == nil; given++ {
			if q := a.requests[given]; q.read {
				part.Release(q.first, q.n)
			}
		}
	}
}

// evicted looks at a few samples and says whether one is on the disk alone. To ask for those in
// memory again would take a twentieth of the time of a batch.
func evicted(part *shard.Part, samples []int) bool {
	const looks = 8
	for k := range looks {
		if !part.InMemory(samples[k*len(samples)/looks]) {
			return true
		}
	}
	return false
}
