package export

import (
	"encoding/binary"
	"fmt"
	"math"
)

// npy writes plain NumPy arrays, which np.load(..., mmap_mode="r") maps, a directory a part:
//
//	train/images.npy     uint8    [N, C, H, W], planes R, G, B
//	train/labels.npy     int32    [N], -1 none
//	train/ages.npy       float32  [N], years, NaN unknown
//	train/genders.npy    int8     [N], 0 male, 1 female, -1 unknown
//	train/landmarks.npy  float32  [N, 5, 2], x, y; NaN unknown
//	train/keys.txt       N lines of UTF-8
//	classes.txt          the identity of each label, a line each
//
// All are in the order of the shards.
type npy struct {
	set *Set
}

func newNPY(*Options) (Format, error) { return &npy{}, nil }

func (*npy) Version() string { return "npy/1" }

func (*npy) Needs() Needs { return Needs{Pixels: true, Whole: true, Beside: 4 + 4 + 1 + 40 + 24} }

func (n *npy) Begin(set *Set) error {
	n.set = set
	return nil
}

func (*npy) Record(dst []byte, _ *Sample) ([]byte, error) { return dst, nil }

// Dirs returns the parts.
func (n *npy) Dirs() []string { return n.set.partDirs() }

// npyHead is the length of a file's head, whatever its shape, so that the number of samples can be
// put right at the end.
const npyHead = 128

// npyHeader returns the head of an array of a type: NumPy's format 1.0, the text padded with spaces.
//
//	offset 0  6 bytes  0x93 "NUMPY"
//	       6  2        1, 0
//	       8  2        length of the rest, little endian
//	      10  118      {'descr': '|u1', 'fortran_order': False, 'shape': (N, ...), } and a newline at the end
func npyHeader(descr string, shape ...int) ([]byte, error) {
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (", descr)
	for i, n := range shape {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprint(n)
	}
	if len(shape) == 1 {
		text += ","
	}
	text += "), }"
	b := append([]byte("\x93NUMPY\x01\x00"), npyHead-10, 0)
	b = append(b, text...)
	if len(b) >= npyHead {
		return nil, fmt.Errorf("export: head of %d bytes for a NumPy file, want %d", len(b), npyHead)
	}
	for len(b) < npyHead-1 {
		b = append(b, ' ')
	}
	return append(b, '\n'), nil
}

// npyPiece continues images.npy.
type npyPiece struct {
	npy     *npy
	piece   Piece
	f       *Span
	samples int
}

func (n *npy) Piece(p Piece, out *Output) (PieceWriter, error) {
	f, err := out.Continue(safeName(p.Part) + "/images.npy")
	if err != nil {
		return nil, err
	}
	w := &npyPiece{npy: n, piece: p, f: f}
	if !p.First() {
		return w, nil
	}
	head, err := npyHeader("|u1", append([]int{p.Planned}, n.set.Shape[:]...)...)
	if err == nil {
		_, err = f.Write(head)
	}
	return w, err
}

func (w *npyPiece) Add(s *Sample, _ []byte) error {
	w.samples++
	_, err := w.f.Write(s.Pixels)
	return err
}

// Close puts the number of samples right where some were rejected.
func (w *npyPiece) Close() error {
	if !w.piece.Last() {
		return nil
	}
	head, err := npyHeader("|u1", append([]int{w.piece.Before + w.samples}, w.npy.set.Shape[:]...)...)
	if err != nil {
		return err
	}
	return w.f.Patch(head, 0)
}

// Finish writes the small arrays.
func (n *npy) Finish(done *Finished, out *Output) error {
	for _, p := range done.Parts {
		if p.Count == 0 { // no piece has begun it
			head, err := npyHeader("|u1", append([]int{0}, n.set.Shape[:]...)...)
			if err != nil {
				return err
			}
			if err := out.WriteFile(safeName(p.Name)+"/images.npy", head); err != nil {
				return err
			}
		}
		if err := n.small(done, out, p.Name); err != nil {
			return err
		}
	}
	var names []byte
	for _, c := range done.Classes {
		names = append(append(names, oneLine(c)...), '\n')
	}
	return out.WriteFile("classes.txt", names)
}

func (n *npy) small(done *Finished, out *Output, part string) error {
	count := done.Counts[part]
	dir := safeName(part) + "/"
	array := func(name, descr string, shape ...int) (*File, error) {
		f, err := out.Create(dir + name)
		if err != nil {
			return nil, err
		}
		head, err := npyHeader(descr, append([]int{count}, shape...)...)
		if err == nil {
			_, err = f.Write(head)
		}
		return f, err
	}
	var files [4]*File
	for i, a := range []struct {
		name, descr string
		shape       []int
	}{{"labels.npy", "<i4", nil}, {"ages.npy", "<f4", nil}, {"genders.npy", "|i1", nil}, {"landmarks.npy", "<f4", []int{5, 2}}} {
		var err error
		if files[i], err = array(a.name, a.descr, a.shape...); err != nil {
			return err
		}
	}
	keys, err := out.Create(dir + "keys.txt")
	if err != nil {
		return err
	}
	seen := 0
	for s, err := range done.Samples(part) {
		if err != nil {
			return err
		}
		seen++
		var marks []byte
		for _, p := range s.Landmarks {
			marks = appendF32(appendF32(marks, p[0]), p[1])
		}
		for i, b := range [][]byte{
			binary.LittleEndian.AppendUint32(nil, uint32(s.Label)), appendF32(nil, s.Age), {byte(s.Gender)}, marks,
		} {
			if _, err := files[i].Write(b); err != nil {
				return err
			}
		}
		if _, err := keys.Write([]byte(oneLine(s.Key) + "\n")); err != nil {
			return err
		}
	}
	if seen != count {
		return fmt.Errorf("export: part %s: %d samples described, %d written", part, seen, count)
	}
	return nil
}

// appendF32 appends a little-endian float; every NaN has the same bytes.
func appendF32(b []byte, v float32) []byte {
	if v != v {
		return binary.LittleEndian.AppendUint32(b, 0x7fc00000)
	}
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
}
