package cache

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/lockfile"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
)

// BuildOptions say how a plan is carried out; none of them changes the bytes.
type BuildOptions struct {
	Root     string   // of the data set: the manifest's paths are relative to it
	Archives []string // tar files, plain or gzipped, to read instead of Root
	Workers  int      // 0: one per CPU
	Memory   int64    // bytes for samples under way, at least one shard; 0: DefaultMemory
	Progress progress.Reporter
}

// DefaultMemory is the memory for samples under way where none is given.
const DefaultMemory = 1 << 30

// Summary is the outcome of [Plan.Build].
type Summary struct {
	Images          int            `json:"images"`              // planned
	Samples         int            `json:"samples"`             // in the shards
	Rejected        int            `json:"rejected"`            // Images - Samples
	Forgotten       int            `json:"forgotten,omitempty"` // of these, because they are to be forgotten
	Reasons         map[string]int `json:"reject_reasons"`
	Shards          int            `json:"shards"`
	Reused          int            `json:"reused_shards"`   // found complete from an earlier run
	Resumed         int            `json:"resumed_samples"` // of unfinished shards, found from an earlier run
	Bytes           int64          `json:"bytes"`
	Seconds         float64        `json:"seconds"`
	ImagesPerSecond float64        `json:"images_per_second"` // of those made now
	Digest          string         `json:"digest"`            // of index.json
}

const (
	buildFormat = "vf2prep.build/2"
	// planName marks a directory whose build is under way; it says which.
	planName = "build.json"
	lockName = "build.lock"
	// RejectsName is the table of images that could not be made.
	RejectsName = "rejects.csv"
)

// ErrOtherBuild says that a directory holds the shards of another plan.
var ErrOtherBuild = errors.New("holds shards of another manifest, split, recipe, seed or shard size: choose another directory, or remove them")

// Build makes the shards that are not there yet and completes the set. When ctx is cancelled it
// stops soon; what is complete stays, and Build called again goes on. Of a set that is complete it
// reads every shard and makes those anew that are damaged.
//
// Memory is held whatever the size of the data set: samples under way take o.Memory, and the
// rest of the program less than 200 MiB. The exception is photos of many million pixels, which
// take up to 16 bytes a pixel, one at a time.
//
// An image that can't be made is a reject, not an error; see [Summary].
func (p *Plan) Build(ctx context.Context, o BuildOptions) (*Summary, error) {
	start := time.Now()
	b, release, err := p.begin(o)
	if err != nil {
		return nil, err
	}
	defer release()
	old, err := p.claim()
	if err != nil {
		return nil, err
	}
	b.old = old
	return b.all(ctx, start)
}

// begin opens everything that a build needs and locks the directory.
func (p *Plan) begin(o BuildOptions) (_ *build, release func(), err error) {
	b := &build{plan: p, o: o, progress: progress.Or(o.Progress), sum: &Summary{Images: p.Images, Reasons: map[string]int{}}}
	var undo []func()
	release = func() {
		for _, f := range slices.Backward(undo) {
			f()
		}
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	if b.o.Workers < 1 {
		b.o.Workers = runtime.GOMAXPROCS(0)
	}
	if b.o.Memory == 0 {
		b.o.Memory = DefaultMemory
	}
	if need := p.shardBytes(); b.o.Memory < need {
		return nil, release, fmt.Errorf("a shard takes %d MiB of memory, there are %d for all: give more, or make smaller shards", (need+1<<20-1)>>20, b.o.Memory>>20)
	}
	if len(o.Archives) == 0 {
		if b.tree, err = openTree(o.Root); err != nil {
			return nil, release, err
		}
		undo = append(undo, b.tree.close)
	}
	b.decoding = newGate(max(b.o.Memory/4, 8*heavyBytes))
	dir := p.o.Out
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, release, err
	}
	unlock, err := lockfile.Acquire(filepath.Join(dir, lockName))
	if errors.Is(err, lockfile.ErrHeld) {
		return nil, release, fmt.Errorf("another build is under way: %w", err)
	}
	if err != nil {
		return nil, release, err
	}
	undo = append(undo, unlock)
	// Samples under way are most of what lives, so a heap that grows to twice that is not wanted.
	limit := debug.SetMemoryLimit(b.o.Memory + 96<<20)
	undo = append(undo, func() { debug.SetMemoryLimit(limit) })
	return b, release, nil
}

