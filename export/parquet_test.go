package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/vf2prep/vf2prep/shard"
)

// hfRow is a row as the Parquet library's reader finds it.
type hfRow struct {
	Image *struct {
		Bytes []byte  `parquet:"bytes,optional"`
		Path  *string `parquet:"path,optional"`
	} `parquet:"image,optional"`
	Label     *int64    `parquet:"label,optional"`
	Key       *string   `parquet:"key,optional"`
	Identity  *string   `parquet:"identity,optional"`
	Age       *float32  `parquet:"age,optional"`
	Gender    *int64    `parquet:"gender,optional"`
	Landmarks []float32 `parquet:"landmarks,optional,list"`
	Box       []float32 `parquet:"box,optional,list"`
}

func openParquet(t testing.TB, name string) *parquet.File {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f
}

func readRows(t testing.TB, dir, part string) (out []hfRow) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "data", part+"-*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	for _, name := range names {
		r := parquet.NewGenericReader[hfRow](openParquet(t, name))
		rows := make([]hfRow, r.NumRows())
		for at := 0; at < len(rows); {
			n, err := r.Read(rows[at:])
			at += n
			if err != nil && err != io.EOF || n == 0 {
				t.Fatalf("%s: row %d of %d: %v", name, at, len(rows), err)
			}
		}
		out = append(out, rows...)
	}
	return out
}

func readParquetHF(t *testing.T, dir, part string) (out []got) {
	for _, r := range readRows(t, dir, part) {
		out = append(out, got{key: *r.Key, label: int32(*r.Label), image: r.Image.Bytes})
	}
	return out
}

// Every column has what the samples have, and null where that is unknown, whatever the row groups
// and pages.
func TestParquetColumns(t *testing.T) {
	group, page, size := parquetGroupRows, parquetPageBytes, parquetGroupBytes
	defer func() { parquetGroupRows, parquetPageBytes, parquetGroupBytes = group, page, size }()
	d := draw(t, "rgb", shard.Raw, strange)
	for _, cut := range []struct{ rows, page, group, groups int }{
		{1000, 1 << 20, 16 << 20, 1}, {1000, 1000, 16 << 20, 1}, {7, 1, 16 << 20, 6}, {1, 1, 1, 41}, {1000, 1, 1000, 0},
	} {
		parquetGroupRows, parquetPageBytes, parquetGroupBytes = cut.rows, cut.page, cut.group
		out := t.TempDir()
		exported(t, Options{To: "parquet-hf", Shards: d.dir, Out: out})
		rows := readRows(t, out, "train")
		if len(rows) != len(d.samples["train"]) {
			t.Fatalf("%d rows, want %d", len(rows), len(d.samples["train"]))
		}
		for i, w := range d.samples["train"] {
			r := rows[i]
			var marks []float32
			for _, p := range w.Landmarks {
				if p[0] == p[0] {
					marks = append(marks, p[0], p[1])
				}
			}
			age, gender := float32(math.NaN()), int8(-1)
			if r.Age != nil {
				age = *r.Age
			}
			if r.Gender != nil {
				gender = int8(*r.Gender)
			}
			want := strange[i%len(strange)]
			if w.Label < 0 {
				want, _, _ = strings.Cut(w.Key, "/")
			}
			if !slices.Equal(r.Landmarks, marks) || gender != w.Gender || age != w.Age && !(age != age && w.Age != w.Age) || *r.Identity != want {
				t.Fatalf("%+v: %s: %+v, want %+v", cut, w.Key, r, w)
			}
			if (r.Gender == nil) != (w.Gender < 0) || (r.Age == nil) != (w.Age != w.Age) || len(r.Box) != 0 {
				t.Fatalf("%+v: %s: %+v, want %+v", cut, w.Key, r, w)
			}
			if path := *r.Image.Path; path != tarName(w.Key)+".png" || !filepath.IsLocal(path) {
				t.Fatalf("%s: path %q", w.Key, path)
			}
		}
		f := openParquet(t, filepath.Join(out, "data", "train-00000-of-00001.parquet"))
		if n := len(f.RowGroups()); n != cut.groups && cut.groups > 0 {
			t.Errorf("%+v: %d row groups", cut, n)
		}
		for _, g := range f.Metadata().RowGroups {
			for _, c := range g.Columns {
				if m := c.MetaData; m.PathInSchema[0] == "landmarks" && m.NumValues != g.NumRows*10-9*m.Statistics.NullCount {
					t.Errorf("landmarks: %d values, %d nulls of %d rows", m.NumValues, m.Statistics.NullCount, g.NumRows)
				}
			}
		}
	}
}

