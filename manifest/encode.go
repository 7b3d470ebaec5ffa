package manifest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/bits"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Parquet's bytes, as far as a manifest needs them: data pages of version 2, plain or with a
// dictionary, packed with zstd or not at all, each with its CRC.
//
// https://github.com/apache/parquet-format

const (
	pageBytes = 256 << 10 // of values, where a page ends
	pageRows  = 1 << 16
)

// packer packs and sums the pages of one goroutine.
type packer struct {
	zstd    *zstd.Encoder
	scratch []byte
	body    []byte
	levels  []uint32
	proto   thrift.CompactProtocol
}

func newPacker() (*packer, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	return &packer{zstd: z}, nil
}

// chunk is the values of one column in one row group.
type chunk struct {
	c    *column
	pack *packer

	// The page under way: plain values, or places in the dictionary, or bits.
	data     []byte
	index    []uint32
	rows     int
	values   int // with nulls
	nulls    int
	def, rep runs

	dict  map[string]uint32
	words []byte // the dictionary's page
	last  string // the word used last
	place uint32 // its place

	head  []byte // the dictionary, once it is finished
	out   []byte // finished pages
	codec format.CompressionCodec
	pages int32
	meta  format.ColumnMetaData // without offsets
	min   []byte                // of values, plain; nil where there are none to compare
	max   []byte
	blind bool // no smallest and greatest value can be told
}

func newChunk(c *column, pack *packer) *chunk {
	k := &chunk{c: c, pack: pack}
	k.reset()
	return k
}

func (k *chunk) reset() {
	k.head, k.out, k.words, k.last, k.pages = k.head[:0], k.out[:0], k.words[:0], "", 0
	k.min, k.max, k.blind = k.min[:0], k.max[:0], false
	k.meta = format.ColumnMetaData{}
	if k.c.dict {
		k.dict = map[string]uint32{}
	}
	k.codec = format.Zstd
}

func (k *chunk) present() {
	k.rows++
	k.values++
	if !k.c.required {
		k.def.add(1)
	}
}

func (k *chunk) null() {
	k.rows++
	k.values++
	k.nulls++
	k.def.add(0)
}

func (k *chunk) int32(v int32) {
	k.present()
	k.data = binary.LittleEndian.AppendUint32(k.data, uint32(v))
}

func (k *chunk) uint64(v uint64) {
	k.present()
	k.data = binary.LittleEndian.AppendUint64(k.data, v)
}

func (k *chunk) float(v float32) {
	k.present()
	k.data = binary.LittleEndian.AppendUint32(k.data, math.Float32bits(v))
}

func (k *chunk) bool(v bool) {
	k.present()
	var b uint32
	if v {
		b = 1
	}
	k.index = append(k.index, b)
}

// text takes a string whose length the column's page tells, or a word of the dictionary.
func (k *chunk) text(s string) {
	k.present()
	if k.c.dict {
		k.word(s)
		return
	}
	k.data = append(binary.LittleEndian.AppendUint32(k.data, uint32(len(s))), s...)
}

