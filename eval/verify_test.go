package eval

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/rng"
)

func TestVerifyEqualsEveryPairByHand(t *testing.T) {
	w := newWorld(t, 3, 1, 7, 200)
	res, err := Verify(context.Background(), VerifyOptions{Model: w.model(4), Set: w.set, Classes: []string{"n000503", "x"}})
	if err != nil {
		t.Fatal(err)
	}
	part, err := w.set.Part("test")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	var vectors [][]float64
	for i := range part.Len() {
		s, err := part.Sample(i)
		if err != nil {
			t.Fatal(err)
		}
		v := make([]float64, len(s.Data))
		sum := 0.0
		for j, b := range s.Data {
			v[j] = float64(b)/127.5 - 1
			sum += v[j] * v[j]
		}
		for j := range v {
			v[j] /= math.Sqrt(sum)
		}
		keys, vectors = append(keys, s.Key), append(vectors, v)
	}
	var g, im []float64
	for i := range keys {
		for j := range i {
			d := 0.0
			for k := range vectors[i] {
				d += (vectors[i][k] - vectors[j][k]) * (vectors[i][k] - vectors[j][k])
			}
			if keys[i][:7] == keys[j][:7] {
				g = append(g, d)
			} else {
				im = append(im, d)
			}
		}
	}
	if res.GenuinePairs != len(g) || res.ImpostorPairs != len(im) || res.Images != 28 || res.Identities != 7 {
		t.Errorf("%d genuine, %d impostor, %d images, %d identities; want %d, %d, 28, 7", res.GenuinePairs, res.ImpostorPairs, res.Images, res.Identities, len(g), len(im))
	}
	roc, err := NewROC(g, im)
	if err != nil {
		t.Fatal(err)
	}
	eer, _ := roc.EER()
	if math.Abs(res.EER-eer) > 1e-9 || math.Abs(res.AUC-roc.AUC()) > 1e-9 || math.Abs(*res.TAR1-roc.TARAtFAR(0.1).TAR) > 1e-9 {
		t.Errorf("EER %v, AUC %v, TAR %v; want %v, %v, %v", res.EER, res.AUC, *res.TAR1, eer, roc.AUC(), roc.TARAtFAR(0.1).TAR)
	}
	if res.EER == 0 || res.EER >= 0.5 {
		t.Errorf("EER %v, want one between", res.EER)
	}
	if want := []string{"1e-3", "1e-4", "1e-5", "1e-6"}; !slices.Equal(res.NotReachable, want) || res.TAR4 != nil {
		t.Errorf("not reachable %v with %d impostor pairs, want %v", res.NotReachable, res.ImpostorPairs, want)
	}
	if res.Overlap != 1 || res.Sampled || res.AccuracyKind != "balanced" || res.Folds+res.FoldsLeftOut != 3 {
		t.Errorf("overlap %d, sampled %v, %s, %d folds", res.Overlap, res.Sampled, res.AccuracyKind, res.Folds)
	}
	worst := slices.Max(g)
	if len(res.HardGenuine) == 0 || math.Abs(res.HardGenuine[0].Distance-worst) > 1e-6 {
		t.Errorf("hardest genuine pair %+v, want distance %v", res.HardGenuine[0], worst)
	}
}

