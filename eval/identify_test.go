package eval

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// The twin sorts the classes of each image instead of counting, and sums plain softmaxes.
func TestIdentifyEqualsSorting(t *testing.T) {
	w := newWorld(t, 9, 6, 2, 450)
	m := w.model(4)
	res, err := Identify(context.Background(), IdentifyOptions{Model: m, Classes: w.classes, Set: w.set})
	if err != nil {
		t.Fatal(err)
	}
	part, err := w.set.Part("val")
	if err != nil {
		t.Fatal(err)
	}
	var top1, top5, n, loss float64
	for i := range part.Len() {
		s, err := part.Sample(i)
		if err != nil {
			t.Fatal(err)
		}
		if s.Label < 0 {
			continue
		}
		x := make([]float32, len(s.Data))
		for j, v := range s.Data {
			x[j] = float32(float64(v)/127.5 - 1)
		}
		scores, _, err := m.Infer(x, 1)
		if err != nil {
			t.Fatal(err)
		}
		order := make([]int, len(scores))
		for k := range order {
			order[k] = k
		}
		sort.SliceStable(order, func(a, b int) bool { return scores[order[a]] > scores[order[b]] })
		rank := slices.Index(order, int(s.Label)) + 1
		sum := 0.0
		for _, v := range scores {
			sum += math.Exp(float64(v) - float64(scores[s.Label]))
		}
		loss += math.Log(sum)
		n++
		if rank == 1 {
			top1++
		}
		if rank <= 5 {
			top5++
		}
	}
	if n != 54 || res.N != 54 || res.Skipped != 1 || res.SkippedNoLabel != 1 || res.Rejected != 1 {
		t.Errorf("n %d, skipped %d, no label %d, rejected %d; want 54, 1, 1, 1", res.N, res.Skipped, res.SkippedNoLabel, res.Rejected)
	}
	if res.Top1 != top1/n || res.Top5 != top5/n || math.Abs(res.Loss-loss/n) > 1e-9 {
		t.Errorf("top1 %v, top5 %v, loss %v; want %v, %v, %v", res.Top1, res.Top5, res.Loss, top1/n, top5/n, loss/n)
	}
	if res.Top1 <= 0.2 || res.Top1 >= 1 { // else the test tests nothing
		t.Errorf("top1 = %v, want neither chance nor all", res.Top1)
	}
	wrong := 0
	for _, c := range res.Confusions {
		wrong += c.Count
	}
	if wrong != int(n-top1) {
		t.Errorf("%d confusions, want %v", wrong, n-top1)
	}
	if !slices.IsSorted(res.CMC) || res.CMC[0] != res.Top1 || res.CMC[4] != res.Top5 || res.CMC[8] != 1 {
		t.Errorf("rank list %v", res.CMC)
	}
}

func TestJudgeBreaksTiesByLabel(t *testing.T) {
	for _, c := range []struct {
		scores    []float32
		label     int32
		rank      int
		predicted int32
	}{
		{[]float32{1, 1, 1}, 0, 1, 0},
		{[]float32{1, 1, 1}, 2, 3, 0},
		{[]float32{0, 2, 2, 1}, 2, 2, 1},
		{[]float32{0, 2, 2, 1}, 3, 3, 1},
		{[]float32{5}, 0, 1, 0},
	} {
		p, err := judge(c.scores, c.label)
		if err != nil || p.Rank != c.rank || p.Predicted != c.predicted {
			t.Errorf("judge(%v, %d) = %+v, %v; want rank %d, predicted %d", c.scores, c.label, p, err, c.rank, c.predicted)
		}
	}
	// Scores of a thousand overflow a plain softmax.
	p, err := judge([]float32{1000, 0}, 0)
	if err != nil || p.Loss != 0 || p.Probability != 1 {
		t.Errorf("judge of large scores = %+v, %v", p, err)
	}
	r := rng.Stream(1, "ties")
	for range 500 { // rank 1 means predicted, whatever the ties
		scores := make([]float32, 1+r.IntN(6))
		for i := range scores {
			scores[i] = float32(r.IntN(3))
		}
		label := int32(r.IntN(len(scores)))
		if p, _ := judge(scores, label); (p.Rank == 1) != (p.Predicted == label) {
			t.Fatalf("judge(%v, %d) = %+v", scores, label, p)
		}
	}
}

