package eval

import (
	"io"
	"strconv"
	"strings"
)

// readSplits reads YouTube Faces' splits.txt, whose fields are padded with blanks:
//
//	split number, pair number, first name, second name, is same, is same name
//	1           , 1          , Ann_Example/0, Ben_Example/3, 0     , 0
//
// with or without the head, and with or without the last field, which is not used. The names are
// folders, Person/video. The splits, from 1, are the folds.
//
// L. Wolf, T. Hassner, I. Maoz, "Face recognition in unconstrained videos with matched background
// similarity", CVPR 2011.
func readSplits(r io.Reader) (*PairList, error) {
	l := &PairList{Protocol: ProtocolYTF, Videos: true}
	t := newTextLines(r, maxPairsFile, ErrPairs)
	for b := t.next(); b != nil; b = t.next() {
		f := commaFields(b)
		if len(l.Pairs) == 0 && strings.HasPrefix(strings.ToLower(f[0]), "split") {
			continue
		}
		if len(f) != 5 && len(f) != 6 {
			return nil, t.failf("%d fields, want split, pair, first name, second name, is same, is same name", len(f))
		}
		split, err := number(f[0], "split", maxFolds)
		if err != nil {
			return nil, t.fail(err)
		}
		if _, err := strconv.Atoi(f[1]); err != nil {
			return nil, t.failf("pair %.40q is not a number", f[1])
		}
		same, ok := sameFlag(f[4])
		if !ok {
			return nil, t.failf("is same: %.40q is neither 0 nor 1", f[4])
		}
		p := ListedPair{A: f[2], B: f[3], Genuine: same, Fold: split - 1, Line: t.line}
		for i, to := range []*string{&p.PersonA, &p.PersonB} {
			name := f[2+i]
			person, video, ok := strings.Cut(name, "/")
			if err := localPath(name); err != nil || !ok || person == "" || video == "" || strings.Contains(video, "/") || video == ".." || person == ".." {
				return nil, t.failf("%.60q is no Person/video", name)
			}
			*to = person
		}
		if err := l.add(t, p); err != nil {
			return nil, err
		}
		l.Folds = max(l.Folds, split)
	}
	if err := t.end(len(l.Pairs), "pairs"); err != nil {
		return nil, err
	}
	return l, nil
}