func TestVerifySampleAgreesWithAllPairs(t *testing.T) {
	w := newWorld(t, 3, 1, 40, 260)
	all, err := Verify(context.Background(), VerifyOptions{Model: w.model(64), Set: w.set})
	if err != nil {
		t.Fatal(err)
	}
	var last *Verification
	for range 2 {
		some, err := Verify(context.Background(), VerifyOptions{Model: w.model(64), Set: w.set, MaxPairs: 9000, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		if !some.Sampled || some.GenuinePairs != 9000 || some.ImpostorPairs != 9000 || some.ImpostorPairsAll != all.ImpostorPairs || some.GenuinePairsAll != all.GenuinePairs {
			t.Errorf("sample: %+v", some)
		}
		// Three standard errors of a rate near the EER over 9,000 pairs.
		if tol := 3 * math.Sqrt(all.EER*(1-all.EER)/9000); math.Abs(some.EER-all.EER) > tol {
			t.Errorf("EER of the sample %v, of all %v, want within %v", some.EER, all.EER, tol)
		}
		if last != nil && (last.EER != some.EER || last.Accuracy != some.Accuracy) {
			t.Error("the same seed gives two samples")
		}
		last = some
	}
}

func TestPairsAreAllDifferentAndOfTheirKind(t *testing.T) {
	r := rng.Stream(9, "groups")
	for range 50 {
		starts := []int{0}
		for range 2 + r.IntN(6) {
			starts = append(starts, starts[len(starts)-1]+1+r.IntN(5))
		}
		g := groups(starts)
		wantG, wantI := 0, 0
		for i := range g.images() {
			for j := range i {
				if g.of(i) == g.of(j) {
					wantG++
				} else {
					wantI++
				}
			}
		}
		for limit := range 3 {
			limit = []int{1 << 30, wantI / 2, 1}[limit]
			for kind, p := range map[bool]*pairSet{true: g.genuinePairs(limit, 1), false: g.impostorPairs(limit, 1)} {
				want := wantI
				if kind {
					want = wantG
				}
				if p.total != want || p.len() != min(limit, want) {
					t.Fatalf("%v: %d of %d pairs, want %d of %d", starts, p.len(), p.total, min(limit, want), want)
				}
				seen := map[[2]int32]bool{}
				for i := range p.a {
					a, b := p.a[i], p.b[i]
					if a >= b || (g.of(int(a)) == g.of(int(b))) != kind || limit >= want && seen[[2]int32{a, b}] {
						t.Fatalf("%v: pair (%d, %d) among the genuine=%v ones", starts, a, b, kind)
					}
					seen[[2]int32{a, b}] = true
				}
			}
		}
	}
}

func TestHardestEqualsSorting(t *testing.T) {
	r := rng.Stream(6, "hard")
	e := &Embeddings{}
	for i := range 12 {
		e.Keys = append(e.Keys, fmt.Sprintf("k%02d", i))
	}
	for range 100 {
		p := newPairSet(60, 60)
		for i := range 60 {
			a := r.IntN(11)
			p.put(i, int32(a), int32(a+1+r.IntN(11-a)))
			p.distance[i] = float64(p.a[i]+p.b[i]) / 8 // one pair, one distance; many pairs share it
		}
		for _, farthest := range []bool{false, true} {
			var want []Hard
			for i := range 60 {
				want = append(want, Hard{e.Keys[p.a[i]], e.Keys[p.b[i]], p.distance[i]})
			}
			slices.SortFunc(want, func(x, y Hard) int {
				if x.Distance != y.Distance {
					if (x.Distance < y.Distance) != farthest {
						return -1
					}
					return 1
				}
				return strings.Compare(x.A+x.B, y.A+y.B)
			})
			want = slices.Compact(want)
			want = want[:min(10, len(want))]
			if got := p.hardest(e, 10, farthest); !slices.Equal(got, want) {
				t.Fatalf("hardest = %v, want %v", got, want)
			}
		}
	}
}

func TestVerifyRefusesAndSkips(t *testing.T) {
	w := newWorld(t, 3, 1, 4, 100)
	part, _ := w.set.Part("test")
	key, _ := part.Key(5)
	run := func(change func(i int, logits, embedding []float32), o VerifyOptions) (*Verification, error) {
		m := w.model(4)
		m.change = change
		o.Model, o.Set = m, w.set
		return Verify(context.Background(), o)
	}
	_, err := run(func(i int, _, v []float32) {
		if i == 5 {
			v[3] = float32(math.Inf(1))
		}
	}, VerifyOptions{})
	if err == nil || !strings.Contains(err.Error(), key+": embedding value 3 is +Inf") {
		t.Errorf("infinite: error %v, want one that names %s", err, key)
	}
	res, err := run(func(i int, _, v []float32) {
		if i == 5 {
			clear(v)
		}
	}, VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if res.Skipped != 1 || res.SkippedZero != 1 || res.Images != 9 || res.Skips[0].Item != key {
		t.Errorf("zeros: skipped %d, images %d, %v; want 1, 9, %s", res.Skipped, res.Images, res.Skips, key)
	}
	if _, err := run(nil, VerifyOptions{Part: "val"}); !errors.Is(err, ErrNoPairs) {
		t.Errorf("one image an identity: %v, want ErrNoPairs", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Verify(ctx, VerifyOptions{Model: w.model(4), Set: w.set}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestVerifyWritesTheSameFilesTwice(t *testing.T) {
	w := newWorld(t, 3, 1, 7, 200)
	var dirs []string
	for _, batch := range []int{1, 7} {
		dir := filepath.Join(t.TempDir(), "eval-verify")
		dirs = append(dirs, dir)
		if _, err := Verify(context.Background(), VerifyOptions{Model: w.model(batch), Set: w.set, Out: dir}); err != nil {
			t.Fatal(err)
		}
	}
	sameFiles(t, dirs[0], dirs[1], "distances.png", "distances.svg", "hardest.csv", "report.html", "result.json", "roc.csv", "roc.png", "roc.svg", "skipped.csv")
	flat := readFlat(t, filepath.Join(dirs[0], "result.json"))
	for _, name := range []string{"auc", "eer", "accuracy", "accuracy_std", "threshold", "tar_at_far_1e-1", "tar_at_far_1e-6", "val_at_far_1e-3",
		"genuine_pairs", "impostor_pairs", "missing_pairs", "far_not_reachable", "shards", "skipped"} {
		if _, ok := flat[name]; !ok {
			t.Errorf("result.json lacks %q", name)
		}
	}
	if flat["tar_at_far_1e-6"] != nil {
		t.Errorf("tar_at_far_1e-6 = %v, want null", flat["tar_at_far_1e-6"])
	}
	page := readText(t, filepath.Join(dirs[0], "report.html"))
	checkPage(t, page)
	if !strings.Contains(page, "not reachable") {
		t.Error("the report does not say which FAR is not reachable")
	}
}

// patterns is a Crop whose images are drawn, but for some that are absent or damaged.
type patterns map[string]error

func (p patterns) Shape() (c, h, w int) { return worldShape[0], worldShape[1], worldShape[2] }
func (p patterns) String() string       { return "patterns" }
func (p patterns) Load(path string, dst []uint8) error {
	if err := p[path]; err != nil {
		return err
	}
	name, _, _ := strings.Cut(path, "/")
	same, own := rng.Stream(1, "pattern", name), rng.Stream(1, "image", path)
	for i := range dst {
		dst[i] = uint8(math.Max(0, math.Min(255, float64(same.IntN(256))+120*own.Norm())))
	}
	return nil
}

func TestVerifyPairs(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "pairs.txt")
	var text strings.Builder
	fmt.Fprint(&text, "5\t20\n")
	for f := range 5 {
		for i := range 20 {
			fmt.Fprintf(&text, "P%d_%d\t1\t2\n", f, i)
		}
		for i := range 20 {
			fmt.Fprintf(&text, "P%d_%d\t1\tP%d_%d\t1\n", f, i, f, (i+1)%20)
		}
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 3, 1, 1, 0)
	out := filepath.Join(dir, "eval-verify")
	crop := patterns{"P1_3/P1_3_0001.jpg": fs.ErrNotExist, "P4_0/P4_0_0002.jpg": errors.New("not a JPEG")}
	res, err := Verify(context.Background(), VerifyOptions{Model: w.model(16), Pairs: file, Crop: crop, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	// P1_3 image 1 is in one genuine and two impostor pairs, P4_0 image 2 in one genuine pair.
	if res.MissingPairs != 4 || res.SkippedMissing != 1 || res.SkippedUnreadable != 1 || res.GenuinePairs != 98 || res.ImpostorPairs != 98 || res.GenuinePairsAll != 100 {
		t.Errorf("missing pairs %d, images %d missing and %d unreadable, %d + %d pairs; want 4, 1, 1, 98 + 98",
			res.MissingPairs, res.SkippedMissing, res.SkippedUnreadable, res.GenuinePairs, res.ImpostorPairs)
	}
	if res.Images != 197 || res.Sampled || res.Folds != 5 || res.AccuracyKind != "plain" || res.AccuracyStd == nil || res.Accuracy < 0.7 {
		t.Errorf("%d images, sampled %v, %d folds, accuracy %v %s", res.Images, res.Sampled, res.Folds, res.Accuracy, res.AccuracyKind)
	}
	skipped := readText(t, filepath.Join(out, "skipped.csv"))
	for _, want := range []string{"P1_3/P1_3_0001.jpg,missing-image", "P4_0/P4_0_0002.jpg,unreadable-image,not a JPEG", "line 162: P4_0/P4_0_0001.jpg, P4_0/P4_0_0002.jpg"} {
		if !strings.Contains(strings.ReplaceAll(skipped, `"`, ""), want) {
			t.Errorf("skipped.csv lacks %q:\n%s", want, skipped)
		}
	}
	rows := strings.Split(strings.TrimSpace(readText(t, filepath.Join(out, "pairs.csv"))), "\n")
	if len(rows) != 201 {
		t.Errorf("pairs.csv has %d rows, want a head and 200", len(rows))
	}
	checkPage(t, readText(t, filepath.Join(out, "report.html")))

	none := patterns{}
	for f := range 5 {
		for i := range 20 {
			none[fmt.Sprintf("P%d_%d/P%d_%d_0001.jpg", f, i, f, i)] = fs.ErrNotExist
		}
	}
	_, err = Verify(context.Background(), VerifyOptions{Model: w.model(16), Pairs: file, Crop: none})
	if !errors.Is(err, ErrNoPairs) || !strings.Contains(err.Error(), "P0_0/P0_0_0001.jpg: no such file") {
		t.Errorf("no images: %v", err)
	}
}

func BenchmarkMeasure(b *testing.B) {
	r := rng.Stream(1, "bench")
	e := &Embeddings{Width: 512}
	for i := range 600 {
		v := make([]float32, 512)
		for j := range v {
			v[j] = float32(r.Norm())
		}
		if _, err := e.add(fmt.Sprint(i), v); err != nil {
			b.Fatal(err)
		}
	}
	p := groups{0, 300, 600}.impostorPairs(1<<30, 1)
	b.ReportMetric(float64(p.len()), "pairs/op")
	for b.Loop() {
		if err := p.measure(context.Background(), e, squaredDistance, progress.Or(nil)); err != nil {
			b.Fatal(err)
		}
	}
}