// shardBytes is the memory for the largest shard.
func (p *Plan) shardBytes() (most int64) {
	for _, part := range p.Parts {
		most = max(most, int64(part.PerShard)*p.o.Recipe.sampleBytes())
	}
	return most
}

// claim makes sure that the directory is this plan's: nothing in it is of another build. It
// returns the index of a set that was completed before, nil where there is none.
func (p *Plan) claim() (*shard.Index, error) {
	dir := p.o.Out
	set, err := shard.Open(dir)
	if err == nil {
		x := set.Index()
		set.Close()
		if x.Build != p.Digest {
			return nil, fmt.Errorf("%s %w", dir, ErrOtherBuild)
		}
		return &x, nil
	}
	// A damaged index is made anew from the shards, as long as they are this plan's.
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, shard.ErrCorrupt) {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, planName))
	if err == nil && string(text) == string(p.claimText()) {
		return nil, nil
	}
	var said struct{ Build string }
	if err == nil && json.Unmarshal(text, &said) == nil && said.Build != p.Digest {
		return nil, fmt.Errorf("%s %w", dir, ErrOtherBuild)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := p.noOther(); err != nil {
		return nil, err
	}
	return nil, atomicfile.Bytes(filepath.Join(dir, planName), p.claimText())
}

// noOther makes sure that no shard of another build would be replaced.
func (p *Plan) noOther() error {
	names, err := os.ReadDir(p.o.Out)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".safetensors") || strings.HasPrefix(n.Name(), ".") {
			continue
		}
		f, err := shard.OpenFile(filepath.Join(p.o.Out, n.Name()))
		if err != nil {
			continue // damaged: it would be made anew
		}
		build := f.Meta["build"]
		f.Close()
		if build != p.Digest {
			return fmt.Errorf("%s: %s %w", n.Name(), p.o.Out, ErrOtherBuild)
		}
	}
	return nil
}

func (p *Plan) claimText() []byte {
	b, err := json.Marshal(map[string]string{"format": buildFormat, "build": p.Digest, "recipe": p.Recipe})
	if err != nil {
		panic(err) // plain fields
	}
	return append(b, '\n')
}

type build struct {
	plan     *Plan
	o        BuildOptions
	tree     *tree // nil where archives are read
	decoding *gate
	progress progress.Reporter
	old      *shard.Index          // of a set that was complete before
	believed map[string]shard.Info // shards that somebody has read and found sound; nil: nobody has
	journal  *journal
	past     *past
	items    *items
	shards   []shardPlan
	sum      *Summary
	batches  sync.Pool    // of *batch
	made     atomic.Int64 // images, now
	rejected atomic.Int64 // for the progress note
}

// shardPlan is one shard on its way.
type shardPlan struct {
	part     PartPlan
	i        int // which of the part's
	from, to int // positions of its samples
	name     string

	reused  bool // from an earlier run
	info    shard.Info
	rejects []shard.Reject
}

func (s *shardPlan) planned() int { return s.to - s.from }

// lay lists the shards of a plan in order.
func (p *Plan) lay() (all []shardPlan) {
	at := 0
	for _, part := range p.Parts {
		for i := range part.Shards {
			n := min(part.PerShard, part.Images-i*part.PerShard)
			all = append(all, shardPlan{part: part, i: i, from: at, to: at + n, name: shard.FileName(part.Part, i, part.Shards)})
			at += n
		}
	}
	return all
}

