package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/csv"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/shard"
)

// typed runs a command line in this process.
func typed(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(context.Background(), append([]string{"vf2prep"}, args...), nil, &out, &err)
	return code, out.String(), err.String()
}

// fails runs a command line that must end with a code and say all of the words on stderr.
func fails(t *testing.T, want int, words []string, args ...string) {
	t.Helper()
	code, stdout, stderr := typed(t, args...)
	if code != want {
		t.Errorf("vf2prep %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, stdout, stderr)
	}
	for _, w := range words {
		if !strings.Contains(stderr, w) {
			t.Errorf("vf2prep %s: stderr lacks %q:\n%s", strings.Join(args, " "), w, stderr)
		}
	}
}

// smallSet draws 5 people with 6 photos each; two are test identities.
func smallSet(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "set")
	must(t, "synth", "--out", root, "--identities", "5", "--images", "6", "--test-identities", "2", "--quiet")
	return root
}

// trainPhotos lists the NAME_IDs of a drawn set, six an identity; image numbers have gaps.
func trainPhotos(t *testing.T, root string) (ids []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "train", "*", "*.jpg"))
	if err != nil || len(paths) != 18 {
		t.Fatalf("%d photos, want 18: %v", len(paths), err)
	}
	for _, p := range paths {
		ids = append(ids, filepath.Base(filepath.Dir(p))+"/"+strings.TrimSuffix(filepath.Base(p), ".jpg"))
	}
	return ids
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	os.Remove(path)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// halves draws 32x40 pixels: left (200, 60, 30), right (20, 160, 90). The CMYK and the progressive
// file in testdata, saved by Pillow 9.4 with quality 92, show the same.
func halves() image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 32, 40))
	for y := range 40 {
		for x := range 32 {
			c := color.RGBA{200, 60, 30, 255}
			if x >= 16 {
				c = color.RGBA{20, 160, 90, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func encodeJPEG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 92}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func grey(img image.Image) image.Image {
	out := image.NewGray(img.Bounds())
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			out.Set(x, y, img.At(x, y))
		}
	}
	return out
}

func encodePNG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rotated says in EXIF that a JPEG lies on its side (orientation 6).
func rotated(b []byte) []byte {
	tiff := []byte("Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00")
	out := append([]byte{}, b[:2]...)
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(tiff)+2))
	out = append(out, tiff...)
	return append(out, b[2:]...)
}

// sized claims another size in a baseline JPEG's header.
func sized(t *testing.T, b []byte, w, h uint16) []byte {
	t.Helper()
	i := bytes.Index(b, []byte{0xff, 0xc0})
	if i < 0 {
		t.Fatal("no baseline header")
	}
	out := bytes.Clone(b)
	binary.BigEndian.PutUint16(out[i+5:], h)
	binary.BigEndian.PutUint16(out[i+7:], w)
	return out
}

// damage puts a bad file in the place of some photos, and says why each must be rejected at last
// with a manifest that read the files (scanned) and one that did not (unscanned); "" is a sample.
type damage struct {
	image, scanned, unscanned string
	make                      func(path string, good []byte) []byte // nil: it made the file itself
}

func damages(t *testing.T, ids []string, outside string) []damage {
	sample := encodeJPEG(t, halves())
	return []damage{
		{ids[0], "manifest: zero-byte", "decode: empty file", func(string, []byte) []byte { return nil }},
		{ids[1], "manifest: not-jpeg", "decode: damaged or no JPEG", func(string, []byte) []byte { return []byte("I am a photo, believe me") }},
		{ids[2], "manifest: not-jpeg", "decode: damaged or no JPEG", func(string, []byte) []byte { return encodePNG(t, halves()) }},
		{ids[3], "decode: damaged or no JPEG", "decode: damaged or no JPEG", func(_ string, b []byte) []byte { return b[:len(b)/2] }},
		{ids[4], "manifest: damaged-header", "decode: damaged or no JPEG", func(_ string, b []byte) []byte { return b[:100] }},
		{ids[5], "manifest: too-large", "decode: too many pixels", func(string, []byte) []byte { return sized(t, sample, 65500, 65500) }},
		{ids[6], "", "", func(string, []byte) []byte { return encodeJPEG(t, grey(halves())) }},
		{ids[7], "", "", func(string, []byte) []byte { return readFile(t, "testdata/cmyk.jpg") }},
		{ids[8], "", "", func(string, []byte) []byte { return readFile(t, "testdata/progressive.jpg") }},
		{ids[9], "", "", func(string, []byte) []byte { return rotated(sample) }},
		{ids[10], "manifest: unreadable", "read: outside the root", func(path string, _ []byte) []byte {
			os.Remove(path)
			if err := os.Symlink(outside, path); err != nil {
				t.Skip(err)
			}
			return nil
		}},
		{ids[11], "decode: damaged or no JPEG", "decode: damaged or no JPEG", func(_ string, b []byte) []byte {
			b = bytes.Clone(b)
			at := bytes.Index(b, []byte{0xff, 0xc4}) // a Huffman table of codes that can't be
			for i := range 16 {
				b[at+5+i] = 0xff
			}
			return b
		}},
	}
}

