package export

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

// pairsOf writes a list of n pairs of what was drawn, images of val among them, and returns the images' places.
func pairsOf(t testing.TB, d *drawn, n int) (file string, keys []string, same []bool) {
	t.Helper()
	var all []string
	for _, part := range []string{"train", "val"} {
		for _, s := range d.samples[part] {
			if !strings.HasPrefix(s.Key, "../") { // which no list may name
				all = append(all, s.Key)
			}
		}
	}
	r := rng.Stream(1, "pairs")
	var b strings.Builder
	b.WriteString("path1,path2,same\n")
	for i := range n {
		x, y := all[r.Uint64()%uint64(len(all))], all[r.Uint64()%uint64(len(all))]
		keys, same = append(keys, x, y), append(same, i%3 == 0)
		fmt.Fprintf(&b, "%s,%s.jpg,%t\n", x, y, i%3 == 0)
	}
	file = filepath.Join(t.TempDir(), "pairs.csv")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return file, keys, same
}

// unpickle reads ([bytes, ...], [bool, ...]) of pickle's protocol 3, refusing all else.
func unpickle(t *testing.T, b []byte) (images [][]byte, same []bool) {
	t.Helper()
	if string(b[:3]) != "\x80\x03]" {
		t.Fatalf("pickle begins %q", b[:3])
	}
	b = b[3:]
	lists, marked := 1, false
	for {
		op := b[0]
		b = b[1:]
		switch {
		case op == '(' && !marked:
			marked = true
		case op == 'e' && marked:
			marked = false
		case op == 'B' && marked && lists == 1:
			n := binary.LittleEndian.Uint32(b)
			images, b = append(images, b[4:4+n]), b[4+n:]
		case op == 0x88 && marked && lists == 2, op == 0x89 && marked && lists == 2:
			same = append(same, op == 0x88)
		case op == ']' && !marked && lists == 1:
			lists = 2
		case op == 0x86 && !marked && lists == 2 && string(b) == ".":
			return images, same
		default:
			t.Fatalf("opcode %q, %d bytes before the end, marked %v, list %d", op, len(b), marked, lists)
		}
	}
}

// Pairs come in the list's order, each image as often as it is named, however often the export is
// stopped.
func TestPairsComeBack(t *testing.T) {
	d := draw(t, "bgr", shard.Raw, strange)
	before := checkpoint
	checkpoint = 9000 // some pieces
	t.Cleanup(func() { checkpoint = before })
	for _, n := range []int{1, 499, 500, 501, 1200} {
		file, keys, same := pairsOf(t, d, n)
		o := Options{To: "insightface-bin", Shards: d.dir, Out: t.TempDir(), Pairs: file, Name: "lfw", Image: PNG}
		if s := exported(t, o); s.Samples != 2*n || n > 100 && s.Pieces < 10 {
			t.Fatalf("%+v", s)
		}
		want := files(t, o.Out)
		b, err := os.ReadFile(filepath.Join(o.Out, "lfw.bin"))
		if err != nil {
			t.Fatal(err)
		}
		images, flags := unpickle(t, b)
		if diff := cmp.Diff(same, flags); diff != "" {
			t.Fatalf("same (-want +have):\n%s", diff)
		}
		pixels := map[string][]uint8{}
		for _, samples := range d.samples {
			for _, s := range samples {
				pixels[s.Key] = s.Data
			}
		}
		for i, key := range keys {
			if !bytes.Equal(decode(t, images[i]), pixels[key]) {
				t.Fatalf("image %d is not %s", i, key)
			}
		}
		o.Out = t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		o.Progress = &stopper{after: int64(n), cancel: cancel}
		_, _ = try(ctx, o)
		cancel()
		o.Progress = nil
		exported(t, o)
		if diff := cmp.Diff(want, files(t, o.Out)); diff != "" {
			t.Errorf("%d pairs (-straight +stopped):\n%s", n, diff)
		}
	}
}

// A list that can't be written whole is an error that says why.
func TestPairsAreWholeOrRefused(t *testing.T) {
	d := draw(t, "rgb", shard.Raw, strange)
	dir := t.TempDir()
	list := func(text string) string {
		name := filepath.Join(dir, "pairs.csv")
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good := "n000002/0001_01,a.b/0002_01,0\n"
	for _, x := range []struct {
		o      Options
		want   string
		option bool
	}{
		{Options{}, "no list was given", true},
		{Options{Pairs: list(good), Image: JPEG, Quality: 101}, "quality 101", true},
		{Options{Pairs: filepath.Join(dir, "none.csv")}, "no such file", false},
		{Options{Pairs: filepath.Join(dir, "pairs.csv"), Parts: []string{"val"}}, "2 of its 2 images are not there: n000002/0001_01 (line 1), a.b/0002_01 (line 1)", false},
	} {
		x.o.To, x.o.Shards, x.o.Out = "insightface-bin", d.dir, t.TempDir()
		_, err := try(context.Background(), x.o)
		if err == nil || !strings.Contains(err.Error(), x.want) || errors.Is(err, ErrOption) != x.option {
			t.Errorf("%v, want %q", err, x.want)
		}
	}
	if _, err := try(context.Background(), Options{To: "npy", Shards: d.dir, Out: t.TempDir(), Pairs: "x"}); !errors.Is(err, ErrOption) {
		t.Errorf("pairs for npy: %v", err)
	}

	file := filepath.Join(d.dir, shard.FileName("train", 0, 2))
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1-22*d.shape.Bytes()] ^= 1 // sample 0 of 23
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	o := Options{To: "insightface-bin", Shards: d.dir, Out: t.TempDir(), Pairs: list(good)}
	if _, err := try(context.Background(), o); err == nil || !strings.Contains(err.Error(), "n000002/0001_01: read: damaged sample") {
		t.Errorf("a damaged image: %v", err)
	}
	if x, err := ReadIndex(o.Out); err == nil && x.Complete {
		t.Error("an export without an image calls itself complete")
	}

	photos := photographed(t)
	photos.To, photos.Out, photos.Pairs = "insightface-bin", t.TempDir(), list(good)
	if _, err := try(context.Background(), photos); err == nil {
		t.Error("photos were taken")
	}
}

// LFW's list names files; a manifest of its folders has numbers, which are LFW's own.
func TestListsByFilesFindImagesByNumber(t *testing.T) {
	for path, want := range map[string][]string{
		"n000002/0001_01.jpg": {"n000002/0001_01"},
		"A_B/A_B_0012.JPG":    {"A_B/A_B_0012", "A_B/0012_01"},
		"A/A_x.png":           {"A/A_x"},
		"A/B_0001":            {"A/B_0001"},
		"A/A_0000":            {"A/A_0000"},
	} {
		if got := imageKeys(path); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	d := drawMany(t, "rgb", shard.Raw, []string{"Ann_Lee", "Bob"}, []int{8, 2})
	list := filepath.Join(t.TempDir(), "pairs.txt")
	if err := os.WriteFile(list, []byte("1\t1\nAnn_Lee\t1\t3\nAnn_Lee\t5\tBob\t2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := exported(t, Options{To: "insightface-bin", Shards: d.dir, Out: t.TempDir(), Pairs: list})
	if s.Samples != 4 {
		t.Errorf("%+v", s)
	}
}
