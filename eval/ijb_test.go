package eval

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadFaces(t *testing.T) {
	ijba := []Face{{1, 7, "img/2.jpg", 11, 21, 2}, {1, 7, "frame/3_00001.png", 12, 22, 3}}
	const rows = "1,7,img/2.jpg,11,21,,3,4,5,6\n1,7,frame/3_00001.png,12,22,1,3,4,5,6\n"
	const head = "TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,SIGHTING_ID,FRAME,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT\n"
	noHead := []Face{ijba[0], ijba[1]}
	noHead[0].Line, noHead[1].Line = 1, 2
	for name, c := range map[string]struct {
		in   string
		want []Face
	}{
		"IJB-A":           {head + rows, ijba},
		"CRLF, BOM":       {"\xef\xbb\xbf" + strings.ReplaceAll(head+rows, "\n", "\r\n"), ijba},
		"no head":         {rows, noHead},
		"quotes, spaces":  {strings.ReplaceAll(head, ",", ", ") + strings.ReplaceAll(rows, "img/2.jpg", ` "img/2.jpg" `), ijba},
		"small letters":   {strings.ToLower(head) + rows, ijba},
		"other order":     {"FACE_X,FILE,SIGHTING_ID,SUBJECT_ID,MEDIA_ID,TEMPLATE_ID\n9,img/2.jpg,21,7,11,1\n9,frame/3_00001.png,22,7,12,1\n", ijba},
		"IJB-B":           {"TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID\n1,7,img/2.jpg,21\n", []Face{{1, 7, "img/2.jpg", 21, 21, 2}}},
		"IJB-B, no head":  {"1,7,img/2.jpg,21", []Face{{1, 7, "img/2.jpg", 21, 21, 1}}},
		"without sight..": {"TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID\n1,7,img/2.jpg,11\n", []Face{{1, 7, "img/2.jpg", 11, -1, 2}}},
	} {
		got, err := ReadFaces(strings.NewReader(c.in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s differs (-want +got):\n%s", name, d)
		}
	}
}

// refuse makes sure that a parser's error names the line and the fault.
func refuse[T any](t *testing.T, read func(s string) (T, error), cases map[string]string) {
	t.Helper()
	for in, want := range cases {
		_, err := read(in)
		if !errors.Is(err, ErrProtocolFile) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: error %v, want ErrProtocolFile and %q", in, err, want)
		}
	}
}

func readFaces(s string) ([]Face, error)        { return ReadFaces(strings.NewReader(s)) }
func readMedia(s string) ([]Face, error)        { return ReadFaceMedia(strings.NewReader(s)) }
func readComp(s string) ([]TemplatePair, error) { return ReadComparisons(strings.NewReader(s)) }
func readLabels(s string) ([]TemplatePair, error) {
	return ReadTemplatePairs(strings.NewReader(s))
}
func readTemplates(s string) (*TemplateList, error) {
	return ReadTemplateList(strings.NewReader(s))
}

