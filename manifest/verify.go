package manifest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/progress"
)

// VerifyOptions says which manifest to hold against which tree.
type VerifyOptions struct {
	Manifest string
	Root     string
	Limit    int // how many findings to tell in full; 0 is all. All are counted
	Workers  int // 0 is one a CPU
	Progress progress.Reporter
}

// The kinds of Finding.
const (
	FindingMissing      = "missing"       // in the manifest, no such file
	FindingChanged      = "changed"       // length, digest or header differ
	FindingUnreadable   = "unreadable"    // the file or directory can't be read
	FindingExtra        = "extra"         // an image that the manifest does not know
	FindingInputChanged = "input-changed" // a metadata file below the root differs
)

// Finding is one difference between manifest and tree.
type Finding struct {
	Kind   string `json:"kind"`
	Path   string `json:"path"` // relative to the root
	Detail string `json:"detail"`
}

// Verification is the outcome of [Verify].
type Verification struct {
	Images        int64     `json:"images"`  // rows of the manifest
	Checked       int64     `json:"checked"` // files that were read
	Absent        int64     `json:"absent"`  // without a file then and now
	Missing       int64     `json:"missing"`
	Changed       int64     `json:"changed"`
	Unreadable    int64     `json:"unreadable"`
	Extra         int64     `json:"extra"`
	InputsChanged int64     `json:"inputs_changed"`
	NoDigest      int64     `json:"no_digest"` // built with --no-scan: only seen to be there and to have a header
	Problems      int64     `json:"problems"`
	Findings      []Finding `json:"findings"`
	Digest        string    `json:"digest"` // of the manifest
	Seconds       float64   `json:"seconds"`
	PerSecond     float64   `json:"images_per_second"`
}

func (v *Verification) add(o *Verification, limit int) {
	v.Checked += o.Checked
	v.Absent += o.Absent
	v.Missing += o.Missing
	v.Changed += o.Changed
	v.Unreadable += o.Unreadable
	v.Extra += o.Extra
	v.NoDigest += o.NoDigest
	for _, f := range o.Findings {
		if limit == 0 || len(v.Findings) < limit {
			v.Findings = append(v.Findings, f)
		}
	}
}

func (v *Verification) find(limit int, kind, path, format string, args ...any) {
	switch kind {
	case FindingMissing:
		v.Missing++
	case FindingChanged:
		v.Changed++
	case FindingUnreadable:
		v.Unreadable++
	case FindingExtra:
		v.Extra++
	case FindingInputChanged:
		v.InputsChanged++
	}
	if limit == 0 || len(v.Findings) < limit {
		v.Findings = append(v.Findings, Finding{kind, path, fmt.Sprintf(format, args...)})
	}
}

