package recordio

import (
	"encoding/binary"
	"fmt"
	"math"
)

const (
	magic    = 0xced7230a
	partHead = 8

	kindWhole  = 0
	kindFirst  = 1
	kindMiddle = 2
	kindLast   = 3
)

// MaxRecord is the longest record, in bytes.
const MaxRecord = 1<<29 - 1

// Append appends a record. The error says that it is too long.
func Append(dst, data []byte) ([]byte, error) {
	if len(data) > MaxRecord {
		return dst, fmt.Errorf("recordio: record of %d bytes, at most %d", len(data), MaxRecord)
	}
	from, kind := 0, uint32(kindWhole)
	for i := 0; i+4 <= len(data); i += 4 {
		if binary.LittleEndian.Uint32(data[i:]) != magic {
			continue
		}
		if kind == kindWhole {
			kind = kindFirst
		} else {
			kind = kindMiddle
		}
		dst = appendPart(dst, kind, data[from:i])
		from = i + 4
	}
	if kind != kindWhole {
		kind = kindLast
	}
	return appendPart(dst, kind, data[from:]), nil
}

func appendPart(dst []byte, kind uint32, data []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, magic)
	dst = binary.LittleEndian.AppendUint32(dst, kind<<29|uint32(len(data)))
	dst = append(dst, data...)
	return append(dst, make([]byte, -len(data)&3)...)
}

// Header is what an image record begins with.
type Header struct {
	Labels []float32 // one is kept in the header itself, with flag 0, unless Array says otherwise
	Array  bool      // the labels follow the header whatever their number
	ID     uint64
	ID2    uint64
}

const headerSize = 24

// AppendHeader appends a header.
func AppendHeader(dst []byte, h Header) []byte {
	flag, label := uint32(len(h.Labels)), float32(0)
	if len(h.Labels) == 1 && !h.Array {
		flag, label = 0, h.Labels[0]
	}
	dst = binary.LittleEndian.AppendUint32(dst, flag)
	dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(label))
	dst = binary.LittleEndian.AppendUint64(dst, h.ID)
	dst = binary.LittleEndian.AppendUint64(dst, h.ID2)
	for _, v := range h.Labels[:flag] {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
	}
	return dst
}

// maxLabels of a record are believed.
const maxLabels = 1 << 16

// CutHeader returns the header that a record begins with, and what follows. The labels are appended to
// labels[:0].
func CutHeader(record []byte, labels []float32) (h Header, image []byte, err error) {
	if len(record) < headerSize {
		return h, nil, fmt.Errorf("record of %d bytes, want a header of %d", len(record), headerSize)
	}
	flag := binary.LittleEndian.Uint32(record)
	h = Header{
		Labels: append(labels[:0], math.Float32frombits(binary.LittleEndian.Uint32(record[4:]))),
		ID:     binary.LittleEndian.Uint64(record[8:]), ID2: binary.LittleEndian.Uint64(record[16:]),
	}
	rest := record[headerSize:]
	if flag == 0 {
		return h, rest, nil
	}
	if flag > maxLabels || int64(len(rest)) < 4*int64(flag) {
		return h, nil, fmt.Errorf("header counts %d labels, %d bytes follow", flag, len(rest))
	}
	h.Array, h.Labels = true, h.Labels[:0]
	for i := range int(flag) {
		h.Labels = append(h.Labels, math.Float32frombits(binary.LittleEndian.Uint32(rest[4*i:])))
	}
	return h, rest[4*flag:], nil
}
