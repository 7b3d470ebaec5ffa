package manifest

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNatural(t *testing.T) {
	want := []string{"", "1.jpg", "01.jpg", "2.jpg", "10.jpg", "99999999999999999999999.jpg", "A1.jpg", "a.jpg", "a1b2.jpg", "a1b10.jpg", "a2.jpg", "a10.jpg", "é.jpg"}
	slices.SortFunc(want[1:3], strings.Compare) // 1 and 01 are one number: the bytes decide
	got := slices.Clone(want)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	slices.SortFunc(got, natural)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestNumberFiles(t *testing.T) {
	for _, c := range []struct{ names, want []string }{
		{[]string{"0001_02.jpg", "0001_01.jpg", "10000_01.jpg"}, []string{"0001_01 0001_01.jpg", "0001_02 0001_02.jpg", "10000_01 10000_01.jpg"}},
		{[]string{"Ana_0010.jpg", "Ana_0009.jpg"}, []string{"0009_01 Ana_0009.jpg", "0010_01 Ana_0010.jpg"}},
		{[]string{"10.jpg", "9.JPG", "0.jpeg"}, []string{"0000_01 0.jpeg", "0009_01 9.JPG", "0010_01 10.jpg"}},
		{[]string{"b_1.jpg", "a_2.jpg"}, []string{"0001_01 b_1.jpg", "0002_01 a_2.jpg"}},
		// A number twice, none, or one too long: by place.
		{[]string{"001.jpg", "1.jpg"}, []string{"0001_01 001.jpg", "0002_01 1.jpg"}},
		{[]string{"7.jpg", "7.JPG"}, []string{"0001_01 7.JPG", "0002_01 7.jpg"}},
		{[]string{"10-FaceId-0.jpg", "2-FaceId-0.jpg"}, []string{"0001_01 2-FaceId-0.jpg", "0002_01 10-FaceId-0.jpg"}},
		{[]string{"cover.jpg", "Ana_0010.jpg"}, []string{"0001_01 Ana_0010.jpg", "0002_01 cover.jpg"}},
		{[]string{"1234567890.jpg"}, []string{"0001_01 1234567890.jpg"}},
		{[]string{"0001_01.jpg", "x_0002.jpg"}, []string{"0001_01 0001_01.jpg", "0002_01 x_0002.jpg"}},
		{nil, nil},
	} {
		names := slices.Clone(c.names)
		var got []string
		for i, key := range numberFiles(names) {
			_, id, _ := strings.Cut(ImageID{"n", int32(key >> 32), int32(uint32(key))}.String(), "/")
			got = append(got, id+" "+names[i])
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%q (-want +got)\n%s", c.names, d)
		}
	}
}

func TestFolders(t *testing.T) {
	root, meta := t.TempDir(), t.TempDir()
	files(t, root, map[string]string{
		"Aaron_Eckhart/Aaron_Eckhart_0001.jpg": "jpeg:40x50",
		"Aaron_Eckhart/Aaron_Eckhart_0002.jpg": "jpeg:40x50",
		"Aaron_Eckhart/Thumbs.db":              "x",
		"Ana, \"Müller\" d'É/10.jpg":           "jpeg:40x50",
		"Ana, \"Müller\" d'É/9.JPEG":           "jpeg:40x50",
		"m.0107_f/0-FaceId-0.jpg":              "jpeg:40x50",
		"m.0107_f/1-FaceId-0.jpg":              "no image",
		"m.0107_f/nested/2.jpg":                "jpeg:40x50",
		".hidden/1.jpg":                        "jpeg:40x50",
		"a:b/1.jpg":                            "jpeg:40x50", // ours alone: no such name on Windows
		"loose.jpg":                            "jpeg:40x50",
	})
	outside := t.TempDir()
	files(t, outside, map[string]string{"x/1.jpg": "jpeg:9x9"})
	for name, to := range map[string]string{"away": filepath.Join(outside, "x"), "m.0107_f/9-FaceId-0.jpg": filepath.Join(outside, "x", "1.jpg"), "text": "loose.jpg"} {
		link(t, to, filepath.Join(root, filepath.FromSlash(name)))
	}
	long := strings.Repeat("x", 5000)
	files(t, meta, map[string]string{
		"boxes.csv": "path,x,y,w,h\n" +
			"Aaron_Eckhart/Aaron_Eckhart_0001.jpg,1,2,3,4\n" +
			"\"lfw/Aaron_Eckhart/Aaron_Eckhart_0002\",5,6,7,8\n" +
			"Aaron_Eckhart/Aaron_Eckhart_0002,5,6,7,8\n" + // again, the same
			"Aaron_Eckhart/Aaron_Eckhart_0001,9,9,9,9\n" + // again, another
			"\"Ana, \"\"Müller\"\" d'É/9.JPEG\",1,1,9,9\n" +
			"Aaron_Eckhart/Aaron_Eckhart_0003.jpg,1,1,1,1\n" +
			"Aaron_Eckhart,1,1,1,1\n" + long + "/" + long + ",1,1,1,1\n" +
			"m.0107_f\\0-FaceId-0.jpg,NaN,1,1,1\n" +
			"m.0107_f/0-FaceId-0,1e9,1,1,1\n" +
			"m.0107_f/0-FaceId-0,1,1,1\n",
		"landmarks.csv":     "Aaron_Eckhart/Aaron_Eckhart_0001" + points,
		"ages.csv":          "file,age\nAaron_Eckhart/Aaron_Eckhart_0001.jpg,47\nnobody/1.jpg,3\nAaron_Eckhart/Aaron_Eckhart_0002,200\n",
		"01-Smiling.txt":    "Ana, \"Müller\" d'É/10.jpg\t1\nnobody/1.jpg\t1\n",
		"identity_meta.csv": "Class_ID, Name, Sample_Num, Flag, Gender\nAaron_Eckhart, \"Aaron_Eckhart\", 2, 0, m\n\"Ana, \"\"Müller\"\" d'É\", \"Ana\", 2, 1, f\n",
	})
	out := filepath.Join(t.TempDir(), "m.parquet")
	o := BuildOptions{
		Root: root, Layout: Folders, Out: out, Workers: 4, Boxes: []string{filepath.Join(meta, "boxes.csv")},
		Landmarks: []string{filepath.Join(meta, "landmarks.csv")}, Ages: []string{filepath.Join(meta, "ages.csv")},
		Attributes: []string{filepath.Join(meta, "01-Smiling.txt")}, IdentityMeta: filepath.Join(meta, "identity_meta.csv"),
	}
	s, m := build(t, o)
	want := map[string]int64{
		StrangeFile: 6, OutsideRoot: 1, Unreadable: 1, NotJPEG: 1, BoxDuplicate: 1, DuplicateLine: 1, BadLine: 4,
		BoxNoImage: 3, AgeNoImage: 1, AttributeNoImage: 1, UnknownIdentity: 1, NoBox: 4, NoLandmarks: 6,
	}
	if d := cmp.Diff(want, s.ProblemCounts); d != "" {
		t.Errorf("problems (-want +got):\n%s\n%v", d, s.Examples)
	}
	var ids, paths []string
	for _, r := range m.Records {
		ids, paths = append(ids, r.ID.String()), append(paths, r.Path)
	}
	if d := cmp.Diff([]string{"Ana, \"Müller\" d'É/0009_01", "Ana, \"Müller\" d'É/0010_01", "m.0107_f/0001_01", "m.0107_f/0002_01", "m.0107_f/0003_01", "Aaron_Eckhart/0001_01", "Aaron_Eckhart/0002_01"}, ids); d != "" {
		t.Errorf("names (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"Ana, \"Müller\" d'É/9.JPEG", "Ana, \"Müller\" d'É/10.jpg", "m.0107_f/0-FaceId-0.jpg", "m.0107_f/1-FaceId-0.jpg", "m.0107_f/9-FaceId-0.jpg", "Aaron_Eckhart/Aaron_Eckhart_0001.jpg", "Aaron_Eckhart/Aaron_Eckhart_0002.jpg"}, paths); d != "" {
		t.Errorf("paths (-want +got):\n%s", d)
	}
	if smile, ok := m.Records[1].Attributes.Get("Smiling"); !smile || !ok || m.Records[1].Gender != Female || !m.Records[0].HasBox {
		t.Errorf("Ana: %+v", m.Records[:2])
	}
	if r := m.Records[5]; r.Box.X != 1 || r.Landmarks[4].Y != 5 || r.Age != 47 || r.Gender != Male || r.Subset != Test {
		t.Errorf("Aaron: %+v", r)
	}

	one, _ := os.ReadFile(out)
	o.Workers = 1
	build(t, o)
	if again, _ := os.ReadFile(out); !bytes.Equal(one, again) {
		t.Error("other bytes with one worker")
	}
	v, err := Verify(context.Background(), VerifyOptions{Manifest: out, Root: root})
	if err != nil || v.Problems != 1 { // the link out of the root, whose directory can't be listed
		t.Errorf("verify: %v, %+v", err, v)
	}
	files(t, root, map[string]string{"Aaron_Eckhart/new.jpg": "jpeg:9x9", "New/1.jpg": "jpeg:9x9", "m.0107_f/0-FaceId-0.jpg": "jpeg:9x9"})
	if v, err = Verify(context.Background(), VerifyOptions{Manifest: out, Root: root}); err != nil || v.Extra != 2 || v.Changed != 1 {
		t.Errorf("verify of a changed tree: %v, %+v", err, v)
	}
}

// A VGGFace2 directory read as folders keeps every NAME_ID.
func TestFoldersKeepNameIDs(t *testing.T) {
	root := dataFile(t, "vf2real", "train")
	_, m := build(t, BuildOptions{Root: root, Layout: Folders, NoScan: true})
	if len(m.Records) != 2566 {
		t.Errorf("%d images, want 2566", len(m.Records))
	}
	for _, r := range m.Records {
		if r.Path != r.ID.String()+".jpg" {
			t.Fatalf("%s is %s", r.Path, r.ID)
		}
	}
}

func TestRealLFW(t *testing.T) {
	s, m := build(t, BuildOptions{Root: dataFile(t, "lfw_folds1-5", "lfw-deepfunneled"), Layout: Folders, NoScan: true})
	if s.Images != 3811 || s.Identities != 2086 || s.Problems != 0 {
		t.Errorf("%+v", s.Counts)
	}
	for _, r := range m.Records {
		if want := r.ID.Identity + "/" + r.ID.Identity + "_" + strings.TrimSuffix(r.ID.String()[len(r.ID.Identity)+1:], "_01") + ".jpg"; r.Path != want {
			t.Fatalf("%s is %s, want %s: the image's number is LFW's", r.ID, r.Path, want)
		}
	}
}
