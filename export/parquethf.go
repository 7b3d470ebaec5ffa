package export

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go/format"
)

// parquetHF writes Parquet files and a dataset card, as Hugging Face's datasets and its Hub have them.
//
//	README.md                             the card: which files, features, names of classes, counts
//	data/train-00000-of-00003.parquet     image      struct of bytes, a PNG or JPEG, and path
//	                                      label      int64, class; -1 none
//	                                      key        string, "n000002/0001_01"
//	                                      identity   string
//	                                      age        float, years; null unknown
//	                                      gender     int64, 0 male, 1 female; null unknown
//	                                      landmarks  list of 10 floats, x, y of five points; null unknown
//	                                      box        list of 4 floats, X, Y, W, H; photos only; null unknown
//
// The footer's key "huggingface" has the same features as JSON, so that a file alone is enough.
type parquetHF struct {
	set      *Set
	features []hfFeature
	about    format.KeyValue
}

func newParquetHF(*Options) (Format, error) { return &parquetHF{}, nil }

func (*parquetHF) Version() string { return "parquet-hf/1" }

// The other columns, and the share of page heads and footer.
func (*parquetHF) Needs() Needs { return Needs{Beside: 512} }

// Dirs returns the directory of the Parquet files.
func (*parquetHF) Dirs() []string { return []string{"data"} }

// hfMaxBytes is the most of a file.
const hfMaxBytes = 256 << 30

// hfFeature is a column as Hugging Face's Features name it.
type hfFeature struct {
	name       string
	json, yaml string // yaml in lines, as what follows "- name:"
}

func (h *parquetHF) Begin(set *Set) error {
	h.set = set
	// Parquet counts row groups with 16 bits; that is twice what this many bytes take.
	if set.Options.MaxBytes > hfMaxBytes {
		return fmt.Errorf("files of %d bytes, parquet-hf has %d at most: %w", set.Options.MaxBytes, int64(hfMaxBytes), ErrOption)
	}
	splits := map[string]string{}
	for _, p := range set.Parts {
		name := hfSplit(p.Name)
		if other, ok := splits[name]; ok {
			return fmt.Errorf("parts %s and %s would both be split %s: %w", other, p.Name, name, ErrOption)
		}
		splits[name] = p.Name
	}
	text := func(name, dtype string) hfFeature {
		return hfFeature{name, `{"dtype":"` + dtype + `","_type":"Value"}`, "dtype: " + dtype}
	}
	list := func(name string) hfFeature {
		// Newer versions call it List and read the old name too. Without a length, because a reader knows
		// Parquet's lists for that and need not convert them.
		return hfFeature{name, `{"feature":{"dtype":"float32","_type":"Value"},"_type":"Sequence"}`, "sequence: float32"}
	}
	h.features = []hfFeature{
		{"image", `{"_type":"Image"}`, "dtype: image"}, hfClasses("label", set.Classes), text("key", "string"), text("identity", "string"),
		text("age", "float32"), hfClasses("gender", []string{"male", "female"}), list("landmarks"),
	}
	if set.Origin["kind"] == "photos" {
		h.features = append(h.features, list("box"))
	}
	var b strings.Builder
	for i, f := range h.features {
		b.WriteString(string("{,"[min(i, 1)]) + `"` + f.name + `":` + f.json)
	}
	h.about = format.KeyValue{Key: "huggingface", Value: `{"info":{"features":` + b.String() + `}}}`}
	return nil
}

// hfClasses is a column of classes: plain numbers where the names can't tell them apart.
func hfClasses(name string, classes []string) hfFeature {
	names, lines := []byte{'['}, []byte("dtype:\n  class_label:\n    names:")
	seen := map[string]bool{}
	for i, c := range classes {
		c = strings.ToValidUTF8(c, "\uFFFD")
		if seen[c] {
			seen = nil
			break
		}
		seen[c] = true
		if i > 0 {
			names = append(names, ',')
		}
		names = appendString(names, c)
		// Go's escapes are YAML's too.
		lines = strconv.AppendQuote(fmt.Appendf(lines, "\n      '%d': ", i), c)
	}
	if len(seen) == 0 {
		return hfFeature{name, `{"dtype":"int64","_type":"Value"}`, "dtype: int64"}
	}
	return hfFeature{name, `{"names":` + string(names) + `],"_type":"ClassLabel"}`, string(lines)}
}

var notWord = regexp.MustCompile(`[^0-9A-Za-z_]`)

// hfSplit is a part's name as a split may be called: letters, digits and "_".
func hfSplit(part string) string { return notWord.ReplaceAllString(part, "_") }

func (*parquetHF) Record(dst []byte, _ *Sample) ([]byte, error) { return dst, nil }

// hfPiece is one Parquet file.
type hfPiece struct {
	file  *parquetFile
	boxes bool
}

