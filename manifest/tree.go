package manifest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// tree lists root's images. It reads directories only: no file is opened or looked at.
type tree struct {
	root    *os.Root
	prefix  string // "" or "data/", before "train" and "test"
	workers int
	store   *store
	log     *problemLog
	// unread counts directories that could not be read: what is in them is missing.
	unread int
}

// findPrefix looks for train/ and test/ in the root and in data/.
func findPrefix(root *os.Root) (prefix string, ok bool) {
	for _, prefix := range []string{"", "data/"} {
		for _, s := range []Subset{Train, Test} {
			if info, err := root.Stat(prefix + string(s)); err == nil && info.IsDir() {
				return prefix, true
			}
		}
	}
	return "", false
}

// list adds a row for every file of subset that is named as an image.
func (t *tree) list(ctx context.Context, subset Subset, done func(n int)) error {
	dir := t.prefix + string(subset)
	entries, err := readDir(t.root, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.unreadable(t.log, dir, err)
		t.unread++
		return nil
	}
	var people []*person
	for _, e := range entries {
		switch {
		case !validIdentity([]byte(e.Name())):
			t.log.add(StrangeFile, dir, 0, "%q is no identity's directory", e.Name())
		case e.Type()&fs.ModeSymlink == 0 && !e.IsDir():
			t.log.add(StrangeFile, dir, 0, "%q is no directory", e.Name())
		default:
			people = append(people, t.store.person([]byte(e.Name()), true))
		}
	}
	// Workers write to their own person and log; the logs are merged in order.
	logs := make([]*problemLog, len(people))
	failed := make([]bool, len(people))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(t.workers, 1))
	for i, p := range people {
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			logs[i] = newProblemLog()
			failed[i] = !t.listPerson(p, dir, subset, logs[i])
			done(1)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range people {
		t.log.merge(logs[i])
		if failed[i] {
			t.unread++
		}
	}
	return nil
}

// exts are the spellings of an image file's extension that are taken; [0] is the data set's own.
var exts = [...]string{".jpg", ".JPG", ".jpeg", ".JPEG"}

func (t *tree) unreadable(log *problemLog, dir string, err error) {
	if isEscape(err) {
		log.add(OutsideRoot, dir, 0, "a link that leads out of the root is not followed")
		return
	}
	log.add(UnreadableDir, dir, 0, "%v", cause(err))
}

func (t *tree) listPerson(p *person, parent string, subset Subset, log *problemLog) (ok bool) {
	dir := parent + "/" + p.ID
	entries, err := readDir(t.root, dir)
	if err != nil {
		t.unreadable(log, dir, err)
		return false
	}
	for _, e := range entries {
		name := e.Name()
		ext := path.Ext(name)
		image, fc, ok := parseNumbers([]byte(strings.TrimSuffix(name, ext)))
		spelling := slices.Index(exts[:], ext)
		if !ok || spelling < 0 {
			log.add(StrangeFile, dir, 0, "%q is no image's name such as 0001_01.jpg", name)
			continue
		}
		if e.Type()&^fs.ModeSymlink != 0 {
			log.add(StrangeFile, dir, 0, "%q is no file", name)
			continue
		}
		r := p.add(rowKey(image, fc))
		flag := onDiskTrain
		if subset == Test {
			flag = onDiskTest
		}
		if r.is(hasFile) {
			r.set(DuplicateImage)
			if r.is(flag) { // 0001_01.jpg and 0001_01.JPG: the first by name counts
				continue
			}
		}
		r.flags |= flag
		if !r.is(onDiskTrain) || flag == onDiskTrain {
			r.ext = uint8(spelling)
			if e.Type()&fs.ModeSymlink != 0 {
				r.flags |= isLink
			}
		}
	}
	return true
}

// readDir returns a directory's entries sorted by name.
func readDir(root *os.Root, dir string) ([]fs.DirEntry, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// isEscape reports whether os.Root refused a path that leaves it. The package os keeps that error
// to itself, so it is known by its text.
func isEscape(err error) bool {
	return err != nil && strings.Contains(err.Error(), "path escapes from parent")
}

// cause takes the path off an error, which may be absolute and is told elsewhere.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