// nameID takes an image's NAME_ID.
func (k *chunk) nameID(id ImageID) {
	k.present()
	at := len(k.data)
	k.data = id.append(append(k.data, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(k.data[at:], uint32(len(k.data)-at-4))
}

// optional takes a string of which the empty one is null.
func (k *chunk) optional(s string) {
	if s == "" {
		k.null()
		return
	}
	k.text(s)
}

// word takes a string by its place in the dictionary.
func (k *chunk) word(s string) {
	if s != k.last || len(k.words) == 0 {
		place, ok := k.dict[s]
		if !ok {
			place = uint32(len(k.dict))
			k.dict[s] = place
			if k.c.kind == format.ByteArray {
				k.words = binary.LittleEndian.AppendUint32(k.words, uint32(len(s)))
			}
			k.words = append(k.words, s...)
			k.bound([]byte(s))
		}
		k.last, k.place = s, place
	}
	k.index = append(k.index, k.place)
}

// list takes a list of words.
func (k *chunk) list(words []string) {
	k.rows++
	if len(words) == 0 {
		k.values++
		k.nulls++
		k.def.add(0)
		k.rep.add(0)
	}
	for i, s := range words {
		k.values++
		k.def.add(1)
		k.rep.add(min(i, 1))
		k.word(s)
	}
}

// cut ends the page if it is large enough.
func (k *chunk) cut() error {
	if k.rows < pageRows && len(k.data) < pageBytes {
		return nil
	}
	rows := k.rows
	if err := k.page(); err != nil {
		return err
	}
	if k.pages == 1 { // the first page tells how much there will be
		k.out = slices.Grow(k.out, len(k.out)*(rowGroupRows/rows+1))
	}
	return nil
}

// page packs the page under way.
func (k *chunk) page() error {
	if k.rows == 0 {
		return nil
	}
	k.bounds()
	p := k.pack
	p.body = p.body[:0]
	if k.c.repeated {
		p.body = p.runs(p.body, k.rep)
	}
	rep := len(p.body)
	if !k.c.required {
		p.body = p.runs(p.body, k.def)
	}
	levels := len(p.body)
	encoding := format.Plain
	data := k.data
	switch {
	case k.c.dict:
		encoding = format.RLEDictionary
		// One bit at least, and the width even where all is null: not every reader takes less.
		width := 1
		if n := len(k.dict); n > 1 {
			width = bits.Len32(uint32(n - 1))
		}
		p.scratch = hybrid(append(p.scratch[:0], byte(width)), k.index, width)
		data = p.scratch
	case k.c.kind == format.Boolean:
		p.scratch = packBits(p.scratch[:0], k.index, 1)
		data = p.scratch
	}
	packed := p.body
	if k.codec == format.Zstd {
		packed = p.zstd.EncodeAll(data, p.body)
		if k.pages == 0 && !k.c.dict && len(packed)-levels > len(data)-len(data)/16 {
			k.codec = format.Uncompressed // numbers such as landmarks: packing gains nothing
		}
	}
	if k.codec == format.Uncompressed {
		packed = append(packed[:levels], data...)
	}
	p.body = packed
	h := format.PageHeader{
		Type:                 format.DataPageV2,
		UncompressedPageSize: int32(levels + len(data)),
		CompressedPageSize:   int32(len(packed)),
		CRC:                  int32(crc32.ChecksumIEEE(packed)),
		DataPageHeaderV2: thrift.New(format.DataPageHeaderV2{
			NumValues: int32(k.values), NumNulls: int32(k.nulls), NumRows: int32(k.rows), Encoding: encoding,
			DefinitionLevelsByteLength: int32(levels - rep), RepetitionLevelsByteLength: int32(rep),
			IsCompressed: thrift.New(k.codec != format.Uncompressed),
		}),
	}
	if err := k.append(&h, packed); err != nil {
		return err
	}
	k.meta.NumValues += int64(k.values)
	k.meta.Statistics.NullCount += int64(k.nulls)
	k.data, k.index, k.def, k.rep = k.data[:0], k.index[:0], k.def[:0], k.rep[:0]
	k.rows, k.values, k.nulls = 0, 0, 0
	return nil
}

// append adds a page to those that are finished.
func (k *chunk) append(h *format.PageHeader, body []byte) error {
	head, err := thrift.Marshal(&k.pack.proto, h)
	if err != nil {
		return err
	}
	k.out = append(append(k.out, head...), body...)
	k.meta.TotalUncompressedSize += int64(len(head)) + int64(h.UncompressedPageSize)
	k.meta.TotalCompressedSize += int64(len(head)) + int64(h.CompressedPageSize)
	k.pages++
	return nil
}

// finish ends the last page. The chunk's bytes are head, the dictionary's page, and out.
func (k *chunk) finish() error {
	if err := k.page(); err != nil {
		return err
	}
	m := &k.meta
	m.Type, m.PathInSchema, m.Codec = k.c.kind, k.c.path(), k.codec
	m.Encoding = append(m.Encoding, format.Plain)
	if !k.c.required {
		m.Encoding = append(m.Encoding, format.RLE)
	}
	if k.c.dict {
		m.Encoding = append(m.Encoding, format.RLEDictionary)
		packed := k.pack.zstd.EncodeAll(k.words, k.pack.body[:0])
		k.pack.body = packed
		data := k.out
		k.out = k.head[:0]
		if err := k.append(&format.PageHeader{
			Type: format.DictionaryPage, UncompressedPageSize: int32(len(k.words)), CompressedPageSize: int32(len(packed)),
			CRC: int32(crc32.ChecksumIEEE(packed)),
			DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{
				NumValues: int32(len(k.dict)), Encoding: format.Plain,
			}),
		}, packed); err != nil {
			return err
		}
		k.head, k.out = k.out, data
	}
	if len(k.min) > 0 && len(k.max) > 0 && !k.blind {
		m.Statistics.MinValue, m.Statistics.MaxValue = bytes.Clone(k.min), bytes.Clone(k.max)
	}
	return nil
}

// bounds updates the smallest and greatest value by the plain values of the page.
func (k *chunk) bounds() {
	switch {
	case k.c.dict || len(k.data) == 0:
	case k.c.kind == format.ByteArray:
		for b := k.data; len(b) > 0; {
			n := 4 + binary.LittleEndian.Uint32(b)
			k.bound(b[4:n])
			b = b[n:]
		}
	case k.c.kind == format.Int64 && k.c.unsigned:
		boundInts(k, 8, binary.LittleEndian.Uint64)
	case k.c.kind == format.Int64:
		boundInts(k, 8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) })
	case k.c.kind == format.Int32:
		boundInts(k, 4, func(b []byte) int32 { return int32(binary.LittleEndian.Uint32(b)) })
	case k.c.kind == format.Float:
		k.boundFloats()
	}
}

