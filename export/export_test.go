package export

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/shard"
)

// decode returns the planes of an image, by the standard library.
func decode(t testing.TB, b []byte) []uint8 {
	t.Helper()
	img, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	out := make([]uint8, 3*w*h)
	for y := range h {
		for x := range w {
			r, g, b, _ := img.At(x, y).RGBA()
			for c, v := range []uint32{r, g, b} {
				out[c*w*h+y*w+x] = uint8(v >> 8)
			}
		}
	}
	return out
}

// readers read an exported directory back, each with nothing of the package: samples by part.
var readers = map[string]func(t *testing.T, dir, part string) []got{
	"webdataset":  readWebDataset,
	"tfrecord":    readTFRecord,
	"imagefolder": readImageFolder,
	"npy":         readNPY,
	"parquet-hf":  readParquetHF,

	"mxnet-rec plain": func(t *testing.T, dir, part string) []got { return readRec(t, filepath.Join(dir, part), 0) },
}

func sorted(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func readWebDataset(t *testing.T, dir, part string) (out []got) {
	for _, name := range sorted(t, filepath.Join(dir, part+"-*.tar")) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b)%tarRecord != 0 {
			t.Errorf("%s has %d bytes, want a multiple of %d", name, len(b), tarRecord)
		}
		last := ""
		for r := tar.NewReader(bytes.NewReader(b)); ; {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if h.Mode != 0o644 || h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != 0 || h.Typeflag != tar.TypeReg || h.Format != tar.FormatUSTAR {
				t.Fatalf("%s: %s: header %+v", name, h.Name, h)
			}
			if !filepath.IsLocal(h.Name) {
				t.Fatalf("%s: %q leaves the directory", name, h.Name)
			}
			key, ext, _ := strings.Cut(h.Name, ".") // no dot but one, so all readers cut alike
			if key != last {
				out, last = append(out, got{}), key
			}
			s := &out[len(out)-1]
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			switch ext {
			case "cls":
				v, err := strconv.Atoi(string(data))
				if err != nil {
					t.Fatal(err)
				}
				s.label = int32(v)
			case "json":
				var meta struct{ Key string }
				if err := json.Unmarshal(data, &meta); err != nil {
					t.Fatalf("%s: %v: %s", h.Name, err, data)
				}
				s.key = meta.Key
			case "png", "jpg":
				s.image = data
			default:
				t.Fatalf("%s: member %s", name, h.Name)
			}
		}
	}
	return out
}

func readTFRecord(t *testing.T, dir, part string) (out []got) {
	table := crc32.MakeTable(crc32.Castagnoli)
	masked := func(b []byte) uint32 {
		c := crc32.Checksum(b, table)
		return (c>>15 | c<<17) + 0xa282ead8
	}
	for _, name := range sorted(t, filepath.Join(dir, "faces-"+part+".tfrecord-*")) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for len(b) > 0 {
			n := binary.LittleEndian.Uint64(b)
			if binary.LittleEndian.Uint32(b[8:]) != masked(b[:8]) || binary.LittleEndian.Uint32(b[12+n:]) != masked(b[12:12+n]) {
				t.Fatalf("%s: a checksum is wrong", name)
			}
			f := parseExample(t, b[12:12+n])
			b = b[16+n:]
			label, m := protowire.ConsumeVarint(f["image/class/label"].value)
			if m < 0 {
				t.Fatal(protowire.ParseError(m))
			}
			if want := "png"; string(f["image/format"].value) != want && string(f["image/format"].value) != "jpeg" {
				t.Fatalf("image/format %q", f["image/format"].value)
			}
			out = append(out, got{key: string(f["image/source_id"].value), label: int32(label), image: f["image/encoded"].value})
		}
	}
	return out
}

type featureValue struct {
	kind  protowire.Number
	value []byte // of its list
}

// parseExample reads a tf.train.Example; names must be sorted and appear once.
func parseExample(t *testing.T, b []byte) map[string]featureValue {
	t.Helper()
	one := func(b []byte, want protowire.Number) (value, rest []byte) {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || typ != protowire.BytesType || want != 0 && num != want {
			t.Fatalf("field %d of type %d, want %d", num, typ, want)
		}
		value, m := protowire.ConsumeBytes(b[n:])
		if m < 0 {
			t.Fatal(protowire.ParseError(m))
		}
		return value, b[n+m:]
	}
	out := map[string]featureValue{}
	all, rest := one(b, 1)
	if len(rest) != 0 {
		t.Fatalf("%d bytes follow the features", len(rest))
	}
	last := ""
	for len(all) > 0 {
		var entry []byte
		entry, all = one(all, 1)
		name, entry := one(entry, 1)
		value, _ := one(entry, 2)
		kind, _, _ := protowire.ConsumeTag(value)
		list, _ := one(value, 0)
		item, _ := one(list, 1)
		if string(name) <= last {
			t.Fatalf("feature %q follows %q", name, last)
		}
		last = string(name)
		out[last] = featureValue{kind, item}
	}
	return out
}