func (b *build) all(ctx context.Context, start time.Time) (_ *Summary, err error) {
	p := b.plan
	b.progress.Start(int64(p.Images), "cache")
	defer b.progress.Done()
	if err := b.mayBegin(); err != nil {
		return nil, err
	}
	if b.journal, b.past, err = openJournal(p.o.Out, p.Digest); err != nil {
		return nil, err
	}
	defer b.journal.close()
	b.shards = p.lay()
	todo, err := b.findDone(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.mayGoOn(todo); err != nil {
		return nil, err
	}
	if len(todo) > 0 {
		if err := b.make(ctx, todo); err != nil {
			return nil, err
		}
	}
	if err := b.finish(); err != nil {
		return nil, err
	}
	s := b.sum
	s.Seconds = time.Since(start).Seconds()
	if n := b.made.Load(); n > 0 {
		s.ImagesPerSecond = float64(n) / s.Seconds
	}
	return s, nil
}

// make makes shards from the tree or from archives.
func (b *build) make(ctx context.Context, todo []*shardPlan) (err error) {
	if b.items, err = b.plan.collect(b.plan.o.Out, b.tree == nil); err != nil {
		return err
	}
	defer b.items.close()
	if err := b.mayMake(); err != nil {
		return err
	}
	if b.tree == nil {
		return b.fromArchives(ctx, todo)
	}
	return b.fromTree(ctx, todo)
}

// finish writes the table of rejects and the index, which completes the set.
func (b *build) finish() error {
	p := b.plan
	x := shard.Index{
		Shape: p.Shape, Channels: p.o.Recipe.Channels, Encoding: p.o.Recipe.Encoding, Recipe: p.Recipe, RecipeText: p.o.Recipe.Text(),
		RecipeDigest: p.o.Recipe.Digest(), Manifest: p.manifest, Split: p.split.Digest, Build: p.Digest,
		Seed: p.o.Seed, ShardSize: p.o.ShardSize, Classes: p.o.Tombstones.Classes(p.split.Classes), Parts: map[string]shard.PartIndex{}, Files: map[string]string{},
	}
	var rejects []RejectRow
	for _, part := range p.Parts {
		x.Parts[part.Part] = shard.PartIndex{Planned: part.Images, Shards: []shard.Info{}}
	}
	for i := range b.shards {
		s := &b.shards[i]
		index := x.Parts[s.part.Part]
		index.Shards = append(index.Shards, s.info)
		index.Samples += s.info.Samples
		index.Forgotten += shard.CountForgotten(s.rejects)
		x.Parts[s.part.Part] = index
		b.sum.Bytes += s.info.Bytes
		for _, r := range s.rejects {
			rejects = append(rejects, RejectRow{s.part.Part, r})
			b.sum.Reasons[r.Stage+": "+r.Reason]++
		}
	}
	for name, index := range x.Parts {
		index.Rejected = index.Planned - index.Samples
		x.Parts[name] = index
		b.sum.Samples += index.Samples
		b.sum.Forgotten += index.Forgotten
		b.sum.Shards += len(index.Shards)
	}
	b.sum.Rejected = p.Images - b.sum.Samples
	table := filepath.Join(p.o.Out, RejectsName)
	if err := WriteRejects(table, rejects); err != nil {
		return err
	}
	var err error
	if x.Files[RejectsName], err = digest.File(table); err != nil {
		return err
	}
	// A set that was complete has this index already, unless the index was damaged, or a photo
	// whose shard had to be made anew is not what it was.
	if err := shard.WriteIndex(p.o.Out, x); err != nil {
		return err
	}
	if b.sum.Digest, err = digest.File(filepath.Join(p.o.Out, shard.IndexName)); err != nil {
		return err
	}
	done := []string{planName, journalName}
	for _, s := range b.shards {
		done = append(done, partialName(s.name))
	}
	for _, name := range done {
		if err := os.Remove(filepath.Join(p.o.Out, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// findDone looks for shards that an earlier run completed, and returns the others.
func (b *build) findDone(ctx context.Context) (todo []*shardPlan, err error) {
	var group errgroup.Group
	group.SetLimit(b.o.Workers)
	for i := range b.shards {
		s := &b.shards[i]
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if b.reuse(s) {
				b.progress.Add(int64(s.planned()))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i := range b.shards {
		if s := &b.shards[i]; s.reused {
			b.sum.Reused++
		} else {
			todo = append(todo, s)
		}
	}
	return todo, nil
}

// reuse takes a shard that an earlier run completed. What the journal says of it is believed, as
// long as its header is sound; a shard that the journal does not know is read.
func (b *build) reuse(s *shardPlan) bool {
	path := filepath.Join(b.plan.o.Out, s.name)
	f, err := shard.OpenFile(path)
	if err != nil {
		return false
	}
	defer f.Close()
	if f.Meta["build"] != b.plan.Digest || f.Planned != s.planned() || f.Part != s.part.Part || f.Shard != s.i || f.Shape() != b.plan.Shape {
		return false
	}
	if b.plan.o.Tombstones.Len() > 0 && f.Holds(b.plan.o.Tombstones.Covers) {
		return false // made before that was to be forgotten
	}
	stat, err := os.Stat(path)
	if err != nil {
		return false
	}
	info, known := b.past.shards[s.name]
	if b.old != nil {
		known = false
	}
	if b.believed != nil {
		if info, known = b.believed[s.name]; !known {
			return false // condemned
		}
	}
	if !known {
		for i := range f.Len() {
			if _, err := f.Stored(i); err != nil {
				return false
			}
		}
		sum, err := digest.File(path)
		if err != nil {
			return false
		}
		info = shard.Info{File: s.name, Samples: f.Len(), Bytes: stat.Size(), Digest: sum}
	}
	if info.Samples != f.Len() || info.Bytes != stat.Size() || !b.meant(s, info) {
		return false
	}
	s.reused, s.info, s.rejects = true, info, f.Rejects
	return true
}

// meant reports whether a shard is the one that the index of a complete set lists.
func (b *build) meant(s *shardPlan, info shard.Info) bool {
	if b.old == nil {
		return true
	}
	list := b.old.Parts[s.part.Part].Shards
	return s.i < len(list) && list[s.i] == info
}

// ErrForgot says that a build would bring back what was taken out of a set on request.
var ErrForgot = errors.New("was made to forget some images: give the list of tombstones that says which")

// mayBegin makes sure that what a complete set has forgotten stays so, as far as its index tells.
func (b *build) mayBegin() error {
	if b.old == nil {
		return nil
	}
	p := b.plan
	now := p.o.Tombstones.Classes(p.split.Classes)
	for i, class := range b.old.Classes {
		if manifest.IsForgottenClass(class) && (i >= len(now) || now[i] != class) {
			return fmt.Errorf("%s %w", p.o.Out, ErrForgot)
		}
	}
	for _, part := range b.old.Parts {
		if part.Forgotten > 0 && p.o.Tombstones.Len() == 0 {
			return fmt.Errorf("%s %w", p.o.Out, ErrForgot)
		}
	}
	return nil
}

// mayGoOn makes sure of the same where shards have to tell, since the index is not there.
func (b *build) mayGoOn(todo []*shardPlan) error {
	for i := range b.shards {
		if len(todo) > 0 && b.plan.o.Tombstones.Len() == 0 && shard.CountForgotten(b.shards[i].rejects) > 0 {
			return fmt.Errorf("%s %w", b.plan.o.Out, ErrForgot)
		}
	}
	return nil
}

// mayMake makes sure that no shard comes back with what the index says is forgotten.
func (b *build) mayMake() error {
	if b.old == nil {
		return nil
	}
	for name, part := range b.old.Parts {
		if n := b.items.forgotten[name]; n < part.Forgotten {
			return fmt.Errorf("%s %w: part %s has forgotten %d, the list names %d", b.plan.o.Out, ErrForgot, name, part.Forgotten, n)
		}
	}
	return nil
}

func (b *build) countReject() {
	b.progress.Note(fmt.Sprintf("%d rejected", b.rejected.Add(1)))
}

// writer returns the writer of a shard.
func (b *build) writer(s *shardPlan, pixels []byte) (*shard.Writer, error) {
	p := b.plan
	w, err := shard.NewWriter(p.o.Out, s.part.Part, s.i, s.part.Shards, p.Shape, s.planned(), map[string]string{
		"build": p.Digest, "manifest": p.manifest, "split": p.split.Digest, "recipe": p.Recipe,
		"recipe_digest": p.o.Recipe.Digest(), "recipe_text": string(p.o.Recipe.Text()), "channels": p.o.Recipe.Channels,
		"seed": fmt.Sprint(p.o.Seed), "shard_size": fmt.Sprint(p.o.ShardSize),
	})
	if err != nil {
		return nil, err
	}
	if p.o.Recipe.Encoding == shard.JPEG {
		w.Encode()
	} else {
		w.Reuse(pixels)
	}
	return w, nil
}

// close writes a shard that is full and notes it in the journal.
func (b *build) close(s *shardPlan, w *shard.Writer) error {
	info, err := w.Close()
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.info, s.rejects = info, w.Rejects()
	return b.journal.add(entry{Shard: &info})
}

// lent is memory for the pixels of shards under way: so many buffers, made as they are needed and
// then used again and again.
type lent struct {
	free chan []byte
	size int64
}

// buffers returns as many buffers as the memory holds shards.
func (b *build) buffers() *lent {
	size := b.plan.shardBytes()
	n := min(b.o.Memory/max(size, 1), int64(len(b.shards)))
	if b.plan.o.Recipe.Encoding == shard.JPEG {
		size = 0 // the writers hold the samples
	}
	l := &lent{make(chan []byte, n), size}
	for range n {
		l.free <- nil
	}
	return l
}

func (l *lent) take(ctx context.Context) ([]byte, error) {
	select {
	case buf := <-l.free:
		if buf == nil {
			buf = make([]byte, l.size)
		}
		return buf, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *lent) give(buf []byte) { l.free <- buf }

// atOnce is how many shards are written to the disk at a time.
const atOnce = 2

// fromTree makes shards a band at a time: as many as a quarter of the memory holds. The photos of a
// band are read in the order of the directories. While bands are written the next is made.
func (b *build) fromTree(ctx context.Context, todo []*shardPlan) error {
	memory := b.buffers()
	writing, writeCtx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, atOnce)
	err := func() error {
		for shards := range slices.Chunk(todo, max(cap(memory.free)/4, 1)) {
			var in band
			var bufs [][]byte
			for _, s := range shards {
				buf, err := memory.take(writeCtx)
				if err != nil {
					return err
				}
				w, err := b.writer(s, buf)
				if err != nil {
					return err
				}
				bufs, in = append(bufs, buf), append(in, w)
			}
			if err := b.fill(writeCtx, b.jobs(shards), in); err != nil {
				return err
			}
			for i, s := range shards {
				b.made.Add(int64(s.planned()))
				writing.Go(func() error {
					slots <- struct{}{}
					defer func() { <-slots }()
					defer memory.give(bufs[i])
					return b.close(s, in[i])
				})
			}
		}
		return nil
	}()
	if wrote := writing.Wait(); wrote != nil {
		return wrote // the rest was cancelled because of it
	}
	return err
}

// jobs lists the samples of shards in the order of the directories.
func (b *build) jobs(shards []*shardPlan) []job {
	var jobs []job
	for i, s := range shards {
		for slot := range s.planned() {
			jobs = append(jobs, job{b.items.order[s.from+slot], place{i, slot}})
		}
	}
	slices.SortFunc(jobs, func(x, y job) int { return cmp.Compare(x.row, y.row) })
	return jobs
}

// fill reads the photos of jobs and makes their samples.
func (b *build) fill(ctx context.Context, jobs []job, to sink) error {
	l := b.newLine()
	working, workCtx := errgroup.WithContext(ctx)
	for range b.o.Workers {
		working.Go(func() error { return b.work(workCtx, l, to) })
	}
	reading, readCtx := errgroup.WithContext(workCtx)
	var next atomic.Int64
	for range max(2*b.o.Workers, minReaders) {
		r := &treeReader{b.tree, b.items, jobs, &next, l}
		reading.Go(func() error { return r.run(readCtx) })
	}
	err := reading.Wait()
	close(l.full)
	if worked := working.Wait(); worked != nil {
		return worked // readers were cancelled because of it
	}
	return err
}

// minReaders keeps a disk busy that is faster with several requests at once.
const minReaders = 8

// band is the shards that are filled at a time.
type band []*shard.Writer

func (b band) buffer(at place) []uint8 { return b[at.shard].Buffer(at.slot) }

func (b band) put(ph *photo, at points, data []byte) error {
	w, s := b[ph.place.shard], ph.sample(at)
	if w.Buffer(ph.place.slot) == nil {
		s.Data = slices.Clone(data)
	}
	w.Put(ph.place.slot, s)
	return nil
}

func (b band) reject(ph *photo, r shard.Reject) error {
	b[ph.place.shard].Reject(ph.place.slot, r)
	return nil
}