// rejectsOf reads rejects.csv as "part image stage: reason".
func rejectsOf(t *testing.T, out string) map[string]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(readFile(t, filepath.Join(out, "rejects.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"image", "part", "stage", "reason", "detail"}; !slices.Equal(rows[0], want) {
		t.Errorf("rejects.csv begins with %v, want %v", rows[0], want)
	}
	got := map[string]string{}
	for _, r := range rows[1:] {
		got[r[0]] = r[2] + ": " + r[3]
	}
	return got
}

// Every kind of bad photo becomes a reject with its reason, or the right sample; none stops a
// build, and the other photos are as they would have been.
func TestBadPhotos(t *testing.T) {
	root := smallSet(t)
	dir := filepath.Dir(root)
	outside := filepath.Join(dir, "outside.jpg")
	writeFile(t, outside, encodeJPEG(t, halves()))
	ids := trainPhotos(t, root)
	list := damages(t, ids, outside)
	for _, d := range list {
		path := filepath.Join(root, "train", d.image+".jpg")
		b := d.make(path, readFile(t, path))
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			writeFile(t, path, b)
		}
	}
	for _, kind := range []struct {
		name string
		flag []string
		want func(damage) string
	}{
		{"scanned", nil, func(d damage) string { return d.scanned }},
		{"unscanned", []string{"--no-scan"}, func(d damage) string { return d.unscanned }},
	} {
		in := func(name string) string { return filepath.Join(dir, kind.name+name) }
		must(t, append([]string{"manifest", "build", "--root", root, "--out", in(".parquet"), "--quiet"}, kind.flag...)...)
		must(t, "split", "make", "--manifest", in(".parquet"), "--out", in("-split"), "--val", "2", "--quiet")
		build := []string{"cache", "build", "--manifest", in(".parquet"), "--split", in("-split"), "--root", root,
			"--recipe", "seed-190x170", "--size", "40x32", "--out", in("-shards"), "--quiet"}
		want := map[string]string{}
		for _, d := range list {
			if w := kind.want(d); w != "" {
				want[d.image] = w
			}
		}
		fails(t, exitIncomplete, []string{"8 of 30 images were rejected, 0 are allowed: see rejects.csv"}, append(build, "--max-rejects", "0")...)
		if d := cmp.Diff(want, rejectsOf(t, in("-shards"))); d != "" {
			t.Errorf("%s: rejects (-want +got):\n%s", kind.name, d)
		}
		// What was made is whole, and the same command with more allowed succeeds with it.
		must(t, "cache", "verify", "--shards", in("-shards"), "--quiet")
		before := tree(t, in("-shards"))
		must(t, append(build, "--max-rejects", "8")...)
		if d := cmp.Diff(before, tree(t, in("-shards"))); d != "" {
			t.Errorf("%s: built again (-before +after):\n%s", kind.name, d)
		}
		checkHalves(t, kind.name, in("-shards"), ids)
	}
}

// checkHalves holds the samples of grey, CMYK, progressive and rotated files against the colours
// that were drawn. Rotation by EXIF is not applied: boxes and landmarks mean the stored pixels.
func checkHalves(t *testing.T, name, dir string, ids []string) {
	t.Helper()
	set, err := shard.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	seen := 0
	for _, p := range []string{"train", "val"} {
		part, err := set.Part(p)
		if err != nil {
			t.Fatal(err)
		}
		for i := range part.Len() {
			s, err := part.Sample(i)
			if err != nil {
				t.Fatal(err)
			}
			left, right := [3]int{30, 60, 200}, [3]int{90, 160, 20} // the recipe's planes are blue first
			switch s.Key {
			case ids[6]:
				left, right = [3]int{98, 98, 98}, [3]int{110, 110, 110} // 0.299 R + 0.587 G + 0.114 B
			case ids[7], ids[8], ids[9]:
			default:
				continue
			}
			seen++
			for c := range 3 {
				for x, want := range map[int]int{4: left[c], 27: right[c]} {
					if got := int(s.Data[c*40*32+20*32+x]); got < want-6 || got > want+6 {
						t.Errorf("%s: %s: plane %d, column %d is %d, want about %d", name, s.Key, c, x, got, want)
					}
				}
			}
		}
	}
	if seen != 4 {
		t.Errorf("%s: %d of the odd files are samples, want 4", name, seen)
	}
}

// A photo that changes after the manifest was made is not taken for the one that was listed.
func TestPhotosChangeAfterTheManifest(t *testing.T) {
	root := smallSet(t)
	dir := filepath.Dir(root)
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, "manifest", "build", "--root", root, "--out", in("m.parquet"), "--quiet")
	must(t, "split", "make", "--manifest", in("m.parquet"), "--out", in("split"), "--val", "2", "--quiet")
	ids := trainPhotos(t, root)
	photo := func(id string) string { return filepath.Join(root, "train", id+".jpg") }
	writeFile(t, photo(ids[0]), readFile(t, photo(ids[6])))
	os.Remove(photo(ids[1]))
	os.Remove(photo(ids[2]))
	if err := os.Mkdir(photo(ids[2]), 0o755); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		ids[0]: "read: changed since the manifest",
		ids[1]: "read: no such file",
		ids[2]: "read: no regular file",
	}
	if pipe(photo(ids[3])) {
		want[ids[3]] = "read: no regular file"
	}
	fails(t, exitIncomplete, []string{"of 30 images were rejected"}, "cache", "build", "--manifest", in("m.parquet"), "--split", in("split"),
		"--root", root, "--size", "32x32", "--out", in("shards"), "--quiet", "--max-rejects", "0")
	if d := cmp.Diff(want, rejectsOf(t, in("shards"))); d != "" {
		t.Errorf("rejects (-want +got):\n%s", d)
	}
	fails(t, exitFailed, []string{"4 differences to the files"}, "manifest", "verify", "--manifest", in("m.parquet"), "--root", root)
}
