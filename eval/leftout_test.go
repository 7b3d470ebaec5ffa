package eval

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A split of which no face has an embedding is left out with all its pairs and searches, not forgotten.
func TestSplitsWithoutEmbeddingsCount(t *testing.T) {
	dir := sparseSet(t, "ijba")
	e := openSynth(t, dir)
	run := func(protocol string) TemplateResult {
		t.Helper()
		r, err := Templates(t.Context(), TemplateOptions{Protocol: protocol, Meta: dir, Embeddings: e})
		if err != nil {
			t.Fatalf("%s: %v", protocol, err)
		}
		return r
	}
	type counts struct{ left, of int }
	before := map[string]counts{}
	for _, protocol := range []string{ProtocolIJBACompare, ProtocolIJBASearch} {
		left, of, _ := run(protocol).LeftOut()
		before[protocol] = counts{left, of}
	}
	for _, name := range []string{"IJB-A_11_sets/split3/verify_metadata_3.csv", "IJB-A_1N_sets/split3/search_gallery_3.csv", "IJB-A_1N_sets/split3/search_probe_3.csv"} {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte(",img/"), []byte(",gone/img/")), []byte(",frame"), []byte(",gone/frame"))
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for protocol, was := range before {
		r := run(protocol)
		left, of, what := r.LeftOut()
		if of != was.of || left < was.left+was.of/20 {
			t.Errorf("%s: %d of %d %s left out, before split 3 lost its embeddings %d of %d", protocol, left, of, what, was.left, was.of)
		}
		checkCounts(t, protocol, r)
		switch r := r.(type) {
		case *Comparison:
			if r.Splits != 9 || r.SplitsMissing != 0 {
				t.Errorf("%d splits used, %d missing; want 9, 0", r.Splits, r.SplitsMissing)
			}
		case *TemplateSearch:
			if r.Galleries != 9 || r.GalleriesMissing != 0 {
				t.Errorf("%d galleries used, %d missing; want 9, 0", r.Galleries, r.GalleriesMissing)
			}
		}
	}
}

func TestPeopleUnderFolders(t *testing.T) {
	p := people{map[string]string{"n000001": "Beyoncé Knowles"}}
	trained := p.set([]string{"n000001", "n000002"})
	for person, want := range map[string]bool{
		"n000001": true, "test/n000001": true, "loose/test/n000002": true, "n000001/0001_01.jpg": true,
		"Beyonce_Knowles": true, "lfw/Beyonce\u0301_Knowles": true, "BEYONCÉ knowles": true,
		"test/n000003": false, "Beyonce": false, "test": false, "/": false,
	} {
		if got := p.in(trained, person); got != want {
			t.Errorf("%s was trained on: %v, want %v", person, got, want)
		}
	}
	listed := p.set([]string{"test/n000001"})
	for person, want := range map[string]bool{"test/n000001": true, "train/n000001": false, "test/n000002": false, "test": false} {
		if got := p.in(listed, person); got != want {
			t.Errorf("test/n000001 is listed, %s is left out: %v, want %v", person, got, want)
		}
	}
}

func TestEnrolRefusesAnImageTwice(t *testing.T) {
	keys := []string{"a/1", "a/2", "a/3", "b/1", "b/2", "b/3"}
	e := unitEmbeddings(t, 2, keys, []float32{1, 0}, []float32{1, 0}, []float32{1, 0}, []float32{0, 1}, []float32{0, 1}, []float32{0, 1})
	list := writeFile(t, filepath.Join(t.TempDir(), "list.txt"), []byte("a/1\na/1.jpg\na/2\nb/1\nb/2\n"))
	_, err := Templates(t.Context(), TemplateOptions{Protocol: ProtocolVGGFace2Enrol, Meta: list, Embeddings: e, TestImages: 1})
	if !errors.Is(err, ErrProtocolFile) || !strings.Contains(err.Error(), "a/1 and a/1.jpg are one image") {
		t.Errorf("error %v, want that a/1 and a/1.jpg are one image", err)
	}
}
