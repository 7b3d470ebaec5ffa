package manifest

import (
	"cmp"
	"context"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// listFolders adds a row for every JPEG in the directories below the root, each of which is an
// identity.
func (t *tree) listFolders(ctx context.Context, done func(n int)) error {
	entries, err := readDir(t.root, ".")
	if err != nil {
		return err
	}
	var people []*person
	for _, e := range entries {
		name := e.Name()
		dir, why := e.IsDir(), strange(name)
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := t.root.Stat(name)
			dir = err != nil || info.IsDir() // reading it tells what is wrong
		}
		if why == "" && !dir {
			why = "is no directory"
		}
		if why != "" {
			t.log.add(StrangeFile, ".", 0, "%q %s", name, why)
			continue
		}
		people = append(people, t.store.person([]byte(name), true))
	}
	logs := make([]*problemLog, len(people)) // merged in order
	failed := make([]bool, len(people))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(t.workers, 1))
	for i, p := range people {
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			logs[i] = newProblemLog()
			failed[i] = !t.listFolder(p, logs[i])
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

func (t *tree) listFolder(p *person, log *problemLog) (ok bool) {
	entries, err := readDir(t.root, p.ID)
	if err != nil {
		t.unreadable(log, p.ID, err)
		return false
	}
	links := map[string]bool{}
	var names []string
	for _, e := range entries {
		name := e.Name()
		why := strange(name)
		if _, ok := extension(name); why == "" && !ok {
			why = "is no JPEG by its name"
		}
		if why == "" && e.Type()&^fs.ModeSymlink != 0 {
			why = "is no file"
		}
		if why != "" {
			log.add(StrangeFile, p.ID, 0, "%q %s", name, why)
			continue
		}
		if e.Type()&fs.ModeSymlink != 0 {
			links[name] = true
		}
		names = append(names, name)
	}
	keys := numberFiles(names)
	for i, name := range names {
		r := p.add(keys[i])
		r.flags |= onDiskTrain
		if links[name] {
			r.flags |= isLink
		}
	}
	p.names = names
	return true
}

// numberFiles gives the files of one identity their image and face numbers, as row keys, and
// sorts the names by them. The first rule that suits all files is taken:
//
//  1. VGGFace2's own names: 0001_01.jpg is image 1, face 1.
//  2. Names that end in a number that no other file has: Aaron_Eckhart_0001.jpg is image 1.
//  3. Numbers from 1 in the order of the names, in which 2.jpg comes before 10.jpg.
//
// By the first two an image keeps its number when others come or go.
func numberFiles(names []string) (keys []uint64) {
	slices.SortFunc(names, natural)
	type numbered struct {
		key  uint64
		name string
	}
	list := make([]numbered, len(names))
	for _, number := range []func(stem string) (uint64, bool){ownNumber, lastNumber} {
		ok := true
		for i, name := range names {
			ext, _ := extension(name)
			if list[i].key, ok = number(strings.TrimSuffix(name, ext)); !ok {
				break
			}
			list[i].name = name
		}
		if !ok {
			continue
		}
		slices.SortStableFunc(list, func(a, b numbered) int { return cmp.Compare(a.key, b.key) })
		if twice := slices.CompactFunc(slices.Clone(list), func(a, b numbered) bool { return a.key == b.key }); len(twice) < len(list) {
			continue
		}
		for i, n := range list {
			names[i] = n.name
			keys = append(keys, n.key)
		}
		return keys
	}
	for i := range names {
		keys = append(keys, rowKey(int32(i+1), 1))
	}
	return keys
}

func ownNumber(stem string) (uint64, bool) {
	image, fc, ok := parseNumbers([]byte(stem))
	return rowKey(image, fc), ok
}

// lastNumber reads the digits at the end of a name, at most nine.
func lastNumber(stem string) (uint64, bool) {
	digits := stem[len(strings.TrimRight(stem, "0123456789")):]
	if digits == "" || len(digits) > 9 {
		return 0, false
	}
	var v int32
	for _, c := range []byte(digits) {
		v = v*10 + int32(c-'0')
	}
	return rowKey(v, 1), true
}

// natural compares names with runs of digits taken as numbers: "2" is before "10" and "a2" before
// "a10". Of names that differ in leading zeros only, the bytes decide.
func natural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		if !digit(x[0]) || !digit(y[0]) {
			if x[0] != y[0] {
				return cmp.Compare(x[0], y[0])
			}
			x, y = x[1:], y[1:]
			continue
		}
		var m, n string
		m, x = cutNumber(x)
		n, y = cutNumber(y)
		if c := cmp.Or(cmp.Compare(len(m), len(n)), cmp.Compare(m, n)); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// cutNumber returns the digits at the start of s without leading zeros, and the rest.
func cutNumber(s string) (number, rest string) {
	rest = strings.TrimLeft(s, "0123456789")
	return strings.TrimLeft(s[:len(s)-len(rest)], "0"), rest
}
