package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func jpegBytes(t testing.TB, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// files writes a tree: the names are slash separated, a value "jpeg:WxH" is an image.
func files(t testing.TB, root string, tree map[string]string) {
	t.Helper()
	for name, content := range tree {
		p := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		b := []byte(content)
		var w, h int
		if n, _ := fmt.Sscanf(content, "jpeg:%dx%d", &w, &h); n == 2 {
			b = jpegBytes(t, w, h)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func build(t testing.TB, o BuildOptions) (*Summary, *Manifest) {
	t.Helper()
	if o.Out == "" {
		o.Out = filepath.Join(t.TempDir(), "m.parquet")
	}
	s, err := Build(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	if m.Digest != s.Digest {
		t.Errorf("the summary's digest is %s, the file's %s", s.Digest, m.Digest)
	}
	if d := cmp.Diff(s.Counts, m.Counts); d != "" {
		t.Errorf("summary and file count differently:\n%s", d)
	}
	return s, m
}

const points = ",1,1,2,2,3,3,4,4,5,5\n"

// oddTree holds about everything that can be wrong with a tree.
func oddTree(t testing.TB) string {
	root := t.TempDir()
	good := string(jpegBytes(t, 40, 50))
	huge := bytes.Clone([]byte(good))
	sof := bytes.Index(huge, []byte{0xff, 0xc0})
	copy(huge[sof+5:], []byte{0xff, 0xff, 0xff, 0xff})
	rotated := good[:2] + "\xff\xe1\x00\x22Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00" + good[2:]
	cmyk := bytes.Clone([]byte(good))
	// The frame header of one component grows by nine bytes to hold four.
	cmyk = slices.Concat(cmyk[:sof], []byte{0xff, 0xc2, 0, 20, 8, 0, 50, 0, 40, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0}, cmyk[sof+13:])
	files(t, root, map[string]string{
		"train/n000001/0001_01.jpg":   good,
		"train/n000001/0002_01.jpg":   "",
		"train/n000001/0003_01.jpg":   "\x89PNG\r\n\x1a\n",
		"train/n000001/0004_01.jpg":   good[:20],
		"train/n000001/0005_01.jpg":   good[:len(good)-5],
		"train/n000001/0006_01.jpg":   string(huge),
		"train/n000001/0007_01.jpg":   rotated,
		"train/n000001/0008_01.JPG":   string(cmyk),
		"train/n000001/0009_01.jpg":   good, // no box, no landmarks
		"train/n000001/0010_01.jpg":   good, // box outside
		"train/n000001/0011_01.jpg":   good, // box partly outside, two boxes
		"train/n000001/0012_01.jpg":   good, // empty box
		"train/n000001/0013_01.jpg":   good, // not in the list
		"train/n000001/10000_01.jpg":  good,
		"train/n000001/Thumbs.db":     "x",
		"train/n000001/1_1.jpg":       good,
		"train/n000001/0099_01.jpg/x": "a directory that is named like an image",
		"train/.DS_Store":             "x",
		"train/n000002/0001_01.jpg":   good, // Flag says test
		"train/n000009/0001_01.jpg":   good, // not in identity_meta
		"test/n000003/0001_01.jpg":    good,
		"meta/identity_meta.csv": "Class_ID, Name, Sample_Num, Flag, Gender\n" +
			"n000001, \"A,_B\", 14, 1, f\n" +
			"n000002, \"C\", 1, 0, m\n" +
			"n000003, \"D\", 7, 0, m\n" +
			"n000003, \"D\", 7, 0, m\n" +
			"n000004, \"E\", 5, 1, m\n" +
			"n000005, \"F\", x, 1, m\n",
		"meta/train_list.txt": "n000001/0001_01.jpg\nn000001/0002_01.jpg\nn000001/0003_01.jpg\nn000001/0004_01.jpg\nn000001/0005_01.jpg\n" +
			"n000001/0006_01.jpg\nn000001/0007_01.jpg\nn000001/0008_01.jpg\nn000001/0009_01.jpg\nn000001/0010_01.jpg\nn000001/0011_01.jpg\n" +
			"n000001/0012_01.jpg\nn000001/10000_01.jpg\nn000001/0050_01.jpg\nn000002/0001_01.jpg\nn000009/0001_01.jpg\nn000009/0001_01.jpg\nhello\n",
		"bb_landmark/loose_bb_train.csv": "NAME_ID,X,Y,W,H\n" +
			"\"n000001/0001_01\",0,0,10,10\n\"n000001/0002_01\",0,0,10,10\n\"n000001/0003_01\",0,0,10,10\n\"n000001/0004_01\",0,0,10,10\n" +
			"\"n000001/0005_01\",0,0,10,10\n\"n000001/0006_01\",0,0,10,10\n\"n000001/0007_01\",0,0,10,10\n\"n000001/0008_01\",0,0,10,10\n" +
			"\"n000001/0010_01\",40,0,10,10\n\"n000001/0011_01\",-5,-5,10,10\n\"n000001/0011_01\",-5,-5,10,11\n\"n000001/0011_01\",-5,-5,10,10\n" +
			"\"n000001/0012_01\",5,5,0,10\n\"n000001/0013_01\",5,5,10,10\n\"n000001/10000_01\",5,5,10,10\nNAME_ID,X,Y,W,H\n" +
			"\"n000002/0001_01\",5,5,10,10\n\"n000009/0001_01\",5,5,10,10\n\"n000003/0001_01\",5,5,10,10\n\"n000003/0002_01\",5,5,10,10\n" +
			"\"n000001/0001_01\",1,2,3\n\"n000001/0001_01\",1,2,3,four\n",
		"bb_landmark/loose_landmark_train.csv": "n000001/0001_01" + points + "n000001/0001_01" + points + "n000001/0005_01,1,1,2,2,3,3,4,4,5,60\n",
		"meta/image_age.csv":                   "NAME_ID,AGE\nn000001/0001_01,33\nn000001/7777_01,33\nn000001/0002_01,400\n",
		"attributes/01-Male.txt":               "n000001/0001_01.jpg\t1\r\nn000077/0001_01.jpg\t1\r\n",
	})
	return root
}

func TestOddTree(t *testing.T) {
	s, m := build(t, BuildOptions{Root: oddTree(t)})
	got := map[string]string{}
	for _, r := range m.Records {
		got[r.Path] = strings.Join(slices.DeleteFunc(slices.Clone(r.Problems), func(c string) bool { return c == NoLandmarks }), " ")
	}
	want := map[string]string{
		"train/n000001/0001_01.jpg":  "",
		"train/n000001/0002_01.jpg":  "zero-byte",
		"train/n000001/0003_01.jpg":  "not-jpeg",
		"train/n000001/0004_01.jpg":  "damaged-header",
		"train/n000001/0005_01.jpg":  "landmarks-outside truncated",
		"train/n000001/0006_01.jpg":  "too-large",
		"train/n000001/0007_01.jpg":  "exif-rotated",
		"train/n000001/0008_01.JPG":  "",
		"train/n000001/0009_01.jpg":  "no-box",
		"train/n000001/0010_01.jpg":  "box-outside",
		"train/n000001/0011_01.jpg":  "box-duplicate",
		"train/n000001/0012_01.jpg":  "box-empty",
		"train/n000001/0013_01.jpg":  "unlisted",
		"train/n000001/0050_01.jpg":  "no-box no-image",
		"train/n000001/10000_01.jpg": "",
		"train/n000002/0001_01.jpg":  "subset-conflict",
		"train/n000009/0001_01.jpg":  "",
		"test/n000003/0001_01.jpg":   "",
		"test/n000003/0002_01.jpg":   "no-image",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("problems by path (-want +got):\n%s", d)
	}
	wantCounts := map[string]int64{
		BadLine: 5, SecondHeader: 1, DuplicateLine: 3, DuplicateIdentity: 1, UnknownIdentity: 1, SampleCount: 2, StrangeFile: 4,
		AgeNoImage: 1, AttributeNoImage: 1,
	}
	for code, n := range wantCounts {
		if s.ProblemCounts[code] != n {
			t.Errorf("%d of %s, want %d: %v", s.ProblemCounts[code], code, n, s.Examples[code])
		}
	}
	if s.Images != 19 || s.TrainImages != 17 || s.TestImages != 2 || s.Identities != 4 || s.Listed != 4 {
		t.Errorf("%+v, want 19 images (17 train, 2 test) of 4 identities, 4 listed", s.Counts)
	}
	first, cmyk, bad := m.Records[0], m.Records[7], m.Records[1]
	if first.Width != 40 || first.Height != 50 || first.Format != "jpeg" || first.Components != 1 || first.Age != 33 ||
		first.AgeSource != "image:image_age.csv" || first.Gender != Female || !first.Usable() || !first.BoxUsable() || !first.HasLandmarks {
		t.Errorf("first record %+v", first)
	}
	if yes, ok := first.Attributes.Get("Male"); !yes || !ok {
		t.Errorf("attribute Male = %v, %v, want true, true", yes, ok)
	}
	if cmyk.Format != "jpeg-progressive" || cmyk.Components != 4 {
		t.Errorf("CMYK record %+v, want a progressive JPEG of 4 components", cmyk)
	}
	if bad.Usable() || m.Records[9].BoxUsable() || !m.Records[13].Missing() {
		t.Errorf("Usable, BoxUsable or Missing is wrong for\n%+v\n%+v\n%+v", bad, m.Records[9], m.Records[13])
	}
	if i := slices.IndexFunc(m.Identities, func(id Identity) bool { return id.ID == "n000001" }); i < 0 || m.Identities[i].Name != "A,_B" || m.Identities[i].Samples != 14 {
		t.Errorf("identities %+v", m.Identities)
	}
	for _, in := range m.Inputs {
		if filepath.IsAbs(in.Path) || !strings.HasPrefix(in.Digest, "xxh3-128:") || in.Bytes == 0 {
			t.Errorf("input %+v", in)
		}
	}
}

func TestWorkersDoNotChangeTheBytes(t *testing.T) {
	root, dir := oddTree(t), t.TempDir()
	var want []byte
	for _, workers := range []int{1, 2, 16} {
		out := filepath.Join(dir, fmt.Sprint(workers))
		build(t, BuildOptions{Root: root, Out: out, Workers: workers})
		got, _ := os.ReadFile(out)
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d workers wrote other bytes than 1", workers)
		}
	}
}

func TestDataPrefixNoScanAndFlags(t *testing.T) {
	root := t.TempDir()
	files(t, root, map[string]string{
		"data/train/n000001/0001_01.jpg": "jpeg:8x8",
		"data/test/n000002/0001_01.jpg":  "jpeg:8x8",
		"elsewhere/who.csv":              `n000001, "A", 1, 1, m, 30` + "\n",
		"elsewhere/ages.csv":             "n000001,41\n",
		"elsewhere/loose_bb.csv":         "n000001/0001_01,1,2,3,4\n",
	})
	_, m := build(t, BuildOptions{Root: root, NoScan: true,
		IdentityMeta: filepath.Join(root, "elsewhere/who.csv"),
		IdentityAges: filepath.Join(root, "elsewhere/ages.csv"),
		Boxes:        []string{filepath.Join(root, "elsewhere/loose_bb.csv")},
	})
	a, b := m.Records[0], m.Records[1]
	if a.Path != "data/train/n000001/0001_01.jpg" || a.Age != 41 || a.AgeSource != "identity:ages.csv" || !a.HasBox || a.Width != 0 || a.XXH3 != 0 || len(a.Problems) > 0 {
		t.Errorf("%+v", a)
	}
	if b.Subset != Test || !b.Has(NoBox) || b.Age == b.Age {
		t.Errorf("%+v", b)
	}
	if m.Counts.Scanned {
		t.Error("the manifest says that it was scanned")
	}
}

func TestTrustList(t *testing.T) {
	root := t.TempDir()
	files(t, root, map[string]string{
		"train_list.txt": "n000001/0001_01.jpg\nn000001/0002_01.jpg\n",
		"test.txt":       "n000002/0001_01.jpg\n", // not looked at: train_list.txt is there
	})
	if _, err := Build(context.Background(), BuildOptions{Root: root, Out: filepath.Join(root, "m")}); err == nil || !strings.Contains(err.Error(), "--trust-list") {
		t.Errorf("Build without a tree: %v, want an error that names --trust-list", err)
	}
	_, m := build(t, BuildOptions{Root: root, TrustList: true, NoScan: true})
	if len(m.Records) != 2 || !m.Records[0].Usable() {
		t.Errorf("%+v", m.Records)
	}
	_, m = build(t, BuildOptions{Root: root, TrustList: true})
	if len(m.Records) != 2 || !m.Records[0].Missing() {
		t.Errorf("%+v, want no-image since the scan did not find it", m.Records)
	}
}

// link makes a symbolic link, which takes a privilege on Windows and works everywhere else.
func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		if runtime.GOOS == "windows" {
			t.Skip("links need a privilege")
		}
		t.Fatal(err)
	}
}

func TestLinks(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	files(t, outside, map[string]string{"secret.jpg": "jpeg:8x8", "n000003/0001_01.jpg": "jpeg:8x8"})
	files(t, root, map[string]string{"train/n000001/0001_01.jpg": "jpeg:8x8", "store/a.jpg": "jpeg:9x9"})
	for name, target := range map[string]string{
		"train/n000001/0002_01.jpg": "../../store/a.jpg",
		"train/n000001/0003_01.jpg": filepath.Join(outside, "secret.jpg"),
		"train/n000001/0004_01.jpg": "nowhere",
		"train/n000003":             filepath.Join(outside, "n000003"),
	} {
		link(t, target, filepath.Join(root, name))
	}
	s, m := build(t, BuildOptions{Root: root})
	if len(m.Records) != 4 {
		t.Fatalf("%d records, want 4", len(m.Records))
	}
	if r := m.Records[1]; r.Width != 9 || !r.Usable() {
		t.Errorf("a link inside the root: %+v", r)
	}
	for _, r := range m.Records[2:] {
		if !r.Has(Unreadable) || r.XXH3 != 0 {
			t.Errorf("%s: %v, want unreadable", r.Path, r.Problems)
		}
	}
	if s.ProblemCounts[OutsideRoot] != 1 || s.UnreadableDirs != 1 {
		t.Errorf("%v, %d unreadable, want a directory outside the root", s.ProblemCounts, s.UnreadableDirs)
	}
}

func TestUnreadableDirectory(t *testing.T) {
	if os.Geteuid() <= 0 || runtime.GOOS == "windows" {
		t.Skip("permissions do not bind this user")
	}
	root := t.TempDir()
	files(t, root, map[string]string{"train/n000001/0001_01.jpg": "jpeg:8x8", "train/n000002/0001_01.jpg": "jpeg:8x8"})
	dir := filepath.Join(root, "train/n000001")
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755)
	s, m := build(t, BuildOptions{Root: root})
	if len(m.Records) != 1 || s.UnreadableDirs != 1 || s.ProblemCounts[UnreadableDir] != 1 {
		t.Errorf("%d records, %+v", len(m.Records), s)
	}
}

func TestBrokenInputLeavesTheOldManifest(t *testing.T) {
	root := t.TempDir()
	files(t, root, map[string]string{"train/n000001/0001_01.jpg": "jpeg:8x8", "out/m": "old", "bb_landmark/loose_bb_train.csv": "NAME_ID,X,Y,W,H\nn000001/0001_01,a,2,3,4\n"})
	out := filepath.Join(root, "out", "m")
	_, err := Build(context.Background(), BuildOptions{Root: root, Out: out})
	if want := `bb_landmark/loose_bb_train.csv:2: X: "a" is not a number (and no line of the file can be read)`; err == nil || err.Error() != want {
		t.Errorf("Build = %v, want %s", err, want)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Build(ctx, BuildOptions{Root: root, Out: out, Boxes: []string{None}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Build = %v, want context.Canceled", err)
	}
	if b, _ := os.ReadFile(out); string(b) != "old" {
		t.Error("the old manifest is gone")
	}
	if names, _ := os.ReadDir(filepath.Dir(out)); len(names) != 1 {
		t.Errorf("%d files are left, want 1", len(names))
	}
}

func TestVerify(t *testing.T) {
	root := oddTree(t)
	out := filepath.Join(t.TempDir(), "m.parquet")
	build(t, BuildOptions{Root: root, Out: out})
	check := func(want Verification) {
		t.Helper()
		for _, workers := range []int{1, 7} {
			got, err := Verify(context.Background(), VerifyOptions{Manifest: out, Root: root, Workers: workers})
			if err != nil {
				t.Fatal(err)
			}
			got.Seconds, got.PerSecond, got.Digest = 0, 0, ""
			if d := cmp.Diff(want, *got); d != "" {
				t.Errorf("%d workers (-want +got):\n%s", workers, d)
			}
		}
	}
	check(Verification{Images: 19, Checked: 17, Absent: 2, Findings: []Finding{}})
	b := jpegBytes(t, 40, 50)
	b[len(b)-9] ^= 1
	files(t, root, map[string]string{
		"train/n000001/0001_01.jpg": string(b),
		"train/n000001/0009_01.jpg": "jpeg:3x3",
		"train/n000001/0077_01.jpg": "jpeg:3x3",
		"train/n000008/0001_01.jpg": "jpeg:3x3",
		"meta/image_age.csv":        "changed",
	})
	os.Remove(filepath.Join(root, "test/n000003/0001_01.jpg"))
	got, err := Verify(context.Background(), VerifyOptions{Manifest: out, Root: root, Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	if got.Missing != 1 || got.Changed != 2 || got.Extra != 2 || got.InputsChanged != 1 || got.Problems != 6 || len(got.Findings) != 3 {
		t.Errorf("%+v, want 1 missing, 2 changed, 2 extra, 1 input, 3 told", got)
	}
}

// The real tree, see vf2real/README.md for the counts.
func TestRealTree(t *testing.T) {
	s, m := build(t, BuildOptions{Root: dataFile(t, "vf2real")})
	if s.Images != 2930 || s.TrainImages != 2566 || s.TestImages != 364 || s.TrainIdentities != 78 || s.TestIdentities != 17 || s.Problems != 0 ||
		s.Boxes != 2930 || s.Landmarks != 2930 || s.Ages != 2624 {
		t.Errorf("%+v, want 2566 + 364 images of 78 + 17 identities, 2624 ages, no problem", s.Counts)
	}
	negative := 0
	for _, r := range m.Records {
		if r.Box.X < 0 || r.Box.Y < 0 {
			negative++
		}
	}
	if negative != 20 {
		t.Errorf("%d boxes have a negative corner, want 20", negative)
	}
	st, err := FileStats(context.Background(), s.Out)
	if err != nil {
		t.Fatal(err)
	}
	if st.Age.Min != 20 || st.Age.Max != 78 || st.ImagesPerIdentity.N != 95 {
		t.Errorf("stats %+v", st)
	}
	plots, err := st.Plot(t.TempDir())
	if err != nil || len(plots) != 8 {
		t.Errorf("plots %v, %v, want four as PNG and SVG", plots, err)
	}
}
