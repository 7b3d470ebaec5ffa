package curate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/lockfile"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
	"github.com/vf2prep/vf2prep/split"
)

var (
	// ErrOption says that options do not go together.
	ErrOption = errors.New("forget")
	// ErrUnknown says that nothing has what is to be forgotten.
	ErrUnknown = errors.New("nothing that was given has it; a mistake in writing would forget nobody (--allow-unknown records it all the same)")
	// ErrTraces says that something is left of what was to be forgotten.
	ErrTraces = errors.New("traces are left")
)

// ForgetOptions say what is to be forgotten and where.
type ForgetOptions struct {
	What []string // identities and images; may be empty: then the list is applied to what is given
	Why  string   // one line
	Date string   // UTC, "2006-01-02"

	Tombstones string   // the list; it is made where it is not there
	Shards     []string // shard sets, complete or under way
	Manifest   string
	Splits     []string // made from Manifest
	Runs       []string // directories below which trainings are looked for

	Root         string // of the data set
	DeletePhotos bool   // below Root

	AllowUnknown bool // record also what nothing has
	DryRun       bool // say what would happen
	Progress     progress.Reporter
}

// Forgotten is the outcome of [Forget].
type Forgotten struct {
	DryRun   bool                `json:"dry_run"`
	New      []string            `json:"new"`     // now in the list
	Again    []string            `json:"again"`   // in the list before
	Unknown  []string            `json:"unknown"` // of New, those that nothing has
	Files    []Touched           `json:"files"`   // written anew, or would be
	Removed  []string            `json:"removed"` // leftovers of builds, or would be
	Photos   []string            `json:"photos"`  // deleted, or would be
	Runs     []Run               `json:"runs"`    // trainings that had seen anything in the list
	Twins    []cache.Twin        `json:"twins"`   // the same pixels under a name that stays
	Traces   []shard.Fault       `json:"traces"`  // what is left
	Open     []Entry             `json:"open"`    // operations that were cut off on files that were not given
	Images   int                 `json:"images"`  // in shards
	Manifest *manifest.Forgotten `json:"manifest,omitempty"`
	Splits   []*split.Forgotten  `json:"splits"`
}

// ReadNames reads identities and images from a file, one a line; # begins a comment.
func ReadNames(file string) (names []string, err error) {
	text, err := capped.Read(file, 64<<20, ErrOption)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			names = append(names, line)
		}
	}
	return names, nil
}

// Forget puts identities and images into a list of tombstones and takes everything in that list out of
// what is given. The list comes first: from then on no stage that is given it brings anything back. Then go
// photos, shards, the manifest and its splits, in this order; the record beside the list begins before and
// ends after them.
//
// What nothing has is an error wrapping [ErrUnknown], and nothing is changed, unless o.AllowUnknown.
func Forget(ctx context.Context, o ForgetOptions) (*Forgotten, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if !o.DryRun {
		unlock, err := lockfile.Acquire(o.Tombstones + ".lock")
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	f := &forgetting{o: o, audit: filepath.Join(filepath.Dir(o.Tombstones), AuditName)}
	f.out = &Forgotten{
		DryRun: o.DryRun, New: []string{}, Again: []string{}, Unknown: []string{}, Files: []Touched{}, Removed: []string{},
		Photos: []string{}, Runs: []Run{}, Twins: []cache.Twin{}, Traces: []shard.Fault{}, Open: []Entry{}, Splits: []*split.Forgotten{},
	}
	if o.DeletePhotos {
		root, err := os.OpenRoot(o.Root)
		if err != nil {
			return nil, fmt.Errorf("root: %w", err)
		}
		defer root.Close()
		f.root = root
	}
	if err := f.plan(); err != nil {
		return nil, err
	}
	if !o.DryRun {
		if err := f.do(ctx); err != nil {
			return nil, err
		}
	}
	f.out.Files, f.out.Removed = f.entry.Files, f.entry.Removed
	f.out.Photos = append(f.out.Photos, f.entry.Photos...)
	if len(f.out.Traces) > 0 {
		return f.out, fmt.Errorf("%d %w", len(f.out.Traces), ErrTraces)
	}
	return f.out, nil
}

func (o *ForgetOptions) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrOption}, args...)...)
	}
	seen := map[string]bool{}
	var what []string
	for _, name := range o.What {
		w, err := manifest.ParseTombstone(name)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrOption, err)
		}
		if !seen[w] {
			what = append(what, w)
		}
		seen[w] = true
	}
	o.What = what
	switch {
	case o.Tombstones == "":
		return bad("which list of tombstones?")
	case len(o.What) > 0 && strings.TrimSpace(o.Why) == "":
		return bad("why? The record has to say")
	case len(o.Splits) > 0 && o.Manifest == "":
		return bad("a split without its manifest: they have to change together")
	case o.DeletePhotos && (o.Root == "" || o.Manifest == ""):
		return bad("photos are deleted below a root, and the manifest says where they are: give both")
	case o.Root != "" && !o.DeletePhotos:
		return bad("a root is for deleting photos")
	}
	if len(o.What) == 0 {
		return nil
	}
	return (&manifest.Tombstone{What: o.What[0], When: o.Date, Why: o.Why}).Check()
}

