package export

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Parquet's bytes, as far as samples need them: data pages of version 1, plain and not packed, since
// images are packed already, each with its CRC. The first column is written as its pages fill and
// must be the one with the large values; the others wait in memory for the end of their row group.
//
//	PAR1, row groups, footer, length of the footer (4 bytes), PAR1
//	a row group: a chunk a column; a chunk: pages; a page: its head, levels, values
//
// https://github.com/apache/parquet-format

const parquetMagic = "PAR1"

// Where a row group ends, and a page of the first column. A reader holds a row group at least.
// Variables for tests.
var (
	parquetGroupRows  = 1000
	parquetGroupBytes = 16 << 20
	parquetPageBytes  = 1 << 20
)

// parquetColumn is a leaf of the schema and its values in the row group under way. Every node on the
// way to it may be null.
type parquetColumn struct {
	path     []string
	kind     format.Type
	text     bool // bytes are UTF-8
	repeated bool // a list, whose numbers these are

	values      []byte // plain
	def, rep    levels
	count       int // values with nulls, of the page under way
	nulls       int
	out         []byte // finished pages that aren't written yet
	start       int64  // of the chunk in the file
	size        int64  // of finished pages
	total, void int64  // values and nulls of finished pages
}

// depth is the definition level of a value that is there.
func (c *parquetColumn) depth() int {
	if c.repeated {
		return 3 // the list, its entry, the number
	}
	return len(c.path)
}

func (c *parquetColumn) null() {
	c.def.add(0, 1)
	if c.repeated {
		c.rep.add(0, 1)
	}
	c.count++
	c.nulls++
}

func (c *parquetColumn) present() {
	c.def.add(byte(c.depth()), 1)
	c.count++
}

func (c *parquetColumn) bytes(b []byte) {
	c.present()
	c.values = append(binary.LittleEndian.AppendUint32(c.values, uint32(len(b))), b...)
}

func (c *parquetColumn) int64(v int64) {
	c.present()
	c.values = binary.LittleEndian.AppendUint64(c.values, uint64(v))
}

func (c *parquetColumn) float(v float32) {
	c.present()
	c.values = binary.LittleEndian.AppendUint32(c.values, math.Float32bits(v))
}

// list takes a list of one number at least.
func (c *parquetColumn) list(v ...float32) {
	c.rep.add(0, 1)
	c.rep.add(1, len(v)-1)
	for _, x := range v {
		c.float(x)
	}
}

// levels are small numbers as runs: the length of each, doubled, and the number.
type levels struct {
	b     []byte
	level byte
	n     int
}

func (l *levels) add(level byte, n int) {
	if level != l.level {
		l.end()
		l.level = level
	}
	l.n += n
}

func (l *levels) end() {
	if l.n > 0 {
		l.b = append(binary.AppendUvarint(l.b, uint64(l.n)<<1), l.level)
	}
	l.n = 0
}

// take appends the levels with their length before them, and forgets them.
func (l *levels) take(dst []byte) []byte {
	l.end()
	dst = append(binary.LittleEndian.AppendUint32(dst, uint32(len(l.b))), l.b...)
	l.b = l.b[:0]
	return dst
}

// page finishes the page under way.
func (c *parquetColumn) page() error {
	if c.count == 0 {
		return nil
	}
	var small []byte
	if c.repeated {
		small = c.rep.take(small)
	}
	small = c.def.take(small)
	n := len(small) + len(c.values)
	crc := crc32.Update(crc32.ChecksumIEEE(small), crc32.IEEETable, c.values)
	head, err := thrift.Marshal(&thrift.CompactProtocol{}, &format.PageHeader{
		Type: format.DataPage, UncompressedPageSize: int32(n), CompressedPageSize: int32(n), CRC: int32(crc),
		DataPageHeader: thrift.New(format.DataPageHeader{
			NumValues: int32(c.count), Encoding: format.Plain, DefinitionLevelEncoding: format.RLE,
			RepetitionLevelEncoding: format.RLE, Statistics: format.Statistics{NullCount: int64(c.nulls)},
		}),
	})
	if err != nil {
		return err
	}
	before := len(c.out)
	c.out = append(append(append(c.out, head...), small...), c.values...)
	c.size += int64(len(c.out) - before)
	c.total, c.void = c.total+int64(c.count), c.void+int64(c.nulls)
	c.values, c.count, c.nulls = c.values[:0], 0, 0
	return nil
}