func readImageFolder(t *testing.T, dir, part string) (out []got) {
	f, err := os.Open(filepath.Join(dir, part+".csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		if !strings.HasPrefix(row[0], part+"/") || path.Clean(row[0]) != row[0] || strings.Count(row[0], "/") != 2 {
			t.Fatalf("image %q", row[0])
		}
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(row[0])))
		if err != nil {
			t.Fatal(err)
		}
		label, err := strconv.Atoi(row[2])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, got{key: row[1], label: int32(label), image: b})
	}
	there := 0
	err = filepath.WalkDir(filepath.Join(dir, part), func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			there++
		}
		return err
	})
	if err != nil && !(errors.Is(err, os.ErrNotExist) && len(out) == 0) {
		t.Fatal(err)
	}
	if there != len(out) {
		t.Errorf("%s: %d files, %d rows", part, there, len(out))
	}
	return out
}

// readArray reads a NumPy file of the type that was asked for.
func readArray(t *testing.T, name, descr string) (shape []int, data []byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	n := 10 + int(binary.LittleEndian.Uint16(b[8:]))
	head := string(b[10:n])
	if string(b[:8]) != "\x93NUMPY\x01\x00" || n%64 != 0 || !strings.HasPrefix(head, "{'descr': '"+descr+"', 'fortran_order': False, 'shape': (") || head[len(head)-1] != '\n' {
		t.Fatalf("%s: head %q", name, b[:n])
	}
	_, rest, _ := strings.Cut(head, "(")
	rest, _, _ = strings.Cut(rest, ")")
	for _, s := range strings.Split(strings.TrimSuffix(rest, ","), ", ") {
		v, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		shape = append(shape, v)
	}
	return shape, b[n:]
}

func readNPY(t *testing.T, dir, part string) (out []got) {
	shape, pixels := readArray(t, filepath.Join(dir, part, "images.npy"), "|u1")
	n, size := shape[0], shape[1]*shape[2]*shape[3]
	if len(pixels) != n*size {
		t.Fatalf("%d bytes of pixels for shape %v", len(pixels), shape)
	}
	_, labels := readArray(t, filepath.Join(dir, part, "labels.npy"), "<i4")
	_, ages := readArray(t, filepath.Join(dir, part, "ages.npy"), "<f4")
	_, genders := readArray(t, filepath.Join(dir, part, "genders.npy"), "|i1")
	_, marks := readArray(t, filepath.Join(dir, part, "landmarks.npy"), "<f4")
	if len(labels) != 4*n || len(ages) != 4*n || len(genders) != n || len(marks) != 40*n {
		t.Fatalf("%d samples, %d %d %d %d bytes", n, len(labels), len(ages), len(genders), len(marks))
	}
	text, err := os.ReadFile(filepath.Join(dir, part, "keys.txt"))
	if err != nil {
		t.Fatal(err)
	}
	keys := strings.Split(string(text), "\n")
	for i := range n {
		out = append(out, got{key: keys[i], label: int32(binary.LittleEndian.Uint32(labels[4*i:])), pixels: pixels[i*size:][:size]})
	}
	return out
}

// Every format holds every sample of every kind of shard set, with its pixels and its label.
func TestEverySampleComesBack(t *testing.T) {
	for name, read := range readers {
		t.Run(name, func(t *testing.T) {
			for _, set := range []struct{ channels, encoding, image string }{
				{"rgb", shard.Raw, ""}, {"bgr", shard.Raw, ""}, {"rgb", shard.JPEG, ""}, {"bgr", shard.JPEG, ""},
				{"rgb", shard.Raw, JPEG}, {"bgr", shard.Raw, JPEG}, {"bgr", shard.JPEG, PNG},
			} {
				if name == "npy" && set.image != "" {
					continue
				}
				d := draw(t, set.channels, set.encoding, strange)
				out := t.TempDir()
				s := exported(t, Options{To: name, Shards: d.dir, Out: out, Image: set.image})
				if s.Samples != 50 || s.Rejected != 0 {
					t.Fatalf("%v: %+v", set, s)
				}
				how := set.image
				if how == "" && (set.encoding == shard.JPEG || needsOf(t, name).JPEG) {
					how = JPEG
				}
				if set.encoding == shard.JPEG && (name == "npy" || how == PNG) {
					d.decoded(t)
					how = PNG
				}
				for _, part := range []string{"train", "val", "test"} {
					d.agree(t, part, read(t, out, part), how)
				}
				x, err := ReadIndex(out)
				if err != nil || !x.Complete || len(x.Parts) != 3 || x.Parts[0].Samples != 41 || x.Parts[0].Unlabelled != 6 {
					t.Errorf("%v: export.json: %+v, %v", set, x, err)
				}
			}
		})
	}
}

