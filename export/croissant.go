package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/lockfile"
)

const (
	// CroissantName is the file that describes an export.
	CroissantName = "croissant.json"
	// Croissant is what it is called where formats are.
	Croissant = "croissant"

	// unknownLicense is said where nobody said which.
	unknownLicense = "Not stated here. The images are under the terms of the data set that they come from."
)

// DescribeOptions say what is described, and what an export can't know of itself.
type DescribeOptions struct {
	Dir         string // of a complete export
	Name        string // "": the export's
	Description string // "": a line of what it was made of
	License     string // a URL or a text; "": not stated
	URL         string // of the data set's page; "": the directory itself
}

// Description is what [Describe] wrote.
type Description struct {
	File       string   `json:"file"`
	To         string   `json:"to"`          // the export's format
	Files      int      `json:"files"`       // described
	RecordSets []string `json:"record_sets"` // names
	Loadable   bool     `json:"loadable"`    // samples can be read by the description alone
	License    bool     `json:"license"`     // is stated
}

// Describe writes [CroissantName] beside a complete export: its files with their SHA-256, its parts
// as splits, its classes and, for formats that readers of Croissant can open, its samples. The bytes
// follow from export.json and the options. The error wraps [ErrOption] where there is no complete
// export.
//
// Croissant Format Specification 1.0, http://mlcommons.org/croissant/1.0
func Describe(o DescribeOptions) (*Description, error) {
	index, err := ReadIndex(o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no export: %s is missing: %w", o.Dir, IndexName, ErrOption)
	}
	if err != nil {
		return nil, err
	}
	unlock, err := lockfile.Acquire(filepath.Join(o.Dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("the export is under way: %w", err)
	}
	defer unlock()
	if !index.Complete {
		return nil, fmt.Errorf("%s: the export is not complete: run it to its end first: %w", o.Dir, ErrOption)
	}
	sum, err := sumFile(filepath.Join(o.Dir, IndexName))
	if err != nil {
		return nil, err
	}
	files := append([]FileInfo{}, index.Files...)
	for i := range files {
		info, err := os.Stat(filepath.Join(o.Dir, filepath.FromSlash(files[i].Name)))
		if err == nil && info.Size() != files[i].Bytes {
			err = fmt.Errorf("%s has %d bytes, want %d", files[i].Name, info.Size(), files[i].Bytes)
		}
		if err != nil {
			return nil, fmt.Errorf("the export was complete, but is damaged: %w", err)
		}
	}
	info, err := os.Stat(filepath.Join(o.Dir, IndexName))
	if err != nil {
		return nil, err
	}
	files = append(files, FileInfo{Name: IndexName, Bytes: info.Size(), SHA256: sum})

	d := newCroissant(index, files)
	if o.Name == "" {
		o.Name = index.Name
	}
	if o.Description == "" {
		o.Description = fmt.Sprintf("Faces, exported by vf2prep: %s.", originText(index.Source))
	}
	stated := o.License != ""
	if !stated {
		o.License = unknownLicense
	}
	if o.URL == "" {
		o.URL = "./"
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err = enc.Encode(object{
		"@context": croissantContext, "@type": "sc:Dataset", "conformsTo": "http://mlcommons.org/croissant/1.0",
		"name": o.Name, "description": o.Description, "license": o.License, "url": o.URL, "version": "1.0.0",
		"distribution": d.distribution, "recordSet": d.sets,
	})
	if err != nil {
		return nil, err
	}
	out := filepath.Join(o.Dir, CroissantName)
	if err := atomicfile.Bytes(out, b.Bytes()); err != nil {
		return nil, err
	}
	return &Description{File: out, To: index.To, Files: len(files), RecordSets: d.names, Loadable: d.loadable, License: stated}, nil
}

type object = map[string]any

// croissantContext is the one that the specification recommends, word for word.
var croissantContext = func() object {
	c := object{
		"@language": "en", "@vocab": "https://schema.org/",
		"cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
		"dct": "http://purl.org/dc/terms/", "sc": "https://schema.org/", "conformsTo": "dct:conformsTo",
		"data":     object{"@id": "cr:data", "@type": "@json"},
		"dataType": object{"@id": "cr:dataType", "@type": "@vocab"},
		"examples": object{"@id": "cr:examples", "@type": "@json"},
	}
	for _, term := range strings.Fields(`citeAs column equivalentProperty extract field fileProperty fileObject fileSet format
		includes isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate
		separator source subField transform`) {
		c[term] = "cr:" + term
	}
	return c
}()

// croissant collects what describes an export.
type croissant struct {
	index        *Index
	distribution []object
	sets         []object
	names        []string // of sets
	loadable     bool
}

func newCroissant(index *Index, files []FileInfo) *croissant {
	d := &croissant{index: index}
	for _, f := range files {
		d.distribution = append(d.distribution, object{
			"@type": "cr:FileObject", "@id": f.Name, "name": path.Base(f.Name), "contentUrl": f.Name,
			"contentSize": fmt.Sprintf("%d B", f.Bytes), "encodingFormat": mediaType(f.Name), "sha256": f.SHA256,
		})
	}
	var splits, classes []object
	for _, p := range index.Parts {
		splits = append(splits, object{"splits/name": d.part(p.Part), "splits/samples": p.Samples})
	}
	d.table("splits", "cr:Split", "the parts and how many samples they have", splits,
		field("splits/name", "sc:Text", nil), field("splits/samples", "sc:Integer", nil))
	about := []object{field("classes/name", "sc:Text", nil), field("classes/label", "sc:Integer", nil)}
	if index.To == "webdataset" { // which has identities in names of files alone
		about = append(about, field("classes/path", "sc:Text", nil))
	}
	for i, c := range index.Classes {
		class := object{"classes/label": i, "classes/name": c}
		if len(about) == 3 {
			class["classes/path"] = plainName(c)
		}
		classes = append(classes, class)
	}
	d.table("classes", "sc:Enumeration", "the identity of each label", classes, about...)
	before := len(d.sets)
	switch index.To {
	case "parquet-hf":
		d.parquet()
	case "imagefolder":
		d.imageFolder()
	case "webdataset":
		d.webDataset(files)
	}
	d.loadable = len(d.sets) > before
	return d
}

// part is a part's name as the format has it in names of files.
func (d *croissant) part(name string) string {
	if d.index.To == "parquet-hf" {
		return hfSplit(name)
	}
	return safeName(name)
}

func (d *croissant) set(name, about string, more object, fields ...object) {
	s := object{"@type": "cr:RecordSet", "@id": name, "name": name, "description": about, "field": fields}
	for k, v := range more {
		s[k] = v
	}
	d.sets, d.names = append(d.sets, s), append(d.names, name)
}

// table adds a record set whose rows are in the description; its first field is the key.
func (d *croissant) table(name, kind, about string, rows []object, fields ...object) {
	if len(rows) > 0 {
		d.set(name, about, object{"dataType": kind, "data": rows, "key": id(fields[0]["@id"].(string))}, fields...)
	}
}

func id(name string) object { return object{"@id": name} }

func field(name, kind string, source object) object {
	f := object{"@type": "cr:Field", "@id": name, "name": path.Base(name), "dataType": kind}
	if source != nil {
		f["source"] = source
	}
	return f
}

// from is a source: a property of the files of a set, or a column of these.
func from(kind, file, what, name string) object {
	return object{kind: id(file), "extract": object{what: name}}
}

// with adds to an object.
func with(o object, key string, value any) object {
	o[key] = value
	return o
}

func (d *croissant) fileSet(name, media string, includes []string, more object) {
	s := object{"@type": "cr:FileSet", "@id": name, "name": name, "encodingFormat": media, "includes": includes}
	for k, v := range more {
		s[k] = v
	}
	d.distribution = append(d.distribution, s)
}

// parquet describes all samples as one record set with their split.
func (d *croissant) parquet() {
	var parts []string
	for _, p := range d.index.Parts {
		if p.Planned > 0 {
			parts = append(parts, regexp.QuoteMeta(d.part(p.Part)))
		}
	}
	if len(parts) == 0 {
		return
	}
	const set = "parquet-files"
	d.fileSet(set, "application/x-parquet", []string{"data/*.parquet"}, nil)
	column := func(name string) object { return from("fileSet", set, "column", name) }
	// A reader that joins applies the expression twice: it leaves a split's name as it is.
	split := fmt.Sprintf("(?:data/)?(%s)(?:-.+)?$", strings.Join(parts, "|"))
	fields := []object{
		with(field("samples/split", "sc:Text", with(from("fileSet", set, "fileProperty", "fullpath"), "transform", object{"regex": split})),
			"references", object{"field": id("splits/name")}),
		field("samples/image", "sc:ImageObject", with(column("image"), "transform", object{"jsonPath": "bytes"})),
		field("samples/label", "sc:Integer", column("label")),
		field("samples/key", "sc:Text", column("key")),
		field("samples/identity", "sc:Text", column("identity")),
		field("samples/age", "sc:Float", column("age")),
		field("samples/gender", "sc:Integer", column("gender")),
		with(field("samples/landmarks", "sc:Float", column("landmarks")), "repeated", true),
	}
	if d.index.Source["kind"] == "photos" {
		fields = append(fields, with(field("samples/box", "sc:Float", column("box")), "repeated", true))
	}
	d.set("samples", "the samples of all splits; what is unknown is null, label -1", nil, fields...)
}

// imageFolder describes each part as a record set: its images, and its table by their names.
func (d *croissant) imageFolder() {
	for _, p := range d.index.Parts {
		if p.Samples == 0 {
			continue
		}
		part := d.part(p.Part)
		set, table := part+"-images", part+".csv"
		d.fileSet(set, mediaType("."+d.index.Image), []string{part + "/*." + d.index.Image}, nil)
		column := func(name string) object { return from("fileObject", table, "column", name) }
		fields := []object{
			with(field(part+"/path", "sc:Text", with(from("fileSet", set, "fileProperty", "fullpath"), "transform", object{"regex": "(.+)"})),
				"references", column("image")),
			field(part+"/image", "sc:ImageObject", from("fileSet", set, "fileProperty", "content")),
			field(part+"/label", "sc:Integer", column("label")),
			field(part+"/key", "sc:Text", column("key")),
			field(part+"/identity", "sc:Text", column("identity")),
			field(part+"/age", "sc:Float", column("age")),
			field(part+"/gender", "sc:Integer", column("gender")),
		}
		for i := range 5 {
			for _, axis := range []string{"x", "y"} {
				name := fmt.Sprintf("%s%d", axis, i+1)
				fields = append(fields, field(part+"/"+name, "sc:Float", column(name)))
			}
		}
		d.set(part, "the samples of "+p.Part+"; what is unknown is null, label -1", nil, fields...)
	}
}

// webDataset describes each part as a record set: the images in its archives, with key and identity
// by their names, and the label that the identity has among the classes.
func (d *croissant) webDataset(files []FileInfo) {
	for _, p := range d.index.Parts {
		var archives []object
		for _, f := range files {
			if f.Part == p.Part {
				archives = append(archives, id(f.Name))
			}
		}
		if p.Samples == 0 || len(archives) == 0 {
			continue
		}
		part := d.part(p.Part)
		set := part + "-images"
		d.fileSet(set, mediaType("."+d.index.Image), []string{"*." + d.index.Image}, object{"containedIn": archives})
		d.fileSet(part+"-json", "application/json", []string{"*.json"}, object{"containedIn": archives})
		d.fileSet(part+"-labels", "text/plain", []string{"*.cls"}, object{"containedIn": archives})
		property := func(name, regex string) object {
			return with(from("fileSet", set, "fileProperty", name), "transform", object{"regex": regex})
		}
		fields := []object{
			field(part+"/image", "sc:ImageObject", from("fileSet", set, "fileProperty", "content")),
			field(part+"/identity", "sc:Text", property("fullpath", "([^/]+)")),
			field(part+"/name", "sc:Text", property("filename", "([^.]+)")),
		}
		if len(d.index.Classes) > 0 {
			with(fields[1], "references", object{"field": id("classes/path")})
			fields = append(fields, field(part+"/label", "sc:Integer", object{"field": id("classes/label")}))
		}
		d.set(part, "the samples of "+p.Part+", whose keys are identity/name; no label is null", nil, fields...)
	}
}

// mediaType is what a file is, by its name.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".parquet":
		return "application/x-parquet"
	case ".tar":
		return "application/x-tar"
	case ".png":
		return "image/png"
	case ".jpg":
		return "image/jpeg"
	case ".csv":
		return "text/csv"
	case ".json":
		return "application/json"
	case ".md":
		return "text/markdown"
	case ".txt", ".sha256":
		return "text/plain"
	}
	return "application/octet-stream"
}
