package shard

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/safetensors"
)

const (
	shardFormat = "vf2prep.shard/2"
	// Files of this format lack encoding and shape in their metadata: they are raw.
	shardFormat1 = "vf2prep.shard/1"
)

// Writer collects the samples of one shard at their places and writes the file at once.
// Buffer, Put and Reject may be called by many goroutines for different slots.
type Writer struct {
	dir     string
	part    string
	i, n    int
	shape   Shape
	encoded bool
	from    map[string]string

	samples []Sample // Data nil: not there
	sums    []uint32
	rejects []*Reject
	once    sync.Once
	pixels  []byte
}

// NewWriter returns a Writer for shard i of n of a part, with room for planned samples. from is
// kept in the file's metadata: the digests of what the shard is made from.
func NewWriter(dir, part string, i, n int, shape Shape, planned int, from map[string]string) (*Writer, error) {
	if err := shape.check(); err != nil {
		return nil, err
	}
	return &Writer{
		dir: dir, part: part, i: i, n: n, shape: shape, from: from,
		samples: make([]Sample, planned),
		sums:    make([]uint32, planned),
		rejects: make([]*Reject, planned),
	}, nil
}

// Encode says that the samples are JPEGs, which Put takes.
func (w *Writer) Encode() { w.encoded = true }

// Reuse lends the Writer memory for its Buffers, planned*C*H*W bytes or more, until Close.
func (w *Writer) Reuse(pixels []byte) { w.once.Do(func() { w.pixels = pixels }) }

// Buffer returns the place of a slot's pixels, C*H*W bytes, to be filled before Put; nil after
// Encode.
func (w *Writer) Buffer(slot int) []uint8 {
	if w.encoded {
		return nil
	}
	n := w.shape.Bytes()
	w.once.Do(func() { w.pixels = make([]byte, len(w.samples)*n) })
	return w.pixels[slot*n : (slot+1)*n : (slot+1)*n]
}

// Put says that the slot's Buffer holds s, whose Data is ignored; or, after Encode, that the
// slot is s, whose Data is a JPEG that the Writer keeps.
func (w *Writer) Put(slot int, s Sample) {
	if !w.encoded {
		s.Data = w.Buffer(slot)
	}
	w.sums[slot] = checksum(s.Data)
	w.samples[slot] = s
	w.rejects[slot] = nil
}

// Reject says that the slot's sample can't be made and why.
func (w *Writer) Reject(slot int, r Reject) {
	w.samples[slot] = Sample{}
	w.rejects[slot] = &r
}

// Rejects returns the rejects so far in the order of their slots, those that were taken out on request
// last.
func (w *Writer) Rejects() []Reject {
	out := []Reject{}
	for _, r := range w.rejects {
		if r != nil {
			out = append(out, *r)
		}
	}
	return forgottenLast(out)
}

// Info describes a finished shard, as index.json lists it.
type Info struct {
	File    string `json:"file"`
	Samples int    `json:"samples"`
	Bytes   int64  `json:"bytes"`
	Digest  string `json:"digest"` // of the file's bytes
}

// Close writes the shard under its final name. Slots that were neither put nor rejected are a
// mistake of the caller and an error.
func (w *Writer) Close() (Info, error) {
	var kept []int
	for slot, s := range w.samples {
		if s.Data != nil {
			kept = append(kept, slot)
		} else if w.rejects[slot] == nil {
			return Info{}, fmt.Errorf("shard: slot %d of %s was never filled", slot, FileName(w.part, w.i, w.n))
		}
	}
	head, sections, err := w.layout(kept, w.Rejects())
	if err != nil {
		return Info{}, err
	}
	name := FileName(w.part, w.i, w.n)
	sum := digest.New()
	size := int64(0)
	err = atomicfile.Write(filepath.Join(w.dir, name), func(f io.Writer) error {
		put := func(b []byte) error {
			sum.Write(b)
			size += int64(len(b))
			_, err := f.Write(b)
			return err
		}
		if err := put(head); err != nil {
			return err
		}
		for _, s := range sections {
			if err := put(s.data); err != nil {
				return err
			}
		}
		for i := 0; i < len(kept); {
			run := w.run(kept[i:])
			data := w.samples[kept[i]].Data
			if run > 1 {
				n := w.shape.Bytes()
				data = w.pixels[kept[i]*n : (kept[i]+run)*n]
			}
			if err := put(data); err != nil {
				return err
			}
			i += run
		}
		return nil
	})
	if err != nil {
		return Info{}, err
	}
	return Info{File: name, Samples: len(kept), Bytes: size, Digest: sum.String()}, nil
}

