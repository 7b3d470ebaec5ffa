package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/lockfile"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
)

// Changed is one file that [Forget] replaced or removed.
type Changed struct {
	File   string `json:"file"`
	Before string `json:"before"` // digest, as the index had it where there is one
	After  string `json:"after"`  // "" for a file that was removed
	Lost   int    `json:"lost"`   // samples and rejects that went
}

// Forgotten is the outcome of [Forget].
type Forgotten struct {
	Dir     string         `json:"dir"`
	Before  string         `json:"before"` // digest of index.json; "" of a build under way
	After   string         `json:"after"`
	Samples int            `json:"samples"` // taken out, as far as the set was complete
	Parts   map[string]int `json:"parts"`   // the same by part
	Changed []Changed      `json:"changed"` // shards and rejects.csv
	Removed []string       `json:"removed"` // what a build that was cut off had left
	Twins   []Twin         `json:"twins"`   // samples that stay and have the pixels of one that went
}

// Twin is a sample with exactly the pixels of one that was taken out: the same photo under another name.
type Twin struct {
	Key string `json:"key"`
	Of  string `json:"of"`
}

// Holding is what a shard set has of a list.
type Holding struct {
	What    []string  // entries that name one of its samples, rejects or classes, sorted
	Files   []Changed // what Forget will write anew, Before and Lost filled in: shards, rejects.csv, index.json last
	Removes []string  // what Forget will remove: what a build that was cut off has left, temporary files aside
	Samples int       // that Forget will take out
}

// Hold says what a shard set has of a list, complete or under way.
func Hold(dir string, t *manifest.Tombstones) (*Holding, error) {
	l, err := openLayout(dir)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, class := range l.index.Classes {
		if t.Has(class) {
			found[class] = true
		}
	}
	h := &Holding{}
	for _, name := range l.left {
		if name[0] != '.' { // what a killed write of Forget's own leaves is nothing to tell
			h.Removes = append(h.Removes, name)
		}
	}
	for _, s := range l.shards {
		f, err := shard.OpenFile(filepath.Join(dir, s.File))
		if !l.done && errors.Is(err, shard.ErrCorrupt) {
			h.Removes = append(h.Removes, s.File)
			continue
		}
		if err != nil {
			return nil, err
		}
		holds, lost := false, 0
		for i, key := range f.Keys() {
			by := t.By(key)
			if by == "" {
				continue
			}
			holds, found[by] = true, true
			if t.Has(key) { // asked for by both names
				found[key] = true
			}
			if i < f.Len() {
				lost++
			}
		}
		f.Close()
		if holds {
			h.Files = append(h.Files, Changed{File: s.File, Before: s.Digest, Lost: lost})
			h.Samples += lost
		}
	}
	h.What = slices.Sorted(maps.Keys(found))
	if !l.done || len(h.What) == 0 {
		return h, nil
	}
	if sum := l.rejects(dir); sum != "" && len(h.Files) > 0 {
		h.Files = append(h.Files, Changed{File: RejectsName, Before: sum})
	}
	h.Files = append(h.Files, Changed{File: shard.IndexName, Before: l.digest})
	return h, nil
}

// layout is the files of a set, complete or under way.
type layout struct {
	done   bool // there is an index
	index  shard.Index
	digest string
	shards []shard.Info // of a build under way the names alone
	left   []string     // what a build leaves behind when it is cut off
}

func openLayout(dir string) (*layout, error) {
	l := &layout{}
	set, err := shard.Open(dir)
	switch {
	case err == nil:
		l.done, l.index, l.digest = true, set.Index(), set.Digest()
		for _, name := range set.Parts() {
			l.shards = append(l.shards, l.index.Parts[name].Shards...)
		}
		set.Close()
	case errors.Is(err, fs.ErrNotExist):
		if _, planned := os.Stat(filepath.Join(dir, planName)); planned != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case !e.Type().IsRegular():
		case leftover(name) || !l.done && name == RejectsName: // the build's end writes it anew
			l.left = append(l.left, name)
		case !l.done && strings.HasSuffix(name, ".safetensors"):
			l.shards = append(l.shards, shard.Info{File: name})
		}
	}
	// The journal goes first: it says of partial files that they are there.
	slices.SortStableFunc(l.left, func(a, b string) int {
		switch journalName {
		case a:
			return -1
		case b:
			return 1
		}
		return strings.Compare(a, b)
	})
	return l, nil
}

// leftover reports whether a file of a set's directory is one that only a build under way has, or that a
// killed process left.
func leftover(name string) bool {
	if name == itemsName || name == journalName || strings.HasSuffix(name, ".safetensors.partial") {
		return true
	}
	base, hidden := strings.CutPrefix(name, ".")
	stem := strings.TrimRight(base, "0123456789")
	if !hidden || len(base)-len(stem) < 12 {
		return false
	}
	return strings.HasSuffix(stem, ".safetensors") || slices.Contains([]string{shard.IndexName, RejectsName, planName, journalName}, stem)
}

