package manifest

import (
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
)

// Forgotten is the outcome of [Forget].
type Forgotten struct {
	Images     int64  `json:"images"`     // rows that were taken out
	Identities int    `json:"identities"` // entries of the identity table
	Before     string `json:"before"`     // digest
	After      string `json:"after"`      // the same where nothing was taken out
}

// Forget takes the rows and identities of the list out of a manifest file. All else in it stays as it
// is, counts of problems of files and identities included; Counts.Forgotten says how many rows it was.
// A manifest that has none of them is not touched.
//
// Memory holds one row group at a time.
func Forget(file string, t *Tombstones) (*Forgotten, error) {
	r, err := Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f := &Forgotten{}
	for rec, err := range r.All() {
		if err != nil {
			return nil, err
		}
		if t.Covers(rec.ID.String()) {
			f.Images++
		}
	}
	ids := slices.DeleteFunc(slices.Clone(r.Identities()), func(id Identity) bool { return t.Has(id.ID) })
	f.Identities = len(r.Identities()) - len(ids)
	if f.Before, err = r.digest(); err != nil {
		return nil, err
	}
	f.After = f.Before
	if f.Images == 0 && f.Identities == 0 {
		return f, nil
	}
	base := r.Counts()
	base.Forgotten += f.Images
	err = atomicfile.Write(file, func(w io.Writer) error {
		h := digest.New()
		out := newWriter(io.MultiWriter(w, h), r.Layout(), r.Attributes(), ids)
		if err := out.filter(r, t); err != nil {
			return err
		}
		if err := out.close(r.Inputs(), base); err != nil {
			return err
		}
		f.After = h.String()
		return nil
	})
	return f, err
}

// filter writes the rows of a manifest that are not to be forgotten.
func (w *writer) filter(r *Reader, t *Tombstones) error {
	if err := w.write([]byte(magic)); err != nil {
		return err
	}
	g, err := newGroup(w)
	if err != nil {
		return err
	}
	records := make([]Record, 0, min(r.Rows(), rowGroupRows))
	flush := func() error {
		if len(records) == 0 {
			return nil
		}
		g.reset()
		if err := g.add(records); err != nil {
			return err
		}
		if err := g.finish(); err != nil {
			return err
		}
		records = records[:0]
		return w.group(g)
	}
	for rec, err := range r.All() {
		if err != nil {
			return err
		}
		if t.Covers(rec.ID.String()) {
			continue
		}
		keep := *rec
		keep.Problems = slices.Clone(rec.Problems)
		if records = append(records, keep); len(records) == rowGroupRows {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// forget takes what the list names out of everything that was read and joined, and returns the number of
// rows.
func (b *builder) forget(t *Tombstones) (rows int64) {
	if t.Len() == 0 {
		return 0
	}
	for _, p := range b.store.people {
		rows += int64(p.forget(t))
	}
	b.store.people = slices.DeleteFunc(b.store.people, func(p *person) bool { return t.Has(p.ID) })
	for code, list := range b.log.examples { // which people read
		b.log.examples[code] = slices.DeleteFunc(list, func(p Problem) bool {
			return slices.ContainsFunc(strings.FieldsFunc(p.File+" "+p.Detail, func(r rune) bool { return strings.ContainsRune(" :,;\"'()", r) }), func(word string) bool {
				word = strings.TrimSuffix(word, ".jpg")
				return t.Has(word) || t.Covers(word)
			})
		})
	}
	return rows
}

// forget takes rows out of a person, once everything has been joined.
func (p *person) forget(t *Tombstones) int {
	was := len(p.rows)
	kept := 0
	for i := range p.rows {
		r := p.rows[i]
		if t.Covers(ImageID{p.ID, int32(r.key >> 32), int32(uint32(r.key))}.String()) {
			if r.is(isTest) {
				p.test--
			}
			continue
		}
		p.rows[kept] = r
		if p.files != nil {
			p.files[kept] = p.files[i]
		}
		if p.names != nil {
			p.names[kept] = p.names[i]
		}
		kept++
	}
	if kept == was {
		return 0
	}
	p.rows, p.order, p.index, p.next = p.rows[:kept], nil, nil, 0
	if p.files != nil {
		p.files = p.files[:kept]
	}
	if p.names != nil {
		p.names = p.names[:kept]
	}
	return was - kept
}

// Holding is what a manifest has of a list.
type Holding struct {
	What    []string // entries that name one of its images or identities, sorted
	Paths   []string // files of the images, below the data set's root
	ByPlace []string // images whose numbers are places among their identity's files: without one, others move up
	Images  int      // rows
	Layout  Layout
}

// Hold says what a manifest has of a list.
func Hold(file string, t *Tombstones) (*Holding, error) {
	r, err := Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	found, counted, images := map[string]bool{}, map[string]bool{}, []ImageID{}
	h := &Holding{Layout: r.Layout()}
	for rec, err := range r.All() {
		if err != nil {
			return nil, err
		}
		if r.Layout() == Folders && byPlace(rec) {
			counted[rec.ID.Identity] = true
		}
		key := rec.ID.String()
		by := t.By(key)
		if by == "" {
			continue
		}
		h.Images++
		found[by] = true
		if t.Has(key) { // asked for by both names
			found[key] = true
		}
		if by == key {
			images = append(images, rec.ID)
		}
		if !rec.Missing() {
			h.Paths = append(h.Paths, rec.Path)
		}
	}
	for _, id := range r.Identities() {
		if t.Has(id.ID) {
			found[id.ID] = true
		}
	}
	for _, id := range images {
		if counted[id.Identity] {
			h.ByPlace = append(h.ByPlace, id.String())
		}
	}
	h.What = slices.Sorted(maps.Keys(found))
	return h, nil
}

// byPlace reports whether nothing in a file's name of layout Folders is its image's number.
func byPlace(rec *Record) bool {
	stem := path.Base(rec.Path)
	stem = strings.TrimSuffix(stem, path.Ext(stem))
	if image, _, ok := parseNumbers([]byte(stem)); ok && image == rec.ID.Image {
		return false
	}
	digits := stem[len(strings.TrimRight(stem, "0123456789")):]
	n, err := strconv.Atoi(digits)
	return err != nil || n != int(rec.ID.Image)
}
