package export

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/internal/journal"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/shard"
)

// chunkSamples is how many samples go to a worker at once.
const chunkSamples = 16

// chunk is some samples of a piece on their way.
type chunk struct {
	piece    *Piece
	from, to int
	last     bool // of its piece
	slots    []slot
	err      error
	done     chan struct{}
}

// entry is what the journal says of a piece that is on the disk.
type entry struct {
	Part    string         `json:"part"`
	I       int            `json:"piece"`
	Samples int            `json:"samples"`
	Rejects []shard.Reject `json:"rejects,omitempty"`
	Gone    []int          `json:"gone,omitempty"` // their places in the part
	Files   []FileInfo     `json:"files,omitempty"`
	Spans   []spanSize     `json:"spans,omitempty"` // files that later pieces go on with

	Loose looseCount `json:"loose"` // of a Loose format

	// Closing, alone on its line, are files that follow from all pieces and are about to be named.
	Closing []string `json:"closing,omitempty"`
}

type spanSize struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// run is an export under way.
type run struct {
	*plan
	progress progress.Reporter
	journal  *journal.Journal
	past     map[pieceID]entry
	spans    *spans
	loose    *looseFiles // nil but for a Loose format
	idle     sync.Pool   // of *chunk
	rejected int
}

// written is what became of a part's samples so far.
type written struct {
	samples int
	gone    []int
}

func (w written) and(e entry) written {
	return written{w.samples + e.Samples, append(slices.Clip(w.gone), e.Gone...)}
}

type pieceID struct {
	part string
	i    int
}

