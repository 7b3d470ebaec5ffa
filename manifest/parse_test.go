package manifest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dataFile returns a file of the real data, or skips the test where that is absent.
func dataFile(t *testing.T, path ...string) string {
	t.Helper()
	dir := os.Getenv("VF2PREP_DATA")
	if dir == "" {
		dir = "../../shared/data"
	}
	p := filepath.Join(append([]string{dir}, path...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("the real data is absent: %v", err)
	}
	return p
}

var sameAge = cmp.Comparer(func(a, b float32) bool { return a == b || a != a && b != b })

func TestIdentityMetaVariants(t *testing.T) {
	princess := Identity{ID: "n000658", Name: "Anne,_Princess_Royal", Samples: 440, Subset: Test, Gender: Female, Age: unknownAge()}
	with := func(change func(*Identity)) Identity {
		id := princess
		change(&id)
		return id
	}
	for _, c := range []struct {
		name, line string
		want       Identity
	}{
		{"raw", `n000658, "Anne,_Princess_Royal", 440, 0, f`, princess},
		{"trailing comma", `n000658, "Anne,_Princess_Royal",440,0, f,`, princess},
		{"spreadsheet", `n000658," ""Anne,_Princess_Royal""",440,0, f`, princess},
		{"CRLF", "n000658, \"Anne,_Princess_Royal\", 440, 0, f\r", princess},
		{"byte order mark", "\xef\xbb\xbfn000658, \"Anne,_Princess_Royal\", 440, 0, f", princess},
		{"quotes lost", `n000658, Anne,_Princess_Royal, 440, 0, f`, princess},
		{"Sample_Num lost", `n000658," ""Anne,_Princess_Royal""",0, f,`, with(func(id *Identity) { id.Samples = -1 })},
		{"age", `n000658, "Anne,_Princess_Royal", 440, 0, f, 29.5`, with(func(id *Identity) { id.Age = 29.5 })},
		{"a number as name", `n000658, "50", 440, 0, f`, with(func(id *Identity) { id.Name = "50" })},
		{"train, male", `n000658, "Anne,_Princess_Royal", 440, 1, m`, with(func(id *Identity) { id.Subset, id.Gender = Train, Male })},
	} {
		var got []Identity
		log := newProblemLog()
		err := parseIdentityMeta(strings.NewReader(c.line+"\n"), "identity_meta.csv", log, func(_ int, id Identity) { got = append(got, id) })
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if d := cmp.Diff([]Identity{c.want}, got, sameAge); d != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, d)
		}
	}
}

// The six copies that are found in public repositories hold the same people.
func TestRealIdentityMeta(t *testing.T) {
	dir := dataFile(t, "vggface2_meta")
	files, _ := filepath.Glob(filepath.Join(dir, "*.csv"))
	if len(files) != 6 {
		t.Fatalf("%d files, want 6", len(files))
	}
	for _, f := range files {
		s, err := MetaStats(context.Background(), f)
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		wantImages, wantLost := int64(3_311_286), int64(0)
		if strings.Contains(f, "xictus77") {
			wantImages, wantLost = 903_703, 6640
		}
		if s.Identities != 9131 || s.TrainIdentities != 8631 || s.TestIdentities != 500 || s.Male != 5452 || s.Female != 3679 ||
			s.Images != wantImages || s.MissingSampleNum != wantLost || s.Problems != wantLost {
			t.Errorf("%s: %d identities (%d train, %d test, %d m, %d f), %d images, %d lost, %d problems, want 9131 (8631, 500, 5452, 3679), %d, %d",
				f, s.Identities, s.TrainIdentities, s.TestIdentities, s.Male, s.Female, s.Images, s.MissingSampleNum, s.Problems, wantImages, wantLost)
		}
		wantAges := int64(0)
		if strings.Contains(f, "estimated_age") {
			wantAges = 9131
		}
		if s.Age.N != wantAges {
			t.Errorf("%s: %d ages, want %d", f, s.Age.N, wantAges)
		}
	}
}

