package cache

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"
	"sync/atomic"

	"github.com/zeebo/xxh3"

	"github.com/vf2prep/vf2prep/jpeg"
	"github.com/vf2prep/vf2prep/shard"
)

// place is where a sample belongs: a slot of one of the plan's shards.
type place struct{ shard, slot int }

// photo is one image on its way from the disk to a sample.
type photo struct {
	item
	place   place
	ordinal uint32 // in an archive; a later member of one name replaces the earlier
	data    []byte
	err     error // a *Rejection
}

const (
	// A batch has so many photos, or so many bytes, or a single heavy photo.
	batchPhotos = 16
	batchBytes  = 1 << 20
)

// batch is what goes from a reader to a worker at once.
type batch struct {
	photos []photo
	buf    []byte // their data
	held   int64  // of the gate for heavy files
}

// reset empties a batch and forgets memory that is larger than usual.
func (b *batch) reset() {
	clear(b.photos)
	b.photos, b.buf = b.photos[:0], b.buf[:0]
	if cap(b.buf) > 2*batchBytes {
		b.buf = nil
	}
}

// sink takes samples. Its methods may be called by many goroutines for different places.
type sink interface {
	// buffer returns the memory for a raw sample's pixels, nil where it has none.
	buffer(place) []uint8
	// put takes a sample: its pixels in the buffer that buffer gave, or data, which is not kept.
	put(ph *photo, at points, data []byte) error
	reject(ph *photo, r shard.Reject) error
}

// line moves photos from readers to workers.
type line struct {
	full  chan *batch
	files *gate // heavy files between reader and worker
	idle  *sync.Pool
}

func (b *build) newLine() *line {
	return &line{make(chan *batch, b.o.Workers), newGate(max(b.o.Memory/8, heavyBytes)), &b.batches}
}

func (l *line) empty() *batch {
	if b, ok := l.idle.Get().(*batch); ok {
		return b
	}
	return &batch{photos: make([]photo, 0, batchPhotos)}
}

// send gives a batch to the workers.
func (l *line) send(ctx context.Context, b *batch) error {
	select {
	case l.full <- b:
		return nil
	case <-ctx.Done():
		l.recycle(b)
		return ctx.Err()
	}
}

func (l *line) recycle(b *batch) {
	if b.held > 0 {
		l.files.leave(b.held)
		b.held = 0
	}
	b.reset()
	l.idle.Put(b)
}

// maker makes samples of photos. Not for two goroutines at once.
type maker struct {
	build   *build
	sink    sink
	encoder jpeg.Encoder
	pixels  []uint8 // where the sink has no buffer
	text    []byte
}

// work makes samples until there are no more photos.
func (b *build) work(ctx context.Context, l *line, to sink) error {
	m := &maker{build: b, sink: to}
	for batch := range l.full {
		for i := range batch.photos {
			if err := m.make(&batch.photos[i]); err != nil {
				l.recycle(batch)
				return err
			}
		}
		b.progress.Add(int64(len(batch.photos)))
		l.recycle(batch)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) make(ph *photo) error {
	r := m.build.plan.o.Recipe
	if ph.problem != "" {
		m.build.countReject()
		return m.sink.reject(ph, ph.item.reject())
	}
	err := ph.err
	if err == nil && ph.xxh3 != 0 {
		if got := xxh3.Hash(ph.data); got != ph.xxh3 {
			err = &Rejection{"read", "changed since the manifest", fmt.Sprintf("XXH3 %016x, want %016x", got, ph.xxh3)}
		}
	}
	if err == nil {
		pixels := m.sink.buffer(ph.place)
		if pixels == nil {
			if m.pixels == nil {
				m.pixels = make([]uint8, m.build.plan.Shape.Bytes())
			}
			pixels = m.pixels
		}
		to, failed := r.transform(ph.data, ph.faceBox(), ph.faceLandmarks(), pixels, m.build.decoding)
		if failed == nil {
			if r.Encoding == shard.JPEG {
				if pixels, failed = m.encode(pixels); failed != nil {
					return failed
				}
			}
			return m.sink.put(ph, ph.moved(to), pixels)
		}
		err = failed
	}
	rejection := (*Rejection)(nil)
	if !errors.As(err, &rejection) {
		return err
	}
	m.build.countReject()
	return m.sink.reject(ph, shard.Reject{Key: ph.key, Stage: rejection.Stage, Reason: rejection.Reason, Detail: rejection.Detail})
}

func (m *maker) encode(pixels []uint8) (_ []byte, err error) {
	r := m.build.plan.o.Recipe
	o := jpeg.EncodeOptions{Quality: r.Quality, Ratio: image.YCbCrSubsampleRatio420, BGR: r.Channels == "bgr"}
	m.text, err = m.encoder.Append(m.text[:0], pixels, r.Width, r.Height, o)
	return m.text, err
}

// treeReader reads the photos of jobs in their order. Several share the jobs, so that the disk
// has more than one request to work on and the next photos are there when a worker wants them.
type treeReader struct {
	tree *tree
	x    *items
	jobs []job
	next *atomic.Int64
	line *line
}

// job is a sample to be made: which image, and where it belongs.
type job struct {
	row   uint32
	place place
}

func (r *treeReader) run(ctx context.Context) error {
	var scratch []byte
	for {
		from := int(r.next.Add(batchPhotos)) - batchPhotos
		if from >= len(r.jobs) {
			return nil
		}
		b := r.line.empty()
		for _, j := range r.jobs[from:min(from+batchPhotos, len(r.jobs))] {
			it, err := r.x.read(j.row, &scratch)
			if err != nil {
				return err
			}
			ph := photo{item: it, place: j.place}
			var f photoFile
			if ph.problem == "" {
				if f, err = r.tree.open(it.path); err != nil {
					if ph.err = asRejection(err); ph.err == nil {
						return err
					}
				}
			}
			heavy := f != nil && f.size() > heavyBytes && f.size() <= maxFile
			if len(b.photos) > 0 && (heavy || len(b.buf) >= batchBytes) {
				err := r.line.send(ctx, b)
				if err != nil {
					closeFile(f)
					return err
				}
				b = r.line.empty()
			}
			if heavy { // alone, so that nobody who holds something waits for more
				if b.held, err = r.line.files.enter(ctx, f.size()); err != nil {
					b.held = 0
					f.close()
					return err
				}
			}
			if f != nil {
				start := len(b.buf)
				b.buf, err = readAll(f, b.buf)
				f.close()
				if err != nil {
					b.buf = b.buf[:start]
					ph.err = asRejection(err)
				}
				ph.data = b.buf[start:len(b.buf):len(b.buf)]
			}
			b.photos = append(b.photos, ph)
			if heavy {
				if err := r.line.send(ctx, b); err != nil {
					return err
				}
				b = r.line.empty()
			}
		}
		if err := r.line.send(ctx, b); err != nil {
			return err
		}
	}
}

func closeFile(f photoFile) {
	if f != nil {
		f.close()
	}
}

// asRejection returns the rejection that an error is, nil where it is none.
func asRejection(err error) error {
	if rejection := (*Rejection)(nil); errors.As(err, &rejection) {
		return rejection
	}
	return nil
}
