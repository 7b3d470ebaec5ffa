package manifest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strconv"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
)

const (
	rowGroupRows = 1 << 17 // rows encoded together
	batchRows    = 1 << 8  // rows turned into values at a time
)

// Manifest is a whole manifest in memory.
type Manifest struct {
	Records    []Record   // sorted by subset (train first), identity, image, face
	Identities []Identity // sorted by ID
	Attributes []string   // names of the attributes that records may have
	Inputs     []Input
	Counts     Counts
	Layout     Layout // "" is VGGFace2
	Digest     string // of the file's bytes; "" for a manifest that is no file
}

// Write writes a manifest's records and identities to path, sorted, with counts made anew.
// Problems of files and identities in m.Counts are kept.
func Write(path string, m *Manifest) error {
	records := slices.Clone(m.Records)
	slices.SortFunc(records, compareRecords)
	for i := 1; i < len(records); i++ {
		if compareRecords(records[i-1], records[i]) == 0 {
			return fmt.Errorf("%s: %s occurs twice", path, records[i].ID)
		}
	}
	ids := slices.Clone(m.Identities)
	sortIdentities(ids)
	layout, err := parseLayout(string(m.Layout))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		out := newWriter(w, layout, m.Attributes, ids)
		if err := out.groups(runtime.NumCPU(), len(records), func(first int, g *group) error {
			return g.add(records[first:min(first+rowGroupRows, len(records))])
		}); err != nil {
			return err
		}
		return out.close(m.Inputs, m.Counts)
	})
}

func compareRecords(a, b Record) int {
	if a.Subset != b.Subset {
		if a.Subset == Train {
			return -1
		}
		return 1
	}
	return a.ID.Compare(b.ID)
}

// writer writes row groups, which must come in order, into a Parquet file.
type writer struct {
	w      io.Writer
	at     int64 // bytes written
	layout Layout
	cols   []column
	ids    []Identity
	names  map[string]string
	meta   format.FileMetaData
	counts Counts
	seen   map[string]bool
	last   Identity // of the last record; ID and Subset alone
}

const magic = "PAR1"

func newWriter(w io.Writer, layout Layout, attributes []string, ids []Identity) *writer {
	out := &writer{
		w:      w,
		layout: layout,
		cols:   append(columns(attributes), problemsList()),
		ids:    ids,
		names:  make(map[string]string, len(ids)),
		counts: Counts{ProblemCounts: map[string]int64{}},
		seen:   map[string]bool{},
	}
	for _, id := range ids {
		out.names[id.ID] = id.Name
	}
	m := &out.meta
	m.Version = 2
	m.CreatedBy = "vf2prep version " + strconv.Itoa(layout.version())
	m.Schema = append(m.Schema, format.SchemaElement{
		Name: "image", RepetitionType: thrift.New(format.Required), NumChildren: thrift.New(int32(len(out.cols))),
	})
	for i := range out.cols {
		m.Schema = append(m.Schema, out.cols[i].elements()...)
		m.ColumnOrders = append(m.ColumnOrders, format.ColumnOrder{Value: &format.TypeDefinedOrder{}})
	}
	return out
}

func (w *writer) write(b []byte) error {
	n, err := w.w.Write(b)
	w.at += int64(n)
	return err
}

// groups writes all rows as row groups that several goroutines encode. fill adds the rows of the
// group that begins with row first.
func (w *writer) groups(workers, rows int, fill func(first int, g *group) error) error {
	if err := w.write([]byte(magic)); err != nil {
		return err
	}
	workers = min(max(workers, 1), rows/rowGroupRows+1)
	held := make([]*group, workers)
	next := 0
	var err error
	return errors.Join(ordered(workers, func(i int) bool {
		if next >= rows || err != nil {
			return false
		}
		if held[i] == nil {
			if held[i], err = newGroup(w); err != nil {
				return false
			}
		}
		held[i].first = next
		next += rowGroupRows
		return true
	}, func(i int) {
		g := held[i]
		g.reset()
		if g.err = fill(g.first, g); g.err == nil {
			g.err = g.finish()
		}
	}, func(i int) error {
		if held[i].err != nil {
			return held[i].err
		}
		return w.group(held[i])
	}), err)
}

// group is a row group that is being encoded.
type group struct {
	cols   []column
	chunks []*chunk
	names  map[string]string
	first  int // row
	err    error
	rows   int64
	counts Counts
	people []Record // the first record of each identity in each subset
}

func newGroup(w *writer) (*group, error) {
	g := &group{cols: w.cols, names: w.names}
	pack, err := newPacker()
	if err != nil {
		return nil, err
	}
	for i := range g.cols {
		g.chunks = append(g.chunks, newChunk(&g.cols[i], pack))
	}
	return g, nil
}

func (g *group) reset() {
	for _, k := range g.chunks {
		k.reset()
	}
	g.rows, g.people = 0, g.people[:0]
	g.counts = Counts{ProblemCounts: map[string]int64{}}
}

// add encodes some records, of which it keeps only the identities.
func (g *group) add(records []Record) error {
	names := make([]string, 0, batchRows)
	for len(records) > 0 {
		batch := records[:min(len(records), batchRows)]
		records = records[len(batch):]
		names = names[:0]
		for i := range batch {
			r := &batch[i]
			if g.count(r) || i == 0 {
				names = append(names, g.names[r.ID.Identity])
			} else {
				names = append(names, names[i-1])
			}
		}
		for c, k := range g.chunks {
			put := g.cols[c].put
			for i := range batch {
				put(k, &batch[i], names[i])
			}
			if err := k.cut(); err != nil {
				return err
			}
		}
		g.rows += int64(len(batch))
	}
	return nil
}

