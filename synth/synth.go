package synth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/rng"
)

// ErrForeign says that the output directory holds something that this run must not mix with.
var ErrForeign = errors.New("directory holds other files")

// ErrOptions says that options make no sense together.
var ErrOptions = errors.New("synth: options")

// Options say what to draw.
type Options struct {
	Out            string
	Identities     int // train and test together
	TestIdentities int // of these; -1: a sixth
	Images         int // of each identity
	Spread         float64
	Seed           uint64
	MetadataOnly   bool
	IdentityMeta   string // take identities, counts and gender from this file instead
	Workers        int    // 0: one a CPU
	Force          bool   // write into a directory that holds other things; nothing is deleted
	Progress       progress.Reporter
}

// The largest set that is drawn: ten of the real one.
const (
	maxIdentities = 999999 // six digits
	maxImages     = 40 << 20
)

func (o *Options) check() error {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...)
	}
	if o.Out == "" {
		return bad("no output directory")
	}
	if o.Images < 1 || o.Images > maxSamples {
		return bad("%d images an identity, want 1 to %d", o.Images, maxSamples)
	}
	if !(o.Spread >= 0 && o.Spread <= 1) {
		return bad("spread %g, want 0 to 1", o.Spread)
	}
	if o.IdentityMeta != "" {
		return nil
	}
	if o.Identities < 1 || o.Identities > maxIdentities/2 {
		return bad("%d identities, want 1 to %d", o.Identities, maxIdentities/2)
	}
	if o.TestIdentities < 0 {
		o.TestIdentities = o.Identities / 6
	}
	if o.TestIdentities > o.Identities {
		return bad("%d test identities of %d", o.TestIdentities, o.Identities)
	}
	return nil
}

// Result is what a run made.
type Result struct {
	Out             string  `json:"out"`
	Identities      int     `json:"identities"`
	TrainIdentities int     `json:"train_identities"`
	TestIdentities  int     `json:"test_identities"`
	Images          int64   `json:"images"`
	TrainImages     int64   `json:"train_images"`
	TestImages      int64   `json:"test_images"`
	Drawn           int64   `json:"drawn"` // by this run
	Kept            int64   `json:"kept"`  // from an earlier run
	Bytes           int64   `json:"bytes"` // of the images drawn
	Seconds         float64 `json:"seconds"`
	ImagesPerSecond float64 `json:"images_per_second"` // drawing alone; 0 with metadata only
}

// marker is synth.json: what the directory was drawn with.
type marker struct {
	Format         string  `json:"format"`
	Seed           uint64  `json:"seed"`
	Identities     int     `json:"identities"`
	TestIdentities int     `json:"test_identities"`
	Images         int     `json:"images"`
	Spread         float64 `json:"spread"`
	MetadataOnly   bool    `json:"metadata_only"`
	IdentityMeta   string  `json:"identity_meta,omitempty"` // digest
	Complete       bool    `json:"complete"`
}

// The format's number changes whenever the same options would give other pixels.
const (
	markerName   = "synth.json"
	markerFormat = "vf2prep.synth/1"
)

// Run draws the set. It goes on with a set that the same options began; any other directory
// that isn't empty is an error wrapping [ErrForeign] unless o.Force.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	start := time.Now()
	people, err := plan(&o)
	if err != nil {
		return nil, err
	}
	res := &Result{Out: o.Out, Identities: len(people)}
	for i := range people {
		n := int64(people[i].count)
		res.Images += n
		if people[i].test {
			res.TestIdentities++
			res.TestImages += n
		} else {
			res.TrainIdentities++
			res.TrainImages += n
		}
	}
	if res.Images > maxImages {
		return nil, fmt.Errorf("%w: %d images in all, at most %d", ErrOptions, res.Images, maxImages)
	}
	m, ours, err := claim(&o)
	if err != nil {
		return nil, err
	}
	report := progress.Or(o.Progress)
	if !o.MetadataOnly {
		began := time.Now()
		if err := drawAll(ctx, &o, people, res, ours, report); err != nil {
			return nil, err
		}
		res.ImagesPerSecond = float64(res.Drawn) / time.Since(began).Seconds()
	}
	if err := writeMetadata(ctx, &o, people, res.Images, report); err != nil {
		return nil, err
	}
	m.Complete = true
	if err := m.write(o.Out); err != nil {
		return nil, err
	}
	res.Seconds = time.Since(start).Seconds()
	return res, nil
}

// claim makes the directory ours. ours says that files in it were drawn with the same options.
func claim(o *Options) (m marker, ours bool, err error) {
	m = marker{Format: markerFormat, Seed: o.Seed, Identities: o.Identities, TestIdentities: o.TestIdentities,
		Images: o.Images, Spread: o.Spread, MetadataOnly: o.MetadataOnly}
	if o.IdentityMeta != "" {
		m.Identities, m.TestIdentities = 0, 0
		if m.IdentityMeta, err = digest.File(o.IdentityMeta); err != nil {
			return m, false, err
		}
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return m, false, err
	}
	names, err := os.ReadDir(o.Out)
	if err != nil {
		return m, false, err
	}
	old, known := readMarker(o.Out)
	old.Complete = false
	ours = known && reflect.DeepEqual(old, m)
	switch {
	case ours, len(names) == 0, o.Force:
	case known:
		return m, false, fmt.Errorf("%s: %w, drawn with other options (see %s): choose another directory, or --force", o.Out, ErrForeign, markerName)
	default:
		return m, false, fmt.Errorf("%s: %w: choose another directory, or --force", o.Out, ErrForeign)
	}
	return m, ours, m.write(o.Out)
}

func readMarker(dir string) (m marker, ok bool) {
	path := filepath.Join(dir, markerName)
	if info, err := os.Stat(path); err != nil || info.Size() > 1<<16 {
		return m, false
	}
	text, err := os.ReadFile(path)
	return m, err == nil && json.Unmarshal(text, &m) == nil
}

func (m marker) write(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Bytes(filepath.Join(dir, markerName), append(text, '\n'))
}

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
