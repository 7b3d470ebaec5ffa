package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/synth"
)

// unitEmbeddings makes embeddings of vectors by key.
func unitEmbeddings(t *testing.T, width int, keys []string, vectors ...[]float32) *Embeddings {
	t.Helper()
	e := &Embeddings{Width: width}
	for i, k := range keys {
		if ok, err := e.add(k, vectors[i]); err != nil || !ok {
			t.Fatal(k, ok, err)
		}
	}
	return e
}

func TestPooling(t *testing.T) {
	// Two frames of one video and a photo: the video must weigh as much as the photo, with
	// unit-media also where its frames differ.
	e := unitEmbeddings(t, 2, []string{"frames/1.png", "frames/2", "img/3"}, []float32{3, 0}, []float32{0, -5}, []float32{0, 1})
	list := []Template{{ID: 4, Faces: []TemplateFace{{Key: "frame/1.png", Media: 1}, {Key: "frame/2.png", Media: 1}, {Key: "img/3.jpg", Media: 2}}}}
	for pool, want := range map[Pooling][]float64{PoolMedia: {math.Sqrt(0.5), math.Sqrt(0.5)}, PoolMean: {1, 0},
		PoolUnitMedia: {math.Cos(math.Pi / 8), math.Sin(math.Pi / 8)}} {
		got, err := buildTemplates(list, e, newKeyFinder(e), pool)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			if v := got.vector(got.at[4])[i]; math.Abs(v-w) > 1e-12 {
				t.Errorf("%s: value %d = %v, want %v", pool, i, v, w)
			}
		}
	}
}

func TestTemplatesWithoutVectorAreNamed(t *testing.T) {
	e := unitEmbeddings(t, 2, []string{"a", "b", "c"}, []float32{1, 0}, []float32{-1, 0}, []float32{0, 1})
	list := []Template{
		{ID: 1, Faces: []TemplateFace{{Key: "a", Media: 1}, {Key: "b", Media: 2}}},
		{ID: 2, Faces: []TemplateFace{{Key: "x.jpg", Media: 1}}},
		{ID: 3, Faces: []TemplateFace{{Key: "c.jpg", Media: 1}, {Key: "y.jpg", Media: 1}}},
	}
	got, err := buildTemplates(list, e, newKeyFinder(e), PoolMedia)
	if err != nil {
		t.Fatal(err)
	}
	want := []Skip{{"template 1", templateNoLength, "the embeddings add up to zero"}, {"x.jpg", missingEmbedding, "of template 2"},
		{"template 2", templateNoFace, "none of its 1 face has an embedding"}, {"y.jpg", missingEmbedding, "of template 3"}}
	if !slices.Equal(got.skips, want) || got.len() != 1 || got.faces != 3 || got.absent != 2 {
		t.Errorf("skips %v of %d templates, want %v", got.skips, got.len(), want)
	}
	genuine, impostor, left, err := comparePairs(t.Context(), []TemplatePair{{3, 3, true}, {1, 3, true}, {2, 3, false}, {3, 9, false}}, got, false, 0, silentBar{})
	if err != nil {
		t.Fatal(err)
	}
	var why []string
	for _, p := range left {
		why = append(why, p.reason)
	}
	if len(genuine) != 1 || genuine[0] != 0 || len(impostor) != 0 || !slices.Equal(why, []string{templateNoLength, templateNoFace, unknownTemplate}) {
		t.Errorf("genuine %v, impostor %v, left out %v", genuine, impostor, why)
	}
	if _, err := buildTemplates([]Template{{ID: 1}, {ID: 1}}, e, newKeyFinder(e), PoolMedia); !errors.Is(err, ErrProtocolFile) {
		t.Errorf("a template twice: error %v, want ErrProtocolFile", err)
	}
}

type silentBar struct{}

func (silentBar) Start(int64, string) {}
func (silentBar) Add(int64)           {}
func (silentBar) Note(string)         {}
func (silentBar) Done()               {}