// decoded replaces what was drawn by what the shards' JPEGs show.
func (d *drawn) decoded(t *testing.T) {
	t.Helper()
	set, err := shard.Open(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for part, samples := range d.samples {
		p, err := set.Part(part)
		if err != nil {
			t.Fatal(err)
		}
		for i := range samples {
			s, err := p.Sample(i)
			if err != nil {
				t.Fatal(err)
			}
			samples[i].Data = swapped(s.Data, set.Index().Channels == "bgr")
		}
	}
}

// One worker and sixteen write the same bytes, in one piece or many, and so does an export that goes
// on after it was stopped behind any piece.
func TestWorkersAndStopsChangeNothing(t *testing.T) {
	d := draw(t, "bgr", shard.Raw, strange)
	for name := range readers {
		t.Run(name, func(t *testing.T) {
			o := Options{To: name, Shards: d.dir, Workers: 16}
			if !wholeFormat(t, name) {
				o.MaxCount = 9
			}
			o.Out = t.TempDir()
			exported(t, o)
			want := files(t, o.Out)
			o.Workers, o.Out = 1, t.TempDir()
			exported(t, o)
			if diff := cmp.Diff(want, files(t, o.Out)); diff != "" {
				t.Errorf("16 workers and 1 (-16 +1):\n%s", diff)
			}
			o.Workers = 3
			for stop := range 5 {
				o.Out = t.TempDir()
				ctx, cancel := context.WithCancel(context.Background())
				o.Progress = &stopper{after: int64(1 + 5*stop), cancel: cancel}
				_, err := try(ctx, o)
				cancel()
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				if x, readErr := ReadIndex(o.Out); err != nil && (readErr != nil || x.Complete) {
					t.Fatalf("stopped after %d: export.json %+v, %v", 1+11*stop, x, readErr)
				}
				o.Progress = nil
				exported(t, o)
				if diff := cmp.Diff(want, files(t, o.Out)); diff != "" {
					t.Fatalf("stopped after %d samples (-straight +stopped):\n%s", 1+11*stop, diff)
				}
			}
		})
	}
}

func wholeFormat(t *testing.T, name string) bool { return needsOf(t, name).Whole }

func needsOf(t *testing.T, name string) Needs {
	t.Helper()
	o := &Options{Pairs: "some"}
	o.kind(name)
	f, err := newFormat(o)
	if err != nil {
		t.Fatal(err)
	}
	return f.Needs()
}

// stopper cancels after so many samples.
type stopper struct {
	n, after int64
	cancel   func()
}

func (s *stopper) Start(int64, string) {}
func (s *stopper) Note(string)         {}
func (s *stopper) Done()               {}
func (s *stopper) Add(n int64) {
	if s.n += n; s.n >= s.after {
		s.cancel()
	}
}

// A sample whose checksum is wrong is a reject; the others are as they were, and the numbers agree.
func TestDamagedSampleIsARejection(t *testing.T) {
	for name, read := range readers {
		t.Run(name, func(t *testing.T) {
			d := draw(t, "rgb", shard.Raw, strange)
			file := filepath.Join(d.dir, shard.FileName("train", 1, 2))
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)-1-3*d.shape.Bytes()] ^= 1 // sample 14 of 18
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
			const gone = 23 + 14
			key := d.samples["train"][gone].Key
			d.samples["train"] = slices.Delete(d.samples["train"], gone, gone+1)
			out := t.TempDir()
			o := Options{To: name, Shards: d.dir, Out: out}
			if needsOf(t, name).JPEG {
				o.Image = PNG
			}
			s := exported(t, o)
			if s.Samples != 49 || s.Rejected != 1 || s.Reasons["read: damaged sample"] != 1 {
				t.Errorf("%+v", s)
			}
			d.agree(t, "train", read(t, out, "train"), "")
			table, err := os.ReadFile(filepath.Join(out, RejectsName))
			if err != nil || !bytes.Contains(table, []byte(key+",train,read,damaged sample,")) {
				t.Errorf("%s: %s, %v", RejectsName, table, err)
			}
		})
	}
}