// run returns how many of the slots lie one after another in memory, at least 1, as far as they
// are worth being written at once.
func (w *Writer) run(slots []int) int {
	if w.encoded || w.pixels == nil {
		return 1
	}
	n, most := 1, max(1, 1<<20/w.shape.Bytes())
	for n < len(slots) && n < most && slots[n] == slots[0]+n {
		n++
	}
	return n
}

// section is one small tensor: all but the image.
type section struct {
	tensor safetensors.Tensor
	data   []byte
}

func (w *Writer) layout(kept []int, rejects []Reject) ([]byte, []section, error) {
	n := int64(len(kept))
	offsets := binary.LittleEndian.AppendUint64(nil, 0)
	var sums, labels, ages, landmarks, genders, keys []byte
	images := binary.LittleEndian.AppendUint64(nil, 0)
	bytes := uint64(0)
	for _, slot := range kept {
		s := w.samples[slot]
		bytes += uint64(len(s.Data))
		images = binary.LittleEndian.AppendUint64(images, bytes)
		sums = binary.LittleEndian.AppendUint64(sums, uint64(w.sums[slot]))
		labels = binary.LittleEndian.AppendUint32(labels, uint32(s.Label))
		ages = appendFloat(ages, s.Age)
		for _, p := range s.Landmarks {
			landmarks = appendFloat(appendFloat(landmarks, p[0]), p[1])
		}
		genders = append(genders, byte(s.Gender))
		keys = append(keys, s.Key...)
		offsets = binary.LittleEndian.AppendUint64(offsets, uint64(len(keys)))
	}
	image := []int64{n, int64(w.shape[0]), int64(w.shape[1]), int64(w.shape[2])}
	encoding := Raw
	if w.encoded {
		encoding, image = JPEG, []int64{int64(bytes)}
	} else {
		images = nil
	}
	for (len(offsets)+len(images)+len(sums)+len(labels)+len(ages)+len(landmarks)+len(genders)+len(keys))%safetensors.Align != 0 {
		keys = append(keys, 0)
	}
	sections := []section{
		{safetensors.Tensor{Name: "key_offsets", DType: safetensors.I64, Shape: []int64{n + 1}}, offsets},
		{safetensors.Tensor{Name: "image_offsets", DType: safetensors.I64, Shape: []int64{n + 1}}, images},
		{safetensors.Tensor{Name: "crc32c", DType: safetensors.I64, Shape: []int64{n}}, sums},
		{safetensors.Tensor{Name: "label", DType: safetensors.I32, Shape: []int64{n}}, labels},
		{safetensors.Tensor{Name: "age", DType: safetensors.F32, Shape: []int64{n}}, ages},
		{safetensors.Tensor{Name: "landmarks", DType: safetensors.F32, Shape: []int64{n, 5, 2}}, landmarks},
		{safetensors.Tensor{Name: "gender", DType: safetensors.I8, Shape: []int64{n}}, genders},
		{safetensors.Tensor{Name: "key", DType: safetensors.U8, Shape: []int64{int64(len(keys))}}, keys},
	}
	if !w.encoded {
		sections = slices.Delete(sections, 1, 2)
	}
	text, err := json.Marshal(rejects)
	if err != nil {
		return nil, nil, err
	}
	meta := map[string]string{
		"format":   shardFormat,
		"encoding": encoding,
		"shape":    w.shape.String(),
		"part":     w.part,
		"shard":    strconv.Itoa(w.i),
		"shards":   strconv.Itoa(w.n),
		"planned":  strconv.Itoa(len(w.samples)),
		"rejects":  string(text),
		sumKey:     noSum,
	}
	for k, v := range w.from {
		meta[k] = v
	}
	tensors := make([]safetensors.Tensor, 0, len(sections)+1)
	for _, s := range sections {
		meta["crc32c."+s.tensor.Name] = fmt.Sprintf("%08x", checksum(s.data))
		tensors = append(tensors, s.tensor)
	}
	tensors = append(tensors, safetensors.Tensor{Name: "image", DType: safetensors.U8, Shape: image})
	_, head, err := safetensors.NewHeader(tensors, meta)
	if err != nil {
		return nil, nil, err
	}
	sum, at := headerChecksum(head)
	copy(head[at:], sum)
	return head, sections, nil
}

// quietNaN is the one NaN that is written, so that an unknown age has the same bytes everywhere.
const quietNaN = 0x7fc00000

func appendFloat(b []byte, v float32) []byte {
	if v != v {
		return binary.LittleEndian.AppendUint32(b, quietNaN)
	}
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
}
