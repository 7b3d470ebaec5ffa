package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/internal/diskspace"
	"github.com/vf2prep/vf2prep/internal/journal"
	"github.com/vf2prep/vf2prep/internal/lockfile"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/shard"
)

const (
	// IndexName is the file that says what a directory exports.
	IndexName = "export.json"
	// RejectsName is the table of samples that could not be read.
	RejectsName = cache.RejectsName

	exportFormat = "vf2prep.export/1"
	journalName  = "export.journal"
	lockName     = "export.lock"
	maxIndex     = 256 << 20 // bytes
)

// ErrOther says that a directory holds another export, or something else.
var ErrOther = errors.New("choose another directory, or take the old export away with --restart")

// Index is what export.json holds.
type Index struct {
	Format   string            `json:"format"`
	Complete bool              `json:"complete"`
	To       string            `json:"to"`
	Version  string            `json:"version"` // of the format's bytes
	Export   string            `json:"export"`  // digest of all that decides the bytes
	Source   map[string]string `json:"source"`
	Image    string            `json:"image,omitempty"`   // png or jpg; none where there are pixels
	Quality  int               `json:"quality,omitempty"` // of JPEGs that were made
	Name     string            `json:"name"`
	Shape    *shard.Shape      `json:"shape,omitempty"`       // C, H, W; none for photos
	Dirs     []string          `json:"directories,omitempty"` // that are the export's alone
	Loose    *looseCount       `json:"loose,omitempty"`       // files that SumsName lists
	Classes  []string          `json:"classes,omitempty"`
	Parts    []PartIndex       `json:"parts,omitempty"`
	Files    []FileInfo        `json:"files,omitempty"`
}

// PartIndex counts one part.
type PartIndex struct {
	Part       string  `json:"part"`
	Planned    int     `json:"planned"`
	Samples    int     `json:"samples"`
	Rejected   int     `json:"rejected"`
	Unlabelled int     `json:"unlabelled"`
	Labels     []int64 `json:"labels"` // samples of each class
}

// Summary is the outcome of [Export.Run].
type Summary struct {
	To               string         `json:"to"`
	Planned          int            `json:"planned"`
	Samples          int            `json:"samples"`
	Rejected         int            `json:"rejected"`
	Reasons          map[string]int `json:"reject_reasons"`
	Pieces           int            `json:"pieces"`
	Reused           int            `json:"reused_pieces"` // found complete from an earlier run
	Files            int            `json:"files"`
	Bytes            int64          `json:"bytes"` // of these
	Seconds          float64        `json:"seconds"`
	SamplesPerSecond float64        `json:"samples_per_second"` // of those made now
	Export           string         `json:"export"`
}

// Export is an export that is about to be written.
type Export struct {
	plan    *plan
	old     *Index // of an export that is complete
	release func()
}

// Open looks at the source, plans and takes hold of the directory. The error wraps [ErrOption] where
// options are wrong and [ErrOther] where the directory is not this export's.
func Open(options Options) (_ *Export, err error) {
	o := &options
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Workers < 1 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	f, err := newFormat(o)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lockfile.Acquire(filepath.Join(o.Out, lockName))
	if err != nil {
		return nil, fmt.Errorf("another export is under way: %w", err)
	}
	src, err := o.source()
	if err != nil {
		unlock()
		return nil, err
	}
	x := &Export{release: func() { src.Close(); unlock() }}
	defer func() {
		if err != nil {
			x.release()
		}
	}()
	if x.plan, err = makePlan(o, f, src); err != nil {
		return nil, err
	}
	cleaned := false
	if o.Restart {
		if cleaned, err = clean(o.Out); err != nil {
			return nil, err
		}
	}
	x.old, err = x.plan.claim(cleaned)
	return x, err
}

// Close gives back what Open took.
func (x *Export) Close() { x.release() }

