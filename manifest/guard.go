package manifest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// The Parquet library trusts the sizes in a file: a few forged bytes make it allocate many
// gigabytes, which nothing can catch. So the guard walks over the bytes first and lets through
// only what this package writes: zstd or no compression, data pages of version 2, plain or
// dictionary encoding, and a right CRC on every page.
const (
	maxPage       = 64 << 20 // bytes of a page, unpacked; this package writes 256 KiB
	maxPageValues = 1 << 24  // values in a page
	maxPageHeader = 4 << 10  // bytes
	maxList       = 1 << 16  // elements of a list in the footer: columns, row groups
	maxDepth      = 16       // of structures in the footer
)

var errThrift = fmt.Errorf("damaged footer: %w", ErrCorrupt)

// checkThrift walks over one structure in Thrift's compact protocol and makes sure that no list
// is longer than maxList and nothing is longer than the bytes at hand.
//
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
func checkThrift(b []byte) error {
	w := thriftWalk{b}
	return w.structure(0)
}

// noSum stands for the footer's checksum while that is computed.
const noSum = "00000000"

// sum is the digits of a checksum where they stand, and what they should be.
type sum struct {
	digits []byte
	want   string
}

// footerSum finds the checksum in a footer, the CRC-32C of the footer with zeros for its digits.
// Parquet has checksums for pages but none for the footer, where the columns' names and the
// pages' places are. A footer without one gives an empty sum.
func footerSum(footer []byte) (s sum, err error) {
	at := bytes.Index(footer, []byte(keyFooter))
	if at < 0 {
		return s, nil
	}
	at += len(keyFooter) + 2 // the field's type and length
	if at+len(noSum) > len(footer) {
		return s, corrupt("damaged footer")
	}
	s.digits = footer[at : at+len(noSum)]
	table := crc32.MakeTable(crc32.Castagnoli)
	c := crc32.Update(0, table, footer[:at])
	c = crc32.Update(c, table, []byte(noSum))
	s.want = fmt.Sprintf("%08x", crc32.Update(c, table, footer[at+len(noSum):]))
	return s, nil
}

type thriftWalk struct{ b []byte }

func (w *thriftWalk) skip(n uint64) error {
	if n > uint64(len(w.b)) {
		return errThrift
	}
	w.b = w.b[n:]
	return nil
}

func (w *thriftWalk) uvarint() (uint64, error) {
	v, n := binary.Uvarint(w.b)
	if n <= 0 {
		return 0, errThrift
	}
	w.b = w.b[n:]
	return v, nil
}

func (w *thriftWalk) byte() (byte, error) {
	if len(w.b) == 0 {
		return 0, errThrift
	}
	c := w.b[0]
	w.b = w.b[1:]
	return c, nil
}

func (w *thriftWalk) structure(depth int) error {
	if depth > maxDepth {
		return errThrift
	}
	for {
		c, err := w.byte()
		if err != nil || c == 0 {
			return err
		}
		if c>>4 == 0 { // the field's number follows
			if _, err := w.uvarint(); err != nil {
				return err
			}
		}
		if kind := c & 15; kind > 2 { // 1 and 2 are true and false themselves
			if err := w.value(kind, depth); err != nil {
				return err
			}
		}
	}
}

func (w *thriftWalk) value(kind byte, depth int) error {
	switch kind {
	case 1, 2, 3: // a byte
		return w.skip(1)
	case 4, 5, 6: // integers
		_, err := w.uvarint()
		return err
	case 7: // double
		return w.skip(8)
	case 8: // binary
		n, err := w.uvarint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case 9, 10: // list, set
		c, err := w.byte()
		if err != nil {
			return err
		}
		n := uint64(c >> 4)
		if n == 15 {
			if n, err = w.uvarint(); err != nil {
				return err
			}
		}
		if n > maxList || n > uint64(len(w.b)) {
			return fmt.Errorf("a list of %d elements in the footer: %w", n, ErrCorrupt)
		}
		for range n {
			if err := w.value(c&15, depth+1); err != nil {
				return err
			}
		}
		return nil
	case 12:
		return w.structure(depth + 1)
	}
	return errThrift // a map, which Parquet's footer has not, or nonsense
}

// guard checks the pages of column chunks before the library reads them.
type guard struct {
	f    io.ReaderAt
	size int64
	zstd *zstd.Decoder
	head []byte
	page []byte
	out  []byte
}

func newGuard(f io.ReaderAt, size int64) (*guard, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage))
	if err != nil {
		return nil, err
	}
	return &guard{f: f, size: size, zstd: d, head: make([]byte, maxPageHeader)}, nil
}

func (g *guard) close() { g.zstd.Close() }

// check walks over all pages of a row group.
func (g *guard) check(group *format.RowGroup) error {
	for i := range group.Columns {
		if err := g.chunk(&group.Columns[i].MetaData); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrCorrupt)...)
}

