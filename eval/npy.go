package eval

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// npyMagic begins every NumPy file; two bytes of version follow.
const npyMagic = "\x93NUMPY"

// maxNPYHeader is the longest header that is read, in bytes; NumPy's own readers stop at 10,000.
const maxNPYHeader = 1 << 16

// npyHead is the header of a NumPy file.
type npyHead struct {
	descr   string // of the element type: "<f4", "<f8", ..
	fortran bool   // columns lie together
	shape   []int64
	size    int64 // of all that is before the data, in bytes
}

// readNPYHead reads the header of a NumPy file of version 1, 2 or 3:
//
//	offset 0   6 bytes  \x93NUMPY
//	       6   2 bytes  version
//	       8   2 bytes  n, length of the header, little endian; 4 bytes from version 2 on
//	           n bytes  {'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }, spaces, a newline
//
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
func readNPYHead(r io.Reader) (npyHead, error) {
	var start [12]byte
	if _, err := io.ReadFull(r, start[:10]); err != nil || string(start[:6]) != npyMagic {
		return npyHead{}, errors.New("does not begin with NumPy's magic bytes")
	}
	n, size := int64(binary.LittleEndian.Uint16(start[8:])), int64(10)
	switch start[6] {
	case 1:
	case 2, 3:
		if _, err := io.ReadFull(r, start[10:]); err != nil {
			return npyHead{}, errors.New("header is cut off")
		}
		n, size = int64(binary.LittleEndian.Uint32(start[8:])), 12
	default:
		return npyHead{}, fmt.Errorf("NumPy format version %d.%d, want 1 to 3", start[6], start[7])
	}
	if n > maxNPYHeader {
		return npyHead{}, fmt.Errorf("header of %d bytes, at most %d are read", n, maxNPYHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return npyHead{}, errors.New("header is cut off")
	}
	h, err := parseNPYDict(string(text))
	if err != nil {
		return npyHead{}, fmt.Errorf("header %.100q: %w", text, err)
	}
	h.size = size + n
	return h, nil
}

// npyText is what is left of a header.
type npyText struct{ rest string }

func (t *npyText) next() byte {
	t.rest = strings.TrimLeft(t.rest, " \t\r\n")
	if t.rest == "" {
		return 0
	}
	return t.rest[0]
}

func (t *npyText) take(c byte) error {
	if got := t.next(); got != c {
		return fmt.Errorf("found %.10q, want %q", t.rest, string(c))
	}
	t.rest = t.rest[1:]
	return nil
}

// quoted takes a text between quotes; the ones that NumPy writes need no escapes.
func (t *npyText) quoted() (string, error) {
	q := t.next()
	if q != '\'' && q != '"' {
		return "", fmt.Errorf("found %.10q, want a text in quotes", t.rest)
	}
	end := strings.IndexByte(t.rest[1:], q)
	if end < 0 {
		return "", errors.New("a text without its closing quote")
	}
	s := t.rest[1 : 1+end]
	t.rest = t.rest[end+2:]
	return s, nil
}

// word takes letters and digits.
func (t *npyText) word() string {
	t.next()
	end := strings.IndexFunc(t.rest, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
	if end < 0 {
		end = len(t.rest)
	}
	w := t.rest[:end]
	t.rest = t.rest[end:]
	return w
}

func (t *npyText) tuple() ([]int64, error) {
	if err := t.take('('); err != nil {
		return nil, err
	}
	shape := []int64{}
	for t.next() != ')' {
		w := t.word()
		n, err := strconv.ParseInt(strings.TrimSuffix(w, "L"), 10, 64) // Python 2 wrote 3L
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%.20q is no length of an array's side", w)
		}
		shape = append(shape, n)
		if t.next() != ')' {
			if err := t.take(','); err != nil {
				return nil, err
			}
		}
	}
	return shape, t.take(')')
}

// parseNPYDict reads the Python dictionary of a header: the three entries, in any order.
func parseNPYDict(text string) (npyHead, error) {
	var h npyHead
	t := &npyText{text}
	if err := t.take('{'); err != nil {
		return h, err
	}
	seen := map[string]bool{}
	for t.next() != '}' {
		key, err := t.quoted()
		if err != nil {
			return h, err
		}
		if seen[key] {
			return h, fmt.Errorf("%.20q comes twice", key)
		}
		seen[key] = true
		if err := t.take(':'); err != nil {
			return h, err
		}
		switch key {
		case "descr":
			if t.next() == '[' {
				return h, errors.New("a table of several fields, want one array of numbers")
			}
			h.descr, err = t.quoted()
		case "fortran_order":
			w := t.word()
			if w != "True" && w != "False" {
				err = fmt.Errorf("fortran_order %.20q, want True or False", w)
			}
			h.fortran = w == "True"
		case "shape":
			h.shape, err = t.tuple()
		default:
			err = fmt.Errorf("entry %.20q is not known", key)
		}
		if err != nil {
			return h, err
		}
		if t.next() != '}' {
			if err := t.take(','); err != nil {
				return h, err
			}
		}
	}
	if len(seen) != 3 {
		return h, fmt.Errorf("%d entries, want descr, fortran_order and shape", len(seen))
	}
	if err := t.take('}'); err != nil {
		return h, err
	}
	if t.next() != 0 {
		return h, fmt.Errorf("%.20q behind the end", t.rest)
	}
	return h, nil
}

// npyHeader returns the header of a float32 array of rows x width, version 1, padded as NumPy
// does so that the data starts at a multiple of 64 bytes.
func npyHeader(rows, width int) []byte {
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, width)
	for (10+len(text)+1)%64 != 0 {
		text += " "
	}
	text += "\n"
	out := append([]byte(npyMagic), 1, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(text)))
	return append(out, text...)
}

// floatDecoder returns the bytes of an element and how it is read; false for a type that is none
// of float32 and float64 in little endian order.
func floatDecoder(descr string) (int64, func(b []byte) float32, bool) {
	switch descr {
	case "<f4":
		return 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }, true
	case "<f8":
		return 8, func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }, true
	}
	return 0, nil, false
}
