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
	t := newTableLines(r)
	for {
		f, err := t.next()
		if err != nil {
			return nil, err
		}
		if f == nil {
			break
		}
		if len(l.Pairs) == 0 && strings.HasPrefix(strings.ToLower(f[0]), "split") {
			continue
		}
		if len(f) != 5 && len(f) != 6 {
			return nil, t.wrong("%d fields, want split, pair, first name, second name, is same, is same name", len(f))
		}
		split, err := number(f[0], "split", maxFolds)
		if err != nil {
			return nil, t.wrong("%w", err)
		}
		if _, err := strconv.Atoi(f[1]); err != nil {
			return nil, t.wrong("pair %.40q is not a number", f[1])
		}
		same, ok := sameFlag(f[4])
		if !ok {
			return nil, t.wrong("is same: %.40q is neither 0 nor 1", f[4])
		}
		p := ListedPair{A: f[2], B: f[3], Genuine: same, Fold: split - 1, Line: t.line}
		for i, to := range []*string{&p.PersonA, &p.PersonB} {
			name := f[2+i]
			person, video, ok := strings.Cut(name, "/")
			if err := localPath(name); err != nil || !ok || person == "" || video == "" || strings.Contains(video, "/") || video == ".." || person == ".." {
				return nil, t.wrong("%.60q is no Person/video", name)
			}
			*to = person
		}
		if len(l.Pairs) == maxPairs {
			return nil, t.wrong("more than %d pairs", maxPairs)
		}
		l.Pairs = append(l.Pairs, p)
		l.Folds = max(l.Folds, split)
	}
	if len(l.Pairs) == 0 {
		return nil, t.wrong("no pairs")
	}
	return l, nil
}