// Forget takes everything that a list names out of a shard set, complete or under way. Shards that hold
// none of it are not touched. The others are written anew with a reject that names nobody in each place,
// so that planned samples add up and every other sample keeps its label; a class whose identity is forgotten
// keeps its place under a name that is nobody's.
//
// Shards are replaced one by one, then the table of rejects, then the index, each by a rename. A process
// that is killed in between leaves a set that does not open as sound; Forget again ends as if nothing had
// happened, and says the same.
func Forget(ctx context.Context, dir string, t *manifest.Tombstones, report progress.Reporter) (*Forgotten, error) {
	unlock, err := lockfile.Acquire(filepath.Join(dir, lockName))
	if errors.Is(err, lockfile.ErrHeld) {
		return nil, fmt.Errorf("a build is under way: %w", err)
	}
	if err != nil {
		return nil, err
	}
	defer unlock()
	l, err := openLayout(dir)
	if err != nil {
		return nil, err
	}
	out := &Forgotten{Dir: dir, Before: l.digest, After: l.digest, Parts: map[string]int{}, Changed: []Changed{}, Removed: []string{}, Twins: []Twin{}}
	sums := map[uint32][]gone{}
	if l.done {
		if err := l.gather(dir, t, sums); err != nil {
			return nil, err
		}
		if out.Twins, err = l.twins(dir, t, sums); err != nil {
			return nil, err
		}
	}
	report = progress.Or(report)
	report.Start(int64(len(l.shards)), "forget")
	defer report.Done()
	rejects := map[string][]shard.Reject{}
	after := map[string]shard.Info{}
	begun, err := l.begun(dir)
	if err != nil {
		return nil, err
	}
	for _, info := range l.shards {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		now, rest, err := forgetShard(dir, info, t, begun[info.File])
		if !l.done && errors.Is(err, shard.ErrCorrupt) { // nobody can say what it holds, and the build makes it anew
			l.left = append(l.left, info.File)
			continue
		}
		if err != nil {
			return nil, err
		}
		after[info.File], rejects[info.File] = now, rest
		report.Add(1)
	}
	// What a build that was cut off has left holds samples in a form that does not say whose they are.
	for _, name := range l.left {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) { // swept by a write of the same name
			return nil, err
		}
		out.Removed = append(out.Removed, name)
	}
	if len(l.left) > 0 {
		if err := atomicfile.SyncDir(dir); err != nil {
			return nil, err
		}
	}
	if !l.done {
		for _, info := range l.shards {
			if now := after[info.File]; now.Digest != "" {
				out.Changed = append(out.Changed, Changed{File: info.File, After: now.Digest})
			}
		}
		return out, nil
	}
	return out, l.finish(dir, t, out, after, rejects)
}

// begun returns the shards that a run before this one may have written anew without coming to the index: those
// of parts whose shards together have forgotten more than the index says.
func (l *layout) begun(dir string) (map[string]bool, error) {
	out := map[string]bool{}
	for _, part := range l.index.Parts {
		forgotten := 0
		var some []string
		for _, info := range part.Shards {
			f, err := shard.OpenFile(filepath.Join(dir, info.File))
			if err != nil {
				return nil, err
			}
			if n := shard.CountForgotten(f.Rejects); n > 0 {
				forgotten += n
				some = append(some, info.File)
			}
			f.Close()
		}
		if forgotten != part.Forgotten {
			for _, name := range some {
				out[name] = true
			}
		}
	}
	return out, nil
}

// forgetShard returns what the index has to say of a shard, which it writes anew where that holds
// something of the list, and the shard's rejects. Of a build under way the digest is "" where the shard
// stays as it is.
func forgetShard(dir string, info shard.Info, t *manifest.Tombstones, begun bool) (shard.Info, []shard.Reject, error) {
	path := filepath.Join(dir, info.File)
	f, err := shard.OpenFile(path)
	if err != nil {
		return info, nil, err
	}
	holds, n, rejects := f.Holds(t.Covers), f.Len(), f.Rejects
	f.Close()
	switch {
	case holds:
		return shard.Forget(path, t.Covers)
	case begun:
		return sound(path)
	}
	if stat, err := os.Stat(path); err != nil {
		return info, nil, err
	} else if info.Digest != "" && (n != info.Samples || stat.Size() != info.Bytes) {
		return info, nil, fmt.Errorf("%s: %d samples in %d bytes, the index says %d in %d: %w", info.File, n, stat.Size(), info.Samples, info.Bytes, shard.ErrCorrupt)
	}
	return info, rejects, nil
}