func TestIdentifyRefuses(t *testing.T) {
	w := newWorld(t, 5, 2, 2, 10)
	run := func(o IdentifyOptions) error {
		o.Set = w.set
		if o.Model == nil {
			o.Model = w.model(4)
		}
		_, err := Identify(context.Background(), o)
		return err
	}
	others := slices.Clone(w.classes)
	others[3] = "n000777"
	err := run(IdentifyOptions{Classes: others})
	if !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), "label 3 is n000004, the network learnt it as n000777") {
		t.Errorf("other classes: %v", err)
	}
	if err := run(IdentifyOptions{Recipe: "xxh3-128:other"}); !errors.Is(err, ErrMismatch) {
		t.Errorf("other recipe: %v", err)
	}
	small := w.model(4)
	small.patterns = small.patterns[:4]
	if err := run(IdentifyOptions{Model: small}); !errors.Is(err, ErrMismatch) {
		t.Errorf("fewer classes: %v", err)
	}
	large := w.model(4)
	large.shape[1]++
	if err := run(IdentifyOptions{Model: large}); !errors.Is(err, ErrMismatch) {
		t.Errorf("larger input: %v", err)
	}
	bad := w.model(4)
	bad.change = func(i int, logits, _ []float32) {
		if i == 7 {
			logits[2] = float32(math.NaN())
		}
	}
	part, _ := w.set.Part("val")
	key, _ := part.Key(7)
	if err := run(IdentifyOptions{Model: bad}); err == nil || !strings.Contains(err.Error(), key+": score of class 2 is NaN") {
		t.Errorf("NaN: error %v, want one that names %s", err, key)
	}
	if err := run(IdentifyOptions{Part: "test"}); err == nil || !strings.Contains(err.Error(), "none of 3 images") {
		t.Errorf("unlabelled part: %v", err)
	}
	if err := run(IdentifyOptions{Part: "train"}); err == nil {
		t.Error("absent part: no error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Identify(ctx, IdentifyOptions{Model: w.model(4), Set: w.set}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A network with a smaller input gets the centre of each sample.
func TestIdentifyCutsOutTheCentre(t *testing.T) {
	w := newWorld(t, 6, 3, 2, 20)
	m := w.model(4)
	m.shape[1], m.shape[2] = 4, 3
	for k, p := range m.patterns {
		var cut []uint8
		for c := range 3 {
			for y := 1; y < 5; y++ {
				cut = append(cut, p[(c*6+y)*5+1:][:3]...)
			}
		}
		m.patterns[k] = cut
	}
	res, err := Identify(context.Background(), IdentifyOptions{Model: m, Set: w.set})
	if err != nil {
		t.Fatal(err)
	}
	if res.Top1 != 1 {
		t.Errorf("top1 = %v, want 1: another part of the samples was cut out", res.Top1)
	}
}

func TestIdentifyWritesTheSameFilesTwice(t *testing.T) {
	w := newWorld(t, 9, 6, 2, 450)
	var dirs []string
	for _, batch := range []int{1, 7} {
		dir := filepath.Join(t.TempDir(), "eval-identify")
		dirs = append(dirs, dir)
		res, err := Identify(context.Background(), IdentifyOptions{Model: w.model(batch), Set: w.set, Out: dir, From: Provenance{Run: "first", Weights: "xxh3-128:weights"}})
		if err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(dir, "report.html"); res.Report != want {
			t.Errorf("report at %q, want %q", res.Report, want)
		}
	}
	sameFiles(t, dirs[0], dirs[1], "cmc.csv", "cmc.png", "cmc.svg", "confusions.csv", "identities.csv", "identities.png", "identities.svg",
		"predictions.csv", "report.html", "result.json", "skipped.csv")
	flat := readFlat(t, filepath.Join(dirs[0], "result.json"))
	for _, name := range []string{"top1", "top1_low", "top1_high", "top5", "loss", "chance", "n", "skipped", "rejected", "identity_accuracy", "shards", "manifest", "split", "weights"} {
		if _, ok := flat[name]; !ok {
			t.Errorf("result.json lacks %q", name)
		}
	}
	page := readText(t, filepath.Join(dirs[0], "report.html"))
	checkPage(t, page)
	for _, want := range []string{"xxh3-128:weights", "xxh3-128:manifest", "Most frequent confusions", "no-label", "n000001"} {
		if want != "no-label" && !strings.Contains(page, want) {
			t.Errorf("report lacks %q", want)
		}
	}
	if got := readText(t, filepath.Join(dirs[0], "skipped.csv")); !strings.Contains(got, "n000999/0001_01,no-label") {
		t.Errorf("skipped.csv = %q", got)
	}
}

func sameFiles(t *testing.T, a, b string, want ...string) {
	t.Helper()
	list, err := os.ReadDir(a)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.Name())
		if readText(t, filepath.Join(a, f.Name())) != readText(t, filepath.Join(b, f.Name())) {
			t.Errorf("%s differs between two runs", f.Name())
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// readFlat reads a result and checks that no value is an object.
func readFlat(t *testing.T, path string) map[string]any {
	t.Helper()
	var flat map[string]any
	if err := json.Unmarshal([]byte(readText(t, path)), &flat); err != nil {
		t.Fatal(err)
	}
	for k, v := range flat {
		if _, ok := v.(map[string]any); ok {
			t.Errorf("%s: %q is an object, want flat names", path, k)
		}
	}
	return flat
}
