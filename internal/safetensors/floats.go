package safetensors

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
)

// Floats is one float32 array with its values, as weights are kept.
type Floats struct {
	Name  string
	Shape []int
	Data  []float32
}

// WriteFloats writes arrays in the given order.
func WriteFloats(w io.Writer, arrays []Floats, metadata map[string]string) error {
	tensors := make([]Tensor, len(arrays))
	for i, a := range arrays {
		shape := make([]int64, len(a.Shape))
		n := 1
		for j, s := range a.Shape {
			shape[j] = int64(s)
			n *= s
		}
		if n != len(a.Data) {
			return fmt.Errorf("tensor %q: %d values for shape %v", a.Name, len(a.Data), a.Shape)
		}
		tensors[i] = Tensor{Name: a.Name, DType: F32, Shape: shape}
	}
	_, head, err := NewHeader(tensors, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	buf := make([]byte, 0, 1<<16)
	for _, a := range arrays {
		for _, v := range a.Data {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			if len(buf) == cap(buf) {
				if _, err := w.Write(buf); err != nil {
					return err
				}
				buf = buf[:0]
			}
		}
	}
	_, err = w.Write(buf)
	return err
}

// ReadFloats reads every F32 and F64 array of a file, in the order of the data, and skips
// arrays of other types. Errors in the file wrap [ErrFormat].
func ReadFloats(path string) ([]Floats, map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	h, err := ReadHeader(f, info.Size())
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	var out []Floats
	for _, t := range h.Tensors {
		if t.DType != F32 && t.DType != F64 {
			continue
		}
		width := widths[t.DType]
		a := Floats{Name: t.Name, Data: make([]float32, t.Size/width)} // the header was held against the file's size
		for _, s := range t.Shape {
			a.Shape = append(a.Shape, int(s))
		}
		r := bufio.NewReaderSize(io.NewSectionReader(f, h.DataStart+t.Offset, t.Size), 1<<16)
		var b [8]byte
		for i := range a.Data {
			if _, err := io.ReadFull(r, b[:width]); err != nil {
				return nil, nil, fmt.Errorf("%s: tensor %q: %w", path, t.Name, err)
			}
			if t.DType == F32 {
				a.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[:4]))
			} else {
				a.Data[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[:8])))
			}
		}
		out = append(out, a)
	}
	return out, h.Metadata, nil
}
