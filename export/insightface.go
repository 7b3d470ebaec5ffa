package export

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/manifest"
)

// insightfaceBin writes the pairs of a verification test in one file, NAME.bin, as InsightFace's data
// sets have them (lfw.bin, cfp_fp.bin, agedb_30.bin): a Python pickle of (images, same), where images are
// the bytes of 2N image files, pair i at 2i and 2i+1, and same are N booleans. The order is the list's. Pickle's
// protocol is 3, the first one in which Python 3 has bytes.
//
// J. Deng et al., ArcFace, 2019: load_bin of its evaluation.
type insightfaceBin struct {
	file string // of pairs
	name string // of the file to be written
	same []bool
	sum  string // digest of the file of pairs
}

func newInsightfaceBin(o *Options) (Format, error) {
	if o.Pairs == "" {
		return nil, fmt.Errorf("insightface-bin holds the pairs of a list: no list was given: %w", ErrOption)
	}
	return &insightfaceBin{file: o.Pairs, name: o.Name}, nil
}

func (*insightfaceBin) Version() string { return "insightface-bin/1" }

// A list that lacks a pair is another test: its numbers can't be compared.
func (*insightfaceBin) Needs() Needs {
	return Needs{Beside: 6, Whole: true, JPEG: true, Group: 2, All: true}
}

// maxNamed is how many absent images an error names.
const maxNamed = 5

// Choose returns the images of the pairs in the list's order, wherever in the source they are.
func (f *insightfaceBin) Choose(src Source) ([]ChosenPart, error) {
	list, err := eval.OpenPairList(f.file)
	if err != nil {
		return nil, err
	}
	if list.Videos {
		return nil, fmt.Errorf("%s: pairs of videos, want pairs of images", f.file)
	}
	if f.sum, err = digest.File(f.file); err != nil {
		return nil, err
	}
	where := map[string]Ref{} // by key
	for _, p := range list.Pairs {
		for _, image := range []string{p.A, p.B} {
			for _, key := range imageKeys(image) {
				where[key] = Ref{-1, 0}
			}
		}
	}
	var s Sample
	for i, part := range src.Parts() {
		for j := range part.Count {
			r := Ref{int32(i), int32(j)}
			if err := src.Describe(r, &s); err != nil {
				return nil, err
			}
			if _, wanted := where[s.Key]; wanted {
				where[s.Key] = r
			}
		}
	}
	part := ChosenPart{Name: f.name, Order: make([]Ref, 0, 2*len(list.Pairs))}
	named, absent := map[string]bool{}, map[string]bool{}
	var first []string
	for _, p := range list.Pairs {
		for _, image := range []string{p.A, p.B} {
			keys := imageKeys(image)
			r := where[keys[0]]
			for _, key := range keys[1:] {
				if r.Part < 0 {
					r = where[key]
				}
			}
			named[keys[0]] = true
			if key := keys[0]; r.Part < 0 && !absent[key] {
				absent[key] = true
				if len(first) < maxNamed {
					first = append(first, fmt.Sprintf("%s (line %d)", key, p.Line))
				}
			}
			part.Order = append(part.Order, r)
		}
		f.same = append(f.same, p.Genuine)
	}
	if len(absent) > 0 {
		more := ""
		if n := len(absent) - len(first); n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		return nil, fmt.Errorf("%s: %d of its %d images are not there: %s%s", f.file, len(absent), len(named), strings.Join(first, ", "), more)
	}
	return []ChosenPart{part}, nil
}

// imageKeys are the keys that an image may have, the likelier one first: what a list calls it, without the ending of
// a file, and the name by number that a manifest gives to files such as LFW's "Name/Name_0001.jpg": "Name/0001_01".
func imageKeys(path string) []string {
	key := path
	for _, ext := range []string{".jpg", ".jpeg", ".png"} {
		if n := len(path) - len(ext); n > 0 && strings.EqualFold(path[n:], ext) {
			key = path[:n]
		}
	}
	dir, file, _ := strings.Cut(key, "/")
	digits, ok := strings.CutPrefix(file, dir+"_")
	if n, err := strconv.ParseUint(digits, 10, 31); ok && err == nil && n > 0 {
		return []string{key, manifest.ImageID{Identity: dir, Image: int32(n), Face: 1}.String()}
	}
	return []string{key}
}

func (f *insightfaceBin) Begin(set *Set) error {
	if set.Shape == [3]int{} {
		return fmt.Errorf("insightface-bin holds faces that are aligned to one size, photos are not: export shards: %w", ErrOption)
	}
	set.Origin["pairs"] = f.sum
	return nil
}

// Record returns the image as an item of a pickled list.
func (*insightfaceBin) Record(dst []byte, s *Sample) ([]byte, error) {
	dst = binary.LittleEndian.AppendUint32(append(dst, pickleBytes), uint32(len(s.Image)))
	return append(dst, s.Image...), nil
}

func (*insightfaceBin) Finish(*Finished, *Output) error { return nil }

// Opcodes of Python's pickle, protocol 3: pickletools.py of Python's library.
const (
	pickleProtocol = "\x80\x03"
	pickleList     = ']' // an empty list
	pickleMark     = '('
	pickleAppends  = 'e' // to the list below the mark, what is above it
	pickleBytes    = 'B' // length, 4 bytes little endian, and so many bytes
	pickleTrue     = '\x88'
	pickleFalse    = '\x89'
	picklePair     = '\x86' // a tuple of the two objects on top
	pickleStop     = '.'

	pickleBatch = 1000 // items between mark and appends, as Python writes them
)

// pickledPairs continues NAME.bin.
type pickledPairs struct {
	*insightfaceBin
	piece Piece
	f     *Span
	next  int // image
}

func (f *insightfaceBin) Piece(p Piece, out *Output) (PieceWriter, error) {
	s, err := out.Continue(safeName(f.name) + ".bin")
	if err != nil {
		return nil, err
	}
	if p.First() {
		_, err = s.Write(append([]byte(pickleProtocol), pickleList))
	}
	return &pickledPairs{insightfaceBin: f, piece: p, f: s, next: p.From}, err
}

func (w *pickledPairs) Add(_ *Sample, record []byte) error {
	if w.next%pickleBatch == 0 {
		if _, err := w.f.Write([]byte{pickleMark}); err != nil {
			return err
		}
	}
	if _, err := w.f.Write(record); err != nil {
		return err
	}
	w.next++
	if w.next%pickleBatch == 0 || w.next == w.piece.Planned {
		_, err := w.f.Write([]byte{pickleAppends})
		return err
	}
	return nil
}

// Close ends the pickle behind the last piece.
func (w *pickledPairs) Close() error {
	if w.next != w.piece.To {
		return errors.New("export: an image of a pair was left out")
	}
	if !w.piece.Last() {
		return nil
	}
	b := []byte{pickleList}
	for i, same := range w.same {
		if i%pickleBatch == 0 {
			b = append(b, pickleMark)
		}
		if same {
			b = append(b, pickleTrue)
		} else {
			b = append(b, pickleFalse)
		}
		if (i+1)%pickleBatch == 0 || i+1 == len(w.same) {
			b = append(b, pickleAppends)
		}
	}
	_, err := w.f.Write(append(b, picklePair, pickleStop))
	return err
}