func TestProtocolFilesRefused(t *testing.T) {
	const head = "TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,SIGHTING_ID\n"
	refuse(t, readFaces, map[string]string{
		"":                              "0: no rows",
		head:                            "1: no rows",
		"A,B,C\n1,2,3\n":                `1: columns ["A" "B" "C"], want TEMPLATE_ID`,
		"1,2,3\n":                       "1: 3 fields, want TEMPLATE_ID",
		head + "1,2,img/1.jpg,3\n":      "2: 4 fields, want at least 5",
		head + "x,2,img/1.jpg,3,4\n":    `2: template id: "x" is not a number`,
		head + "1,-2,img/1.jpg,3,4\n":   `2: subject id: "-2"`,
		head + "1,2,img/1.jpg,,4\n":     `2: media id: ""`,
		head + "1,2,img/1.jpg,3,4e9\n":  `2: sighting id: "4e9"`,
		head + "1,2,../1.jpg,3,4\n":     `2: file: "../1.jpg" leads out`,
		head + "1,2,/etc/passwd,3,4\n":  "leads out",
		head + "1,2,,3,4\n":             "an empty name",
		head + "9999999999,2,a.jpg,3,4": "template id",
		head + strings.Repeat("a", 1e5): "2: bufio.Scanner: token too long",
		head + "1,2," + strings.Repeat("a", 1001) + ",3,4\n": "a name of 1001 bytes",
	})
	refuse(t, readMedia, map[string]string{
		"":                   "no rows",
		"1.jpg 1\n":          "1: 2 fields, want image, template and medium",
		"1.jpg 1 2\n\nx":     "3: 1 fields",
		"1.jpg one 2\n":      `template id: "one"`,
		"1.jpg 1 -2\n":       `media id: "-2"`,
		"../1.jpg 1 2\n":     "leads out",
		"1.jpg 1 2\n2.jpg a": "2: 2 fields",
	})
	refuse(t, readComp, map[string]string{
		"":            "no rows",
		"a,b\n":       "no rows",
		"1,2\n3\n":    "2: 1 fields, want two template ids",
		"1,2\na,b\n":  `2: template id: "a"`,
		"1,2,3\n":     "1: 3 fields",
		"1,2\n1,-1\n": `template id: "-1"`,
		"-1,2\n":      `1: template id: "-1"`,
	})
	refuse(t, readLabels, map[string]string{
		"":                   "no rows",
		"1 2\n":              "1: 2 fields, want template, template and label",
		"1 2 3\n":            `1: label: "3", want 0 or 1`,
		"1 b 0\n":            `template id: "b"`,
		"1 2 0\n\n1 2 1 0\n": "3: 4 fields",
	})
	refuse(t, readTemplates, map[string]string{
		"":                              "no rows",
		"n1/1.jpg\n":                    "1: identity n1 has 1 images, want 30 (poses) or 20 (ages)",
		list("n1", 20) + "n2/1.jpg\n":   "21: identity n2 has 1 images, want 20 as the first has",
		list("n1", 30) + list("n2", 20): "want 30 as the first has",
		list("n1", 29) + list("n2", 30): "30: before this line: identity n1 has 29 images",
		list("n1", 20) + list("n2", 20) + "n1/21.jpg\n": "41: identity n1 again",
		"a.jpg\n":       "want identity/image.jpg",
		"a/b/c.jpg\n":   "want identity/image.jpg",
		"../n1/1.jpg\n": "leads out",
	})
}

// list makes n lines of an identity.
func list(id string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(id + "/" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + ".jpg\n")
	}
	return b.String()
}

func TestReadTemplatePairs(t *testing.T) {
	want := []TemplatePair{{1, 2, false}, {30, 4, false}}
	for _, in := range []string{"1,2\n30,4\n", "TEMPLATE_ID_1,TEMPLATE_ID_2\r\n1,2\r\n30,4", " \"1\" , 2\n\n30,4\n"} {
		got, err := readComp(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
		} else if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q differs (-want +got):\n%s", in, d)
		}
	}
	want[1].Genuine = true
	got, err := readLabels("1 2 0\r\n30\t4  1")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("labels differ (-want +got):\n%s", d)
	}
	faces, err := readMedia("1.jpg 5 60\r\n2.jpg 5 61\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]Face{{5, -1, "1.jpg", 60, -1, 1}, {5, -1, "2.jpg", 61, -1, 2}}, faces); d != "" {
		t.Errorf("faces differ (-want +got):\n%s", d)
	}
}