// sparseSet is a small set in which many faces have no embedding.
func sparseSet(t *testing.T, protocol string) string {
	return synthSet(t, protocol, func(o *synth.ProtocolOptions) { o.Subjects, o.Missing = 18, 0.15 })
}

// synthOptions are one run of each protocol on synthetic sets.
func synthOptions(t *testing.T) map[string]TemplateOptions {
	t.Helper()
	out, sets := map[string]TemplateOptions{}, map[string]string{}
	for _, s := range []struct{ protocol, set, meta string }{
		{ProtocolIJBACompare, "ijba", ""}, {ProtocolIJBASearch, "ijba", "IJB-A_1N_sets"},
		{ProtocolIJBB11, "ijbb", ""}, {ProtocolIJBB1N, "ijbb", "meta"}, {ProtocolIJBC1N, "ijbc", ""},
		{ProtocolVGGFace2Lists, "vggface2-templates", "meta/test_posetemp_imglist.txt"},
		{ProtocolVGGFace2Enrol, "vggface2-templates", "meta/test_list.txt"},
	} {
		if sets[s.set] == "" {
			sets[s.set] = sparseSet(t, s.set)
		}
		dir := sets[s.set]
		out[s.protocol] = TemplateOptions{Protocol: s.protocol, Meta: filepath.Join(dir, s.meta), Embeddings: openSynth(t, dir), Seed: 1, TestImages: 30}
	}
	return out
}

// Everything is written, adds up and does not depend on the number of CPUs.
func TestTemplatesWrite(t *testing.T) {
	for protocol, o := range synthOptions(t) {
		var files [2]map[string][]byte
		for k, cpus := range []int{1, 4} {
			old := runtime.GOMAXPROCS(cpus)
			o.Out = filepath.Join(t.TempDir(), "out")
			r, err := Templates(t.Context(), o)
			runtime.GOMAXPROCS(old)
			if err != nil {
				t.Fatalf("%s: %v", protocol, err)
			}
			files[k] = map[string][]byte{}
			names, err := filepath.Glob(filepath.Join(o.Out, "*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				if files[k][filepath.Base(n)], err = os.ReadFile(n); err != nil {
					t.Fatal(err)
				}
			}
			if k > 0 {
				continue
			}
			checkCounts(t, protocol, r)
			checkPage(t, string(files[0]["report.html"]))
			var fields map[string]any
			if err := json.Unmarshal(files[0]["result.json"], &fields); err != nil {
				t.Fatal(err)
			}
			if p, _ := fields["protocol"].(string); p != protocol && protocol != ProtocolVGGFace2Lists || fields["report"] != nil {
				t.Errorf("%s: protocol %v, report %v", protocol, fields["protocol"], fields["report"])
			}
			for name, v := range fields {
				switch v.(type) {
				case map[string]any:
					t.Errorf("%s: %s is no flat value", protocol, name)
				}
			}
			n, of, what := r.LeftOut()
			lines := bytes.Count(files[0]["skipped.csv"], []byte("\n"))
			if of == 0 || n > of || n >= lines {
				t.Errorf("%s: %d of %d %s left out, %d lines in skipped.csv", protocol, n, of, what, lines)
			}
			var b strings.Builder
			r.Print(&b)
			if !strings.Contains(b.String(), "report    "+filepath.Join(o.Out, "report.html")) || strings.Contains(b.String(), "%!") {
				t.Errorf("%s: printed %q", protocol, b.String())
			}
		}
		for name, b := range files[0] {
			if !bytes.Equal(b, files[1][name]) {
				t.Errorf("%s: %s differs between 1 and 4 CPUs", protocol, name)
			}
		}
	}
}

