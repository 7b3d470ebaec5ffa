package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/lockfile"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/internal/recordio"
	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

const (
	claimName = "import.json" // marks a directory whose import is under way
	lockName  = "build.lock"  // of every build of shards

	// memory bounds the shards that are made at once, in bytes of samples.
	memory = 1 << 30
	// A record is found by its offset, so little is read around it.
	recordBlock = 32 << 10
)

// Import makes a shard set of the images of an MXNet record file: InsightFace's, whose records of identities
// are passed over, or one of a label a record. Classes are the labels, named "id000000" and so on;
// "property" beside the file says how many there are. Samples are in a seeded order.
//
// The file is not believed: records that are damaged, have no image, no label or a wrong one are rejects
// with their offset. When ctx is cancelled, or the process killed, shards that are whole stay, and Import called
// again goes on; of a set that is complete it reads every shard and makes those anew that are damaged.
func Import(ctx context.Context, options Options) (*Summary, error) {
	start := time.Now()
	o := &options
	if err := o.check(); err != nil {
		return nil, err
	}
	stat, err := os.Stat(o.Rec)
	if err != nil {
		return nil, err
	}
	if !stat.Mode().IsRegular() { // opening a pipe would wait for its writer
		return nil, fmt.Errorf("%s is no file: %w", o.Rec, ErrRec)
	}
	f, err := os.Open(o.Rec)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if stat, err = f.Stat(); err != nil {
		return nil, err
	}
	prop, err := readProperty(filepath.Dir(o.Rec))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lockfile.Acquire(filepath.Join(o.Out, lockName))
	if err != nil {
		return nil, fmt.Errorf("a build is under way: %w", err)
	}
	defer unlock()
	report := progress.Or(o.Progress)
	s, err := scanFile(ctx, f, stat.Size(), prop, report)
	if err != nil {
		return nil, err
	}
	if err := o.settle(s); err != nil {
		return nil, err
	}
	r := &run{o: o, f: f, scan: s, build: o.build(s), sum: &Summary{
		Records: s.records, Images: len(s.items), Missing: s.missing, Classes: s.classes, Size: [2]int{o.Height, o.Width}, Encoding: o.Encoding, Reasons: map[string]int{},
	}}
	if err := r.claim(); err != nil {
		return nil, err
	}
	r.lay()
	report.Start(int64(len(s.items)), "import")
	defer report.Done()
	if err := r.make(ctx, report); err != nil {
		return nil, err
	}
	if err := r.finish(); err != nil {
		return nil, err
	}
	r.sum.Seconds = time.Since(start).Seconds()
	if r.made > 0 {
		r.sum.SamplesPerSecond = float64(r.made) / r.sum.Seconds
	}
	return r.sum, nil
}

// settle decides what the first image decides.
func (o *Options) settle(s *scan) error {
	if s.first == nil {
		return fmt.Errorf("%s: none of %d images is a JPEG or a PNG: %w", o.Rec, len(s.items)-len(s.rejects), ErrRec)
	}
	h, w, err := sizeOf(s.first)
	if err != nil {
		return err
	}
	o.stretch = o.Height != 0
	if !o.stretch {
		if h > maxSide || w > maxSide {
			return fmt.Errorf("%s: the first image has %dx%d pixels, samples at most %d a side: give a size: %w", o.Rec, h, w, maxSide, ErrOption)
		}
		o.Height, o.Width = h, w
	}
	if o.Encoding == "" {
		o.Encoding = shard.Raw
		if !isPNG(s.first) {
			o.Encoding = shard.JPEG
		}
	}
	return nil
}

// run is an import under way.
type run struct {
	o     *Options
	f     *os.File
	scan  *scan
	build string
	old   *shard.Index // of a set that was complete before
	parts []*part
	sum   *Summary

	mu       sync.Mutex
	made     int
	rejected int
}

// part is one part of the set.
type part struct {
	name     string
	order    []int32 // places in scan.items
	perShard int
	shards   []shardWork
}

type shardWork struct {
	part     *part
	i        int
	from, to int
	reused   bool
	info     shard.Info
	rejects  []shard.Reject
}

func (p *part) count() int { return (len(p.order) + p.perShard - 1) / p.perShard }

// claim makes sure that nothing of another build is in the directory.
func (r *run) claim() error {
	dir := r.o.Out
	set, err := shard.Open(dir)
	if err == nil {
		x := set.Index()
		set.Close()
		if x.Build != r.build {
			return fmt.Errorf("%s holds other shards: %w", dir, ErrOther)
		}
		r.old = &x
		return nil
	}
	claim, err := json.Marshal(map[string]string{"format": buildFormat, "build": r.build})
	if err != nil {
		return err
	}
	claim = append(claim, '\n')
	text, err := os.ReadFile(filepath.Join(dir, claimName))
	switch {
	case err == nil && string(text) == string(claim):
		return nil
	case err == nil:
		return fmt.Errorf("%s holds an import of another file or with other options: %w", dir, ErrOther)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if n.Name() != lockName && !strings.HasPrefix(n.Name(), ".") {
			return fmt.Errorf("%s holds %s: %w", dir, n.Name(), ErrOther)
		}
	}
	return atomicfile.Bytes(filepath.Join(dir, claimName), claim)
}