// A directory with an export of another source, with other options, or with anything else in it is
// refused; --restart takes the old export away, and nothing else.
func TestOtherExportsAreRefused(t *testing.T) {
	a, b := draw(t, "rgb", shard.Raw, strange), draw(t, "bgr", shard.Raw, strange[:3])
	for name := range readers {
		t.Run(name, func(t *testing.T) {
			o := Options{To: name, Shards: a.dir, Out: t.TempDir()}
			for _, complete := range []bool{true, false} {
				ctx, cancel := context.WithCancel(context.Background())
				if !complete {
					o.Progress = &stopper{after: 20, cancel: cancel}
				}
				_, err := try(ctx, o)
				cancel()
				o.Progress = nil
				if err != nil && complete {
					t.Fatal(err)
				}
				other := o
				other.Shards = b.dir
				if _, err := try(context.Background(), other); !errors.Is(err, ErrOther) {
					t.Fatalf("complete %v, another source: %v, want %v", complete, err, ErrOther)
				}
				mine := filepath.Join(o.Out, "mine.txt")
				if err := os.WriteFile(mine, nil, 0o644); err != nil {
					t.Fatal(err)
				}
				other.Restart = true
				exported(t, other)
				fresh := Options{To: name, Shards: b.dir, Out: t.TempDir()}
				exported(t, fresh)
				have := files(t, o.Out)
				if _, ok := have["mine.txt"]; !ok {
					t.Error("a restart took a file away that was nobody's")
				}
				delete(have, "mine.txt")
				if diff := cmp.Diff(files(t, fresh.Out), have); diff != "" {
					t.Errorf("complete %v: (-fresh +restarted)\n%s", complete, diff)
				}
				if was, err := clean(o.Out); err != nil || !was {
					t.Fatal(was, err)
				}
				if left := files(t, o.Out); len(left) != 1 {
					t.Errorf("left by clean: %v", left)
				}
				if _, err := try(context.Background(), o); !errors.Is(err, ErrOption) {
					t.Errorf("a directory with a file in it: %v, want %v", err, ErrOption)
				}
				if err := os.Remove(mine); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// An export that is complete is read again, and damage is found.
func TestCompleteExportIsVerified(t *testing.T) {
	d := draw(t, "rgb", shard.Raw, strange)
	for name := range readers {
		o := Options{To: name, Shards: d.dir, Out: t.TempDir()}
		exported(t, o)
		if s := exported(t, o); s.Reused != s.Pieces || s.Samples != 50 {
			t.Errorf("%s: again: %+v", name, s)
		}
		for file := range files(t, o.Out) {
			if file == IndexName {
				continue
			}
			path := filepath.Join(o.Out, filepath.FromSlash(file))
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(b) == 0 {
				continue
			}
			bad := bytes.Clone(b)
			bad[len(bad)/2] ^= 1
			if err := os.WriteFile(path, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := try(context.Background(), o); err == nil || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("%s: %s is damaged: %v", name, file, err)
			}
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var update = flag.Bool("update", false, "write testdata/golden.json anew")

// The bytes of tiny exports are what they were. After a change that is meant, raise the format's
// Version and run the test with -update.
func TestGolden(t *testing.T) {
	have := map[string]map[string]string{}
	for _, encoding := range []string{shard.Raw, shard.JPEG} {
		d := draw(t, "rgb", encoding, strange)
		for name := range readers {
			o := Options{To: name, Shards: d.dir, Out: t.TempDir()}
			exported(t, o)
			have[fmt.Sprintf("%s of %s", name, encoding)] = files(t, o.Out)
		}
		o := Options{To: "insightface-bin", Shards: d.dir, Out: t.TempDir()}
		o.Pairs, _, _ = pairsOf(t, d, 20)
		exported(t, o)
		have["insightface-bin of "+encoding] = files(t, o.Out)
		d = drawMany(t, "rgb", encoding, strange, []int{23, 18}, labelled)
		o = Options{To: "mxnet-rec", Shards: d.dir, Out: t.TempDir()}
		exported(t, o)
		have["mxnet-rec of "+encoding] = files(t, o.Out)
	}
	const file = "testdata/golden.json"
	if *update {
		b, err := json.MarshalIndent(have, "", " ")
		if err == nil {
			err = os.MkdirAll("testdata", 0o755)
		}
		if err == nil {
			err = os.WriteFile(file, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string]string
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("bytes changed (-want +have):\n%s", diff)
	}
}
