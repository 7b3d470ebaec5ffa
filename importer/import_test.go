package importer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/recordio"
	"github.com/vf2prep/vf2prep/jpeg"
	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

const height, width = 12, 10

// aFace draws an image: its planes R, G, B and a file of it.
func aFace(t testing.TB, i int, asPNG bool, h, w int) (planes, file []byte) {
	t.Helper()
	r := rng.Stream(uint64(i), "face")
	planes = make([]byte, 3*h*w)
	for j := range planes {
		planes[j] = uint8(9*(j/(h*w)) + 5*(j%w) + 3*(j/w%h) + i + int(r.Uint64()%4))
	}
	if !asPNG {
		var e jpeg.Encoder
		b, err := e.Append(nil, planes, w, h, jpeg.EncodeOptions{Quality: 90})
		if err != nil {
			t.Fatal(err)
		}
		return planes, b
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			at := y*w + x
			img.Set(x, y, color.NRGBA{planes[at], planes[h*w+at], planes[2*h*w+at], 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return planes, b.Bytes()
}

type drawn struct {
	rec    string
	planes map[string][]byte // by key
	files  map[string][]byte
	label  map[string]int32
	starts []int // of the records
	bytes  []byte
}

// draw writes a record file: InsightFace's, with records of identities and property, or a plain one.
func draw(t testing.TB, asPNG, identities bool) *drawn {
	t.Helper()
	d := &drawn{rec: filepath.Join(t.TempDir(), "train.rec"), planes: map[string][]byte{}, files: map[string][]byte{}, label: map[string]int32{}}
	add := func(h recordio.Header, image []byte) {
		d.starts = append(d.starts, len(d.bytes))
		b, err := recordio.Append(d.bytes, append(recordio.AppendHeader(nil, h), image...))
		if err != nil {
			t.Fatal(err)
		}
		d.bytes = b
	}
	images := []int{3, 1, 0, 5, 4}
	if identities {
		add(recordio.Header{Labels: []float32{14, 18}, Array: true}, nil)
	}
	n := 0
	for label, count := range images {
		for i := range count {
			n++
			key := fmt.Sprintf("id%06d/%04d_01", label, i+1)
			d.planes[key], d.files[key] = aFace(t, n, asPNG, height, width)
			d.label[key] = int32(label)
			h := recordio.Header{Labels: []float32{float32(label)}, ID: uint64(n)}
			if identities {
				h.Labels, h.Array = append(h.Labels, 1), true
			}
			add(h, d.files[key])
		}
	}
	if identities {
		first := 1
		for i, count := range images {
			if count > 0 {
				add(recordio.Header{Labels: []float32{float32(first), float32(first + count)}, Array: true, ID: uint64(14 + i)}, nil)
				first += count
			}
		}
		write(t, filepath.Join(filepath.Dir(d.rec), "property"), []byte("7,12,10"))
	}
	write(t, d.rec, d.bytes)
	return d
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func options(rec, out string) Options {
	return Options{Rec: rec, Out: out, Seed: 1, ShardSize: 1000, Workers: 3}
}

func imported(t testing.TB, o Options) *Summary {
	t.Helper()
	s, err := Import(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// samples reads a set that must be sound: samples by key, and the part of each.
func samples(t testing.TB, dir string) (all map[string]shard.Sample, part map[string]string, index shard.Index) {
	t.Helper()
	check, err := shard.Verify(context.Background(), dir, nil)
	if err != nil || len(check.Faults) > 0 {
		t.Fatalf("%+v, %v", check, err)
	}
	set, err := shard.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	all, part = map[string]shard.Sample{}, map[string]string{}
	for _, name := range set.Parts() {
		p, err := set.Part(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Len() {
			s, err := p.Sample(i)
			if err != nil {
				t.Fatal(err)
			}
			if _, twice := all[s.Key]; twice {
				t.Fatalf("%s is there twice", s.Key)
			}
			s.Data = bytes.Clone(s.Data)
			all[s.Key], part[s.Key] = s, name
		}
	}
	return all, part, set.Index()
}

func TestRecordsBecomeShards(t *testing.T) {
	for _, identities := range []bool{true, false} {
		for _, asPNG := range []bool{true, false} {
			for _, encoding := range []string{"", shard.Raw, shard.JPEG} {
				d := draw(t, asPNG, identities)
				o := options(d.rec, filepath.Join(t.TempDir(), "shards"))
				o.Encoding, o.Val = encoding, 2
				s := imported(t, o)
				classes := 5
				if identities {
					classes = 7
				}
				if s.Samples != 13 || s.Rejected != 0 || s.Identities != 4 || s.Classes != classes || s.Shards < 2 {
					t.Fatalf("%+v", s)
				}
				if want := encoding == "" && !asPNG || encoding == shard.JPEG; (s.Encoding == shard.JPEG) != want {
					t.Errorf("PNG %v, encoding %q: %q", asPNG, encoding, s.Encoding)
				}
				all, part, x := samples(t, o.Out)
				for key, want := range d.planes {
					got, ok := all[key]
					if !ok || got.Label != d.label[key] || x.Classes[got.Label] != strings.Split(key, "/")[0] || got.Gender != -1 || got.Age == got.Age {
						t.Fatalf("%s: %v, %+v", key, ok, got)
					}
					worst := 0
					for i, v := range got.Data {
						worst = max(worst, int(v)-int(want[i]), int(want[i])-int(v))
					}
					if exact := asPNG && s.Encoding == shard.Raw; exact && worst > 0 || worst > 30 {
						t.Errorf("%s: pixels are off by up to %d", key, worst)
					}
					wantPart := "train"
					if n := key[len(key)-4]; (n == '1' || n == '2') && (got.Label == 0 || got.Label > 2) {
						wantPart = "val"
					}
					if part[key] != wantPart {
						t.Errorf("%s is in %s, want %s", key, part[key], wantPart)
					}
				}
				if !asPNG && encoding == "" {
					kept(t, d, o.Out)
				}
			}
		}
	}
}

// imagesFirst puts a file's records into the order of InsightFace's own tool: images, record 0, identities.
func (d *drawn) imagesFirst() []byte {
	image, identity := d.starts[1], d.starts[14]
	return slices.Concat(d.bytes[image:identity], d.bytes[:image], d.bytes[identity:])
}

// Records of identities are no images, wherever in the file record 0 is, and are no rejects where it is damaged.
func TestIdentitiesBehindImages(t *testing.T) {
	for _, bounded := range []bool{true, false} {
		d := draw(t, false, true)
		classes := 7
		if !bounded {
			classes = 5
			if err := os.Remove(filepath.Join(filepath.Dir(d.rec), "property")); err != nil {
				t.Fatal(err)
			}
		}
		b := d.imagesFirst()
		write(t, d.rec, b)
		o := options(d.rec, filepath.Join(t.TempDir(), "shards"))
		s := imported(t, o)
		if s.Samples != 13 || s.Images != 13 || s.Records != 18 || s.Identities != 4 || s.Classes != classes {
			t.Errorf("property %v: %+v", bounded, s)
		}
		all, _, _ := samples(t, o.Out)
		for key, label := range d.label {
			if x, ok := all[key]; !ok || x.Label != label {
				t.Errorf("property %v: %s: %v, label %d", bounded, key, ok, x.Label)
			}
		}
		zero := d.starts[14] - d.starts[1]
		b[zero] ^= 1
		write(t, d.rec, b)
		if s := imported(t, options(d.rec, filepath.Join(t.TempDir(), "shards"))); s.Samples != 13 || s.Rejected != 1 || s.Classes != classes {
			t.Errorf("property %v, record 0 is damaged: %+v", bounded, s)
		}
	}
}

// Of a file of two labels a record, im2rec's for example, images that are empty are no identities.
func TestEmptyImagesAreNoIdentities(t *testing.T) {
	_, good := aFace(t, 1, false, height, width)
	var b []byte
	for i, image := range [][]byte{good, nil, good} {
		var err error
		h := recordio.Header{Labels: []float32{2, 30}, ID: uint64(i + 1)}
		if b, err = recordio.Append(b, append(recordio.AppendHeader(nil, h), image...)); err != nil {
			t.Fatal(err)
		}
	}
	rec := filepath.Join(t.TempDir(), "two.rec")
	write(t, rec, b)
	s := imported(t, options(rec, filepath.Join(t.TempDir(), "shards")))
	if diff := cmp.Diff(map[string]int{"record: no image": 1}, s.Reasons); diff != "" || s.Samples != 2 || s.Classes != 3 {
		t.Errorf("%+v\n%s", s, diff)
	}
}

// kept makes sure that JPEGs are in the set byte for byte.
func kept(t *testing.T, d *drawn, dir string) {
	t.Helper()
	set, err := shard.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for _, name := range set.Parts() {
		p, err := set.Part(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Len() {
			f, j, err := p.At(i)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := f.Stored(j); err != nil || !bytes.Equal(b, d.files[f.Describe(j).Key]) {
				t.Errorf("%s is another JPEG, %v", f.Describe(j).Key, err)
			}
		}
	}
}

// files returns the digest of every file in a directory.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range list {
		if out[e.Name()], err = digest.File(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

type stopper struct {
	after  atomic.Int64
	cancel func()
}

func stopAfter(n int64, cancel func()) *stopper {
	s := &stopper{cancel: cancel}
	s.after.Store(n)
	return s
}

func (s *stopper) Start(int64, string) {}
func (s *stopper) Note(string)         {}
func (s *stopper) Done()               {}
func (s *stopper) Add(n int64) {
	if s.after.Add(-n) <= 0 {
		s.cancel()
	}
}

// Any number of workers, a stop anywhere and damage to what was made leave the same bytes.
func TestStopsAndWorkersChangeNothing(t *testing.T) {
	d := draw(t, false, true)
	o := options(d.rec, filepath.Join(t.TempDir(), "one"))
	o.Encoding, o.Val = shard.Raw, 1
	imported(t, o)
	want := files(t, o.Out)
	if len(want) < 9 {
		t.Fatalf("%d files", len(want))
	}
	for stop := range 14 {
		o.Out = filepath.Join(t.TempDir(), "stopped")
		o.Workers = 1 + stop%4
		ctx, cancel := context.WithCancel(context.Background())
		o.Progress = stopAfter(int64(len(d.bytes)+1+stop), cancel)
		if _, err := Import(ctx, o); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cancel()
		o.Progress = nil
		imported(t, o)
		if diff := cmp.Diff(want, files(t, o.Out)); diff != "" {
			t.Fatalf("stopped after %d:\n%s", stop, diff)
		}
	}
	name := filepath.Join(o.Out, shard.FileName("train", 1, 5))
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	write(t, name, b)
	if s := imported(t, o); s.Reused != s.Shards-1 {
		t.Errorf("one shard was damaged: %+v", s)
	}
	if diff := cmp.Diff(want, files(t, o.Out)); diff != "" {
		t.Error(diff)
	}
}

// A bit that is wrong anywhere costs the records beside it at most, and the numbers agree.
func TestDamagedRecordsAreRejects(t *testing.T) {
	d := draw(t, true, true)
	r := rng.Stream(3, "damage")
	for range 150 {
		b := bytes.Clone(d.bytes)
		at := int(r.Uint64() % uint64(len(b)))
		b[at] ^= 1 << (r.Uint64() % 8)
		write(t, d.rec, b)
		o := options(d.rec, filepath.Join(t.TempDir(), "shards"))
		s, err := Import(context.Background(), o)
		if err != nil {
			t.Fatalf("bit at byte %d: %v", at, err)
		}
		all, _, x := samples(t, o.Out)
		if s.Samples < 11 || s.Rejected > 3 || len(all) != s.Samples || x.Parts["train"].Rejected != s.Rejected {
			t.Fatalf("bit at byte %d: %+v", at, s)
		}
		good := 0
		for _, have := range all {
			for _, want := range d.planes {
				if bytes.Equal(have.Data, want) {
					good++
				}
			}
		}
		if good < 12 {
			t.Fatalf("bit at byte %d: %d images of 13 are as they were", at, good)
		}
		table, err := os.ReadFile(filepath.Join(o.Out, cache.RejectsName))
		if err != nil || bytes.Count(table, []byte("\n")) != s.Rejected+1 || s.Rejected > 0 && !bytes.Contains(table, []byte("at byte ")) {
			t.Fatalf("%s, %v", table, err)
		}
	}
	for _, n := range []int{len(d.bytes) - 5, d.starts[7] + 40, d.starts[7] + 3} { // cut off
		write(t, d.rec, d.bytes[:n])
		s := imported(t, options(d.rec, filepath.Join(t.TempDir(), "shards")))
		if s.Samples < 6 || s.Samples+s.Missing < 12 || s.Samples+s.Missing > 13 || (s.Missing > 0) != (s.Reasons["record: missing images"] == 1) {
			t.Errorf("%d bytes: %+v", n, s)
		}
	}
}

// Records that are whole but hold no sample say why.
func TestOddRecordsAreRejects(t *testing.T) {
	_, good := aFace(t, 1, true, height, width)
	_, jpg := aFace(t, 2, false, height, width)
	_, large := aFace(t, 3, true, 2*height, width)
	nan := float32(math.NaN())
	var b []byte
	for _, x := range []struct {
		labels []float32
		image  []byte
	}{
		{[]float32{0}, good}, {[]float32{0}, jpg}, {[]float32{0}, nil}, {[]float32{0.5}, good}, {[]float32{nan}, good}, {[]float32{-7}, good},
		{[]float32{3e7}, good}, {[]float32{9e4}, good}, {[]float32{1}, large}, {[]float32{1}, []byte("no image")}, {[]float32{1}, good[:len(good)/2]},
		{[]float32{1}, jpg[:40]}, {[]float32{2}, append(bytes.Clone(good[:16]), "\xff\xff\xff\xff\xff\xff\xff\xff"...)}, {[]float32{-1}, good},
	} {
		var err error
		if b, err = recordio.Append(b, append(recordio.AppendHeader(nil, recordio.Header{Labels: x.labels}), x.image...)); err != nil {
			t.Fatal(err)
		}
	}
	for _, odd := range [][]byte{nil, []byte("short"), append([]byte{200, 0, 0, 0}, make([]byte, 40)...)} {
		var err error
		if b, err = recordio.Append(b, odd); err != nil {
			t.Fatal(err)
		}
	}
	rec := filepath.Join(t.TempDir(), "odd.rec")
	write(t, rec, b)
	o := options(rec, filepath.Join(t.TempDir(), "shards"))
	s := imported(t, o)
	want := map[string]int{
		"decode: no image": 1, "record: label": 5, "decode: another size": 1, "decode: damaged or neither JPEG nor PNG": 4, "record: damaged record": 3,
	}
	if diff := cmp.Diff(want, s.Reasons); diff != "" || s.Samples != 3 || s.Images != 17 {
		t.Errorf("%+v\n%s", s, diff)
	}
	all, _, _ := samples(t, o.Out)
	if x, ok := all["unlabelled/0001_01"]; !ok || x.Label != -1 {
		t.Errorf("%v %+v", ok, x)
	}
	o.Out, o.Height, o.Width = filepath.Join(t.TempDir(), "stretched"), 6, 7
	if s := imported(t, o); s.Samples != 4 || s.Reasons["decode: another size"] != 0 || s.Size != [2]int{6, 7} {
		t.Errorf("with a size: %+v", s)
	}
}

func TestImportRefuses(t *testing.T) {
	d := draw(t, true, true)
	dir := t.TempDir()
	empty, text := filepath.Join(dir, "empty.rec"), filepath.Join(dir, "text.rec")
	write(t, empty, nil)
	write(t, text, bytes.Repeat([]byte("no records here\n"), 100))
	other := t.TempDir()
	write(t, filepath.Join(other, "mine.txt"), nil)
	made := filepath.Join(t.TempDir(), "made")
	imported(t, options(d.rec, made))
	for _, x := range []struct {
		change func(o *Options)
		want   error
	}{
		{func(o *Options) { o.Rec = empty }, ErrRec},
		{func(o *Options) { o.Rec = text }, ErrRec},
		{func(o *Options) { o.Rec = dir }, ErrRec},
		{func(o *Options) { o.Rec = filepath.Join(dir, "none") }, os.ErrNotExist},
		{func(o *Options) { o.Encoding = "webp" }, ErrOption},
		{func(o *Options) { o.Height = 5 }, ErrOption},
		{func(o *Options) { o.Height, o.Width = 5000, 5000 }, ErrOption},
		{func(o *Options) { o.ShardSize = 0 }, ErrOption},
		{func(o *Options) { o.Val = -1 }, ErrOption},
		{func(o *Options) { o.Out = other }, ErrOther},
		{func(o *Options) { o.Out, o.Seed = made, 2 }, ErrOther},
	} {
		o := options(d.rec, filepath.Join(t.TempDir(), "out"))
		x.change(&o)
		if _, err := Import(context.Background(), o); !errors.Is(err, x.want) {
			t.Errorf("%+v: %v, want %v", o, err, x.want)
		}
	}
	for _, bad := range []string{"", "1,2", "a,b,c", "0,112,112", "99999999999,112,112", strings.Repeat("1", 5000)} {
		write(t, filepath.Join(filepath.Dir(d.rec), "property"), []byte(bad))
		if _, err := Import(context.Background(), options(d.rec, filepath.Join(t.TempDir(), "out"))); !errors.Is(err, ErrRec) {
			t.Errorf("property %.20q: %v", bad, err)
		}
	}
}

// The shards under way are bounded by what their samples take, not by their pixels, which JPEGs never become all at
// once; and images of next to no bytes make no shard of millions.
func TestShardsUnderWay(t *testing.T) {
	for _, x := range []struct {
		encoding  string
		image     int64 // bytes
		stretch   bool
		shards    int
		perShard  int
		shardSize int64
	}{
		{shard.JPEG, 2700, false, 7, 49710, 128 << 20}, // as MS1M's
		{shard.Raw, 2700, false, 7, 3566, 128 << 20},
		{shard.Raw, 2700, false, 1, 57065, 2 << 30},
		{shard.JPEG, 3, false, 6, 131072, 128 << 20},
		{shard.JPEG, 900_000, true, 7, 7133, 128 << 20}, // photos, made small
		{shard.JPEG, 100, true, 7, 28532, 128 << 20},
	} {
		o := &Options{Height: 112, Width: 112, Encoding: x.encoding, ShardSize: x.shardSize, Workers: 16, stretch: x.stretch}
		r := &run{o: o, scan: &scan{items: make([]item, 200_000), bytes: 200_000 * x.image}}
		r.lay()
		if n, k := r.parts[0].perShard, r.atOnce(); n != x.perShard || k != x.shards {
			t.Errorf("%+v: %d samples a shard, %d shards at once", x, n, k)
		}
	}
}

// Rejects are kept with their reasons, so a file of next to nothing else is refused, also when it is imported again.
func TestTooManyRejects(t *testing.T) {
	before := maxDamage
	maxDamage = 10
	t.Cleanup(func() { maxDamage = before })
	_, good := aFace(t, 1, false, height, width)
	for _, n := range []int{10, 11} {
		var b []byte
		for i := range n + 1 {
			image := []byte("no image")
			if i == 0 {
				image = good
			}
			var err error
			if b, err = recordio.Append(b, append(recordio.AppendHeader(nil, recordio.Header{Labels: []float32{1}}), image...)); err != nil {
				t.Fatal(err)
			}
		}
		rec := filepath.Join(t.TempDir(), "x.rec")
		write(t, rec, b)
		o := options(rec, filepath.Join(t.TempDir(), "shards"))
		for range 2 {
			s, err := Import(context.Background(), o)
			if n == 10 && (err != nil || s.Rejected != 10) || n == 11 && !errors.Is(err, ErrRec) {
				t.Errorf("%d rejects: %+v, %v", n, s, err)
			}
		}
	}
}

// Names of classes are sorted as their labels are, also where there are more than a million.
func TestManyClassesAreSorted(t *testing.T) {
	d := draw(t, true, true)
	write(t, filepath.Join(filepath.Dir(d.rec), "property"), []byte("1000001,12,10"))
	o := options(d.rec, filepath.Join(t.TempDir(), "shards"))
	imported(t, o)
	_, _, x := samples(t, o.Out)
	if !slices.IsSorted(x.Classes) || len(x.Classes) != 1000001 || x.Classes[1000000] != "id1000000" || x.Classes[3] != "id0000003" {
		t.Errorf("%d classes, %q", len(x.Classes), x.Classes[:4])
	}
}

// Nothing in a record file makes an import fail in another way than by an error, nor a set that is not sound.
func FuzzImport(f *testing.F) {
	for i := range 4 {
		d := draw(f, i%2 == 0, i < 2)
		f.Add(d.bytes[:d.starts[4]])
	}
	f.Add(binary.LittleEndian.AppendUint32(nil, 0xced7230a))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "x.rec"), b)
		o := options(filepath.Join(dir, "x.rec"), filepath.Join(dir, "shards"))
		s, err := Import(context.Background(), o)
		if err != nil {
			return
		}
		if all, _, _ := samples(t, o.Out); len(all) != s.Samples {
			t.Fatalf("%d samples, %+v", len(all), s)
		}
	})
}