// forgetting is Forget at work.
type forgetting struct {
	o     ForgetOptions
	out   *Forgotten
	audit string
	root  *os.Root

	list     *manifest.Tombstones
	changed  bool // list is not what the file holds
	log      []Entry
	entry    Entry
	more     bool // entry is not in the log
	photos   []string
	manifest string // digest before
}

// plan finds out what is where, and refuses what nothing has.
func (f *forgetting) plan() (err error) {
	o := f.o
	f.list, err = manifest.ReadTombstones(o.Tombstones)
	if errors.Is(err, fs.ErrNotExist) {
		f.list, err = &manifest.Tombstones{}, nil
	}
	if err != nil {
		return err
	}
	if f.log, err = readAudit(f.audit, !o.DryRun); err != nil {
		return err
	}
	asked := map[string]bool{}
	for _, what := range o.What {
		if f.list.Has(what) || f.list.Covers(what) {
			f.out.Again = append(f.out.Again, what)
		} else {
			f.out.New = append(f.out.New, what)
			asked[what] = true
		}
	}
	all := &manifest.Tombstones{}
	for _, s := range f.list.All() {
		all.Add(s)
	}
	for _, what := range f.out.New {
		all.Add(manifest.Tombstone{What: what, When: o.Date, Why: o.Why, Unknown: true})
	}
	found, err := f.find(all)
	if err != nil {
		return err
	}
	for _, what := range f.out.New {
		if !found[what] {
			f.out.Unknown = append(f.out.Unknown, what)
		}
	}
	if len(f.out.Unknown) > 0 && !o.AllowUnknown {
		return fmt.Errorf("%s: %w", strings.Join(f.out.Unknown, ", "), ErrUnknown)
	}
	for what := range found {
		if all.Has(what) {
			all.Add(manifest.Tombstone{What: what})
		}
	}
	f.changed = len(f.out.New) > 0 || !slices.Equal(all.All(), f.list.All())
	f.list = all
	maps.Copy(asked, found)
	f.entry.Event, f.entry.Date, f.entry.Requests = "begin", o.Date, requests(all, asked)
	return f.begin()
}

// find fills in the files of the entry, and returns what of a list they have.
func (f *forgetting) find(t *manifest.Tombstones) (map[string]bool, error) {
	o := f.o
	e := &f.entry
	e.Targets, e.Files, e.Removed = []string{}, []Touched{}, []string{}
	found := map[string]bool{}
	add := func(what []string) {
		for _, w := range what {
			found[w] = true
		}
	}
	var targets []string
	for _, dir := range o.Shards {
		h, err := cache.Hold(dir, t)
		if err != nil {
			return nil, err
		}
		add(h.What)
		f.out.Images += h.Samples
		targets = append(targets, dir)
		for _, c := range h.Files {
			touched := Touched{Path: f.rel(filepath.Join(dir, c.File)), Before: c.Before, Lost: c.Lost}
			if c.File == shard.IndexName {
				touched.What = h.What
			}
			if touched.Before == "" { // of a build under way
				if touched.Before, err = digest.File(filepath.Join(dir, c.File)); err != nil {
					return nil, err
				}
			}
			e.Files = append(e.Files, touched)
		}
		for _, name := range h.Removes {
			e.Removed = append(e.Removed, f.rel(filepath.Join(dir, name)))
		}
	}
	if o.Manifest == "" {
		e.Targets = f.rels(targets)
		return found, nil
	}
	h, err := manifest.Hold(o.Manifest, t)
	if err != nil {
		return nil, err
	}
	if f.manifest, err = digest.File(o.Manifest); err != nil {
		return nil, err
	}
	add(h.What)
	targets = append(targets, o.Manifest)
	if len(h.What) > 0 {
		e.Files = append(e.Files, Touched{Path: f.rel(o.Manifest), Before: f.manifest, Lost: h.Images, What: h.What})
	}
	for _, dir := range o.Splits {
		s, err := split.Hold(dir, t)
		if err != nil {
			return nil, err
		}
		add(s.What)
		targets = append(targets, dir)
		for _, name := range slices.Sorted(maps.Keys(s.Lists)) {
			e.Files = append(e.Files, Touched{Path: f.rel(filepath.Join(dir, name)), Before: s.Lists[name]})
		}
		if len(s.What) > 0 || len(h.What) > 0 || s.Of != f.manifest {
			e.Files = append(e.Files, Touched{Path: f.rel(filepath.Join(dir, splitKind)), Before: s.Split, What: s.What})
		}
	}
	e.Targets = f.rels(targets)
	if f.root == nil {
		return found, nil
	}
	if len(h.ByPlace) > 0 {
		return nil, fmt.Errorf("%w: %s: the numbers of its images are places among its files; without one photo the others move up, and the list would mean other images: forget the identity, or leave the photo", ErrOption, h.ByPlace[0])
	}
	f.photos, err = findPhotos(f.root, h, t)
	e.Photos = f.photos
	return found, err
}