// Room returns how many bytes the export takes, as far as that is known before, and how many are
// free, -1 where nobody knows.
func (x *Export) Room() (need, free int64) {
	free, err := diskspace.Free(x.plan.o.Out)
	if err != nil {
		free = -1
	}
	need = x.plan.bytes
	if x.old != nil {
		need = 0
	}
	return need, free
}

// claim makes sure that the directory is this export's. It returns the index of one that is
// complete, nil where there is none. After one was taken away other files may stay.
func (p *plan) claim(cleaned bool) (*Index, error) {
	old, err := ReadIndex(p.o.Out)
	switch {
	case err == nil && old.Export != p.digest:
		return nil, fmt.Errorf("%s holds an export of another source or with other options: %w", p.o.Out, ErrOther)
	case err == nil && old.Complete:
		return old, nil
	case err == nil:
		return nil, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %w", err, ErrOther)
	}
	names, err := os.ReadDir(p.o.Out)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if !cleaned && n.Name() != lockName && n.Name() != journalName && n.Name() != "build.items" && !isTemporary(n.Name()) {
			return nil, fmt.Errorf("%s holds %s and no export: choose an empty directory: %w", p.o.Out, n.Name(), ErrOption)
		}
	}
	return nil, p.index(false).write(p.o.Out)
}

// isTemporary tells files that a killed process left, see package atomicfile.
func isTemporary(name string) bool {
	number := name[strings.LastIndexAny(name, "abcdefghijklmnopqrstuvwxyz.")+1:]
	return name[0] == '.' && len(number) >= 12 && strings.Trim(number, "0123456789") == ""
}

// index returns export.json without its counts.
func (p *plan) index(complete bool) *Index {
	x := &Index{
		Format: exportFormat, Complete: complete, To: p.o.To, Version: p.format.Version(), Export: p.digest,
		Source: p.set.Origin, Image: p.set.Ext, Name: p.o.Name,
	}
	if p.image == JPEG && p.set.Origin["encoding"] == shard.Raw && !p.needs.Pixels {
		x.Quality = p.o.Quality
	}
	if p.set.Shape != (shard.Shape{}) {
		x.Shape = &p.set.Shape
	}
	if n, ok := p.format.(Nested); ok {
		x.Dirs = n.Dirs()
	}
	return x
}

func (x *Index) write(dir string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(x); err != nil {
		return err
	}
	return atomicfile.Bytes(filepath.Join(dir, IndexName), b.Bytes())
}

