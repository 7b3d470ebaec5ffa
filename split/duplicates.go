package split

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/manifest"
)

// maxDuplicates bounds a file of pairs: 15 million of them.
const maxDuplicates = 1 << 30 // bytes

// Duplicates are pairs of images of which both show the same photo, or nearly.
type Duplicates struct {
	File   string // its name without directories
	Digest string // of the file

	images []manifest.ImageID
	lines  []int // where each image is named first
	index  map[manifest.ImageID]int32
	pairs  [][2]int32 // places in images
}

// Pairs returns the number of pairs.
func (d *Duplicates) Pairs() int { return len(d.pairs) }

// ReadDuplicates reads a CSV file with the columns a and b, as curate duplicates writes it: images, with .jpg or
// without. Other columns are passed over.
func ReadDuplicates(path string) (*Duplicates, error) {
	f, size, err := capped.Open(path, maxDuplicates, ErrList)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := digest.New()
	in := io.TeeReader(io.LimitReader(f, size), sum)
	d := newDuplicates(filepath.Base(path))
	if err := d.parse(in); err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return nil, err
	}
	d.Digest = sum.String()
	return d, nil
}

func newDuplicates(file string) *Duplicates {
	return &Duplicates{File: file, index: map[manifest.ImageID]int32{}}
}

func (d *Duplicates) parse(r io.Reader) error {
	return eachRow(r, []string{"a", "b"}, func(line int, row []string) error {
		var pair [2]int32
		for i, key := range row {
			id, err := parseKey(key)
			if err != nil {
				return err
			}
			pair[i] = d.place(id, line)
		}
		d.pairs = append(d.pairs, pair)
		return nil
	})
}

func (d *Duplicates) place(id manifest.ImageID, line int) int32 {
	n, ok := d.index[id]
	if !ok {
		n = int32(len(d.images))
		d.index[id] = n
		d.images, d.lines = append(d.images, id), append(d.lines, line)
	}
	return n
}

// sets is a forest: the sets of places that were joined.
type sets []int32

func newSets(n int) sets {
	s := make(sets, n)
	for i := range s {
		s[i] = int32(i)
	}
	return s
}

// root returns the place that stands for all of a set, the least of them.
func (s sets) root(i int32) int32 {
	for s[i] != i {
		s[i] = s[s[i]]
		i = s[i]
	}
	return i
}

func (s sets) join(i, j int32) {
	i, j = s.root(i), s.root(j)
	s[max(i, j)] = min(i, j)
}