// elements describe the column for the footer. For a field of a struct it's only the leaf.
func (c *parquetColumn) elements() []format.SchemaElement {
	leaf := format.SchemaElement{Name: c.path[len(c.path)-1], Type: thrift.New(c.kind), RepetitionType: thrift.New(format.Optional)}
	if c.text {
		leaf.LogicalType.Value = &format.StringType{}
		leaf.ConvertedType = thrift.New(deprecated.UTF8)
	}
	if !c.repeated {
		return []format.SchemaElement{leaf}
	}
	return []format.SchemaElement{
		{
			Name: c.path[0], RepetitionType: thrift.New(format.Optional), NumChildren: thrift.New(int32(1)),
			LogicalType: format.LogicalType{Value: &format.ListType{}}, ConvertedType: thrift.New(deprecated.List),
		},
		{Name: c.path[1], RepetitionType: thrift.New(format.Repeated), NumChildren: thrift.New(int32(1))},
		leaf,
	}
}

// parquetSchema lists the nodes of columns; neighbours whose paths begin alike share a struct.
func parquetSchema(columns []*parquetColumn) (all []format.SchemaElement) {
	fields := int32(0)
	for i := 0; i < len(columns); {
		c, n := columns[i], 1
		if len(c.path) == 2 {
			for i+n < len(columns) && columns[i+n].path[0] == c.path[0] {
				n++
			}
			all = append(all, format.SchemaElement{Name: c.path[0], RepetitionType: thrift.New(format.Optional), NumChildren: thrift.New(int32(n))})
		}
		for _, c := range columns[i : i+n] {
			all = append(all, c.elements()...)
		}
		i += n
		fields++
	}
	root := format.SchemaElement{Name: "schema", RepetitionType: thrift.New(format.Required), NumChildren: thrift.New(fields)}
	return append([]format.SchemaElement{root}, all...)
}

// parquetFile is a file that is being written.
type parquetFile struct {
	f       *File
	columns []*parquetColumn
	rows    int // of the row group under way
	meta    format.FileMetaData
}

func newParquetFile(f *File, columns []*parquetColumn, about ...format.KeyValue) (*parquetFile, error) {
	p := &parquetFile{f: f, columns: columns}
	p.meta = format.FileMetaData{Version: 2, CreatedBy: "vf2prep", Schema: parquetSchema(columns), KeyValueMetadata: about}
	for range columns {
		p.meta.ColumnOrders = append(p.meta.ColumnOrders, format.ColumnOrder{Value: &format.TypeDefinedOrder{}})
	}
	_, err := f.Write([]byte(parquetMagic))
	return p, err
}

// row ends a row, whose values the columns have.
func (p *parquetFile) row() error {
	p.rows++
	first := p.columns[0]
	if p.rows == 1 {
		first.start = p.f.Size()
	}
	large := int(first.size) + len(first.values)
	if len(first.values) >= parquetPageBytes {
		if err := p.flush(first); err != nil {
			return err
		}
	}
	if p.rows >= parquetGroupRows || large >= parquetGroupBytes {
		return p.group()
	}
	return nil
}

// flush writes a column's pages.
func (p *parquetFile) flush(c *parquetColumn) error {
	if err := c.page(); err != nil {
		return err
	}
	_, err := p.f.Write(c.out)
	c.out = c.out[:0]
	return err
}

// group ends a row group.
func (p *parquetFile) group() error {
	if p.rows == 0 {
		return nil
	}
	g := format.RowGroup{NumRows: int64(p.rows), FileOffset: p.columns[0].start, Ordinal: int16(len(p.meta.RowGroups))}
	if len(p.meta.RowGroups) > math.MaxInt16 {
		return fmt.Errorf("export: %s: more than %d row groups: allow fewer bytes a file", p.f.name, math.MaxInt16)
	}
	for i, c := range p.columns {
		if i > 0 {
			c.start = p.f.Size()
		}
		if err := p.flush(c); err != nil {
			return err
		}
		g.Columns = append(g.Columns, format.ColumnChunk{MetaData: format.ColumnMetaData{
			Type: c.kind, Encoding: []format.Encoding{format.Plain, format.RLE}, PathInSchema: c.path, Codec: format.Uncompressed,
			NumValues: c.total, TotalUncompressedSize: c.size, TotalCompressedSize: c.size, DataPageOffset: c.start,
			Statistics: format.Statistics{NullCount: c.void},
		}})
		g.TotalByteSize += c.size
		c.size, c.total, c.void = 0, 0, 0
	}
	g.TotalCompressedSize = g.TotalByteSize
	p.meta.RowGroups = append(p.meta.RowGroups, g)
	p.meta.NumRows += g.NumRows
	p.rows = 0
	return nil
}

// close writes what is left and the footer.
func (p *parquetFile) close() error {
	if err := p.group(); err != nil {
		return err
	}
	footer, err := thrift.Marshal(&thrift.CompactProtocol{}, &p.meta)
	if err != nil {
		return err
	}
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	_, err = p.f.Write(append(footer, parquetMagic...))
	return err
}