// boundFloats is bounds for float32.
func (k *chunk) boundFloats() {
	float := func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }
	lo, hi := float(k.data), float(k.data)
	if len(k.min) > 0 {
		lo, hi = float(k.min), float(k.max)
	}
	for b := k.data; len(b) >= 4; b = b[4:] {
		v := math.Float32frombits(binary.LittleEndian.Uint32(b))
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
		if v != v {
			k.blind = true
		}
	}
	if lo == 0 {
		lo = float32(math.Copysign(0, -1)) // the format asks for these signs of a zero
	}
	if hi == 0 {
		hi = float32(0)
	}
	k.min = binary.LittleEndian.AppendUint32(k.min[:0], math.Float32bits(lo))
	k.max = binary.LittleEndian.AppendUint32(k.max[:0], math.Float32bits(hi))
}

// boundInts is bounds for integers of the given size.
func boundInts[T int32 | int64 | uint64](k *chunk, size int, get func([]byte) T) {
	lo, hi := k.data[:size], k.data[:size]
	if len(k.min) > 0 {
		lo, hi = k.min, k.max
	}
	least, most := get(lo), get(hi)
	for b := k.data; len(b) >= size; b = b[size:] {
		if v := get(b); v < least {
			least, lo = v, b[:size]
		} else if v > most {
			most, hi = v, b[:size]
		}
	}
	lo, hi = bytes.Clone(lo), bytes.Clone(hi)
	k.min, k.max = append(k.min[:0], lo...), append(k.max[:0], hi...)
}

// bound updates the smallest and greatest of strings. Words of four bytes of a dictionary are
// integers and small, so there are none that compare in another way.
func (k *chunk) bound(b []byte) {
	if k.c.kind != format.ByteArray {
		k.blind = true
		return
	}
	if len(k.min) == 0 || bytes.Compare(b, k.min) < 0 {
		k.min = append(k.min[:0], b...)
	}
	if len(k.max) == 0 || bytes.Compare(b, k.max) > 0 {
		k.max = append(k.max[:0], b...)
	}
}

// runs is a sequence of levels 0 and 1 as the lengths of its runs, of zeros first.
type runs []int32

func (r *runs) add(level int) {
	if n := len(*r); n > 0 && (n-1)&1 == level {
		(*r)[n-1]++
		return
	}
	if len(*r) == 0 && level == 1 {
		*r = append(*r, 0)
	}
	*r = append(*r, 1)
}

// runs appends levels.
func (p *packer) runs(dst []byte, r runs) []byte {
	if n := len(r); n == 1 || n == 2 && r[0] == 0 { // nearly always
		return append(binary.AppendUvarint(dst, uint64(r[n-1])<<1), byte(n-1))
	}
	p.levels = p.levels[:0]
	for i, n := range r {
		for range n {
			p.levels = append(p.levels, uint32(i&1))
		}
	}
	return hybrid(dst, p.levels, 1)
}

// hybrid appends numbers of some bits each as runs of one number or as groups of eight packed
// numbers; the last group is filled up with zeros.
func hybrid(dst []byte, v []uint32, width int) []byte {
	for i := 0; i < len(v); {
		n := 1
		for i+n < len(v) && v[i+n] == v[i] {
			n++
		}
		if n >= 8 || i+n == len(v) {
			dst = binary.AppendUvarint(dst, uint64(n)<<1)
			for b := 0; b < width; b += 8 {
				dst = append(dst, byte(v[i]>>b))
			}
			i += n
			continue
		}
		from := i
		for i < len(v) && !alike(v[i:]) {
			i = min(i+8, len(v))
		}
		dst = binary.AppendUvarint(dst, uint64(i-from+7)/8<<1|1)
		dst = packBits(dst, v[from:i], width)
		if pad := (8 - (i-from)%8) % 8; pad > 0 { // packBits ends at a byte, a group at eight numbers
			want := ((i-from)+7)/8*width - ((i-from)*width+7)/8
			dst = append(dst, make([]byte, want)...)
		}
	}
	return dst
}

// alike reports whether a run of eight numbers begins here.
func alike(v []uint32) bool {
	if len(v) < 8 {
		return false
	}
	for _, x := range v[1:8] {
		if x != v[0] {
			return false
		}
	}
	return true
}

// packBits appends numbers of some bits each, the lowest bit first.
func packBits(dst []byte, v []uint32, width int) []byte {
	var acc uint64
	n := 0
	for _, x := range v {
		acc |= uint64(x) << n
		for n += width; n >= 8; n -= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
		}
	}
	if n > 0 {
		dst = append(dst, byte(acc))
	}
	return dst
}