// Verify reads every file of a manifest again and compares length, digest and header, and lists
// the directories for images that the manifest does not know. Differences are findings, not
// errors; their order does not depend on the number of workers.
func Verify(ctx context.Context, o VerifyOptions) (*Verification, error) {
	start := time.Now()
	r, err := Open(o.Manifest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	root, err := os.OpenRoot(o.Root)
	if err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	defer root.Close()
	v := &Verification{Images: r.Rows(), Digest: r.Digest(), Findings: []Finding{}}
	v.inputs(o, r.Inputs())
	report := progress.Or(o.Progress)
	report.Start(r.Rows(), "verify")
	defer report.Done()
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.NumCPU()
	}

	// A group is the rows of one directory.
	type group struct {
		n    int
		dir  string
		recs []Record
	}
	groups := make(chan group)
	var mu sync.Mutex
	var parts []*Verification
	known := map[string]bool{} // directories; of an anonymous layout identities
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(groups)
		next := group{}
		send := func() error {
			if len(next.recs) == 0 {
				return nil
			}
			select {
			case groups <- next:
			case <-gctx.Done():
				return gctx.Err()
			}
			next = group{n: next.n + 1}
			return nil
		}
		for rec, err := range r.All() {
			if err != nil {
				return err
			}
			if dir := path.Dir(rec.Path); dir != next.dir {
				if err := send(); err != nil {
					return err
				}
				next.dir = dir
				known[dir] = true
			}
			if r.Anonymous() {
				known[rec.ID.Identity] = true
			}
			next.recs = append(next.recs, *rec)
		}
		return send()
	})
	for range workers {
		g.Go(func() error {
			s := &scanner{root: root}
			defer s.close()
			for job := range groups {
				part := &Verification{}
				for i := range job.recs {
					if err := gctx.Err(); err != nil {
						return err
					}
					part.file(s, &job.recs[i], o.Limit)
					report.Add(1)
				}
				if !r.Anonymous() { // else a directory's rows do not stand side by side
					part.extra(root, job.dir, job.recs, r.Layout(), o.Limit)
				}
				mu.Lock()
				for len(parts) <= job.n {
					parts = append(parts, nil)
				}
				parts[job.n] = part
				mu.Unlock()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, p := range parts {
		v.add(p, o.Limit)
	}
	if err := v.unknown(ctx, root, r.Layout(), known, o.Limit); err != nil {
		return nil, err
	}
	v.Problems = v.Missing + v.Changed + v.Unreadable + v.Extra + v.InputsChanged
	v.Seconds = time.Since(start).Seconds()
	v.PerSecond = float64(v.Checked) / v.Seconds
	return v, nil
}

// inputs compares the metadata files that still lie where they were below the root.
func (v *Verification) inputs(o VerifyOptions, inputs []Input) {
	for _, in := range inputs {
		if !filepath.IsLocal(filepath.FromSlash(in.Path)) {
			continue
		}
		d, err := digest.File(filepath.Join(o.Root, filepath.FromSlash(in.Path)))
		if err == nil && d != in.Digest {
			v.find(o.Limit, FindingInputChanged, in.Path, "%s, the manifest was built from %s", d, in.Digest)
		}
	}
}

func (v *Verification) file(s *scanner, r *Record, limit int) {
	dir, name := path.Split(r.Path)
	link := false
	if info, err := s.root.Lstat(r.Path); err == nil {
		link = info.Mode()&fs.ModeSymlink != 0
		if !link && !info.Mode().IsRegular() {
			v.find(limit, FindingUnreadable, r.Path, "not a file")
			return
		}
	}
	was := r.Missing()
	got := s.look(path.Clean(dir), name, link)
	switch {
	case slices.Contains(got.codes, NoImage):
		if was {
			v.Absent++
			return
		}
		v.find(limit, FindingMissing, r.Path, "no such file")
		return
	case was:
		v.find(limit, FindingExtra, r.Path, "the manifest says that there is no such file")
		return
	case slices.Contains(got.codes, Unreadable):
		if !r.Has(Unreadable) {
			v.find(limit, FindingUnreadable, r.Path, "%v", cause(got.err))
		}
		return
	}
	v.Checked++
	if r.XXH3 == 0 && r.Bytes == 0 && !r.Has(ZeroByte) && !r.Has(Unreadable) {
		v.NoDigest++
		return
	}
	switch {
	case got.bytes != r.Bytes:
		v.find(limit, FindingChanged, r.Path, "%d bytes, the manifest says %d", got.bytes, r.Bytes)
	case got.xxh3 != r.XXH3:
		v.find(limit, FindingChanged, r.Path, "XXH3 %016x, the manifest says %016x", got.xxh3, r.XXH3)
	case int32(got.width) != r.Width || int32(got.height) != r.Height:
		v.find(limit, FindingChanged, r.Path, "%dx%d pixels, the manifest says %dx%d", got.width, got.height, r.Width, r.Height)
	}
}

// extra finds images in a directory that the rows do not name.
func (v *Verification) extra(root *os.Root, dir string, recs []Record, layout Layout, limit int) {
	entries, err := readDir(root, dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			v.find(limit, FindingUnreadable, dir, "%v", cause(err))
		}
		return
	}
	names := make(map[string]bool, len(recs))
	for i := range recs {
		names[path.Base(recs[i].Path)] = true
	}
	for _, e := range entries {
		if !names[e.Name()] && isImageName(e.Name(), layout) && !e.IsDir() {
			v.find(limit, FindingExtra, dir+"/"+e.Name(), "the manifest does not name it")
		}
	}
}

func isImageName(name string, layout Layout) bool {
	if layout == Folders {
		_, ok := extension(name)
		return ok && strange(name) == ""
	}
	ext := path.Ext(name)
	_, _, ok := parseNumbers([]byte(name[:len(name)-len(ext)]))
	return ok && slices.Contains(exts[:], ext)
}

// unknown finds images where no row of the manifest is.
func (v *Verification) unknown(ctx context.Context, root *os.Root, layout Layout, known map[string]bool, limit int) error {
	switch layout {
	case UTKFace:
		w := &walker{ctx: ctx, root: root, image: func(dir, name string, _ bool) {
			if n, err := parseUTKName(name); err == nil && !known[n.stem] {
				v.find(limit, FindingExtra, path.Join(dir, name), "the manifest does not name it")
			}
		}}
		return w.walk(".", 0)
	case Folders:
		return v.unknownDirs(ctx, root, ".", layout, known, limit)
	}
	prefix, ok := findPrefix(root)
	if !ok {
		return nil
	}
	for _, s := range []Subset{Train, Test} {
		if err := v.unknownDirs(ctx, root, prefix+string(s), layout, known, limit); err != nil {
			return err
		}
	}
	return nil
}

// unknownDirs looks into directories of identities that the manifest does not name.
func (v *Verification) unknownDirs(ctx context.Context, root *os.Root, parent string, layout Layout, known map[string]bool, limit int) error {
	entries, err := readDir(root, parent)
	if err != nil {
		return nil // a missing subset shows in its files
	}
	valid := validIdentity
	if layout == Folders {
		valid = func(name []byte) bool { return strange(string(name)) == "" }
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		dir, listed := path.Join(parent, e.Name()), e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := root.Stat(dir)
			listed = err != nil || info.IsDir() // reading it tells what is wrong
		}
		if !known[dir] && listed && valid([]byte(e.Name())) {
			v.extra(root, dir, nil, layout, limit)
		}
	}
	return nil
}
