package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/lockfile"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/shard"
)

// BuildOptions say how a plan is carried out; none of them changes the bytes.
type BuildOptions struct {
	Root     string // of the data set: the manifest's paths are relative to it
	Workers  int    // 0: one per CPU
	Progress progress.Reporter
}

// Summary is the outcome of [Plan.Build].
type Summary struct {
	Images          int            `json:"images"`   // planned
	Samples         int            `json:"samples"`  // in the shards
	Rejected        int            `json:"rejected"` // Images - Samples
	Reasons         map[string]int `json:"reject_reasons"`
	Shards          int            `json:"shards"`
	Reused          int            `json:"reused_shards"` // found complete from an earlier run
	Bytes           int64          `json:"bytes"`
	Seconds         float64        `json:"seconds"`
	ImagesPerSecond float64        `json:"images_per_second"` // of those made now
	Digest          string         `json:"digest"`            // of index.json
}

const (
	buildFormat = "vf2prep.build/1"
	// planName marks a directory whose build is under way; it says which.
	planName = "build.json"
	lockName = "build.lock"
	// RejectsName is the table of images that could not be made.
	RejectsName = "rejects.csv"
)

// ErrOtherBuild says that a directory holds the shards of another plan.
var ErrOtherBuild = errors.New("holds shards of another manifest, split, recipe, seed or shard size: choose another directory, or remove them")

// Build makes the shards that are not there yet and completes the set. When ctx is cancelled it
// stops soon; the shards that are complete stay, and Build called again goes on.
//
// An image that can't be made is a reject, not an error; see [Summary].
func (p *Plan) Build(ctx context.Context, o BuildOptions) (*Summary, error) {
	start := time.Now()
	root, err := os.OpenRoot(o.Root)
	if err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	defer root.Close()
	dir := p.o.Out
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	release, err := lockfile.Acquire(filepath.Join(dir, lockName))
	if errors.Is(err, lockfile.ErrHeld) {
		return nil, fmt.Errorf("another build is under way: %w", err)
	}
	if err != nil {
		return nil, err
	}
	defer release()
	old, err := p.claim()
	if err != nil {
		return nil, err
	}
	b := &build{plan: p, root: root, workers: o.Workers, progress: progress.Or(o.Progress), sum: &Summary{Images: p.Images, Reasons: map[string]int{}}}
	if b.workers < 1 {
		b.workers = runtime.GOMAXPROCS(0)
	}
	if err := b.run(ctx, old); err != nil {
		return nil, err
	}
	s := b.sum
	s.Seconds = time.Since(start).Seconds()
	if b.made > 0 {
		s.ImagesPerSecond = float64(b.made) / s.Seconds
	}
	return s, nil
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
	root     *os.Root
	workers  int
	progress progress.Reporter
	old      *shard.Index // of a set that was complete before
	sum      *Summary
	made     int
	rejected atomic.Int64 // for the progress note
	rejects  []rejectRow
}