// The official readme swaps the lists' descriptions; the counts don't lie.
func TestTemplateListsAreToldApartByCounts(t *testing.T) {
	for n, want := range map[int]TemplateKind{30: PoseTemplates, 20: AgeTemplates} {
		l, err := readTemplates(list("n000001", n) + strings.ReplaceAll(list("n000009", n), "\n", "\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, l.Kind); d != "" || len(l.Identities) != 2 {
			t.Errorf("%d images: %d identities, kind differs (-want +got):\n%s", n, len(l.Identities), d)
		}
		last := l.Template(1, len(want.Groups)-1, 1)
		if d := cmp.Diff(l.Images[1][n-5:], last); d != "" {
			t.Errorf("last template differs (-want +got):\n%s", d)
		}
	}
}

func fuzzFaces(t *testing.T, faces []Face, err error) {
	if err != nil {
		if !errors.Is(err, ErrProtocolFile) {
			t.Fatalf("error %v does not wrap ErrProtocolFile", err)
		}
		return
	}
	if len(faces) == 0 {
		t.Fatal("no faces and no error")
	}
	for _, f := range faces {
		if f.Template < 0 || f.Template > maxProtocolID || f.Media < 0 || f.Line < 1 || !filepath.IsLocal(filepath.FromSlash(f.File)) {
			t.Fatalf("face %+v", f)
		}
	}
	for _, with := range []string{keyWithFile, keyWithSighting} {
		list, skips, err := templatesOf(faces, with)
		if err != nil {
			if !errors.Is(err, ErrProtocolFile) {
				t.Fatalf("error %v does not wrap ErrProtocolFile", err)
			}
			continue
		}
		n := len(skips)
		for _, tpl := range list {
			n += len(tpl.Faces)
		}
		if n != len(faces) {
			t.Fatalf("%d faces became %d", len(faces), n)
		}
	}
}

func FuzzReadFaces(f *testing.F) {
	f.Add("TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,SIGHTING_ID\r\n1,2,img/1.jpg,3,4\r\n1,3,img/1.jpg,3,5\r\n")
	f.Add("1,7,\"img/2.jpg\",21\n2,8,frame/a.png,3")
	f.Add("\xef\xbb\xbf1,2,a,3,4,5,6\n\n2,2,a,3,4\n")
	f.Fuzz(func(t *testing.T, text string) {
		faces, err := readFaces(text)
		fuzzFaces(t, faces, err)
	})
}

func FuzzReadFaceMedia(f *testing.F) {
	f.Add("1.jpg 1 2\r\n2.jpg 1 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		faces, err := readMedia(text)
		fuzzFaces(t, faces, err)
	})
}

func FuzzReadTemplatePairs(f *testing.F) {
	f.Add("1 2 0\r\n1 3 1\n", "TEMPLATE,TEMPLATE\n1,2\n")
	f.Add("1\t2\t1", "\"1\",2\r\n")
	f.Fuzz(func(t *testing.T, labels, comparisons string) {
		for k, read := range []func(string) ([]TemplatePair, error){readLabels, readComp} {
			pairs, err := read([]string{labels, comparisons}[k])
			if err != nil && !errors.Is(err, ErrProtocolFile) {
				t.Fatalf("error %v does not wrap ErrProtocolFile", err)
			}
			if err == nil && len(pairs) == 0 {
				t.Fatal("no pairs and no error")
			}
			for _, p := range pairs {
				if p.A < 0 || p.B < 0 || k == 1 && p.Genuine {
					t.Fatalf("pair %+v", p)
				}
			}
		}
	})
}

func FuzzReadTemplateList(f *testing.F) {
	f.Add(list("n000001", 30))
	f.Add(list("n000001", 20) + list("n000003", 20))
	f.Fuzz(func(t *testing.T, text string) {
		l, err := readTemplates(text)
		if err != nil {
			if !errors.Is(err, ErrProtocolFile) {
				t.Fatalf("error %v does not wrap ErrProtocolFile", err)
			}
			return
		}
		for i := range l.Identities {
			if len(l.Images[i]) != l.Kind.lines() {
				t.Fatalf("identity %d has %d images of kind %s", i, len(l.Images[i]), l.Kind.Name)
			}
		}
	})
}

func FuzzReadImageList(f *testing.F) {
	f.Add("n000001/0001_01.jpg\r\nn000002/0001_01.jpg\n")
	f.Add("\xef\xbb\xbfa\n\n ../b \n")
	f.Fuzz(func(t *testing.T, text string) {
		names, err := readImageList(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrProtocolFile) {
				t.Fatalf("error %v does not wrap ErrProtocolFile", err)
			}
			return
		}
		for _, n := range names {
			if !filepath.IsLocal(filepath.FromSlash(n)) {
				t.Fatalf("name %q leads out", n)
			}
		}
	})
}