// finish ends the row group.
func (g *group) finish() error {
	for _, k := range g.chunks {
		if err := k.finish(); err != nil {
			return err
		}
	}
	return nil
}

// group appends a row group to the file.
func (w *writer) group(g *group) error {
	meta := format.RowGroup{NumRows: g.rows, FileOffset: w.at, Ordinal: int16(len(w.meta.RowGroups))}
	for _, k := range g.chunks {
		m := k.meta
		if k.c.dict {
			m.DictionaryPageOffset = w.at
		}
		m.DataPageOffset = w.at + int64(len(k.head))
		if err := errors.Join(w.write(k.head), w.write(k.out)); err != nil {
			return err
		}
		meta.TotalByteSize += m.TotalUncompressedSize
		meta.TotalCompressedSize += m.TotalCompressedSize
		meta.Columns = append(meta.Columns, format.ColumnChunk{MetaData: m})
	}
	w.meta.RowGroups = append(w.meta.RowGroups, meta)
	w.meta.NumRows += g.rows
	for i := range g.people {
		w.person(&g.people[i])
	}
	w.counts.add(&g.counts)
	return nil
}

// person counts the identity of a record, the first of its kind or the first of a row group.
func (w *writer) person(r *Record) {
	if w.layout.Anonymous() {
		return
	}
	c := &w.counts
	if r.ID.Identity == w.last.ID && r.Subset == w.last.Subset {
		return // it began in the row group before
	}
	w.last.ID, w.last.Subset = r.ID.Identity, r.Subset
	if r.Subset == Train {
		c.TrainIdentities++
	} else {
		c.TestIdentities++
	}
	if w.seen[r.ID.Identity] { // an identity in both subsets is one identity
		return
	}
	w.seen[r.ID.Identity] = true
	c.Identities++
	switch r.Gender {
	case Male:
		c.Male++
	case Female:
		c.Female++
	}
}

// add adds what the records of another row group count to.
func (c *Counts) add(o *Counts) {
	c.Images += o.Images
	c.TrainImages += o.TrainImages
	c.TestImages += o.TestImages
	c.UsableImages += o.UsableImages
	c.ProblemImages += o.ProblemImages
	c.Boxes += o.Boxes
	c.Landmarks += o.Landmarks
	c.Ages += o.Ages
	c.Genders += o.Genders
	for code, n := range o.ProblemCounts {
		c.ProblemCounts[code] += n
	}
}

// count counts a record and reports whether its identity begins with it.
func (g *group) count(r *Record) (begins bool) {
	c := &g.counts
	c.Images++
	if r.Subset == Train {
		c.TrainImages++
	} else {
		c.TestImages++
	}
	if n := len(g.people); n == 0 || r.ID.Identity != g.people[n-1].ID.Identity || r.Subset != g.people[n-1].Subset {
		begins = true
		g.people = append(g.people, Record{ID: r.ID, Subset: r.Subset, Gender: r.Gender})
	}
	if r.Usable() {
		c.UsableImages++
	}
	if r.HasBox {
		c.Boxes++
	}
	if r.HasLandmarks {
		c.Landmarks++
	}
	if r.Age == r.Age {
		c.Ages++
	}
	if r.Gender != GenderUnknown {
		c.Genders++
	}
	if len(r.Problems) > 0 {
		c.ProblemImages++
	}
	for _, code := range r.Problems {
		c.ProblemCounts[code]++
	}
	return begins
}

// close writes what is left and the metadata. From base it takes what rows do not show: whether
// files were scanned, how many identities were listed, and the problems of files and identities.
func (w *writer) close(inputs []Input, base Counts) error {
	w.counts.Scanned, w.counts.Listed, w.counts.Forgotten = base.Scanned, base.Listed, base.Forgotten
	for code, n := range base.ProblemCounts {
		if !slices.Contains(rowCodes[:], code) {
			w.counts.ProblemCounts[code] = n
		}
	}
	for n := range maps.Values(w.counts.ProblemCounts) {
		w.counts.Problems += n
	}
	ids, err := encodeIdentities(w.ids)
	if err != nil {
		return err
	}
	in, err := json.Marshal(append([]Input{}, inputs...))
	if err != nil {
		return err
	}
	counts, err := json.Marshal(w.counts)
	if err != nil {
		return err
	}
	w.meta.KeyValueMetadata = []format.KeyValue{ // sorted
		{Key: keyCounts, Value: string(counts)},
		{Key: keyFooter, Value: noSum},
		{Key: keyIdentities, Value: ids},
		{Key: keyInputs, Value: string(in)},
	}
	if w.layout != VGGFace2 {
		w.meta.KeyValueMetadata = append(w.meta.KeyValueMetadata, format.KeyValue{Key: keyLayout, Value: string(w.layout)})
	}
	w.meta.KeyValueMetadata = append(w.meta.KeyValueMetadata, format.KeyValue{Key: keyVersion, Value: strconv.Itoa(w.layout.version())})
	footer, err := thrift.Marshal(&thrift.CompactProtocol{}, &w.meta)
	if err != nil {
		return err
	}
	sum, err := footerSum(footer)
	if err != nil {
		return err
	}
	copy(sum.digits, sum.want)
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	return w.write(append(footer, magic...))
}