func (h *parquetHF) Piece(p Piece, out *Output) (PieceWriter, error) {
	f, err := out.Create(fmt.Sprintf("data/%s-%05d-of-%05d.parquet", hfSplit(p.Part), p.I, p.N))
	if err != nil {
		return nil, err
	}
	columns := []*parquetColumn{
		{path: []string{"image", "bytes"}, kind: format.ByteArray},
		{path: []string{"image", "path"}, kind: format.ByteArray, text: true},
		{path: []string{"label"}, kind: format.Int64},
		{path: []string{"key"}, kind: format.ByteArray, text: true},
		{path: []string{"identity"}, kind: format.ByteArray, text: true},
		{path: []string{"age"}, kind: format.Float},
		{path: []string{"gender"}, kind: format.Int64},
		{path: []string{"landmarks", "list", "element"}, kind: format.Float, repeated: true},
		{path: []string{"box", "list", "element"}, kind: format.Float, repeated: true},
	}
	w := &hfPiece{boxes: h.set.Origin["kind"] == "photos"}
	if !w.boxes {
		columns = columns[:len(columns)-1]
	}
	w.file, err = newParquetFile(f, columns, h.about)
	return w, err
}

func (w *hfPiece) Add(s *Sample, _ []byte) error {
	text := func(s string) []byte { return []byte(strings.ToValidUTF8(s, "\uFFFD")) }
	c := w.file.columns
	c[0].bytes(s.Image)
	c[1].bytes([]byte(tarName(s.Key) + "." + s.Ext))
	c[2].int64(int64(s.Label))
	c[3].bytes(text(s.Key))
	c[4].bytes(text(s.Identity))
	if s.Age == s.Age {
		c[5].float(s.Age)
	} else {
		c[5].null()
	}
	if s.Gender >= 0 {
		c[6].int64(int64(s.Gender))
	} else {
		c[6].null()
	}
	if s.HasLandmarks() {
		l := &s.Landmarks
		c[7].list(l[0][0], l[0][1], l[1][0], l[1][1], l[2][0], l[2][1], l[3][0], l[3][1], l[4][0], l[4][1])
	} else {
		c[7].null()
	}
	switch {
	case w.boxes && s.Box != nil:
		c[8].list(s.Box[:]...)
	case w.boxes:
		c[8].null()
	}
	return w.file.row()
}

func (w *hfPiece) Close() error { return w.file.close() }

// Finish writes the dataset card.
func (h *parquetHF) Finish(f *Finished, out *Output) error {
	var b, files, splits strings.Builder
	total := int64(0)
	for _, p := range f.Parts {
		if f.Counts[p.Name] == 0 { // datasets loads no set that has a split without rows
			continue
		}
		size, name := int64(0), hfSplit(p.Name)
		for _, piece := range f.Pieces[p.Name] {
			for _, file := range piece.Files {
				size += file.Bytes
			}
		}
		total += size
		fmt.Fprintf(&files, "  - split: %s\n    path: data/%s-*\n", yamlName(name), name)
		fmt.Fprintf(&splits, "  - name: %s\n    num_bytes: %d\n    num_examples: %d\n", yamlName(name), size, f.Counts[p.Name])
	}
	b.WriteString("---\n")
	fmt.Fprintf(&b, "pretty_name: %s\ntask_categories:\n- image-classification\n", yamlName(f.Name))
	if files.Len() > 0 {
		b.WriteString("configs:\n- config_name: default\n  data_files:\n" + files.String())
		b.WriteString("dataset_info:\n  features:\n")
		for _, c := range h.features {
			b.WriteString("  - name: " + c.name + "\n    " + strings.ReplaceAll(c.yaml, "\n", "\n    ") + "\n")
		}
		fmt.Fprintf(&b, "  splits:\n%s  download_size: %d\n  dataset_size: %d\n", splits.String(), total, total)
	}
	fmt.Fprintf(&b, "---\n\n# %s\n\nFaces, exported by vf2prep: %s.\n\n", f.Name, originText(f.Origin))
	b.WriteString("| column | what it is |\n|---|---|\n" +
		"| image | PNG or JPEG |\n| label | class, -1 none |\n| key, identity | as in the source |\n| age | years; null unknown |\n" +
		"| gender | 0 male, 1 female; null unknown |\n| landmarks | x, y of five points in pixels of the image; null unknown |\n")
	if f.Origin["kind"] == "photos" {
		b.WriteString("| box | X, Y, W, H in pixels of the image; null unknown |\n")
	}
	b.WriteString("\n    import datasets\n    ds = datasets.load_dataset(\"DIR\")\n\n" +
		"The images stay under the terms of the data set that they come from.\n")
	return out.WriteFile("README.md", []byte(b.String()))
}

// yamlName is a name that nobody takes for a number or for true.
func yamlName(name string) string { return strconv.Quote(name) }