func TestBadLinesAreCounted(t *testing.T) {
	const text = "NAME_ID,X,Y,W,H\r\n" +
		"\"n000001/0001_01\",60,-60,79,109\r\n" +
		"\"n000001/0002_01\",60,60\r\n" + // line 3
		"\"n000001/0003_01\",60,60,abc,109\r\n" +
		"NAME_ID,X,Y,W,H\r\n" +
		"\"n000001/0004_01,60,60,79,109\r\n" +
		"\n" +
		"n000001/0005_01.jpg,1.5,2e1,79,109,\r\n" + // line 8
		"n000001/6_1,1,2,79,109\r\n" +
		"n000001/0007_01,1,2,NaN,109\r\n" +
		"n000001/0008_01,1,2,99999999,109"
	log := newProblemLog()
	var got []string
	err := parseBoxes(strings.NewReader(text), "loose_bb_train.csv", log, func(line int, identity []byte, image, fc int32, v []float32) {
		got = append(got, fmt.Sprint(line, " ", ImageID{string(identity), image, fc}, v))
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"2 n000001/0001_01 [60 -60 79 109]", "8 n000001/0005_01 [1.5 20 79 109]"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("good lines (-want +got):\n%s", d)
	}
	if log.counts[BadLine] != 6 || log.counts[SecondHeader] != 1 {
		t.Errorf("counts %v, want 6 bad lines and a second header", log.counts)
	}
	var problems []string
	for _, p := range log.examples[BadLine] {
		problems = append(problems, p.String())
	}
	want = []string{
		`loose_bb_train.csv:3: 3 fields, want 5`,
		`loose_bb_train.csv:4: W: "abc" is not a number`,
		`loose_bb_train.csv:6: a quote that is not closed, or text behind a closed one`,
		`loose_bb_train.csv:9: NAME_ID: "n000001/6_1" is no image such as n000002/0001_01`,
		`loose_bb_train.csv:10: W: "NaN" is not a number`,
	}
	if d := cmp.Diff(want, problems); d != "" {
		t.Errorf("examples (-want +got):\n%s", d)
	}
}

func TestWrongFileIsAnError(t *testing.T) {
	none := func(int, []byte, int32, int32, []float32) {}
	for _, c := range []struct{ text, want string }{
		{"hello\nworld\n", `x.csv:1: NAME_ID: "hello" is no image such as n000002/0001_01 (and no line of the file can be read)`},
		{"NAME_ID,P1X,P1Y,P2X,P2Y,P3X,P3Y,P4X,P4Y,P5X,P5Y\n", "x.csv:1: columns NAME_ID,P1X,P1Y,P2X,P2Y,P3X,P3Y,P4X,P4Y,P5X,P5Y, want NAME_ID,X,Y,W,H"},
		{strings.Repeat("x", 2*maxLine), "x.csv:1: line of more than 65536 bytes (and no line of the file can be read)"},
	} {
		err := parseBoxes(strings.NewReader(c.text), "x.csv", newProblemLog(), none)
		if err == nil || err.Error() != c.want {
			t.Errorf("parseBoxes = %v, want %s", err, c.want)
		}
	}
	for _, text := range []string{"", "NAME_ID,X,Y,W,H\n", "\n\n"} {
		if err := parseBoxes(strings.NewReader(text), "x.csv", newProblemLog(), none); err != nil {
			t.Errorf("parseBoxes(%q) = %v, want nil: no rows are no fault", text, err)
		}
	}
}

func TestLists(t *testing.T) {
	const text = "n000002/0001_01.jpg\r\ntrain/n000002/0002_01.jpg 7\nn000002\\10000_55.JPG\nn000002/0003_02\nreadme\n"
	var got []string
	log := newProblemLog()
	if err := parseList(strings.NewReader(text), "l", log, func(_ int, identity []byte, image, fc int32) {
		got = append(got, ImageID{string(identity), image, fc}.String())
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{"n000002/0001_01", "n000002/0002_01", "n000002/10000_55", "n000002/0003_02"}
	if d := cmp.Diff(want, got); d != "" || log.counts[BadLine] != 1 {
		t.Errorf("%d bad lines, want 1; (-want +got)\n%s", log.counts[BadLine], d)
	}
}

func TestAges(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"NAME_ID,AGE\n\"n1/0001_01\",52\n", "[n1/0001_01=52]"},
		{"n1/0001_01.jpg,52.5,x\n", "[n1/0001_01=52.5]"},
		{"NAME_ID,SOURCE,AGE\nn1/0001_01,a,\nn1/0002_01,b,7\n", "[n1/0002_01=7]"},
		{"n1/0001_01,52\nn1/0002_01,-1\nn1/0003_01,131\nn1/0004_01,old\n", "[n1/0001_01=52]"},
	} {
		got := []string{}
		if err := parseImageAges(strings.NewReader(c.text), "a", newProblemLog(), func(_ int, identity []byte, image, fc int32, age float32) {
			got = append(got, fmt.Sprintf("%s=%g", ImageID{string(identity), image, fc}, age))
		}); err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("parseImageAges(%q) = %v, %v, want %s", c.text, got, err, c.want)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"Class_ID,age\nn1,40\nn2,41\n", "[n1=40 n2=41]"},
		{`n1, "A", 5, 1, m, 61` + "\n", "[n1=61]"},
	} {
		var got []string
		if err := parseIdentityAges(strings.NewReader(c.text), "a", newProblemLog(), func(_ int, id Identity) {
			got = append(got, fmt.Sprintf("%s=%g", id.ID, id.Age))
		}); err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("parseIdentityAges(%q) = %v, %v, want %s", c.text, got, err, c.want)
		}
	}
}