// checkCounts makes sure that what is left out by reason is what is left out in total.
func checkCounts(t *testing.T, protocol string, r TemplateResult) {
	t.Helper()
	switch r := r.(type) {
	case *Comparison:
		if r.LeftNoFace == 0 || r.LeftNoFace+r.LeftNoLength+r.LeftUnknown != r.PairsLeftOut || r.GenuinePairs+r.ImpostorPairs+r.PairsLeftOut != r.PairsTotal {
			t.Errorf("%s: %+v", protocol, r)
		}
	case *TemplateSearch:
		if r.LeftNoFace == 0 || r.LeftNoFace+r.LeftNoLength+r.LeftUnknown+r.LeftNoMate != r.SearchesLeftOut || r.Mated+r.NonMated+r.SearchesLeftOut != r.SearchesTotal {
			t.Errorf("%s: %+v", protocol, r)
		}
	case *TemplateSimilarity:
		if r.Identities+r.IdentitiesLeftOut != r.IdentitiesTotal {
			t.Errorf("%s: %+v", protocol, r)
		}
	case *Enrolment:
		if r.N != 30*r.Identities || r.N+r.Enrolled != r.Faces || r.Identities+r.IdentitiesLeftOut != r.IdentitiesTotal || r.FacesMissing == 0 {
			t.Errorf("%s: %+v", protocol, r)
		}
	}
}

