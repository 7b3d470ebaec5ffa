package shard

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// ErrCorrupt says that a shard or an index is not what was written.
var ErrCorrupt = errors.New("corrupt")

// ErrVersion says that a set was written by a version this one doesn't read.
var ErrVersion = errors.New("unknown format version")

// Sample is one row of a shard.
type Sample struct {
	Key       string        // "n000002/0001_01"
	Label     int32         // class, -1 none
	Data      []uint8       // C, H, W
	Age       float32       // years, NaN unknown
	Gender    int8          // 0 male, 1 female, -1 unknown
	Landmarks [5][2]float32 // x, y in pixels of the sample, NaN unknown
}

// The encodings of a set's samples.
const (
	Raw  = "raw"  // C*H*W bytes
	JPEG = "jpeg" // a baseline JPEG; its pixels are made when the sample is read
)

// Reject is a planned sample that could not be made.
type Reject struct {
	Key    string `json:"key"`
	Stage  string `json:"stage"`
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
}

// The largest sample that is believed: no recipe comes near it.
const (
	maxSide     = 8192
	maxChannels = 4
	maxRow      = 64 << 20 // bytes
)

// Shape is a sample's size: channels, rows, columns.
type Shape [3]int

// Bytes returns C*H*W.
func (s Shape) Bytes() int { return s[0] * s[1] * s[2] }

func (s Shape) String() string { return fmt.Sprintf("%dx%dx%d", s[0], s[1], s[2]) }

func parseShape(text string) (s Shape, err error) {
	fields := strings.Split(text, "x")
	if len(fields) != len(s) {
		return s, fmt.Errorf("shape %q", text)
	}
	for i, f := range fields {
		if s[i], err = strconv.Atoi(f); err != nil {
			return s, fmt.Errorf("shape %q: %w", text, err)
		}
	}
	return s, s.check()
}

func (s Shape) check() error {
	if s[0] < 1 || s[0] > maxChannels || s[1] < 1 || s[1] > maxSide || s[2] < 1 || s[2] > maxSide || s.Bytes() > maxRow {
		return fmt.Errorf("shape %v is out of range", s)
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// FileName returns the name of shard i of n of a part: "train-00003-of-00064.safetensors".
func FileName(part string, i, n int) string {
	return fmt.Sprintf("%s-%05d-of-%05d.safetensors", part, i, n)
}
