package synth

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/rng"
)

// drawAll draws the images of every identity, an identity at a time a worker.
func drawAll(ctx context.Context, o *Options, people []identity, res *Result, ours bool, report progress.Reporter) error {
	report.Start(res.Images, "draw")
	defer report.Done()
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	var sum sync.Mutex
	for range min(o.Workers, len(people)) {
		group.Go(func() error {
			d := drawer{o: o, keep: ours, report: report}
			defer func() {
				sum.Lock()
				res.Drawn += d.drawn
				res.Kept += d.kept
				res.Bytes += d.bytes
				sum.Unlock()
			}()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(people) {
					return nil
				}
				if err := d.identity(ctx, &people[i]); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// drawer is one worker.
type drawer struct {
	o      *Options
	keep   bool
	report progress.Reporter

	painter            painter
	photo              photo
	out                image.RGBA
	file               bytes.Buffer
	slots              []slot
	drawn, kept, bytes int64
}

func (d *drawer) identity(ctx context.Context, p *identity) error {
	dir := filepath.Join(d.o.Out, p.folder(), p.id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	who := p.person(d.o.Seed)
	d.slots = p.slots(d.o.Seed, d.slots)
	for _, s := range d.slots {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := string(appendPadded(append(appendPadded(nil, s.image, 4), '_'), s.face, 2)) + ".jpg"
		if d.keep && whole(filepath.Join(dir, name)) {
			d.kept++
			d.report.Add(1)
			continue
		}
		p.take(&d.photo, &who, d.o.Seed, s)
		d.painter.paint(&d.photo, &d.out, rng.Stream(d.o.Seed, "synth paint", p.id, s.image, s.face))
		d.file.Reset()
		if err := encode(&d.file, &d.photo, &d.out); err != nil {
			return fmt.Errorf("%s/%s: %w", p.id, name, err)
		}
		if err := put(dir, name, d.file.Bytes()); err != nil {
			return err
		}
		d.drawn++
		d.bytes += int64(d.file.Len())
		d.report.Add(1)
	}
	return atomicfile.SyncDir(dir)
}

func encode(w *bytes.Buffer, ph *photo, img *image.RGBA) error {
	return jpeg.Encode(w, img, &jpeg.Options{Quality: ph.quality})
}

// put gives a file its name when it is complete. It doesn't wait for the disk, as atomicfile
// does, for that would take longer than drawing; whole finds what a loss of power left.
func put(dir, name string, b []byte) error {
	tmp := filepath.Join(dir, "."+name+".tmp")
	err := os.WriteFile(tmp, b, 0o644)
	if err == nil {
		err = os.Rename(tmp, filepath.Join(dir, name))
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}

// whole reports whether a JPEG file has its beginning and its end.
func whole(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Mode()&fs.ModeType != 0 || info.Size() < 4 {
		return false
	}
	var head, tail [2]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return false
	}
	if _, err := f.ReadAt(tail[:], info.Size()-2); err != nil {
		return false
	}
	return head == [2]byte{0xff, 0xd8} && tail == [2]byte{0xff, 0xd9}
}
