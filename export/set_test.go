package export

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/jpeg"
	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

// TestMain puts scratch directories into memory where the system has a place for that: exports sync
// all that they write, and these many small ones would wait for the disk most of the time.
//
// Started with the options of an export in [optionsVariable] the program is that export and nothing
// else, so that a test can kill it.
func TestMain(m *testing.M) {
	checkpoint, looseSamples = 5000, 11
	if text, ok := os.LookupEnv(optionsVariable); ok {
		var o Options
		err := json.Unmarshal([]byte(text), &o)
		if err == nil {
			_, err = try(context.Background(), o)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	dir, err := os.MkdirTemp("/dev/shm", "vf2prep-export")
	if err == nil {
		os.Setenv("TMPDIR", dir)
	}
	code := m.Run()
	if err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

const optionsVariable = "VF2PREP_TEST_EXPORT"

// drawn is a small shard set with what it holds.
type drawn struct {
	dir     string
	shape   shard.Shape
	classes []string
	samples map[string][]shard.Sample // by part; Data is R, G, B whatever the set's channels
	stored  map[string][][]byte       // of encoding jpeg

	labelled bool // all samples
}

func labelled(d *drawn) { d.labelled = true }

// strange are identities that nobody should make paths of unseen.
var strange = []string{"n000002", "a.b", "Zoë", "..", "CON", "n/o"}

// draw writes a shard set: train in two shards, val in one, test empty.
func draw(t testing.TB, channels, encoding string, classes []string) *drawn {
	t.Helper()
	return drawMany(t, channels, encoding, classes, []int{23, 18})
}

// drawMany is draw with so many samples in each shard of train.
func drawMany(t testing.TB, channels, encoding string, classes []string, train []int, how ...func(*drawn)) *drawn {
	t.Helper()
	d := &drawn{dir: t.TempDir(), shape: shard.Shape{3, 12, 10}, classes: classes, samples: map[string][]shard.Sample{}, stored: map[string][][]byte{}}
	for _, f := range how {
		f(d)
	}
	x := shard.Index{
		Shape: d.shape, Channels: channels, Encoding: encoding, Recipe: "drawn", RecipeText: json.RawMessage("{}"), RecipeDigest: "r", Manifest: "m",
		Split: "s", Build: "b " + channels + encoding, Seed: 1, Classes: classes, Parts: map[string]shard.PartIndex{}, Files: map[string]string{},
	}
	var enc jpeg.Encoder
	for _, part := range []struct {
		name   string
		shards []int
	}{{"train", train}, {"val", []int{9}}, {"test", nil}} {
		p := shard.PartIndex{Shards: []shard.Info{}}
		for i, n := range part.shards {
			w, err := shard.NewWriter(d.dir, part.name, i, len(part.shards), d.shape, n, map[string]string{"build": x.Build, "channels": channels})
			if err != nil {
				t.Fatal(err)
			}
			if encoding == shard.JPEG {
				w.Encode()
			}
			for slot := range n {
				s := d.sample(part.name, p.Samples+slot)
				pixels := swapped(s.Data, channels == "bgr")
				switch encoding {
				case shard.JPEG:
					b, err := enc.Append(nil, s.Data, d.shape[2], d.shape[1], jpeg.EncodeOptions{Quality: 90, Ratio: image.YCbCrSubsampleRatio420})
					if err != nil {
						t.Fatal(err)
					}
					d.stored[part.name] = append(d.stored[part.name], b)
					put := s
					put.Data = b
					w.Put(slot, put)
				default:
					copy(w.Buffer(slot), pixels)
					w.Put(slot, s)
				}
				d.samples[part.name] = append(d.samples[part.name], s)
			}
			info, err := w.Close()
			if err != nil {
				t.Fatal(err)
			}
			p.Shards = append(p.Shards, info)
			p.Samples += n
		}
		p.Planned = p.Samples
		x.Parts[part.name] = p
	}
	if err := shard.WriteIndex(d.dir, x); err != nil {
		t.Fatal(err)
	}
	return d
}

// sample draws sample i of a part: a soft gradient with some noise.
func (d *drawn) sample(part string, i int) shard.Sample {
	r := rng.Stream(1, "drawn", part, fmt.Sprint(i))
	c := i % len(d.classes)
	s := shard.Sample{Key: fmt.Sprintf("%s/%04d_01", d.classes[c], i+1), Label: int32(c), Age: float32(20 + i), Gender: int8(i%3) - 1, Data: make([]uint8, d.shape.Bytes())}
	if part == "val" {
		s.Key = fmt.Sprintf("%s/%04d_02", d.classes[c], i+1)
	}
	if i%7 == 3 && !d.labelled {
		s.Label, s.Age = -1, float32(math.NaN())
	}
	for p := range s.Landmarks {
		s.Landmarks[p] = [2]float32{float32(p) + 0.25, float32(i) / 3}
		if i%5 == 2 {
			s.Landmarks[p] = [2]float32{float32(math.NaN()), float32(math.NaN())}
		}
	}
	at := 0
	for c := range d.shape[0] {
		for y := range d.shape[1] {
			for x := range d.shape[2] {
				s.Data[at] = uint8(40*c + 7*y + 3*x + i + int(r.Uint64()%5))
				at++
			}
		}
	}
	return s
}

// swapped returns planes in the other order.
func swapped(rgb []uint8, swap bool) []uint8 {
	if !swap {
		return rgb
	}
	n := len(rgb) / 3
	out := append([]uint8{}, rgb[2*n:]...)
	return append(append(out, rgb[n:2*n]...), rgb[:n]...)
}

// exported runs an export that must succeed.
func exported(t testing.TB, o Options) *Summary {
	t.Helper()
	s, err := try(context.Background(), o)
	if err != nil {
		t.Fatalf("export --to %s: %v", o.To, err)
	}
	return s
}

func try(ctx context.Context, o Options) (*Summary, error) {
	o.kind(o.To)
	x, err := Open(o)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	return x.Run(ctx)
}

// kind sets the format by its name, which may have "plain" behind it.
func (o *Options) kind(name string) {
	var more string
	o.To, more, _ = strings.Cut(name, " ")
	o.Plain = more == "plain"
}

// files returns the digest of every file below dir, by its name.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		out[filepath.ToSlash(name)], err = digest.File(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// got is a sample as a test's own reader of some format finds it.
type got struct {
	key    string
	label  int32
	image  []byte
	pixels []uint8 // C, H, W
}

// agree holds what a reader found against what was drawn.
func (d *drawn) agree(t *testing.T, part string, have []got, image string) {
	t.Helper()
	want := d.samples[part]
	if len(have) != len(want) {
		t.Fatalf("%s: %d samples, want %d", part, len(have), len(want))
	}
	for i, w := range want {
		h := have[i]
		if h.key != w.Key || h.label != w.Label {
			t.Fatalf("%s %d: key %q label %d, want %q %d", part, i, h.key, h.label, w.Key, w.Label)
		}
		switch {
		case image == JPEG && d.stored[part] != nil:
			if string(h.image) != string(d.stored[part][i]) {
				t.Fatalf("%s %s: JPEG is not the shard's", part, w.Key)
			}
		case image == JPEG:
			if diff := worst(decode(t, h.image), w.Data); diff > 24 {
				t.Fatalf("%s %s: pixels differ by up to %d", part, w.Key, diff)
			}
		default:
			pixels := h.pixels
			if pixels == nil {
				pixels = decode(t, h.image)
			}
			if string(pixels) != string(w.Data) {
				t.Fatalf("%s %s: pixels differ by up to %d", part, w.Key, worst(pixels, w.Data))
			}
		}
	}
}

func worst(a, b []uint8) (most int) {
	if len(a) != len(b) {
		return 256
	}
	for i := range a {
		most = max(most, int(a[i])-int(b[i]), int(b[i])-int(a[i]))
	}
	return most
}
