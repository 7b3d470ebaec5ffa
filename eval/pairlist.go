package eval

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/vf2prep/vf2prep/internal/capped"
)

// PairList is pairs of images, or of videos, with the folds that they are judged in.
type PairList struct {
	Protocol string
	Pairs    []ListedPair
	Folds    int
	Videos   bool // A and B name videos: every image below that folder
}

// ListedPair is one pair. A and B are paths below the folder of images or keys of embeddings,
// with slashes.
type ListedPair struct {
	A, B             string
	PersonA, PersonB string
	Genuine          bool // one person
	Fold             int  // from 0
	Line             int  // from 1
}

// count returns how many pairs of each kind the list has.
func (l *PairList) count() (genuine, impostor int) {
	for _, p := range l.Pairs {
		if p.Genuine {
			genuine++
		} else {
			impostor++
		}
	}
	return genuine, impostor
}

// items returns what the pairs name, once each, in the order of their first.
func (l *PairList) items() []string {
	var out []string
	seen := map[string]bool{}
	for _, p := range l.Pairs {
		for _, item := range []string{p.A, p.B} {
			if !seen[item] {
				seen[item] = true
				out = append(out, item)
			}
		}
	}
	return out
}

// OpenPairList reads a pairs file in the format that its first line shows: no comma is LFW's,
// five or six fields between commas are YouTube Faces' splits.txt, three or four are
// path1,path2,same[,fold]. Errors say file and line and wrap [ErrPairs].
func OpenPairList(path string) (*PairList, error) {
	f, _, err := capped.Open(path, maxPairsFile, ErrPairs)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l, err := ReadPairList(f)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return l, nil
}

// ReadPairList is [OpenPairList] for a reader.
func ReadPairList(r io.Reader) (*PairList, error) {
	b := bufio.NewReaderSize(io.LimitReader(r, maxPairsFile+1), 1<<16)
	head, _ := b.Peek(1 << 12)
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	line, _, _ := strings.Cut(strings.TrimLeft(string(head), "\r\n \t"), "\n")
	switch n := strings.Count(line, ","); {
	case n == 0:
		p, err := ReadPairs(b)
		if err != nil {
			return nil, err
		}
		return p.list(), nil
	case n >= 4:
		return readSplits(b)
	}
	return readPairsCSV(b)
}

// list turns LFW's pairs into paths.
func (p *Pairs) list() *PairList {
	l := &PairList{Protocol: ProtocolLFW, Folds: p.Folds, Pairs: make([]ListedPair, len(p.Pairs))}
	if p.View == 1 {
		l.Protocol = ProtocolLFW1
	}
	for i, q := range p.Pairs {
		l.Pairs[i] = ListedPair{q.A.Path(), q.B.Path(), q.A.Name, q.B.Name, q.Genuine, q.Fold, q.Line}
	}
	return l
}

// add appends a pair that was read.
func (l *PairList) add(t *textLines, p ListedPair) error {
	if len(l.Pairs) == maxPairs {
		return t.failf("more than %d pairs", maxPairs)
	}
	l.Pairs = append(l.Pairs, p)
	return nil
}

func sameFlag(s string) (same, ok bool) {
	switch strings.ToLower(s) {
	case "1", "true":
		return true, true
	case "0", "false":
		return false, true
	}
	return false, false
}