func (b *build) run(ctx context.Context, old *shard.Index) error {
	p := b.plan
	b.old = old
	b.progress.Start(int64(p.Images), "cache")
	defer b.progress.Done()
	x := shard.Index{
		Shape: p.Shape, Channels: p.o.Recipe.Channels, Recipe: p.Recipe, RecipeText: p.o.Recipe.text(),
		RecipeDigest: p.o.Recipe.Digest(), Manifest: p.manifest, Split: p.split.Digest, Build: p.Digest,
		Seed: p.o.Seed, Classes: p.split.Classes, Parts: map[string]shard.PartIndex{},
	}
	for _, part := range p.Parts {
		index := shard.PartIndex{Planned: part.Images, Shards: []shard.Info{}}
		infos, err := b.part(ctx, part)
		if err != nil {
			return err
		}
		for _, info := range infos {
			index.Samples += info.Samples
			b.sum.Bytes += info.Bytes
		}
		index.Shards = append(index.Shards, infos...)
		index.Rejected = index.Planned - index.Samples
		x.Parts[part.Part] = index
		b.sum.Samples += index.Samples
		b.sum.Shards += len(infos)
	}
	b.sum.Rejected = p.Images - b.sum.Samples
	for _, r := range b.rejects {
		b.sum.Reasons[r.Stage+": "+r.Reason]++
	}
	if err := writeRejects(filepath.Join(p.o.Out, RejectsName), b.rejects); err != nil {
		return err
	}
	// A set that was complete has this index already, unless the index was damaged, or a photo
	// whose shard had to be made anew is not what it was.
	if err := shard.WriteIndex(p.o.Out, x); err != nil {
		return err
	}
	var err error
	if b.sum.Digest, err = digest.File(filepath.Join(p.o.Out, shard.IndexName)); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(p.o.Out, planName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// part makes the shards of a part one after another; while one is written the next is begun.
func (b *build) part(ctx context.Context, part PartPlan) ([]shard.Info, error) {
	infos := make([]shard.Info, part.Shards)
	items := b.plan.items[part.part]
	var writing errgroup.Group
	defer writing.Wait()
	for i := range part.Shards {
		chunk := items[i*part.PerShard : min((i+1)*part.PerShard, len(items))]
		if info, rejects, ok := b.reuse(part, i, len(chunk)); ok {
			infos[i] = info
			b.note(part, rejects)
			b.sum.Reused++
			b.progress.Add(int64(len(chunk)))
			continue
		}
		w, err := b.fill(ctx, part, i, chunk)
		if err != nil {
			return nil, err
		}
		if err := writing.Wait(); err != nil {
			return nil, err
		}
		b.made += len(chunk)
		b.note(part, w.Rejects())
		writing.Go(func() (err error) {
			if infos[i], err = w.Close(); err != nil {
				err = fmt.Errorf("%s: %w", shard.FileName(part.Part, i, part.Shards), err)
			}
			return err
		})
	}
	return infos, writing.Wait()
}

// reuse returns a shard that an earlier run completed, after reading all of it.
func (b *build) reuse(part PartPlan, i, planned int) (shard.Info, []shard.Reject, bool) {
	name := shard.FileName(part.Part, i, part.Shards)
	path := filepath.Join(b.plan.o.Out, name)
	f, err := shard.OpenFile(path)
	if err != nil {
		return shard.Info{}, nil, false
	}
	defer f.Close()
	if f.Meta["build"] != b.plan.Digest || f.Planned != planned || f.Part != part.Part || f.Shard != i || f.Shape() != b.plan.Shape {
		return shard.Info{}, nil, false
	}
	for s := range f.Len() {
		if _, err := f.Sample(s); err != nil {
			return shard.Info{}, nil, false
		}
	}
	stat, err := os.Stat(path)
	if err != nil {
		return shard.Info{}, nil, false
	}
	sum, err := digest.File(path)
	if err != nil {
		return shard.Info{}, nil, false
	}
	info := shard.Info{File: name, Samples: f.Len(), Bytes: stat.Size(), Digest: sum}
	return info, f.Rejects, b.meant(part, i, info)
}

// meant reports whether a shard is the one that the index of a complete set lists.
func (b *build) meant(part PartPlan, i int, info shard.Info) bool {
	if b.old == nil {
		return true
	}
	list := b.old.Parts[part.Part].Shards
	return i < len(list) && list[i] == info
}

func (b *build) note(part PartPlan, rejects []shard.Reject) {
	for _, r := range rejects {
		b.rejects = append(b.rejects, rejectRow{part.Part, r})
	}
}

// fill makes the samples of one shard in memory.
func (b *build) fill(ctx context.Context, part PartPlan, i int, chunk []item) (*shard.Writer, error) {
	p := b.plan
	w, err := shard.NewWriter(p.o.Out, part.Part, i, part.Shards, p.Shape, len(chunk), map[string]string{
		"build": p.Digest, "manifest": p.manifest, "split": p.split.Digest,
		"recipe": p.Recipe, "recipe_digest": p.o.Recipe.Digest(), "channels": p.o.Recipe.Channels,
	})
	if err != nil {
		return nil, err
	}
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range b.workers {
		group.Go(func() error {
			r := newReader(b.root)
			for {
				slot := int(next.Add(1)) - 1
				if slot >= len(chunk) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				it := &chunk[slot]
				to, err := b.sample(r, it, w.Buffer(slot))
				if err == nil {
					w.Put(slot, it.sample(to))
				} else if rejection := (*Rejection)(nil); errors.As(err, &rejection) {
					w.Reject(slot, shard.Reject{Key: it.id.String(), Stage: rejection.Stage, Reason: rejection.Reason, Detail: rejection.Detail})
					b.progress.Note(fmt.Sprintf("%d rejected", b.rejected.Add(1)))
				} else {
					return err
				}
				b.progress.Add(1)
			}
		})
	}
	return w, group.Wait()
}