// The features in the footer and on the card are those of the columns, with the names of classes.
func TestParquetCard(t *testing.T) {
	d := draw(t, "rgb", shard.Raw, []string{"n1", "no", "Zoë", "a: b", "\"q\"\n", "12"})
	out := t.TempDir()
	exported(t, Options{To: "parquet-hf", Shards: d.dir, Out: out})
	text, ok := openParquet(t, filepath.Join(out, "data", "val-00000-of-00001.parquet")).Lookup("huggingface")
	var about struct {
		Info struct {
			Features map[string]struct {
				Type  string `json:"_type"`
				Names []string
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &about); err != nil || !ok {
		t.Fatal(err, text)
	}
	if diff := cmp.Diff(d.classes, about.Info.Features["label"].Names); diff != "" {
		t.Errorf("names in the footer (-want +have):\n%s", diff)
	}
	card, err := os.ReadFile(filepath.Join(out, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, head, _ := strings.Cut(string(card), "---\n")
	head, _, _ = strings.Cut(head, "\n---\n")
	var info struct {
		Configs []struct {
			Data []struct{ Split, Path string } `yaml:"data_files"`
		}
		Info struct {
			Features []struct {
				Name  string
				Dtype any
			}
			Splits []struct {
				Name     string
				Examples int `yaml:"num_examples"`
				Bytes    int `yaml:"num_bytes"`
			}
			Size int `yaml:"dataset_size"`
		} `yaml:"dataset_info"`
	}
	if err := yaml.Unmarshal([]byte(head), &info); err != nil {
		t.Fatalf("%v\n%s", err, head)
	}
	files := info.Configs[0].Data
	if len(files) != 2 || files[0].Path != "data/train-*" || files[1].Split != "val" {
		t.Errorf("files %+v", files)
	}
	splits := info.Info.Splits
	if len(splits) != 2 || splits[0].Examples != 41 || splits[1].Examples != 9 || splits[0].Bytes+splits[1].Bytes != info.Info.Size {
		t.Errorf("splits %+v", splits)
	}
	names := map[string]string{}
	for i, f := range info.Info.Features {
		if _, ok := about.Info.Features[f.Name]; !ok || len(about.Info.Features) != len(info.Info.Features) {
			t.Errorf("feature %d, %s, is not in the footer", i, f.Name)
		}
		if f.Name == "label" {
			for k, v := range f.Dtype.(map[string]any)["class_label"].(map[string]any)["names"].(map[string]any) {
				names[k] = v.(string)
			}
		}
	}
	want := map[string]string{"0": "n1", "1": "no", "2": "Zoë", "3": "a: b", "4": "\"q\"\n", "5": "12"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names on the card (-want +have):\n%s", diff)
	}
	if f := hfClasses("label", []string{"a", "b", "a"}); !strings.Contains(f.json, "int64") {
		t.Errorf("equal names: %+v", f)
	}
}

// A part whose samples are all damaged is no split: datasets would not load the others either. ("Instruction
// "val" corresponds to no data!")
func TestParquetPartOfRejects(t *testing.T) {
	d := draw(t, "rgb", shard.Raw, strange)
	file := filepath.Join(d.dir, shard.FileName("val", 0, 1))
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.samples["val"] {
		b[len(b)-1-i*d.shape.Bytes()] ^= 1
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if s := exported(t, Options{To: "parquet-hf", Shards: d.dir, Out: out}); s.Samples != 41 || s.Rejected != 9 {
		t.Fatalf("%+v", s)
	}
	card, err := os.ReadFile(filepath.Join(out, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(card, []byte("data/train-*")) || bytes.Contains(card, []byte("val")) {
		t.Errorf("the card names a part without samples:\n%s", card)
	}
}

// Files that would have too many row groups are refused before anything is written.
func TestParquetFileTooLarge(t *testing.T) {
	d := draw(t, "rgb", shard.Raw, strange)
	_, err := try(context.Background(), Options{To: "parquet-hf", Shards: d.dir, Out: t.TempDir(), MaxBytes: 1 << 40})
	if !errors.Is(err, ErrOption) {
		t.Errorf("1 TiB a file: %v, want %v", err, ErrOption)
	}
}

// Photos have their boxes.
func TestParquetPhotos(t *testing.T) {
	o := photographed(t)
	o.To, o.Out = "parquet-hf", t.TempDir()
	exported(t, o)
	for _, r := range readRows(t, o.Out, "train") {
		b, err := os.ReadFile(filepath.Join(o.Root, "train", filepath.FromSlash(*r.Key)+".jpg"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, r.Image.Bytes) || len(r.Box) != 4 || len(r.Landmarks) != 10 {
			t.Fatalf("%s: %d bytes, box %v", *r.Key, len(r.Image.Bytes), r.Box)
		}
	}
}