// sampleBytes is what a sample takes in a shard: of JPEGs what the file's images take, but not less than any JPEG does,
// so that rubbish makes no shards of millions. Those that are stretched are taken for an eighth of their pixels, or more.
func (r *run) sampleBytes() int64 {
	pixels := int64(3 * r.o.Height * r.o.Width)
	if r.o.Encoding != shard.JPEG {
		return pixels
	}
	least := int64(1 << 10)
	size := max(r.scan.bytes/int64(max(1, len(r.scan.items)-len(r.scan.rejects))), least)
	if r.o.stretch {
		size = max(min(size, pixels/2), pixels/8, least)
	}
	return size
}

// atOnce is how many shards are made at once, so that their samples fit into memory.
func (r *run) atOnce() int {
	const beside = 256 // bytes of a sample, such as its key
	held := int64(r.parts[0].perShard) * (r.sampleBytes() + beside)
	return int(max(1, min(int64(r.o.Workers), memory/held)))
}

// lay says which image goes where.
func (r *run) lay() {
	s := r.scan
	train, val := &part{name: "train"}, &part{name: "val"}
	for i, it := range s.items {
		p := train
		if it.label >= 0 && int(it.number) <= r.o.Val && int(s.perID[it.label]) > r.o.Val {
			p = val
		}
		p.order = append(p.order, int32(i))
	}
	size := r.sampleBytes()
	for _, p := range []*part{train, val} {
		if len(p.order) == 0 {
			continue
		}
		perm := rng.Stream(r.o.Seed, "import", p.name).Perm(len(p.order))
		order := make([]int32, len(p.order))
		for i, j := range perm {
			order[i] = p.order[j]
		}
		p.order = order
		p.perShard = int(min(max(r.o.ShardSize/size, 1), math.MaxInt32))
		for i := range p.count() {
			p.shards = append(p.shards, shardWork{part: p, i: i, from: i * p.perShard, to: min((i+1)*p.perShard, len(p.order))})
		}
		r.parts = append(r.parts, p)
	}
}

// make makes the shards that are not there, some at once.
func (r *run) make(ctx context.Context, report progress.Reporter) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.atOnce())
	for _, p := range r.parts {
		for i := range p.shards {
			group.Go(func() error { return r.shard(ctx, &p.shards[i], report) })
		}
	}
	return group.Wait()
}

// reuse takes a shard that an earlier run made and that is sound.
func (r *run) reuse(s *shardWork) bool {
	path := filepath.Join(r.o.Out, shard.FileName(s.part.name, s.i, s.part.count()))
	f, err := shard.OpenFile(path)
	if err != nil {
		return false
	}
	defer f.Close()
	if f.Meta["build"] != r.build || f.Planned != s.to-s.from {
		return false
	}
	for i := range f.Len() {
		if _, err := f.Stored(i); err != nil {
			return false
		}
	}
	sum, err := digest.File(path)
	if err != nil {
		return false
	}
	stat, err := os.Stat(path)
	if err != nil {
		return false
	}
	info := shard.Info{File: filepath.Base(path), Samples: f.Len(), Bytes: stat.Size(), Digest: sum}
	if r.old != nil {
		if list := r.old.Parts[s.part.name].Shards; s.i >= len(list) || list[s.i] != info {
			return false
		}
	}
	s.reused, s.info, s.rejects = true, info, f.Rejects
	return true
}

