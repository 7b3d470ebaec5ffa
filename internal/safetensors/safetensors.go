// Package safetensors reads and writes the safetensors format: named arrays that any framework
// can map into memory without running code.
//
//	offset 0   8 bytes    n, length of the header, little endian
//	       8   n bytes    JSON: {"name": {"dtype": "U8", "shape": [..], "data_offsets": [from, to]}, ..,
//	                      "__metadata__": {"key": "text", ..}}, padded with spaces
//	     8+n   ...        the arrays' bytes, little endian, row-major, without holes
//
// # Guarantees
//
// The same tensors and metadata give the same bytes. Data starts at a multiple of 64 bytes.
// A file is untrusted: the header's length is capped before it is read, offsets must lie inside
// the file, be in order and without holes, and agree with dtype and shape; what does not is an
// error wrapping [ErrFormat], never a panic or a large allocation.
package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"sort"
)

// ErrFormat says that bytes are no well-formed safetensors file.
var ErrFormat = errors.New("not a valid safetensors file")

// MaxHeader is the longest header that is read, in bytes; the format's own limit.
const MaxHeader = 100 << 20

// Align is what the start of the data is a multiple of, in bytes: a cache line.
const Align = 64

// DType names an element type; only those that every reader has are written here.
type DType string

// The element types and their bytes per element.
const (
	U8  DType = "U8"
	I8  DType = "I8"
	I32 DType = "I32"
	I64 DType = "I64"
	F32 DType = "F32"
	F64 DType = "F64"
)

// widths also knows the types that only other writers use, so that their files can be listed.
var widths = map[DType]int64{
	U8: 1, I8: 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
	"I16": 2, "U16": 2, "F16": 2, "BF16": 2,
	I32: 4, "U32": 4, F32: 4, I64: 8, "U64": 8, F64: 8,
}

// Tensor describes one array. Offset and Size count bytes from the start of the data.
type Tensor struct {
	Name   string
	DType  DType
	Shape  []int64
	Offset int64
	Size   int64
}

// Header is all of a file but its data.
type Header struct {
	Tensors   []Tensor // in the order of the data
	Metadata  map[string]string
	DataStart int64 // bytes from the start of the file
}

// Lookup returns the tensor of that name.
func (h *Header) Lookup(name string) (Tensor, bool) {
	for _, t := range h.Tensors {
		if t.Name == name {
			return t, true
		}
	}
	return Tensor{}, false
}

// NewHeader lays tensors out one after another in the given order and returns the header and
// its bytes, which the data follows. Offset and Size of the arguments are ignored.
func NewHeader(tensors []Tensor, metadata map[string]string) (*Header, []byte, error) {
	h := &Header{Metadata: metadata}
	var body bytes.Buffer
	body.WriteByte('{')
	if len(metadata) > 0 {
		m, err := json.Marshal(metadata) // sorts the keys
		if err != nil {
			return nil, nil, err
		}
		fmt.Fprintf(&body, `"__metadata__":%s`, m)
	}
	var end int64
	for _, t := range tensors {
		size, err := byteSize(t.DType, t.Shape)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if end > math.MaxInt64-size {
			return nil, nil, fmt.Errorf("tensor %q: offsets overflow: %w", t.Name, ErrFormat)
		}
		t.Offset, t.Size = end, size
		end += size
		h.Tensors = append(h.Tensors, t)
		entry, err := json.Marshal(wireTensor{t.DType, shapeOf(t), [2]int64{t.Offset, end}})
		if err != nil {
			return nil, nil, err
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, nil, err
		}
		if body.Len() > 1 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, "%s:%s", name, entry)
	}
	body.WriteByte('}')
	for (8+body.Len())%Align != 0 {
		body.WriteByte(' ')
	}
	if body.Len() > MaxHeader {
		return nil, nil, fmt.Errorf("header of %d bytes, at most %d fit", body.Len(), MaxHeader)
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(body.Len()))
	out = append(out, body.Bytes()...)
	h.DataStart = int64(len(out))
	return h, out, nil
}

// ReadHeader reads the header of a file of size bytes and checks that its data fills the rest.
func ReadHeader(r io.ReaderAt, size int64) (*Header, error) {
	var length [8]byte
	if _, err := r.ReadAt(length[:], 0); err != nil {
		return nil, fmt.Errorf("%d bytes are too short for a header: %w", size, ErrFormat)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > MaxHeader || int64(n) > size-8 {
		return nil, fmt.Errorf("header of %d bytes in a file of %d: %w", n, size, ErrFormat)
	}
	text := make([]byte, n)
	if _, err := r.ReadAt(text, 8); err != nil {
		return nil, fmt.Errorf("header is cut off: %w: %w", err, ErrFormat)
	}
	h, err := parseHeader(text)
	if err != nil {
		return nil, err
	}
	h.DataStart = 8 + int64(n)
	var end int64
	if k := len(h.Tensors); k > 0 {
		end = h.Tensors[k-1].Offset + h.Tensors[k-1].Size
	}
	if h.DataStart+end != size {
		return nil, fmt.Errorf("data of %d bytes, the header wants %d: %w", size-h.DataStart, end, ErrFormat)
	}
	return h, nil
}

type wireTensor struct {
	DType   DType    `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

func parseHeader(text []byte) (*Header, error) {
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("header: %w: %w", err, ErrFormat)
	}
	h := &Header{Metadata: map[string]string{}}
	for name, raw := range entries {
		if name == "__metadata__" {
			if err := json.Unmarshal(raw, &h.Metadata); err != nil {
				return nil, fmt.Errorf("__metadata__: %w: %w", err, ErrFormat)
			}
			continue
		}
		var w wireTensor
		if err := json.Unmarshal(raw, &w); err != nil {
			return nil, fmt.Errorf("tensor %q: %w: %w", name, err, ErrFormat)
		}
		size, err := byteSize(w.DType, w.Shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if w.Offsets[0] < 0 || w.Offsets[1] < w.Offsets[0] || w.Offsets[1]-w.Offsets[0] != size {
			return nil, fmt.Errorf("tensor %q: offsets %v, its shape takes %d bytes: %w", name, w.Offsets, size, ErrFormat)
		}
		h.Tensors = append(h.Tensors, Tensor{name, w.DType, w.Shape, w.Offsets[0], size})
	}
	sort.Slice(h.Tensors, func(i, j int) bool {
		a, b := h.Tensors[i], h.Tensors[j]
		if a.Offset != b.Offset {
			return a.Offset < b.Offset
		}
		if a.Size != b.Size {
			return a.Size < b.Size // empty tensors share their successor's offset
		}
		return a.Name < b.Name
	})
	var end int64
	for _, t := range h.Tensors {
		if t.Offset != end {
			return nil, fmt.Errorf("tensor %q starts at %d, want %d: %w", t.Name, t.Offset, end, ErrFormat)
		}
		end += t.Size
	}
	return h, nil
}

func shapeOf(t Tensor) []int64 {
	if t.Shape == nil {
		return []int64{}
	}
	return t.Shape
}

// byteSize multiplies without overflow.
func byteSize(d DType, shape []int64) (int64, error) {
	n, ok := widths[d]
	if !ok {
		return 0, fmt.Errorf("dtype %q is not known: %w", d, ErrFormat)
	}
	total := uint64(n)
	for _, s := range shape {
		if s < 0 {
			return 0, fmt.Errorf("shape %v: %w", shape, ErrFormat)
		}
		hi, lo := bits.Mul64(total, uint64(s))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, fmt.Errorf("shape %v is too large: %w", shape, ErrFormat)
		}
		total = lo
	}
	return int64(total), nil
}
