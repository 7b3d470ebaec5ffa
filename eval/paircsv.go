package eval

import (
	"io"
	"sort"
	"strconv"
	"strings"
)

// readPairsCSV reads pairs of anybody's own:
//
//	path1,path2,same,fold
//	n000001/0001_01,n000001/0004_02,1,1
//	n000001/0001_01.jpg,n000009/0002_01.jpg,0,1
//
// with or without the head and with or without the folds, which are whole numbers of any kind;
// without them all pairs are one fold. The paths are files below the folder of images or keys;
// they hold no comma. A person is what stands before a path's last slash. Where that cannot be,
// because it would make one person of the two of an impostor pair, each path is a person of its
// own; in both cases a genuine pair makes one person of its two.
func readPairsCSV(r io.Reader) (*PairList, error) {
	l := &PairList{Protocol: ProtocolPairs}
	t := newTextLines(r, maxPairsFile, ErrPairs)
	columns := 0
	folds := map[int]int{}
	for b := t.next(); b != nil; b = t.next() {
		f := commaFields(b)
		if columns == 0 {
			columns = len(f)
			if columns != 3 && columns != 4 {
				return nil, t.failf("%d fields, want path1,path2,same or path1,path2,same,fold", columns)
			}
			if strings.EqualFold(f[2], "same") {
				continue
			}
		}
		if len(f) != columns {
			return nil, t.failf("%d fields, want %d as in the first line", len(f), columns)
		}
		same, ok := sameFlag(f[2])
		if !ok {
			return nil, t.failf("same: %.40q is neither 0 nor 1", f[2])
		}
		p := ListedPair{A: f[0], B: f[1], Genuine: same, Line: t.line}
		for _, path := range f[:2] {
			if err := localPath(path); err != nil {
				return nil, t.fail(err)
			}
		}
		if columns == 4 {
			var err error
			if p.Fold, err = strconv.Atoi(f[3]); err != nil {
				return nil, t.failf("fold %.40q is not a whole number", f[3])
			}
		}
		if folds[p.Fold] = 0; len(folds) > maxFolds {
			return nil, t.failf("more than %d folds", maxFolds)
		}
		if err := l.add(t, p); err != nil {
			return nil, err
		}
	}
	if err := t.end(len(l.Pairs), "pairs"); err != nil {
		return nil, err
	}
	var order []int
	for f := range folds {
		order = append(order, f)
	}
	sort.Ints(order)
	for i, f := range order {
		folds[f] = i
	}
	l.Folds = len(order)
	for i := range l.Pairs {
		l.Pairs[i].Fold = folds[l.Pairs[i].Fold]
	}
	l.namePeople()
	return l, nil
}

// namePeople says who is in the images of each pair.
func (l *PairList) namePeople() {
	person := identityOf
	for _, p := range l.Pairs {
		if !p.Genuine && identityOf(p.A) == identityOf(p.B) {
			person = func(path string) string { return path }
			break
		}
	}
	parent := map[string]string{}
	root := func(s string) string {
		for parent[s] != "" {
			if up := parent[parent[s]]; up != "" {
				parent[s] = up
			}
			s = parent[s]
		}
		return s
	}
	for _, p := range l.Pairs {
		if a, b := root(person(p.A)), root(person(p.B)); p.Genuine && a != b {
			parent[max(a, b)] = min(a, b)
		}
	}
	for i := range l.Pairs {
		p := &l.Pairs[i]
		p.PersonA, p.PersonB = root(person(p.A)), root(person(p.B))
	}
}