// shard makes one shard. Its records are read in the file's order.
func (r *run) shard(ctx context.Context, s *shardWork, report progress.Reporter) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.reuse(s) {
		report.Add(int64(s.to - s.from))
		return r.count(s)
	}
	o := r.o
	recipe := o.recipe()
	w, err := shard.NewWriter(o.Out, s.part.name, s.i, s.part.count(), shard.Shape{3, o.Height, o.Width}, s.to-s.from, map[string]string{
		"build": r.build, "manifest": r.scan.digest, "split": "", "recipe": recipe.Name, "recipe_digest": recipe.Digest(),
		"recipe_text": string(recipe.Text()), "channels": recipe.Channels, "seed": fmt.Sprint(o.Seed), "shard_size": fmt.Sprint(o.ShardSize),
	})
	if err != nil {
		return err
	}
	if o.Encoding == shard.JPEG {
		w.Encode()
	}
	slots := make([]int, s.to-s.from)
	for i := range slots {
		slots[i] = i
	}
	items := r.scan.items
	slices.SortFunc(slots, func(a, b int) int {
		if items[s.part.order[s.from+a]].at < items[s.part.order[s.from+b]].at {
			return -1
		}
		return 1
	})
	in := recordio.NewReader(r.f, r.scan.size, maxRecord)
	in.Block = recordBlock
	d := &decoder{o: o}
	copied := 0
	var labels []float32
	for n, slot := range slots {
		if n%64 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		report.Add(1)
		it := items[s.part.order[s.from+slot]]
		if it.label == rejected {
			w.Reject(slot, r.scan.rejects[it.number])
			continue
		}
		in.Resume(it.at)
		record, _, err := in.Next()
		var image []byte
		if err == nil {
			var h recordio.Header
			h, image, err = recordio.CutHeader(record, labels)
			labels = h.Labels
		}
		if err != nil {
			return fmt.Errorf("%s: the record at byte %d was there before: %w", o.Rec, it.at, err)
		}
		key := r.scan.key(it)
		data, same, err := d.sample(image, w.Buffer(slot))
		var why *cache.Rejection
		if errors.As(err, &why) {
			detail := fmt.Sprintf("record at byte %d: %s", it.at, why.Detail)
			w.Reject(slot, shard.Reject{Key: key, Stage: why.Stage, Reason: why.Reason, Detail: detail})
			continue
		}
		if err != nil {
			return err
		}
		if same {
			copied++
		}
		nan := float32(math.NaN())
		sample := shard.Sample{Key: key, Label: max(it.label, -1), Data: data, Age: nan, Gender: -1}
		for i := range sample.Landmarks {
			sample.Landmarks[i] = [2]float32{nan, nan}
		}
		w.Put(slot, sample)
	}
	s.rejects = w.Rejects()
	if s.info, err = w.Close(); err != nil {
		return err
	}
	r.mu.Lock()
	r.made += s.to - s.from
	r.sum.Copied += copied
	r.mu.Unlock()
	return r.count(s)
}

// count counts a shard's rejects and gives up where there are too many.
func (r *run) count(s *shardWork) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rejected += len(s.rejects)
	if r.rejected <= maxDamage || len(s.rejects) == 0 {
		return nil
	}
	why := s.rejects[0]
	return fmt.Errorf("%s: more than %d images would be rejects, such as: %s: %s (%s): %w", r.o.Rec, maxDamage, why.Stage, why.Reason, why.Detail, ErrRec)
}

// finish writes the table of rejects and the index, which completes the set.
func (r *run) finish() error {
	o, recipe := r.o, r.o.recipe()
	x := shard.Index{
		Shape: shard.Shape{3, o.Height, o.Width}, Channels: recipe.Channels, Encoding: o.Encoding, Recipe: recipe.Name, RecipeText: recipe.Text(),
		RecipeDigest: recipe.Digest(), Manifest: r.scan.digest, Build: r.build, Seed: o.Seed, ShardSize: o.ShardSize,
		Classes: make([]string, r.scan.classes), Parts: map[string]shard.PartIndex{}, Files: map[string]string{},
	}
	for i := range x.Classes {
		x.Classes[i] = r.scan.class(int32(i))
	}
	var rows []cache.RejectRow
	for _, p := range r.parts {
		index := shard.PartIndex{Planned: len(p.order), Shards: []shard.Info{}}
		for i := range p.shards {
			s := &p.shards[i]
			index.Shards = append(index.Shards, s.info)
			index.Samples += s.info.Samples
			r.sum.Bytes += s.info.Bytes
			r.sum.Shards++
			if s.reused {
				r.sum.Reused++
			}
			for _, why := range s.rejects {
				rows = append(rows, cache.RejectRow{Part: p.name, Reject: why})
				r.sum.Reasons[why.Stage+": "+why.Reason]++
			}
		}
		index.Rejected = index.Planned - index.Samples
		x.Parts[p.name] = index
		r.sum.Samples += index.Samples
	}
	r.sum.Rejected = r.sum.Images - r.sum.Samples
	for label := range r.scan.perID {
		if label >= 0 {
			r.sum.Identities++
		}
	}
	table := filepath.Join(o.Out, cache.RejectsName)
	if err := cache.WriteRejects(table, rows); err != nil {
		return err
	}
	var err error
	if x.Files[cache.RejectsName], err = digest.File(table); err != nil {
		return err
	}
	if err := shard.WriteIndex(o.Out, x); err != nil {
		return err
	}
	if r.sum.Digest, err = digest.File(filepath.Join(o.Out, shard.IndexName)); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(o.Out, claimName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
