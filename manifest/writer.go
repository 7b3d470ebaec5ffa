package manifest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
)

const (
	rowGroupRows = 1 << 17 // rows held in memory before they are compressed and written
	batchRows    = 1 << 10 // rows turned into values at a time
)

// Manifest is a whole manifest in memory.
type Manifest struct {
	Records    []Record   // sorted by subset (train first), identity, image, face
	Identities []Identity // sorted by ID
	Attributes []string   // names of the attributes that records may have
	Inputs     []Input
	Counts     Counts
	Digest     string // of the file's bytes; "" for a manifest that is no file
}

// Write writes a manifest's records and identities to path, sorted, with counts made anew.
// Problems of files and identities in m.Counts are kept.
func Write(path string, m *Manifest) error {
	records := slices.Clone(m.Records)
	slices.SortFunc(records, compareRecords)
	ids := slices.Clone(m.Identities)
	sortIdentities(ids)
	return atomicfile.Write(path, func(w io.Writer) error {
		out := newWriter(w, m.Attributes, ids)
		for i := range records {
			if i > 0 && compareRecords(records[i-1], records[i]) == 0 {
				return fmt.Errorf("%s: %s occurs twice", path, records[i].ID)
			}
			if err := out.write(&records[i]); err != nil {
				return err
			}
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

// writer streams records, which must come in order, into a Parquet file.
type writer struct {
	w        *parquet.GenericWriter[any]
	cols     []column
	leaves   []*parquet.ColumnWriter
	level    []int // definition level of a value that is present
	ids      []Identity
	names    map[string]string
	batch    []Record
	values   []parquet.Value
	rows     int // in the row group
	counts   Counts
	identity ImageID // the last record's
	subset   Subset
	seen     map[string]bool
}

func newWriter(w io.Writer, attributes []string, ids []Identity) *writer {
	cols := columns(attributes)
	s := schema(cols)
	out := &writer{
		cols: cols,
		w: parquet.NewGenericWriter[any](w, s,
			// The library would sign with the version it was built as; a manifest's bytes must not
			// depend on that.
			parquet.CreatedBy("vf2prep", strconv.Itoa(Version), ""),
			parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
		),
		ids:    ids,
		names:  make(map[string]string, len(ids)),
		counts: Counts{ProblemCounts: map[string]int64{}},
		seen:   map[string]bool{},
	}
	for _, id := range ids {
		out.names[id.ID] = id.Name
	}
	out.leaves = out.w.ColumnWriters()
	for _, path := range s.Columns() {
		leaf, _ := s.Lookup(path...)
		out.level = append(out.level, leaf.MaxDefinitionLevel)
	}
	return out
}

// write adds one record. Its strings and problems must stay as they are until close.
func (w *writer) write(r *Record) error {
	w.count(r)
	w.batch = append(w.batch, *r)
	if len(w.batch) == batchRows {
		return w.flush()
	}
	return nil
}

func (w *writer) flush() error {
	for i, c := range w.cols {
		w.values = w.values[:0]
		for j := range w.batch {
			r := &w.batch[j]
			v, level := c.put(r, w.names[r.ID.Identity]), w.level[i]
			if v.IsNull() {
				level = 0
			}
			w.values = append(w.values, v.Level(0, level, i))
		}
		if _, err := w.leaves[i].WriteRowValues(w.values); err != nil {
			return err
		}
	}
	last := len(w.cols)
	w.values = w.values[:0]
	for j := range w.batch {
		for k, code := range w.batch[j].Problems {
			w.values = append(w.values, text(code).Level(min(k, 1), w.level[last], last))
		}
		if len(w.batch[j].Problems) == 0 {
			w.values = append(w.values, parquet.Value{}.Level(0, 0, last))
		}
	}
	if len(w.values) > 0 {
		if _, err := w.leaves[last].WriteRowValues(w.values); err != nil {
			return err
		}
	}
	w.rows += len(w.batch)
	w.batch = w.batch[:0]
	if w.rows >= rowGroupRows {
		w.rows = 0
		return w.w.Flush()
	}
	return nil
}

func (w *writer) count(r *Record) {
	c := &w.counts
	c.Images++
	if r.Subset == Train {
		c.TrainImages++
	} else {
		c.TestImages++
	}
	if r.ID.Identity != w.identity.Identity || r.Subset != w.subset || c.Images == 1 {
		if r.Subset == Train {
			c.TrainIdentities++
		} else {
			c.TestIdentities++
		}
		if !w.seen[r.ID.Identity] { // an identity in both subsets is one identity
			w.seen[r.ID.Identity] = true
			c.Identities++
			switch r.Gender {
			case Male:
				c.Male++
			case Female:
				c.Female++
			}
		}
	}
	w.identity, w.subset = r.ID, r.Subset
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
}

// close writes what is left and the metadata. From base it takes what rows do not show: whether
// files were scanned, how many identities were listed, and the problems of files and identities.
func (w *writer) close(inputs []Input, base Counts) error {
	if err := w.flush(); err != nil {
		return err
	}
	w.counts.Scanned, w.counts.Listed = base.Scanned, base.Listed
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
	w.w.SetKeyValueMetadata(keyCounts, string(counts))
	w.w.SetKeyValueMetadata(keyIdentities, ids)
	w.w.SetKeyValueMetadata(keyInputs, string(in))
	w.w.SetKeyValueMetadata(keyVersion, strconv.Itoa(Version))
	return w.w.Close()
}
