package cache

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"github.com/vf2prep/vf2prep/shard"
)

// syncEvery is how much work a loss of power may cost where archives are read.
const syncEvery = 20 * time.Second

// fromArchives makes shards in one pass through the archives. All shards of a shuffled set fill
// at the same time, each in a file of its own; at the end each is put in order. Nothing of an
// archive is ever written under a name that it says.
func (b *build) fromArchives(ctx context.Context, todo []*shardPlan) error {
	index := b.indexPaths(todo)
	all, err := b.openPartials(ctx, todo, index.saw)
	if err != nil {
		return err
	}
	b.sum.Resumed = index.resumed
	b.progress.Add(int64(index.resumed))
	if !b.past.read {
		if err := b.pass(ctx, index, all); err != nil {
			_ = all.sync() // as much as can be kept
			return err
		}
		if err := all.sync(); err != nil {
			return err
		}
		if err := b.journal.add(entry{Read: true}); err != nil {
			return err
		}
	}
	return b.order(ctx, all)
}

// pass reads the archives from their beginning, and makes the samples that are not there.
func (b *build) pass(ctx context.Context, index *pathIndex, all *partials) error {
	l := b.newLine()
	working, workCtx := errgroup.WithContext(ctx)
	for range b.o.Workers {
		working.Go(func() error { return b.work(workCtx, l, all) })
	}
	stop := make(chan struct{})
	working.Go(func() error {
		for {
			select {
			case <-stop:
				return nil
			case <-workCtx.Done():
				return nil
			case <-time.After(syncEvery):
				if err := all.sync(); err != nil {
					return err
				}
			}
		}
	})
	r := &archiveReader{build: b, index: index, line: l}
	err := func() error {
		for _, name := range b.o.Archives {
			if err := r.read(workCtx, name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}()
	close(l.full)
	close(stop)
	if worked := working.Wait(); worked != nil {
		return worked // the reader was cancelled because of it
	}
	return err
}

// order writes the shards whose samples are all there or will never be.
func (b *build) order(ctx context.Context, all *partials) error {
	for _, p := range all.list {
		p.buf = nil
	}
	memory := b.buffers()
	writing, writeCtx := errgroup.WithContext(ctx)
	writing.SetLimit(min(atOnce, cap(memory.free)))
	raw := b.plan.o.Recipe.Encoding == shard.Raw
	for _, p := range all.list {
		writing.Go(func() error {
			buf, err := memory.take(writeCtx)
			if err != nil {
				return err
			}
			defer memory.give(buf)
			if err := writeCtx.Err(); err != nil {
				return err
			}
			w, err := b.writer(p.shardPlan, buf)
			if err != nil {
				return err
			}
			var scratch []byte
			item := func(slot int) (item, error) { return b.items.read(b.items.order[p.from+slot], &scratch) }
			have := make([]bool, p.planned())
			err = p.into(w, have, item, b.longest(), raw)
			if errors.Is(err, errDamagedPartial) {
				return errors.Join(err, b.journal.add(entry{Partial: filepath.Base(p.path)}, entry{Again: true}))
			}
			if err != nil {
				return err
			}
			for slot, there := range have {
				if there {
					continue
				}
				it, err := item(slot)
				if err != nil {
					return err
				}
				r := shard.Reject{Key: it.key, Stage: "read", Reason: notThere}
				if it.problem != "" {
					r = it.reject()
				}
				w.Reject(slot, r)
			}
			if err := b.close(p.shardPlan, w); err != nil {
				return err
			}
			b.progress.Add(int64(len(have) - count(have)))
			err = os.Remove(p.path)
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			return err
		})
	}
	return writing.Wait()
}

func count(have []bool) (n int) {
	for _, there := range have {
		if there {
			n++
		}
	}
	return n
}

// pathIndex finds the place of a photo by its path, in 20 bytes a photo.
type pathIndex struct {
	x       *items
	shards  []*shardPlan // by position
	hash    []uint64     // sorted
	at      []uint32     // position of each
	done    []uint32     // by position: ordinal of the member that was made, plus one
	resumed int
}

// indexPaths indexes the photos of the shards that are to be made.
func (b *build) indexPaths(todo []*shardPlan) *pathIndex {
	x := &pathIndex{x: b.items, shards: todo, done: make([]uint32, len(b.items.order))}
	for _, s := range todo {
		for at := s.from; at < s.to; at++ {
			x.at = append(x.at, uint32(at))
		}
	}
	hash := func(at uint32) uint64 { return b.items.paths[b.items.order[at]] }
	slices.SortFunc(x.at, func(i, j uint32) int {
		if hi, hj := hash(i), hash(j); hi < hj {
			return -1
		} else if hi > hj {
			return 1
		}
		return int(i) - int(j)
	})
	x.hash = make([]uint64, len(x.at))
	for i, at := range x.at {
		x.hash[i] = hash(at)
	}
	b.items.paths = nil // they have done their work
	return x
}

// saw notes a sample that an earlier run made.
func (x *pathIndex) saw(position int, ordinal uint32) {
	if x.done[position] == 0 {
		x.resumed++
	}
	x.done[position] = max(x.done[position], ordinal+1)
}

// find returns the positions of the photos of a path: usually one, several where faces share it.
func (x *pathIndex) find(name string) []uint32 {
	h := xxh3.HashString(name)
	from, ok := slices.BinarySearch(x.hash, h)
	if !ok {
		return nil
	}
	to := from
	for to < len(x.hash) && x.hash[to] == h {
		to++
	}
	return x.at[from:to]
}

// place returns where the sample of a position belongs.
func (x *pathIndex) place(position uint32) place {
	i := sort.Search(len(x.shards), func(i int) bool { return x.shards[i].to > int(position) })
	return place{i, int(position) - x.shards[i].from}
}

// maxStrip is how many leading directories an archive may have before the paths of the manifest.
const maxStrip = 4

// archiveReader reads archives member by member.
type archiveReader struct {
	build   *build
	index   *pathIndex
	line    *line
	ordinal uint32
	scratch []byte
}

// read reads one archive to its end.
func (r *archiveReader) read(ctx context.Context, name string) (err error) {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var in io.Reader = bufio.NewReaderSize(f, 1<<20)
	if magic, _ := in.(*bufio.Reader).Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		defer z.Close()
		in = z
	} else if _, err := f.Seek(0, io.SeekStart); err == nil {
		in = f // no pipe: members that are not wanted are skipped, not read
	}
	strip, found, first := -1, 0, ""
	b := r.line.empty()
	defer func() { // what was read before the archive ended, however that was
		if sent := r.line.send(ctx, b); err == nil {
			err = sent
		}
	}()
	for t := tar.NewReader(in); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return archiveError(err)
		}
		member := cleanMember(h.Name)
		if member == "" || h.Typeflag == tar.TypeDir {
			continue
		}
		if first == "" {
			first = member
		}
		r.ordinal++
		positions, as := r.lookUp(member, &strip)
		if len(positions) == 0 {
			continue
		}
		found++
		if b, err = r.member(ctx, t, h, as, positions, b); err != nil {
			return err
		}
	}
	if found == 0 {
		return fmt.Errorf("none of its files is a photo of the manifest; the first is %q", first)
	}
	return nil
}

