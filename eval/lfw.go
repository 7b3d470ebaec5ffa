package eval

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ErrPairs says that a pairs file is not in LFW's format.
var ErrPairs = errors.New("not a pairs file in LFW's format")

// Bounds of a pairs file that is believed; LFW's own has 6,000 pairs in 150 kB.
const (
	maxPairsFile  = 64 << 20 // bytes
	maxPairs      = 2_000_000
	maxFolds      = 1000
	maxNameLength = 200 // bytes
)

// ImageRef names an image of LFW: person and number, from 1.
type ImageRef struct {
	Name   string
	Number int
}

// Path returns where the image lies below LFW's folder: "Name/Name_0001.jpg".
func (r ImageRef) Path() string { return fmt.Sprintf("%s/%s_%04d.jpg", r.Name, r.Name, r.Number) }

// Pair is one line of a pairs file.
type Pair struct {
	A, B    ImageRef
	Genuine bool // one person
	Fold    int  // from 0
	Line    int  // from 1
}

// Pairs is a pairs file.
type Pairs struct {
	Pairs []Pair
	Folds int
	View  int // 1 or 2
}

// ReadPairs reads LFW's pairs format. View 2 starts with "folds<TAB>n"; each fold has n lines
// "name<TAB>n1<TAB>n2" of one person, then n lines "name1<TAB>n1<TAB>name2<TAB>n2" of two.
// View 1 starts with n alone and is one such block. CRLF, a byte order mark, spaces instead of
// tabs and blank lines are accepted. Errors say the line and wrap [ErrPairs].
//
// G. B. Huang et al., LFW, 2007: README of pairs.txt, pairsDevTrain.txt and pairsDevTest.txt.
func ReadPairs(r io.Reader) (*Pairs, error) {
	p := pairsReader{newTextLines(r, maxPairsFile, ErrPairs)}
	out, err := p.read()
	if stopped := p.end(1, "pairs"); stopped != nil { // which explains what read found lacking
		return nil, stopped
	}
	if err != nil {
		return nil, p.fail(err)
	}
	return out, nil
}

type pairsReader struct{ *textLines }

// fields returns the next line's fields, nil at the end.
func (p pairsReader) fields() []string {
	b := p.next()
	if b == nil {
		return nil
	}
	return strings.Fields(string(b))
}

func (p pairsReader) read() (*Pairs, error) {
	head := p.fields()
	if head == nil {
		return nil, errors.New("empty file, want a first line of one or two numbers")
	}
	folds, each, view := 1, 0, 2
	var err error
	switch len(head) {
	case 1:
		view = 1
		each, err = number(head[0], "pairs a kind", maxPairs)
	case 2:
		if folds, err = number(head[0], "folds", maxFolds); err == nil {
			each, err = number(head[1], "pairs a kind", maxPairs)
		}
	default:
		err = fmt.Errorf("%d fields in the first line, want \"folds<TAB>pairs\" or \"pairs\"", len(head))
	}
	if err != nil {
		return nil, err
	}
	if total := 2 * folds * each; total > maxPairs {
		return nil, fmt.Errorf("%d folds of twice %d pairs, at most %d pairs are read", folds, each, maxPairs)
	}
	out := &Pairs{Folds: folds, View: view}
	for fold := range folds {
		for i := range 2 * each {
			f := p.fields()
			if f == nil {
				return nil, fmt.Errorf("file ends after %d pairs, the first line says %d", len(out.Pairs), 2*folds*each)
			}
			pair, err := parsePair(f, i < each)
			if err != nil {
				return nil, fmt.Errorf("fold %d, pair %d: %w", fold+1, i+1, err)
			}
			pair.Fold, pair.Line = fold, p.line
			out.Pairs = append(out.Pairs, pair)
		}
	}
	if f := p.fields(); f != nil {
		return nil, fmt.Errorf("more pairs than the %d that the first line says", len(out.Pairs))
	}
	return out, nil
}

func parsePair(f []string, genuine bool) (Pair, error) {
	kind, names := "of one person: name n1 n2", []int{0, 1, 0, 2}
	if !genuine {
		kind, names = "of two persons: name1 n1 name2 n2", []int{0, 1, 2, 3}
	}
	if want := names[3] + 1; len(f) != want {
		return Pair{}, fmt.Errorf("%d fields, want %d for a pair %s", len(f), want, kind)
	}
	a, err := parseRef(f[names[0]], f[names[1]])
	if err != nil {
		return Pair{}, err
	}
	b, err := parseRef(f[names[2]], f[names[3]])
	if err != nil {
		return Pair{}, err
	}
	return Pair{A: a, B: b, Genuine: genuine}, nil
}

// parseRef lets no name through that would leave the folder of images.
func parseRef(name, num string) (ImageRef, error) {
	if len(name) > maxNameLength || name == "." || name == ".." || strings.ContainsAny(name, "/\\:\x00") {
		return ImageRef{}, fmt.Errorf("name %.60q can't be a folder's", name)
	}
	n, err := number(num, "image number", 1_000_000)
	return ImageRef{name, n}, err
}

func number(s, what string, limit int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > limit {
		return 0, fmt.Errorf("%s: %.40q is not a number from 1 to %d", what, s, limit)
	}
	return n, nil
}