func (g *guard) chunk(m *format.ColumnMetaData) error {
	if m.Codec != format.Zstd && m.Codec != format.Uncompressed {
		return corrupt("compressed with %v, want zstd", m.Codec)
	}
	at := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		at = m.DictionaryPageOffset
	}
	if at < 4 || at > g.size || m.TotalCompressedSize < 0 || m.TotalCompressedSize > g.size-at {
		return corrupt("%d bytes at %d in a file of %d", m.TotalCompressedSize, at, g.size)
	}
	var protocol thrift.CompactProtocol
	for end := at + m.TotalCompressedSize; at < end; {
		head := g.head[:min(maxPageHeader, end-at)]
		if _, err := g.f.ReadAt(head, at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := checkThrift(head); err != nil {
			return fmt.Errorf("page at %d: %w", at, err)
		}
		var h format.PageHeader
		r := protocol.NewReaderFromBytes(head)
		if err := thrift.NewDecoder(r).Decode(&h); err != nil {
			return corrupt("page at %d: %v", at, err)
		}
		start := at + int64(r.BytesRead())
		n := int64(h.CompressedPageSize)
		if n < 0 || n > maxPage || n > end-start || h.UncompressedPageSize < 0 || h.UncompressedPageSize > maxPage {
			return corrupt("page at %d: %d bytes, %d unpacked", at, n, h.UncompressedPageSize)
		}
		if int64(cap(g.page)) < n {
			g.page = make([]byte, n)
		}
		body := g.page[:n]
		if _, err := g.f.ReadAt(body, start); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if sum := int32(crc32.ChecksumIEEE(body)); sum != h.CRC {
			return corrupt("page at %d: CRC %08x, want %08x", at, uint32(sum), uint32(h.CRC))
		}
		if err := g.body(&h, m, body); err != nil {
			return fmt.Errorf("page at %d: %w", at, err)
		}
		at = start + n
	}
	return nil
}

func (g *guard) body(h *format.PageHeader, m *format.ColumnMetaData, body []byte) error {
	unpacked, packed, runs := int(h.UncompressedPageSize), true, false
	values := 0
	switch {
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
		if e := h.DictionaryPageHeader.V.Encoding; e != format.Plain {
			return corrupt("dictionary encoded as %v", e)
		}
		if n := h.DictionaryPageHeader.V.NumValues; n < 0 || int(n) > unpacked {
			return corrupt("dictionary of %d values in %d bytes", n, unpacked)
		}
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		v := &h.DataPageHeaderV2.V
		values = int(v.NumValues)
		levels := int64(v.RepetitionLevelsByteLength) + int64(v.DefinitionLevelsByteLength)
		if values < 0 || values > maxPageValues || v.NumNulls < 0 || int(v.NumNulls) > values || v.NumRows < 0 || int(v.NumRows) > values ||
			v.RepetitionLevelsByteLength < 0 || v.DefinitionLevelsByteLength < 0 || levels > int64(len(body)) || levels > int64(unpacked) {
			return corrupt("%d values, %d nulls, %d rows, %d bytes of levels", values, v.NumNulls, v.NumRows, levels)
		}
		rep := body[:v.RepetitionLevelsByteLength]
		def := body[len(rep):levels]
		if err := errors.Join(checkRuns(rep, 1, values), checkRuns(def, 1, values)); err != nil {
			return err
		}
		body, unpacked = body[levels:], unpacked-int(levels)
		packed = !v.IsCompressed.Valid || v.IsCompressed.V
		values -= int(v.NumNulls)
		switch v.Encoding {
		case format.Plain:
		case format.RLEDictionary:
			runs = true
		default:
			return corrupt("encoded as %v", v.Encoding)
		}
	default:
		return corrupt("a page of type %v", h.Type)
	}
	if packed && m.Codec == format.Zstd && len(body) > 0 {
		var err error
		if g.out, err = g.zstd.DecodeAll(body, g.out[:0]); err != nil {
			return corrupt("%v", err)
		}
		body = g.out
	}
	if len(body) != unpacked {
		return corrupt("%d bytes unpacked, want %d", len(body), unpacked)
	}
	if runs && len(body) > 0 {
		return checkRuns(body[1:], int(body[0]), values)
	}
	return nil
}

// checkRuns walks over Parquet's hybrid of run lengths and packed bits and makes sure that it
// holds no more than the given number of values, but for the last group of eight.
func checkRuns(b []byte, width, values int) error {
	if width > 32 {
		return corrupt("runs of %d bits", width)
	}
	var total uint64
	for len(b) > 0 {
		head, n := binary.Uvarint(b)
		if n <= 0 {
			return corrupt("damaged runs")
		}
		b = b[n:]
		count, bytes := head>>1, uint64(width+7)/8
		if head&1 == 1 { // count groups of eight values
			if count > maxPageValues {
				return corrupt("a run of %d groups", count)
			}
			bytes = count * uint64(width)
			count *= 8
		}
		if bytes > uint64(len(b)) {
			return corrupt("damaged runs")
		}
		b = b[bytes:]
		if total += count; total > uint64(values)+7 {
			return corrupt("runs of %d values, want %d", total, values)
		}
	}
	return nil
}