// Keys with the sighting find the faces of shared photos, and files alone still find the others.
func TestKeysWithSighting(t *testing.T) {
	dir := sparseSet(t, "ijba")
	o := TemplateOptions{Protocol: ProtocolIJBACompare, Meta: dir, Embeddings: openSynth(t, dir)}
	with := o
	with.KeyWith = "sighting"
	a, err := Templates(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Templates(t.Context(), with)
	if err != nil {
		t.Fatal(err)
	}
	file, sighting := a.input(), b.input()
	if file.FacesShared == 0 || sighting.FacesShared != 0 || sighting.Faces+sighting.FacesMissing != file.Faces+file.FacesMissing+file.FacesShared || sighting.Faces <= file.Faces {
		t.Errorf("by file %d faces, %d shared; by sighting %d, %d shared", file.Faces, file.FacesShared, sighting.Faces, sighting.FacesShared)
	}
}

// IJB-B's files without *_face_tid_mid.txt: the galleries' own files are the keys then.
func TestSearchByGalleryFiles(t *testing.T) {
	dir := synthSet(t, "ijbb", nil)
	if err := os.Remove(filepath.Join(dir, "meta", "ijbb_face_tid_mid.txt")); err != nil {
		t.Fatal(err)
	}
	e := openSynth(t, dir)
	o := TemplateOptions{Protocol: ProtocolIJBB1N, Meta: dir, Embeddings: e}
	_, err := Templates(t.Context(), o)
	if !errors.Is(err, ErrNoPairs) || !strings.Contains(err.Error(), `its keys are like "`) {
		t.Fatalf("keys of crops for files: error %v, want ErrNoPairs and both keys", err)
	}
	// The crops are numbered in the order of the rows, so the file of a row is known.
	renamed := &Embeddings{Width: e.Width}
	row := map[string]int{}
	for i, k := range e.Keys {
		row[k] = i
	}
	number := 0
	done := map[string]bool{}
	for _, name := range []string{"gallery_S1", "gallery_S2", "probe_mixed"} {
		text, err := os.ReadFile(filepath.Join(dir, "meta", "ijbb_1N_"+name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
			number++
			f := strings.Split(line, ",")
			i, ok := row[itoa(number)+".jpg"]
			if key := f[2] + "#" + f[3]; ok && !done[key] {
				done[key] = true
				if _, err := renamed.add(key, e.Vector(i)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	o.Embeddings, o.KeyWith = renamed, "sighting"
	r, err := Templates(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if s := r.(*TemplateSearch); s.Galleries != 2 || s.Rank10 == nil || *s.Rank10 < 0.8 || s.Rank1Std != nil {
		t.Errorf("%+v", s)
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestTemplatesRefuse(t *testing.T) {
	dir := synthSet(t, "ijba", func(o *synth.ProtocolOptions) { o.Subjects = 12 })
	e := openSynth(t, dir)
	meta := "IJB-A_11_sets/split3/verify_metadata_3.csv"
	text, err := os.ReadFile(filepath.Join(dir, meta))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		protocol, change, want string
		is                     error
	}{
		"other protocol": {"ijbd", "", `no protocol "ijbd"`, nil},
		"other set":      {ProtocolIJBC11, "", "no ijbc_face_tid_mid.txt in it", ErrProtocolFile},
		"no galleries":   {ProtocolIJBC1N, "", "no ijbc_1N_gallery_S1.csv in it", ErrProtocolFile},
		"bad line":       {ProtocolIJBACompare, string(text) + "1,2\n", ":" + itoa(bytes.Count(text, []byte("\n"))+1) + ": 2 fields", ErrProtocolFile},
		"two subjects":   {ProtocolIJBACompare, string(text) + "1,2,a.jpg,3,4\n1,3,a.jpg,3,4\n", "template 1 is of subject 3 here and of 2 in line", ErrProtocolFile},
		"one file only":  {ProtocolIJBACompare, "remove", "split 3 has only one of", ErrProtocolFile},
	} {
		path := filepath.Join(dir, meta)
		b := text
		if c.change != "" {
			b = []byte(c.change)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if c.change == "remove" {
			os.Remove(path)
		}
		_, err := Templates(t.Context(), TemplateOptions{Protocol: c.protocol, Meta: dir, Embeddings: e})
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, meta), text, 0o644); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Templates(stopped, TemplateOptions{Protocol: ProtocolIJBACompare, Meta: dir, Embeddings: e}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: error %v, want Canceled", err)
	}
	other := unitEmbeddings(t, 2, []string{"n000001/0001_01"}, []float32{1, 0})
	if _, err := Templates(t.Context(), TemplateOptions{Protocol: ProtocolIJBASearch, Meta: dir, Embeddings: other}); !errors.Is(err, ErrNoPairs) || !strings.Contains(err.Error(), `like "n000001/0001_01"`) {
		t.Errorf("other embeddings: error %v, want ErrNoPairs and an example", err)
	}
}

// The twin names every image by looking at all means.
func TestEnrolEqualsBruteForce(t *testing.T) {
	r := rng.Stream(5, "enrol")
	e := &Embeddings{Width: 4}
	for _, id := range []string{"n1", "n2", "n3", "n4"} {
		n := 9
		if id == "n4" {
			n = 6 // too few for 6 to name and one to enrol
		}
		centre := r.Norm()
		for k := range n {
			v := []float32{float32(centre + r.Norm()), float32(r.Norm()), float32(r.Norm()), 1}
			if _, err := e.add(id+"/"+itoa(k), v); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := Templates(t.Context(), TemplateOptions{Protocol: ProtocolVGGFace2Enrol, Embeddings: e, TestImages: 6, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	means := map[string][]float64{}
	var tests [][2]int // row, identity
	for k, id := range []string{"n1", "n2", "n3"} {
		order := rng.Stream(2, "eval-enrol", id).Perm(9)
		sum := make([]float64, 4)
		for _, i := range order[6:] {
			for j, x := range e.Vector(9*k + i) {
				sum[j] += float64(x)
			}
		}
		means[id] = sum
		for _, i := range order[:6] {
			tests = append(tests, [2]int{9*k + i, k})
		}
	}
	first := 0
	for _, test := range tests {
		best, name := math.Inf(-1), ""
		for id, m := range means {
			s, l := 0.0, 0.0
			for j, x := range e.Vector(test[0]) {
				s += float64(x) * m[j]
				l += m[j] * m[j]
			}
			if s /= math.Sqrt(l); s > best {
				best, name = s, id
			}
		}
		if name == identityOf(e.Keys[test[0]]) {
			first++
		}
	}
	x := got.(*Enrolment)
	if want := float64(first) / 18; x.Rank1 != want || x.N != 18 || x.IdentitiesLeftOut != 1 || x.CMC[2] != 1 {
		t.Errorf("rank 1 = %v of %d, want %v of 18: %+v", x.Rank1, x.N, want, x)
	}
}
