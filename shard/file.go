package shard

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/edsrzf/mmap-go"

	"github.com/vf2prep/vf2prep/internal/safetensors"
)

// File is one open shard.
type File struct {
	Part    string
	Shard   int // which of Shards
	Shards  int
	Planned int
	Rejects []Reject
	Meta    map[string]string

	name  string
	shape Shape
	jpeg  bool // each image is one, and has its own length
	n     int
	front []byte // length and header, mapped
	data  []byte // all tensors, mapped
	head  *safetensors.Header
	unmap func() error

	offsets, imageOffsets, sums, labels, ages, landmarks, genders, keys, images []byte

	checked []atomic.Uint64 // a bit per sample: its checksum was found right
	random  atomic.Bool     // see Part.Prefetch
}

// OpenFile maps one shard and checks its header and its small tensors; the samples' checksums
// are checked as they are read. Errors in the file wrap [ErrCorrupt].
func OpenFile(path string) (*File, error) {
	s, err := openUnchecked(path)
	if err != nil {
		return nil, err
	}
	err = s.checkHeader()
	if err == nil {
		err = s.checkSections()
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return s, nil
}

// openUnchecked maps a shard whose tensors can be found, whatever they hold.
func openUnchecked(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 { // an empty file can't be mapped
		return nil, fmt.Errorf("%s: header: empty file: %w", filepath.Base(path), ErrCorrupt)
	}
	all, err := mmap.Map(f, mmap.RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s, err := parse(filepath.Base(path), all)
	if err != nil {
		all.Unmap()
		return nil, err
	}
	s.unmap = all.Unmap
	return s, nil
}

// parse finds the tensors of a shard in its bytes.
func parse(name string, all []byte) (*File, error) {
	head, err := safetensors.ReadHeader(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		return nil, fmt.Errorf("%s: header: %w: %w", name, err, ErrCorrupt)
	}
	s := &File{name: name, front: all[:head.DataStart], data: all[head.DataStart:], head: head, Meta: head.Metadata}
	if err := s.layout(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// smallTensors are the sections with a checksum in the metadata, in the order of the bytes.
func (s *File) smallTensors() []string {
	if s.jpeg {
		return []string{"key_offsets", "image_offsets", "crc32c", "label", "age", "landmarks", "gender", "key"}
	}
	return []string{"key_offsets", "crc32c", "label", "age", "landmarks", "gender", "key"}
}

// frame finds out how many samples of which shape there are, and how they are encoded.
func (s *File) frame() error {
	switch got := s.Meta["format"]; got {
	default:
		return fmt.Errorf("format %q, want %q: %w", got, shardFormat, ErrVersion)
	case shardFormat1:
	case shardFormat:
		switch got := s.Meta["encoding"]; got {
		case Raw:
		case JPEG:
			s.jpeg = true
		default:
			return fmt.Errorf("encoding %q, want %s or %s: %w", got, Raw, JPEG, ErrVersion)
		}
	}
	image, ok := s.head.Lookup("image")
	if !ok || image.DType != safetensors.U8 {
		return fmt.Errorf("header: no tensor image U8: %w", ErrCorrupt)
	}
	if s.jpeg {
		var err error
		if s.shape, err = parseShape(s.Meta["shape"]); err != nil {
			return fmt.Errorf("header: %w: %w", err, ErrCorrupt)
		}
		if s.shape[0] != 1 && s.shape[0] != 3 {
			return fmt.Errorf("header: JPEGs of %d channels: %w", s.shape[0], ErrCorrupt)
		}
		sums, _ := s.head.Lookup("crc32c")
		s.n = int(sums.Size / 8)
		return nil
	}
	if len(image.Shape) != 4 {
		return fmt.Errorf("header: image shape %v, want [N,C,H,W]: %w", image.Shape, ErrCorrupt)
	}
	s.shape = Shape{int(image.Shape[1]), int(image.Shape[2]), int(image.Shape[3])}
	if image.Shape[1] > maxChannels || image.Shape[2] > maxSide || image.Shape[3] > maxSide || s.shape.check() != nil {
		return fmt.Errorf("header: image shape %v is out of range: %w", image.Shape, ErrCorrupt)
	}
	s.n = int(image.Shape[0])
	return nil
}

func (s *File) layout() error {
	if err := s.frame(); err != nil {
		return err
	}
	n := int64(s.n)
	imageOffsets, images := int64(0), n*int64(s.shape.Bytes())
	if s.jpeg {
		imageOffsets, images = 8*(n+1), -1
	}
	for _, t := range []struct {
		name  string
		to    *[]byte
		dtype safetensors.DType
		size  int64 // -1 any
	}{
		{"key_offsets", &s.offsets, safetensors.I64, 8 * (n + 1)},
		{"image_offsets", &s.imageOffsets, safetensors.I64, imageOffsets},
		{"crc32c", &s.sums, safetensors.I64, 8 * n},
		{"label", &s.labels, safetensors.I32, 4 * n},
		{"age", &s.ages, safetensors.F32, 4 * n},
		{"landmarks", &s.landmarks, safetensors.F32, 40 * n},
		{"gender", &s.genders, safetensors.I8, n},
		{"key", &s.keys, safetensors.U8, -1},
		{"image", &s.images, safetensors.U8, images},
	} {
		if t.name == "image_offsets" && !s.jpeg {
			continue
		}
		h, ok := s.head.Lookup(t.name)
		if !ok || h.DType != t.dtype || t.size >= 0 && h.Size != t.size {
			return fmt.Errorf("header: tensor %s is missing or of another size: %w", t.name, ErrCorrupt)
		}
		*t.to = s.section(t.name)
	}
	s.checked = make([]atomic.Uint64, (s.n+63)/64)
	return nil
}

// headerSum is how the header's own checksum stands in it; it is made with zeros in its place.
// The quotes keep a text within the header from looking like it.
const (
	headerSum  = `"crc32c.header":"`
	noSum      = "00000000"
	sumKey     = "crc32c.header"
	sumPending = headerSum + noSum + `"`
)

// headerChecksum returns the checksum of length and header and where in them it belongs, -1 where
// they have no place for one.
func headerChecksum(front []byte) (sum string, at int) { return embeddedChecksum(front, headerSum) }

// embeddedChecksum returns the checksum of a text that holds it behind the first mark, with
// zeros in its place, and where that is.
func embeddedChecksum(text []byte, mark string) (sum string, at int) {
	at = bytes.Index(text, []byte(mark))
	if at < 0 || at+len(mark)+len(noSum)+1 > len(text) {
		return "", -1
	}
	at += len(mark)
	crc := checksum(text[:at])
	crc = crc32.Update(crc, castagnoli, []byte(noSum))
	crc = crc32.Update(crc, castagnoli, text[at+len(noSum):])
	return fmt.Sprintf("%08x", crc), at
}

func (s *File) checkHeader() error {
	got, at := headerChecksum(s.front)
	if at < 0 {
		return fmt.Errorf("header: no checksum: %w", ErrCorrupt)
	}
	if want := string(s.front[at : at+len(noSum)]); got != want {
		return fmt.Errorf("header: CRC %s, want %s: %w", got, want, ErrCorrupt)
	}
	return nil
}

func (s *File) checkSections() error {
	for _, name := range s.smallTensors() {
		got := fmt.Sprintf("%08x", checksum(s.section(name)))
		if want := s.Meta["crc32c."+name]; got != want {
			return fmt.Errorf("section %s: CRC %s, want %s: %w", name, got, want, ErrCorrupt)
		}
	}
	if i := outOfOrder(s.offsets, len(s.keys)); i >= 0 {
		return fmt.Errorf("section key_offsets: entry %d is out of range: %w", i, ErrCorrupt)
	}
	if i := outOfOrder(s.imageOffsets, len(s.images)); i >= 0 {
		return fmt.Errorf("section image_offsets: entry %d is out of range: %w", i, ErrCorrupt)
	}
	s.Part = s.Meta["part"]
	for key, to := range map[string]*int{"shard": &s.Shard, "shards": &s.Shards, "planned": &s.Planned} {
		v, err := strconv.Atoi(s.Meta[key])
		if err != nil || v < 0 {
			return fmt.Errorf("header: %s: %q is not a number: %w", key, s.Meta[key], ErrCorrupt)
		}
		*to = v
	}
	if err := json.Unmarshal([]byte(s.Meta["rejects"]), &s.Rejects); err != nil {
		return fmt.Errorf("header: rejects: %w: %w", err, ErrCorrupt)
	}
	if s.Planned != s.n+len(s.Rejects) {
		return fmt.Errorf("header: %d planned, %d samples and %d rejects: %w", s.Planned, s.n, len(s.Rejects), ErrCorrupt)
	}
	return nil
}

// outOfOrder returns the first of the offsets that lies before the one in front of it or beyond
// size, -1 where none does.
func outOfOrder(offsets []byte, size int) int {
	last := uint64(0)
	for i := range len(offsets) / 8 {
		o := binary.LittleEndian.Uint64(offsets[8*i:])
		if o < last || o > uint64(size) {
			return i
		}
		last = o
	}
	return -1
}

func (s *File) section(name string) []byte {
	t, _ := s.head.Lookup(name)
	return s.data[t.Offset : t.Offset+t.Size]
}

// Close unmaps the file; views of its samples must not be used any more.
func (s *File) Close() error {
	if s.unmap == nil {
		return nil
	}
	err := s.unmap()
	s.unmap, s.front, s.data = nil, nil, nil
	return err
}

// Encoding returns how the samples are kept: [Raw] or [JPEG].
func (s *File) Encoding() string {
	if s.jpeg {
		return JPEG
	}
	return Raw
}

// Stored returns the bytes of sample i as the shard holds them, a view of the mapped file, with
// its checksum checked.
func (s *File) Stored(i int) ([]byte, error) {
	if err := s.check(i); err != nil {
		return nil, err
	}
	return s.image(i), nil
}

// Len returns the number of samples.
func (s *File) Len() int { return s.n }

// Shape returns the samples' size.
func (s *File) Shape() Shape { return s.shape }

// Sample returns sample i. Its Data is a view of the mapped file, or newly made pixels where the
// shard holds JPEGs. The checksum is checked when the sample is first read, and the error wraps
// [ErrCorrupt] where it is wrong.
func (s *File) Sample(i int) (Sample, error) { return s.SampleInto(i, nil) }

// SampleInto is [File.Sample] with room for the pixels of a shard that holds JPEGs: C*H*W bytes,
// which Data is then a view of. A nil buf is made.
func (s *File) SampleInto(i int, buf []uint8) (Sample, error) {
	data := s.image(i)
	if bit := uint64(1) << (i % 64); s.checked[i/64].Load()&bit == 0 {
		if err := s.check(i); err != nil {
			return Sample{}, err
		}
		s.checked[i/64].Or(bit)
	}
	if s.jpeg {
		if buf == nil {
			buf = make([]uint8, s.shape.Bytes())
		}
		if err := decode(buf, data, s.shape, s.Meta["channels"] == "bgr"); err != nil {
			return Sample{}, fmt.Errorf("%s: sample %d: %w: %w", s.name, i, err, ErrCorrupt)
		}
		data = buf
	}
	out := s.meta(i)
	out.Data = data
	return out, nil
}

// meta returns all of sample i but its pixels.
func (s *File) meta(i int) Sample {
	out := Sample{
		Key:    s.Key(i),
		Label:  s.Label(i),
		Age:    float32At(s.ages, i),
		Gender: int8(s.genders[i]),
	}
	for p := range out.Landmarks {
		out.Landmarks[p] = [2]float32{float32At(s.landmarks, 10*i+2*p), float32At(s.landmarks, 10*i+2*p+1)}
	}
	return out
}

// Key returns the key of sample i.
func (s *File) Key(i int) string {
	return string(s.keys[binary.LittleEndian.Uint64(s.offsets[8*i:]):binary.LittleEndian.Uint64(s.offsets[8*i+8:])])
}

// Label returns the class of sample i, -1 for none.
func (s *File) Label(i int) int32 { return int32(binary.LittleEndian.Uint32(s.labels[4*i:])) }

// Person returns age, in years, NaN unknown, and gender, -1 unknown, of sample i.
func (s *File) Person(i int) (age float32, gender int8) {
	return float32At(s.ages, i), int8(s.genders[i])
}

func (s *File) image(i int) []byte {
	if s.jpeg {
		from, to := binary.LittleEndian.Uint64(s.imageOffsets[8*i:]), binary.LittleEndian.Uint64(s.imageOffsets[8*i+8:])
		return s.images[from:to:to]
	}
	n := s.shape.Bytes()
	return s.images[i*n : (i+1)*n : (i+1)*n]
}

func (s *File) check(i int) error {
	got, want := checksum(s.image(i)), uint32(binary.LittleEndian.Uint64(s.sums[8*i:]))
	if got != want {
		return fmt.Errorf("%s: sample %d: CRC %08x, want %08x: %w", s.name, i, got, want, ErrCorrupt)
	}
	return nil
}

func float32At(b []byte, i int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
}
