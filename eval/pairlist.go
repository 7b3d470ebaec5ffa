package eval

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
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

// tableLines yields the fields between commas of each line that is not blank, with blanks around
// them taken off, and its number from 1.
type tableLines struct {
	s     *bufio.Scanner
	line  int
	bytes int
}

func newTableLines(r io.Reader) *tableLines {
	t := &tableLines{s: bufio.NewScanner(r)}
	t.s.Buffer(make([]byte, 0, 4096), 1<<14)
	return t
}

// next returns nil at the end.
func (t *tableLines) next() ([]string, error) {
	for t.s.Scan() {
		t.line++
		b := t.s.Bytes()
		if t.bytes += len(b) + 1; t.bytes > maxPairsFile+1 {
			return nil, fmt.Errorf("%d: more than %d bytes: %w", t.line, maxPairsFile, ErrPairs)
		}
		if t.line == 1 {
			b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
		}
		if len(bytes.TrimSpace(b)) == 0 {
			continue
		}
		f := strings.Split(string(b), ",")
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		return f, nil
	}
	if t.s.Err() != nil {
		return nil, fmt.Errorf("%d: %w: %w", t.line+1, t.s.Err(), ErrPairs)
	}
	return nil, nil
}

// wrong is an error in the line read last.
func (t *tableLines) wrong(format string, args ...any) error {
	return fmt.Errorf("%d: %w: %w", t.line, fmt.Errorf(format, args...), ErrPairs)
}

// localPath lets no path through that would leave the folder of images.
func localPath(p string) error {
	switch {
	case p == "":
		return errors.New("an empty path")
	case len(p) > maxKey:
		return fmt.Errorf("a path of %d bytes, at most %d are read", len(p), maxKey)
	case strings.ContainsAny(p, "\\\x00") || !filepath.IsLocal(filepath.FromSlash(p)) || p == ".":
		return fmt.Errorf("path %.60q is not below the folder of images", p)
	}
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
