package curate

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/internal/realdata"
	"github.com/vf2prep/vf2prep/rng"
)

// Another system's embeddings of 2,925 real faces, in which labels are swapped, two people put together and
// others taken apart. What is found before is not the plant's: what is planted is counted as found or missed, and what is
// flagged besides must have been flagged before.
func TestPlantedNoiseInRealFacesIsFound(t *testing.T) {
	path := filepath.Join(realdata.Dir(t, "vf2real"), "baseline", "faceapi_descriptors_float32.npy")
	clean := mustFind(t, options(path, filepath.Join(t.TempDir(), "clean")))
	odd := map[string]bool{}
	for _, x := range clean.mislabelled {
		odd[x.Key] = true // is nearer to another person already
	}
	e, err := eval.OpenEmbeddings(path)
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string][]int{}
	for i, k := range e.Keys {
		byID[eval.IdentityOf(k)] = append(byID[eval.IdentityOf(k)], i)
	}
	var ids []string
	for id, rows := range byID {
		if len(rows) >= 20 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	r := rng.Stream(1, "real-plant")
	order := r.Perm(len(ids))
	// Two identities become one, three times; three are taken apart.
	merged, split, touched := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for m := range 3 {
		a, b := ids[order[2*m]], ids[order[2*m+1]]
		for _, row := range byID[b] {
			e.Keys[row] = fmt.Sprintf("%s/9%s", a, strings.TrimPrefix(e.Keys[row], b+"/"))
		}
		merged[a] = true
		touched[a], touched[b] = true, true
	}
	for m := range 3 {
		a := ids[order[6+m]]
		b := fmt.Sprintf("n99999%d", m)
		for i, row := range byID[a] {
			if i%2 == 1 {
				e.Keys[row] = strings.Replace(e.Keys[row], a, b, 1)
			}
		}
		split[a+" "+b] = true
		touched[a] = true
	}
	// Thirty pairs of images swap their labels.
	wrong := map[string]string{}
	for range 30 {
		var rows [2]int
		for i := range rows {
			for {
				id := ids[r.IntN(len(ids))]
				row := byID[id][r.IntN(len(byID[id]))]
				if _, done := wrong[e.Keys[row]]; !touched[id] && !odd[e.Keys[row]] && !done && (i == 0 || eval.IdentityOf(e.Keys[rows[0]]) != id) {
					rows[i] = row
					break
				}
			}
		}
		a, b := rows[0], rows[1]
		e.Keys[a], e.Keys[b] = e.Keys[b], e.Keys[a]
		wrong[e.Keys[a]], wrong[e.Keys[b]] = eval.IdentityOf(e.Keys[b]), eval.IdentityOf(e.Keys[a])
	}
	dir := t.TempDir()
	e.Origin = eval.EmbeddingsOrigin{}
	if err := e.Save(filepath.Join(dir, "e.npy")); err != nil {
		t.Fatal(err)
	}
	got := mustFind(t, options(filepath.Join(dir, "e.npy"), filepath.Join(dir, "out")))

	listed, named := 0, 0
	for _, x := range got.mislabelled {
		if want, ok := wrong[x.Key]; ok {
			listed++
			if x.Nearest == want {
				named++
			}
		}
	}
	// Not the plant's: what was odd before, and half of an album of two.
	planted := func(list []Image) (out []string) {
		for _, key := range flaggedImages(list) {
			if _, ok := wrong[key]; ok || !odd[key] && !merged[eval.IdentityOf(key)] {
				out = append(out, key)
			}
		}
		return out
	}
	p, rec := score(planted(got.mislabelled), wrong)
	po, ro := score(planted(got.outliers), wrong)
	t.Logf("clean: %d nearer another, flagged %d outliers, %d mislabelled, %d merged, %d split", clean.NearerOther, clean.Outliers.Flagged, clean.Mislabelled.Flagged, clean.Merged.Flagged, clean.Split.Flagged)
	t.Logf("%d swapped images: %d listed, %d with the right identity; flagged mislabelled precision %.3f recall %.3f, outliers precision %.3f recall %.3f", len(wrong), listed, named, p, rec, po, ro)
	t.Logf("thresholds %s %s %s %s", got.Outliers, got.Mislabelled, got.Merged, got.Split)
	pm, rm := score(flaggedMerges(got), merged)
	ps, rs := score(flaggedPairs(got), split)
	t.Logf("merged precision %.3f recall %.3f, split precision %.3f recall %.3f", pm, rm, ps, rs)
	for i, q := range got.split[:min(6, len(got.split))] {
		t.Logf("split %d: %s %s %d+%d images, likeness %.4f", i, q.A, q.B, q.ImagesA, q.ImagesB, q.Likeness)
	}
	for i, m := range got.merged[:min(6, len(got.merged))] {
		t.Logf("merged %d: %s %v likeness %.4f p %.3f", i, m.Identity, m.Images, m.Likeness, m.P)
	}
	if rec < 0.9 || ro < 0.9 || p < 0.8 || po < 0.8 {
		t.Errorf("flagged: mislabelled precision %.3f recall %.3f, outliers precision %.3f recall %.3f", p, rec, po, ro)
	}
	if listed != len(wrong) || named != len(wrong) {
		t.Errorf("%d of %d swapped images listed, %d with the right identity", listed, len(wrong), named)
	}
	if rm < 1 || rs < 1 || pm < 1 || ps < 1 {
		t.Errorf("merged precision %.3f recall %.3f, split precision %.3f recall %.3f", pm, rm, ps, rs)
	}
}