func TestAttributes(t *testing.T) {
	if name, err := attributeName("attributes/07-Mustache_or_Beard.txt"); err != nil || name != "Mustache_or_Beard" {
		t.Errorf("attributeName = %q, %v", name, err)
	}
	n := 0
	err := parseAttribute(strings.NewReader("n000002/0032_01.jpg\t0\r\nn000002/0039_01.jpg\t1\r\nn000002/0040_01.jpg\t2\r\n"), "a", newProblemLog(),
		func(_ int, _ []byte, image, _ int32, yes bool) {
			n++
			if yes != (image == 39) {
				t.Errorf("image %d: %v", image, yes)
			}
		})
	if err != nil || n != 2 {
		t.Errorf("%d rows, %v, want 2", n, err)
	}
	var names []string
	err = parseMAAD(strings.NewReader("Filename,Identity,Male,Young,Bald\nn000002/0001_01.jpg,n000002,1,-1,0\n"), "m", newProblemLog(),
		func(n []string) error { names = n; return nil },
		func(_ int, _ []byte, _, _ int32, known, yes uint64) {
			if known != 3 || yes != 1 {
				t.Errorf("known %b, yes %b, want 11, 1", known, yes)
			}
		})
	if d := cmp.Diff([]string{"maad_Male", "maad_Young", "maad_Bald"}, names); d != "" || err != nil {
		t.Errorf("%v, (-want +got)\n%s", err, d)
	}
}

func TestRealAttributes(t *testing.T) {
	f, err := os.Open(dataFile(t, "vggface2_samples", "attributes", "01-Male.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	log := newProblemLog()
	if err := parseAttribute(f, "01-Male.txt", log, func(int, []byte, int32, int32, bool) { n++ }); err != nil || n != 30000 || len(log.counts) != 0 {
		t.Errorf("%d rows, %v, %v, want 30000 without a problem", n, log.counts, err)
	}
}

func TestParseImageID(t *testing.T) {
	for _, s := range []string{"n000002/0001_01", "n000002/10000_55", "n000002/0000_100", "Ana Müller/0001_01", "m.0107_f/0001_01", "a,\"b/0001_01"} {
		id, err := ParseImageID(s)
		if err != nil || id.String() != s {
			t.Errorf("ParseImageID(%q) = %v, %v", s, id, err)
		}
	}
	for _, s := range []string{"", "n000002", "n000002/1_1", "n000002/0001_1", "n000002/00001_01", "n000002/0001_01.jpg", "/0001_01",
		"../0001_01", "n000002/9999999999_01", "n000002/-001_01", ".b/0001_01", "a:b/0001_01", "a\\b/0001_01", "a\nb/0001_01", "\xff/0001_01", "n000002/0001_01_01"} {
		if id, err := ParseImageID(s); err == nil {
			t.Errorf("ParseImageID(%q) = %v, want an error", s, id)
		}
	}
}

func TestParseNumber(t *testing.T) {
	for s, want := range map[string]float64{"0": 0, "-7": -7, "+3.5": 3.5, "75.81253": 75.81253, "1e-05": 1e-05, ".5": .5, "5.": 5,
		"123456789012345678": 123456789012345678, "0.1": 0.1, "1234567.00000001": 1234567.00000001} {
		if got, ok := parseNumber([]byte(s)); !ok || got != want {
			t.Errorf("parseNumber(%q) = %v, %v, want %v", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "-", ".", "1.2.3", "abc", "NaN", "Inf", "0x10", "1_000", "1e999", "1 2"} {
		if got, ok := parseNumber([]byte(s)); ok {
			t.Errorf("parseNumber(%q) = %v, want none", s, got)
		}
	}
}