func archiveError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the archive ends too early: %w", err)
	}
	return fmt.Errorf("the archive is damaged: %w", err)
}

// cleanMember returns the name of a member as a relative path, "" for one that is none.
func cleanMember(name string) string {
	name = path.Clean(strings.ReplaceAll(name, `\`, "/"))
	if name == "." || !filepath.IsLocal(name) {
		return ""
	}
	return name
}

// lookUp finds the photos of a member. The first one that is found decides how many leading
// directories the archive has that the manifest does not know.
func (r *archiveReader) lookUp(member string, strip *int) (positions []uint32, as string) {
	rest := member
	for i := 0; i <= maxStrip; i++ {
		if *strip < 0 || *strip == i {
			if found := r.index.find(rest); len(found) > 0 {
				*strip = i
				return found, rest
			}
		}
		var ok bool
		if _, rest, ok = strings.Cut(rest, "/"); !ok {
			break
		}
	}
	return nil, ""
}

// member reads a photo and gives it to the workers, once for each of its samples that is to be
// made. It returns the batch to go on with.
func (r *archiveReader) member(ctx context.Context, t *tar.Reader, h *tar.Header, as string, positions []uint32, b *batch) (*batch, error) {
	var wanted []photo
	for _, at := range positions {
		if r.index.done[at] >= r.ordinal+1 {
			continue
		}
		it, err := r.index.x.read(r.index.x.order[at], &r.scratch)
		if err != nil {
			return b, err
		}
		if it.path == as && it.problem == "" { // else two paths with one hash
			wanted = append(wanted, photo{item: it, place: r.index.place(at), ordinal: r.ordinal})
		}
	}
	if len(wanted) == 0 {
		return b, nil
	}
	heavy := h.Size > heavyBytes && h.Size <= maxFile
	if len(b.photos) > 0 && (heavy || len(b.buf) >= batchBytes || len(b.photos) >= batchPhotos) {
		if err := r.line.send(ctx, b); err != nil {
			return r.line.empty(), err
		}
		b = r.line.empty()
	}
	var err error
	if heavy {
		if b.held, err = r.line.files.enter(ctx, h.Size); err != nil {
			b.held = 0
			return b, err
		}
	}
	var rejection error
	start := len(b.buf)
	switch {
	case h.Typeflag != tar.TypeReg: // one pass can't go back to what a link means
		rejection = &Rejection{"read", notRegular, ""}
	case h.Size > maxFile:
		rejection = rejectTooLong()
	default:
		b.buf = grow(b.buf, int(h.Size))[:start+int(h.Size)]
		if _, err := io.ReadFull(t, b.buf[start:]); err != nil {
			return b, archiveError(err)
		}
	}
	for _, ph := range wanted {
		ph.data, ph.err = b.buf[start:len(b.buf):len(b.buf)], rejection
		b.photos = append(b.photos, ph)
	}
	r.build.made.Add(int64(len(wanted)))
	if heavy {
		if err := r.line.send(ctx, b); err != nil {
			return r.line.empty(), err
		}
		b = r.line.empty()
	}
	return b, nil
}