// begin looks whether the operation is one that was cut off.
func (f *forgetting) begin() error {
	e := &f.entry
	f.more = f.changed || len(e.Files) > 0 || len(e.Removed) > 0 || len(e.Photos) > 0
	for _, b := range f.log {
		e.ID = max(e.ID, b.ID)
	}
	e.ID++
	for _, b := range unfinished(f.log) {
		if slices.Equal(b.Targets, e.Targets) {
			f.more = e.take(b)
		} else {
			f.out.Open = append(f.out.Open, b)
		}
	}
	return nil
}

func (f *forgetting) do(ctx context.Context) error {
	o := f.o
	began := false
	for _, b := range unfinished(f.log) {
		began = began || b.ID == f.entry.ID
	}
	if f.more {
		// Before the list: a list that was cut off from its record would not say what was before.
		if err := appendAudit(f.audit, f.entry); err != nil {
			return err
		}
		f.log = append(f.log, f.entry)
		began = true
	}
	if f.changed {
		if err := f.list.Write(o.Tombstones); err != nil {
			return err
		}
	}
	if f.root != nil {
		if err := deletePhotos(f.root, f.photos, f.entry.Photos, f.list); err != nil {
			return err
		}
	}
	if err := f.data(ctx); err != nil {
		return err
	}
	if began {
		done := f.entry
		done.Event = "done"
		done.Files = slices.Clone(done.Files)
		for i := range done.Files {
			sum, err := digest.File(filepath.Join(filepath.Dir(f.audit), filepath.FromSlash(done.Files[i].Path)))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			done.Files[i].After = sum
		}
		f.entry = done
		f.log = append(f.log, done)
	}
	var err error
	if len(o.Runs) > 0 {
		if f.out.Runs, err = findRuns(o.Runs, newHistory(f.log)); err != nil {
			return err
		}
		if err := writeRuns(filepath.Join(filepath.Dir(o.Tombstones), RunsName), f.out.Runs); err != nil {
			return err
		}
		f.entry.Runs = f.out.Runs
	}
	if began {
		if err := appendAudit(f.audit, f.entry); err != nil {
			return err
		}
	}
	for _, dir := range o.Shards {
		t, err := cache.FindTraces(ctx, dir, f.list)
		if err != nil {
			return err
		}
		f.out.Traces = append(f.out.Traces, t.Found...)
	}
	return nil
}

// data takes what is in the list out of shard sets, the manifest and its splits.
func (f *forgetting) data(ctx context.Context) error {
	o := f.o
	for _, dir := range o.Shards {
		r, err := cache.Forget(ctx, dir, f.list, o.Progress)
		if err != nil {
			return err
		}
		f.out.Twins = append(f.out.Twins, r.Twins...)
	}
	if o.Manifest == "" {
		return nil
	}
	var err error
	if f.out.Manifest, err = manifest.Forget(o.Manifest, f.list); err != nil {
		return err
	}
	now := f.out.Manifest.After
	was := append(newHistory(f.log).before(f.rel(o.Manifest), now), f.manifest)
	for _, dir := range o.Splits {
		r, err := split.Forget(dir, f.list, was, now)
		if err != nil {
			return err
		}
		f.out.Splits = append(f.out.Splits, r)
	}
	return nil
}

// rel names a file in the record: relative to the record's directory.
func (f *forgetting) rel(file string) string {
	a, err := filepath.Abs(filepath.Dir(f.audit))
	if err == nil {
		b, err := filepath.Abs(file)
		if err == nil {
			if r, err := filepath.Rel(a, b); err == nil {
				return filepath.ToSlash(r)
			}
		}
	}
	return path.Clean(filepath.ToSlash(file))
}

func (f *forgetting) rels(files []string) (out []string) {
	out = []string{}
	for _, file := range files {
		out = append(out, f.rel(file))
	}
	return out
}
