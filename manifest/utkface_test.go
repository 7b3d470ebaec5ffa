package manifest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseUTKName(t *testing.T) {
	for file, want := range map[string]utkName{
		"26_1_3_20170116174525125.jpg.chip.jpg": {"26_1_3_20170116174525125", 26, Female, 3},
		"26_1_3_20170116174525125.jpg":          {"26_1_3_20170116174525125", 26, Female, 3},
		"0_0_0_2017011022340900.JPG":            {"0_0_0_2017011022340900", 0, Male, 0},
		"116_0_4_1.jpeg":                        {"116_0_4_1", 116, Male, 4},
	} {
		if got, err := parseUTKName(file); err != nil || got != want {
			t.Errorf("parseUTKName(%q) = %+v, %v, want %+v", file, got, err, want)
		}
	}
	for file, want := range map[string]string{
		"61_1_20170109142408075.jpg.chip.jpg":    "3 fields, want 4", // in the real data set
		"55_0_0_20170116232725357jpg.chip.jpg":   "no .jpg before",   // in the real data set
		"117_0_0_1.jpg":                          "age:",
		"-1_0_0_1.jpg":                           "age:",
		"+1_0_0_1.jpg":                           "age:",
		"NaN_0_0_1.jpg":                          "age:",
		"007_0_0_1.jpg":                          "age:",
		"_0_0_1.jpg":                             "age:",
		"99999999999999999999_0_0_1.jpg":         "age:",
		"20_2_0_1.jpg":                           "gender:",
		"20_f_0_1.jpg":                           "gender:",
		"20_1_5_1.jpg":                           "race:",
		"20_1__1.jpg":                            "race:",
		"20_1_0_.jpg":                            "time:",
		"20_1_0_2017x.jpg":                       "time:",
		"20_1_0_1_1.jpg":                         "5 fields",
		"20_1_0_1.png":                           "no JPEG",
		".jpg":                                   "no JPEG",
		"":                                       "no JPEG",
		strings.Repeat("1", 5000) + "_1_0_1.jpg": "5006 bytes",
	} {
		if got, err := parseUTKName(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseUTKName(%.60q) = %+v, %v, want an error with %q", file, got, err, want)
		}
	}
}

func TestUTKFace(t *testing.T) {
	root := t.TempDir()
	files(t, root, map[string]string{
		"part1/26_1_3_20170116174525125.jpg.chip.jpg": "jpeg:200x200",
		"part1/3_0_0_20170116174525126.jpg.chip.jpg":  "jpeg:200x200",
		"part1/61_1_20170109142408075.jpg.chip.jpg":   "jpeg:200x200",
		"part2/26_1_3_20170116174525125.jpg.chip.jpg": "jpeg:100x100", // again
		"part2/.26_1_3_1.jpg":                         "x",
		"part2/notes.txt":                             "x",
		"90_0_1_20170116174525127.jpg":                "no image",
		"ages.csv":                                    "image,age\npart1/3_0_0_20170116174525126.jpg.chip.jpg,4\n",
	})
	outside := t.TempDir()
	files(t, outside, map[string]string{"1_0_0_1.jpg": "jpeg:9x9"})
	link(t, filepath.Join(outside, "1_0_0_1.jpg"), filepath.Join(root, "1_0_0_1.jpg"))
	link(t, ".", filepath.Join(root, "circle"))
	out := filepath.Join(t.TempDir(), "m.parquet")
	s, m := build(t, BuildOptions{Root: root, Layout: UTKFace, Out: out, Workers: 3})
	if d := cmp.Diff(map[string]int64{BadName: 1, StrangeFile: 4, DuplicateImage: 1, NotJPEG: 1, Unreadable: 1}, s.ProblemCounts); d != "" {
		t.Errorf("problems (-want +got):\n%s\n%v", d, s.Examples)
	}
	if s.Images != 4 || s.Identities != 0 || s.TrainIdentities != 0 || s.Ages != 4 || s.Genders != 4 || m.Layout != UTKFace || len(m.Identities) != 0 {
		t.Errorf("counts %+v, layout %q, %d identities", s.Counts, m.Layout, len(m.Identities))
	}
	r := m.Records[1]
	if r.ID != (ImageID{"26_1_3_20170116174525125", 1, 1}) || r.Path != "part1/26_1_3_20170116174525125.jpg.chip.jpg" || r.Width != 200 ||
		r.Gender != Female || r.Age != 26 || r.AgeSource != "file-name" || r.Subset != Train || !r.Has(DuplicateImage) {
		t.Errorf("record %+v", r)
	}
	for i, name := range utkRaces {
		if yes, ok := r.Attributes.Get(name); !ok || yes != (i == 3) {
			t.Errorf("%s = %v, %v", name, yes, ok)
		}
	}
	one, _ := os.ReadFile(out)
	build(t, BuildOptions{Root: root, Layout: UTKFace, Out: out, Workers: 1})
	if again, _ := os.ReadFile(out); !bytes.Equal(one, again) {
		t.Error("other bytes with one worker")
	}

	v, err := Verify(context.Background(), VerifyOptions{Manifest: out, Root: root})
	if err != nil || v.Problems != 0 {
		t.Errorf("verify: %v, %+v", err, v)
	}
	files(t, root, map[string]string{"part3/5_0_0_1.jpg": "jpeg:9x9", "part3/5_0_1.jpg": "jpeg:9x9"})
	if v, err = Verify(context.Background(), VerifyOptions{Manifest: out, Root: root}); err != nil || v.Extra != 1 || v.Problems != 1 {
		t.Errorf("verify with an image more: %v, %+v", err, v)
	}
}

func TestNoImageIsAnError(t *testing.T) {
	empty, text := t.TempDir(), t.TempDir()
	files(t, text, map[string]string{"61_1_20170109142408075.jpg": "jpeg:9x9", "readme.txt": "x"})
	for _, c := range []struct{ root, want string }{
		{empty, "nothing is there"},
		{text, "61_1_20170109142408075.jpg"},
		{filepath.Join(text, "gone"), "no such file"},
		{filepath.Join(text, "readme.txt"), "root"},
	} {
		out := filepath.Join(t.TempDir(), "m.parquet")
		_, err := Build(context.Background(), BuildOptions{Root: c.root, Layout: UTKFace, Out: out})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.root, err, c.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: a manifest was written", c.root)
		}
	}
	for _, o := range []BuildOptions{
		{Layout: "lfw"}, {Layout: UTKFace, TrustList: true}, {Layout: UTKFace, Lists: []string{"l.txt"}}, {Layout: UTKFace, IdentityMeta: "m.csv"},
	} {
		o.Root = text
		if _, err := Build(context.Background(), o); !errors.Is(err, ErrOption) {
			t.Errorf("%+v: %v, want ErrOption", o, err)
		}
	}
}

func TestRealUTKFace(t *testing.T) {
	s, m := build(t, BuildOptions{Root: dataFile(t, "utkface_half"), Layout: UTKFace, NoScan: true})
	if s.Images != 4848 || s.ProblemCounts[BadName] != 1 || s.Problems != 2 {
		t.Errorf("%d images, problems %v, want 4848 and one bad name beside README.md", s.Images, s.ProblemCounts)
	}
	var women int
	var sum float64
	for _, r := range m.Records {
		sum += float64(r.Age)
		women += int(r.Gender)
	}
	if mean := sum / float64(len(m.Records)); women != 2669 || mean < 20 || mean > 40 {
		t.Errorf("%d women, mean age %.2f", women, mean)
	}
}