// sound reads a shard whole and describes it.
func sound(path string) (info shard.Info, rejects []shard.Reject, err error) {
	f, err := shard.OpenFile(path)
	if err != nil {
		return info, nil, err
	}
	defer f.Close()
	for i := range f.Len() {
		if _, err := f.Stored(i); err != nil {
			return info, nil, err
		}
	}
	stat, err := os.Stat(path)
	if err != nil {
		return info, nil, err
	}
	sum, err := digest.File(path)
	return shard.Info{File: filepath.Base(path), Samples: f.Len(), Bytes: stat.Size(), Digest: sum}, f.Rejects, err
}

// finish writes the table of rejects and the index of a complete set, where they change.
func (l *layout) finish(dir string, t *manifest.Tombstones, out *Forgotten, after map[string]shard.Info, rejects map[string][]shard.Reject) error {
	x := l.index
	x.Classes = t.Classes(x.Classes)
	x.Parts = map[string]shard.PartIndex{}
	x.Files = map[string]string{}
	var table []RejectRow
	for _, name := range partOrder(l.index.Parts) {
		was := l.index.Parts[name]
		part := shard.PartIndex{Planned: was.Planned, Shards: []shard.Info{}}
		for _, info := range was.Shards {
			now := after[info.File]
			part.Shards = append(part.Shards, now)
			part.Samples += now.Samples
			part.Forgotten += shard.CountForgotten(rejects[info.File])
			for _, r := range rejects[info.File] {
				table = append(table, RejectRow{name, r})
			}
			if now != info {
				out.Changed = append(out.Changed, Changed{File: info.File, Before: info.Digest, After: now.Digest, Lost: info.Samples - now.Samples})
			}
		}
		part.Rejected = part.Planned - part.Samples
		if lost := was.Samples - part.Samples; lost > 0 {
			out.Samples += lost
			out.Parts[name] = lost
		}
		x.Parts[name] = part
	}
	for name, sum := range l.index.Files {
		x.Files[name] = sum
	}
	if x.Same(l.index) {
		return nil
	}
	if was := l.rejects(dir); was != "" {
		path := filepath.Join(dir, RejectsName)
		if err := WriteRejects(path, table); err != nil {
			return err
		}
		now, err := digest.File(path)
		if err != nil {
			return err
		}
		x.Files[RejectsName] = now
		if now != was {
			out.Changed = append(out.Changed, Changed{File: RejectsName, Before: was, After: now})
		}
	}
	if err := shard.WriteIndex(dir, x); err != nil {
		return err
	}
	var err error
	out.After, err = digest.File(filepath.Join(dir, shard.IndexName))
	return err
}

// rejects returns the digest of the table of rejects, "" where a set has none. Indexes of the first format do
// not list it.
func (l *layout) rejects(dir string) string {
	if sum, ok := l.index.Files[RejectsName]; ok {
		return sum
	}
	sum, err := digest.File(filepath.Join(dir, RejectsName))
	if err != nil {
		return ""
	}
	return sum
}

// partOrder is the order in which builds list the parts.
func partOrder(parts map[string]shard.PartIndex) (names []string) {
	for _, p := range cachedParts {
		if _, ok := parts[p.String()]; ok {
			names = append(names, p.String())
		}
	}
	var others []string
	for name := range parts {
		if !slices.Contains(names, name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return append(names, others...)
}

// gone is a sample that is to go.
type gone struct {
	key  string
	data []byte
}

// maxGone bounds what is remembered of samples that go, in bytes: twins of more are not looked for.
const maxGone = 256 << 20

// gather collects the samples that are to go by their checksums.
func (l *layout) gather(dir string, t *manifest.Tombstones, sums map[uint32][]gone) error {
	size := 0
	for _, info := range l.shards {
		f, err := shard.OpenFile(filepath.Join(dir, info.File))
		if err != nil {
			return err
		}
		for i := range f.Len() {
			if !t.Covers(f.Key(i)) || size > maxGone {
				continue
			}
			if data, err := f.Stored(i); err == nil { // a damaged one goes too, but has no twin
				sums[f.Checksum(i)] = append(sums[f.Checksum(i)], gone{f.Key(i), slices.Clone(data)})
				size += len(data)
			}
		}
		f.Close()
	}
	return nil
}

// twins finds samples that stay and are the bytes of one that goes.
func (l *layout) twins(dir string, t *manifest.Tombstones, sums map[uint32][]gone) ([]Twin, error) {
	out := []Twin{}
	if len(sums) == 0 {
		return out, nil
	}
	for _, info := range l.shards {
		f, err := shard.OpenFile(filepath.Join(dir, info.File))
		if err != nil {
			return nil, err
		}
		for i := range f.Len() {
			for _, g := range sums[f.Checksum(i)] {
				if t.Covers(f.Key(i)) {
					continue
				}
				if data, err := f.Stored(i); err == nil && string(data) == string(g.data) {
					out = append(out, Twin{f.Key(i), g.key})
				}
			}
		}
		f.Close()
	}
	return out, nil
}
