package eval

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestSplitExclusions(t *testing.T) {
	known := func(key string) bool { return key == "Ann_B/Ann_B_0001" }
	persons, images := splitExclusions([]string{"n000001", "test/n000002", "n000003/0001_02", "n000003/0001_03.jpg", "img/7.png", "Ann_B/Ann_B_0001", "Ann_B/Ann_B_0002", "C D.jpg"}, known)
	if want := []string{"n000001", "test/n000002", "Ann_B/Ann_B_0002", "C D.jpg"}; !slices.Equal(persons, want) {
		t.Errorf("people %q, want %q", persons, want)
	}
	for _, key := range []string{"n000003/0001_02", "n000003/0001_03", "img/7", "Ann_B/Ann_B_0001"} {
		if !images[key] {
			t.Errorf("%s is no image of %v", key, images)
		}
	}
	if len(images) != 4 {
		t.Errorf("images %v", images)
	}
}

// few has four people with three images each, who differ.
func few() *Embeddings {
	e := &Embeddings{Width: 4}
	for p := range 4 {
		for i := range 3 {
			v := make([]float32, 4)
			v[p], v[(p+1)%4] = 1, float32(i+1)/8
			e.Keys = append(e.Keys, fmt.Sprintf("n%06d/%04d_01", p+1, i+1))
			e.Data = append(e.Data, v...)
		}
	}
	return e
}

func TestExcludedImages(t *testing.T) {
	all, err := Verify(t.Context(), VerifyOptions{Embeddings: few()})
	if err != nil {
		t.Fatal(err)
	}
	v, err := Verify(t.Context(), VerifyOptions{Embeddings: few(), Exclude: []string{"n000001/0002_01.jpg", "n000002/0001_01", "n000003", "n000003/0001_01", "n000009/0001_01"}})
	if err != nil {
		t.Fatal(err)
	}
	if v.Images != 7 || v.ExcludedImages != 2 || v.ExcludedIdentities != 1 || v.Skipped != 0 || v.Identities != 3 || v.GenuinePairs != 1+1+3 {
		t.Errorf("%d images of %d, %d genuine pairs, %d images and %d people left out, %d skipped", v.Images, v.Identities, v.GenuinePairs, v.ExcludedImages, v.ExcludedIdentities, v.Skipped)
	}
	if v.ProtocolDigest == all.ProtocolDigest || v.Excluded == "" {
		t.Error("images are left out, but the question is the same")
	}
	if i := slices.IndexFunc(v.Skips, func(s Skip) bool { return s.Item == "n000001/0002_01" && s.Reason == excludedImage }); i < 0 {
		t.Errorf("skips %v", v.Skips)
	}

	pairs := filepath.Join(t.TempDir(), "pairs.csv")
	text := "path1,path2,same\nn000001/0001_01,n000001/0002_01,1\nn000002/0001_01.jpg,n000002/0002_01.jpg,1\nn000001/0002_01,n000002/0002_01,0\nn000001/0001_01,n000003/0002_01,0\n"
	if err := os.WriteFile(pairs, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	v, err = Verify(t.Context(), VerifyOptions{Embeddings: few(), Pairs: pairs, Exclude: []string{"n000001/0002_01"}})
	if err != nil || v.ExcludedPairs != 2 || v.MissingPairs != 0 || v.GenuinePairs != 1 || v.ImpostorPairs != 1 || v.ExcludedImages != 1 || v.Skipped != 0 {
		t.Errorf("%v, %+v", err, v)
	}
}

func TestTemplatesExclude(t *testing.T) {
	run := func(exclude ...string) (*Enrolment, error) {
		r, err := Templates(t.Context(), TemplateOptions{Protocol: ProtocolVGGFace2Enrol, Embeddings: few(), TestImages: 1, Exclude: exclude})
		if err != nil {
			return nil, err
		}
		return r.(*Enrolment), nil
	}
	all, err := run("Nobody")
	if err != nil || all.Left != 0 || all.Excluded != "" || all.Enrolled != 8 {
		t.Errorf("%v, %+v", err, all)
	}
	r, err := run("n000001/0001_01", "n000004")
	if err != nil || r.Left != 4 || r.Excluded == "" || r.Enrolled != 5 || r.Identities != 3 || r.TemplateInput.Embeddings != all.TemplateInput.Embeddings {
		t.Errorf("%v, %+v", err, r)
	}
	if _, err := run("n000001", "n000002", "n000003", "n000004"); !errors.Is(err, ErrNoPairs) {
		t.Errorf("all excluded: %v", err)
	}
}