// write makes the pieces that are not there yet.
func (r *run) write(ctx context.Context) error {
	var todo []*Piece
	for i := range r.set.Parts {
		pieces := r.set.Parts[i].Pieces
		var before written
		for j := range pieces {
			p := &pieces[j]
			p.Before, p.Gone = before.samples, before.gone
			if e, ok := r.past[pieceID{p.Part, p.I}]; ok {
				before = before.and(e)
				r.progress.Add(int64(p.To - p.From))
				continue
			}
			todo = append(todo, p)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	window := 4 * r.o.Workers
	jobs, order := make(chan *chunk, window), make(chan *chunk, window)
	finished := make(chan *done, 1)
	group.Go(func() error { return r.dispatch(ctx, todo, jobs, order) })
	for range r.o.Workers {
		group.Go(func() error { return r.work(ctx, jobs) })
	}
	group.Go(func() error { return r.collect(ctx, order, finished) })
	group.Go(func() error { return r.commit(ctx, finished) })
	return group.Wait()
}

// dispatch cuts pieces into chunks, and gives each to a worker and to the one who puts them in order.
func (r *run) dispatch(ctx context.Context, todo []*Piece, jobs, order chan<- *chunk) error {
	defer close(jobs)
	defer close(order)
	for _, p := range todo {
		for from := p.From; from < p.To; from += chunkSamples {
			c, ok := r.idle.Get().(*chunk)
			if !ok {
				c = &chunk{slots: make([]slot, chunkSamples)}
			}
			c.piece, c.from, c.to, c.err, c.done = p, from, min(from+chunkSamples, p.To), nil, make(chan struct{})
			c.last = c.to == p.To
			r.each(c, r.src.Expect)
			for _, to := range []chan<- *chunk{order, jobs} {
				select {
				case to <- c:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
	}
	return nil
}

// each calls do for the places of a chunk: once where they follow each other.
func (r *run) each(c *chunk, do func(Ref, int)) {
	if r.chosen[c.piece.part] == nil {
		do(r.at(c.piece.part, c.from), c.to-c.from)
		return
	}
	for i := c.from; i < c.to; i++ {
		do(r.at(c.piece.part, i), 1)
	}
}

// forget gives back the memory of a chunk's samples or, where those lie among others that are still to come,
// of all at the end of a piece.
func (r *run) forget(c *chunk) {
	if r.chosen[c.piece.part] == nil {
		r.each(c, r.src.Forget)
		return
	}
	if c.last {
		for i, part := range r.src.Parts() {
			r.src.Forget(Ref{int32(i), 0}, part.Count)
		}
	}
}

// work fills chunks.
func (r *run) work(ctx context.Context, jobs <-chan *chunk) error {
	w := &worker{pixelsWanted: r.needs.Pixels, image: r.image, quality: r.o.Quality}
	for c := range jobs {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := c.from; i < c.to && c.err == nil; i++ {
			c.err = r.fill(w, &c.slots[i-c.from], r.at(c.piece.part, i), c.piece)
		}
		close(c.done)
	}
	return nil
}

// fill makes one sample and its record.
func (r *run) fill(w *worker, s *slot, at Ref, p *Piece) error {
	w.slot, s.reject = s, nil
	err := r.src.Load(at, &s.sample, w)
	if rejection := (*cache.Rejection)(nil); errors.As(err, &rejection) {
		if err := r.src.Describe(at, &s.sample); err != nil {
			return err
		}
		s.reject = &shard.Reject{Key: s.sample.Key, Stage: rejection.Stage, Reason: rejection.Reason, Detail: rejection.Detail}
		if r.loose != nil {
			s.sample.Part, s.sample.Ext = p.Part, r.set.Ext
			return r.loose.remove(&s.sample)
		}
		return nil
	}
	if err != nil {
		return err
	}
	s.sample.Part = p.Part
	if r.loose != nil {
		s.record, err = r.loose.write(s.record[:0], &s.sample)
	} else {
		s.record, err = r.format.Record(s.record[:0], &s.sample)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.sample.Key, err)
	}
	return nil
}

// done is a piece whose bytes are all written, on its way to the disk.
type done struct {
	piece *Piece
	entry entry
	out   *Output
}

// collect puts the chunks' samples into files, in order.
func (r *run) collect(ctx context.Context, order <-chan *chunk, finished chan<- *done) (err error) {
	defer close(finished)
	var (
		d *done
		w PieceWriter
	)
	defer func() {
		if err != nil && d != nil {
			d.out.abandon()
		}
	}()
	before := map[string]written{}
	for c := range order {
		select {
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if c.err != nil {
			return c.err
		}
		p := c.piece
		if c.from == p.From {
			if n, ok := before[p.Part]; ok {
				p.Before, p.Gone = n.samples, n.gone
			}
			d = &done{piece: p, entry: entry{Part: p.Part, I: p.I}, out: &Output{dir: r.o.Out, spans: r.spans}}
			if r.loose != nil {
				w, err = r.loose.piece(*p, d.out)
			} else {
				w, err = r.format.Piece(*p, d.out)
			}
			if err != nil {
				return err
			}
		}
		for i := range c.to - c.from {
			s := &c.slots[i]
			if s.reject != nil && r.needs.All {
				return fmt.Errorf("%s: %s: %s (%s); %s has to be whole", s.reject.Key, s.reject.Stage, s.reject.Reason, s.reject.Detail, r.o.To)
			}
			if s.reject != nil {
				d.entry.Rejects = append(d.entry.Rejects, *s.reject)
				d.entry.Gone = append(d.entry.Gone, c.from+i)
				r.rejected++
				r.progress.Note(fmt.Sprintf("%d rejected", r.rejected))
				continue
			}
			d.entry.Samples++
			if r.loose != nil {
				d.entry.Loose.Files++
				d.entry.Loose.Bytes += int64(len(s.sample.Image))
			}
			if err := w.Add(&s.sample, s.record); err != nil {
				return fmt.Errorf("%s: %w", s.sample.Key, err)
			}
		}
		r.progress.Add(int64(c.to - c.from))
		r.forget(c)
		if c.last {
			before[p.Part] = written{p.Before, p.Gone}.and(d.entry)
			if err := r.closePiece(d, w); err != nil {
				return err
			}
			select {
			case finished <- d:
				d = nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		r.idle.Put(c)
	}
	return ctx.Err()
}

func (r *run) closePiece(d *done, w PieceWriter) error {
	if err := w.Close(); err != nil {
		return err
	}
	for _, s := range d.out.used {
		if err := s.w.Flush(); err != nil {
			return err
		}
		d.entry.Spans = append(d.entry.Spans, spanSize{s.name, s.size})
	}
	return nil
}

// commit brings finished pieces to the disk and says so in the journal.
func (r *run) commit(ctx context.Context, finished <-chan *done) error {
	for d := range finished {
		if err := r.settle(d); err != nil {
			d.out.abandon()
			return err
		}
	}
	return ctx.Err()
}

func (r *run) settle(d *done) error {
	if r.loose != nil {
		if err := r.loose.sync(); err != nil {
			return err
		}
	}
	for _, f := range d.out.files {
		if err := f.f.Commit(); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		info := f.info()
		info.Samples, info.Part = d.entry.Samples, d.piece.Part
		d.entry.Files = append(d.entry.Files, info)
	}
	for _, s := range d.out.used {
		if err := s.f.Sync(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if d.piece.Last() {
			info, err := s.seal()
			if err != nil {
				return err
			}
			info.Samples, info.Part = d.piece.Before+d.entry.Samples, d.piece.Part
			d.entry.Files = append(d.entry.Files, info)
		}
	}
	if err := r.journal.Add(d.entry); err != nil {
		return err
	}
	if d.piece.Last() {
		for _, s := range d.out.used {
			if err := s.rename(); err != nil {
				return err
			}
		}
	}
	r.past[pieceID{d.piece.Part, d.piece.I}] = d.entry
	return nil
}