// ReadIndex reads a directory's export.json. One that is not complete has neither counts nor files.
func ReadIndex(dir string) (*Index, error) {
	path := filepath.Join(dir, IndexName)
	if _, err := os.Lstat(path); err != nil {
		return nil, err
	}
	b, err := capped.Read(path, maxIndex, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var x Index
	if err := json.Unmarshal(b, &x); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if x.Format != exportFormat {
		return nil, fmt.Errorf("%s: format %q, want %q", path, x.Format, exportFormat)
	}
	for _, f := range x.Files {
		if err := localName(f.Name); err != nil && f.Name != RejectsName {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	for _, d := range x.Dirs {
		if err := localName(d); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return &x, nil
}

// Run writes what is not there yet. When ctx is cancelled it stops soon; what is finished stays, and
// the same export opened again goes on. Of a complete export every file is read and held against
// its digest.
func (x *Export) Run(ctx context.Context) (*Summary, error) {
	start := time.Now()
	p := x.plan
	sum := &Summary{To: p.o.To, Export: p.digest, Reasons: map[string]int{}}
	for _, part := range p.set.Parts {
		sum.Planned += part.Count
		sum.Pieces += len(part.Pieces)
	}
	report := progress.Or(p.o.Progress)
	if x.old != nil {
		sum.Reused = sum.Pieces
		if err := verify(ctx, p.o.Out, x.old, report); err != nil {
			return nil, err
		}
		sum.count(x.old)
		sum.Seconds = time.Since(start).Seconds()
		return sum, tidy(p.o.Out)
	}
	report.Start(int64(sum.Planned), "export")
	defer report.Done()
	r := &run{plan: p, progress: report, past: map[pieceID]entry{}, spans: &spans{map[string]*span{}, map[string]int64{}}}
	defer r.spans.close()
	if l, ok := p.format.(Loose); ok {
		var err error
		if r.loose, err = newLooseFiles(p.o.Out, l); err != nil {
			return nil, err
		}
		defer r.loose.close()
	}
	var err error
	var begun bool
	r.journal, begun, err = journal.Open(filepath.Join(p.o.Out, journalName), p.digest, func(fact []byte) error {
		var e entry
		if err := json.Unmarshal(fact, &e); err != nil {
			return err
		}
		if len(e.Closing) == 0 {
			r.past[pieceID{e.Part, e.I}] = e
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	defer r.journal.Close()
	if begun {
		clear(r.past)
	}
	if err := r.believe(); err != nil {
		return nil, err
	}
	sum.Reused = len(r.past)
	before := 0
	for _, e := range r.past {
		before += e.Samples
	}
	if err := r.write(ctx); err != nil {
		return nil, err
	}
	index, err := r.finish(sum)
	if err != nil {
		return nil, err
	}
	sum.count(index)
	sum.Seconds = time.Since(start).Seconds()
	if n := sum.Samples - before; n > 0 {
		sum.SamplesPerSecond = float64(n) / sum.Seconds
	}
	return sum, nil
}

func (s *Summary) count(x *Index) {
	for _, part := range x.Parts {
		s.Samples += part.Samples
		s.Rejected += part.Rejected
	}
	s.Files = len(x.Files)
	if x.Loose != nil {
		s.Files += x.Loose.Files
		s.Bytes += x.Loose.Bytes
	}
	for _, f := range x.Files {
		s.Bytes += f.Bytes
	}
}

// believe forgets the pieces of the journal whose files are not there any more, and finds where
// files that go on through a part are to be continued.
func (r *run) believe() error {
	for _, part := range r.set.Parts {
		var spans []spanSize
		n := 0 // pieces with spans, one after another from the first
		for _, p := range part.Pieces {
			id := pieceID{p.Part, p.I}
			e, ok := r.past[id]
			if !ok {
				continue
			}
			if len(e.Spans) > 0 && n == p.I {
				n, spans = p.I+1, e.Spans
			} else if len(e.Spans) > 0 || !r.there(e.Files) {
				delete(r.past, id)
			}
		}
		if len(spans) == 0 {
			continue
		}
		ok := true
		for _, s := range spans {
			path := filepath.Join(r.o.Out, filepath.FromSlash(s.Name))
			if localName(s.Name) != nil {
				ok = false
				continue
			}
			half, err := os.Stat(path + partialSuffix)
			if n == len(part.Pieces) {
				if err == nil && half.Size() == s.Bytes { // killed before the rename
					if err := os.Rename(path+partialSuffix, path); err != nil {
						return err
					}
				}
				whole, err := os.Stat(path)
				ok = ok && err == nil && whole.Size() == s.Bytes
				continue
			}
			ok = ok && err == nil && half.Size() >= s.Bytes
			r.spans.past[s.Name] = s.Bytes
		}
		if !ok {
			for _, s := range spans {
				delete(r.spans.past, s.Name)
			}
			for i := range part.Pieces {
				delete(r.past, pieceID{part.Name, i})
			}
		}
	}
	return nil
}

func (r *run) there(files []FileInfo) bool {
	for _, f := range files {
		info, err := os.Stat(filepath.Join(r.o.Out, filepath.FromSlash(f.Name)))
		if err != nil || localName(f.Name) != nil || info.Size() != f.Bytes {
			return false
		}
	}
	return true
}

// finish writes what follows from all pieces, then export.json, which completes the export.
func (r *run) finish(sum *Summary) (*Index, error) {
	x := r.index(true)
	x.Classes = r.set.Classes
	if r.loose != nil {
		x.Loose = &looseCount{}
	}
	var rows []cache.RejectRow
	gone := map[string]map[string]int{} // keys of each part, and how often
	counts, pieces := map[string]int{}, map[string][]PieceDone{}
	for _, part := range r.set.Parts {
		q := PartIndex{Part: part.Name, Planned: part.Count, Labels: make([]int64, len(r.set.Classes))}
		gone[part.Name] = map[string]int{}
		for _, p := range part.Pieces {
			e := r.past[pieceID{p.Part, p.I}]
			q.Samples += e.Samples
			pieces[part.Name] = append(pieces[part.Name], PieceDone{e.Samples, e.Files})
			for _, reject := range e.Rejects {
				rows = append(rows, cache.RejectRow{Part: part.Name, Reject: reject})
				gone[part.Name][reject.Key]++
				sum.Reasons[reject.Stage+": "+reject.Reason]++
			}
			if x.Loose != nil {
				x.Loose.Files += e.Loose.Files
				x.Loose.Bytes += e.Loose.Bytes
			} else {
				x.Files = append(x.Files, e.Files...)
			}
		}
		q.Rejected = part.Count - q.Samples
		counts[part.Name] = q.Samples
		x.Parts = append(x.Parts, q)
	}
	f := &Finished{Set: r.set, Counts: counts, Pieces: pieces, samples: func(part string) iter.Seq2[*Sample, error] {
		return r.samples(part, gone[part])
	}}
	for i := range x.Parts {
		for s, err := range f.Samples(x.Parts[i].Part) {
			if err != nil {
				return nil, err
			}
			if s.Label >= 0 && int(s.Label) < len(x.Classes) {
				x.Parts[i].Labels[s.Label]++
			} else {
				x.Parts[i].Unlabelled++
			}
		}
	}
	out := &Output{dir: r.o.Out, spans: r.spans}
	defer out.abandon()
	if r.loose != nil {
		if err := r.loose.finish(r.set.Parts, out); err != nil {
			return nil, err
		}
	}
	if err := r.format.Finish(f, out); err != nil {
		return nil, err
	}
	closing := entry{}
	for _, file := range out.files {
		closing.Closing = append(closing.Closing, file.name)
	}
	if len(closing.Closing) > 0 {
		if err := r.journal.Add(closing); err != nil {
			return nil, err
		}
	}
	for _, file := range out.files {
		if err := file.f.Commit(); err != nil {
			return nil, fmt.Errorf("%s: %w", file.name, err)
		}
		x.Files = append(x.Files, file.info())
	}
	out.files = nil
	if err := r.rejects(x, rows); err != nil {
		return nil, err
	}
	if err := x.write(r.o.Out); err != nil {
		return nil, err
	}
	r.journal.Close()
	return x, tidy(r.o.Out)
}

// tidy removes what only an export under way needs.
func tidy(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, sumsDir)); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, journalName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (r *run) rejects(x *Index, rows []cache.RejectRow) error {
	path := filepath.Join(r.o.Out, RejectsName)
	if err := cache.WriteRejects(path, rows); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	sum, err := sumFile(path)
	x.Files = append(x.Files, FileInfo{Name: RejectsName, Bytes: info.Size(), SHA256: sum})
	return err
}

// samples yields a part's samples but those that were rejected.
func (p *plan) samples(part string, rejected map[string]int) iter.Seq2[*Sample, error] {
	return func(yield func(*Sample, error) bool) {
		left := maps.Clone(rejected)
		at := slices.IndexFunc(p.set.Parts, func(q PartPlan) bool { return q.Name == part })
		if at < 0 {
			return
		}
		var s Sample
		for i := range p.set.Parts[at].Count {
			err := p.src.Describe(p.at(at, i), &s)
			if err == nil && left[s.Key] > 0 {
				left[s.Key]--
				continue
			}
			s.Part, s.Ext = part, p.set.Ext
			if !yield(&s, err) || err != nil {
				return
			}
		}
	}
}
