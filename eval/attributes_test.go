package eval

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/internal/realdata"
	"github.com/vf2prep/vf2prep/shard"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// attributeSet is a shard set of people: the first plane is the age, the second the gender.
func attributeSet(t *testing.T) *shard.Set {
	t.Helper()
	dir := t.TempDir()
	shape := shard.Shape{3, 1, 1}
	x := shard.Index{Shape: shape, Channels: "rgb", Recipe: "points", RecipeText: []byte("{}"), RecipeDigest: "xxh3-128:recipe",
		Manifest: "xxh3-128:manifest", Split: "xxh3-128:split", Classes: []string{"n000001", "n000002"}, Parts: map[string]shard.PartIndex{}}
	people := []struct {
		key    string
		age    float32
		gender int8
	}{
		{"n000002/0002_01", 30, 1}, {"n000001/0001_01", 20, 0}, {"n000003/0001_01", float32(math.NaN()), 1},
		{"n000001/0002_01", 21, 0}, {"n000003/0002_01", 71, -1}, {"n000004/0001_01", float32(math.NaN()), -1}, {"n000002/0003_01", 33, 1},
	}
	w, err := shard.NewWriter(dir, "val", 0, 1, shape, len(people), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range people {
		copy(w.Buffer(i), []uint8{uint8(25 + 10*i), uint8(p.gender), 0}) // estimates 25, 35, ..
		w.Put(i, shard.Sample{Key: p.key, Label: -1, Age: p.age, Gender: p.gender})
	}
	info, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	x.Parts["val"] = shard.PartIndex{Planned: len(people), Samples: len(people), Shards: []shard.Info{info}}
	if err := shard.WriteIndex(dir, x); err != nil {
		t.Fatal(err)
	}
	set, err := shard.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

// reader is an AttributeModel that reads age and gender off the pixels.
type reader struct{ bad, none bool }

func (reader) Batch() int           { return 3 }
func (reader) Shape() (c, h, w int) { return 3, 1, 1 }
func (m reader) InferAttributes(x []float32, n int) (out AttributeOutput, err error) {
	if m.none {
		return out, nil
	}
	for i := range n {
		age := math.Round(float64(x[3*i]+1) * 127.5)
		if m.bad && age == 45 {
			age = math.NaN()
		}
		gender := int8(1)
		if math.Round(float64(x[3*i+1]+1)*127.5) == 0 {
			gender = 0
		}
		out.Age, out.Gender, out.Probability = append(out.Age, age), append(out.Gender, gender), append(out.Probability, 0.75)
		out.Older = append(out.Older, []bool{true, age > 40, true, false})
	}
	return out, nil
}

func TestAttributesOfANetwork(t *testing.T) {
	o := AttributeOptions{Model: reader{}, Set: attributeSet(t), Classes: []string{"n000001", "n000009"}, Out: t.TempDir(), Seed: 4, Sigma: 2}
	r, err := JudgeAttributes(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	// Estimates in the shards' order 25, 35, .. 85 against 30, 20, ?, 21, 71, ?, 33.
	errors := []float64{-5, 15, 34, -6, 52}
	mae, eps := 0.0, 0.0
	for _, d := range errors {
		mae += math.Abs(d) / 5
		eps += (1 - math.Exp(-d*d/8)) / 5
	}
	if math.Abs(*r.AgeMAE-mae) > 1e-9 || math.Abs(*r.AgeEpsilon-eps) > 1e-9 || *r.AgeCS5 != 0.2 || math.Abs(*r.AgeBias-18) > 1e-9 {
		t.Errorf("MAE %v, epsilon %v, CS(5) %v, bias %v; want %v, %v, 0.2, 18", *r.AgeMAE, *r.AgeEpsilon, *r.AgeCS5, *r.AgeBias, mae, eps)
	}
	if r.AgeN != 5 || r.AgeNoLabel != 2 || r.GenderN != 5 || r.GenderNoLabel != 2 || r.Skipped != 1 || len(r.Skips) != 4 || r.Images != 7 {
		t.Errorf("counts %+v", r)
	}
	if *r.GenderAccuracy != 1 || *r.GenderBalanced != 1 || r.Genders != (GenderCounts{{2, 0}, {0, 3}}) {
		t.Errorf("genders %v, accuracy %v", r.Genders, *r.GenderAccuracy)
	}
	// Estimates of at most 40: 25 and 35, each with one no before one yes.
	if r.RankN != 7 || math.Abs(*r.RankConsistent-5.0/7) > 1e-12 || math.Abs(*r.RankInversions-2.0/7) > 1e-12 {
		t.Errorf("ranks %d, %v, %v", r.RankN, *r.RankConsistent, *r.RankInversions)
	}
	if *r.Overlap != 1 || r.IntervalOver != "identities" || r.Identities != 4 {
		t.Errorf("overlap %d, intervals over %s of %d", *r.Overlap, r.IntervalOver, r.Identities)
	}
	if !(*r.AgeMAELow <= *r.AgeMAE && *r.AgeMAE <= *r.AgeMAEHigh && *r.AgeMAELow < *r.AgeMAEHigh) {
		t.Errorf("interval %v to %v around %v", *r.AgeMAELow, *r.AgeMAEHigh, *r.AgeMAE)
	}

	// The same again gives the same bytes, and its own predictions.csv the same numbers.
	first := folder(t, o.Out)
	o.Out = t.TempDir()
	if _, err := JudgeAttributes(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if again := folder(t, o.Out); !maps.Equal(first, again) {
		t.Error("the same inputs gave other files")
	}
	p, err := JudgeAttributes(context.Background(), AttributeOptions{Predictions: filepath.Join(o.Out, "predictions.csv"), Seed: 4, Sigma: 2, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if *p.AgeMAE != *r.AgeMAE || *p.AgeMAEHigh != *r.AgeMAEHigh || *p.GenderBalanced != *r.GenderBalanced || *p.RankInversions != *r.RankInversions ||
		p.LabelDigest != r.LabelDigest || p.Skipped != r.Skipped {
		t.Errorf("from predictions.csv %+v, want the numbers of %+v", p, r)
	}
	for _, name := range []string{"age.png", "age-errors.svg", "age-cs.png", "age-decades.svg", "gender.png", "skipped.csv", "cs.csv", "age_groups.csv", "report.html"} {
		if first[name] == "" {
			t.Errorf("no %s", name)
		}
	}
}

// folder reads all files of one.
func folder(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

func TestAttributesThatCannotBe(t *testing.T) {
	set := attributeSet(t)
	ctx := context.Background()
	if _, err := JudgeAttributes(ctx, AttributeOptions{Model: reader{bad: true}, Set: set}); err == nil || !strings.Contains(err.Error(), "n000003/0001_01: the network's age is not finite") {
		t.Errorf("a NaN gave %v", err)
	}
	if _, err := JudgeAttributes(ctx, AttributeOptions{Model: reader{none: true}, Set: set}); !errors.Is(err, ErrMismatch) {
		t.Errorf("no head gave %v", err)
	}
	if _, err := JudgeAttributes(ctx, AttributeOptions{Model: reader{}, Set: set, Recipe: "xxh3-128:other"}); !errors.Is(err, ErrMismatch) {
		t.Errorf("another recipe gave %v", err)
	}
	if _, err := JudgeAttributes(ctx, AttributeOptions{Model: reader{}, Set: set, Sigma: math.NaN()}); err == nil {
		t.Error("a sigma of NaN was taken")
	}
	dir := t.TempDir()
	other := write(t, filepath.Join(dir, "other.csv"), "key,age\nn000077/0001_01,3\n")
	if _, err := JudgeAttributes(ctx, AttributeOptions{Predictions: other, Set: set}); err == nil || !strings.Contains(err.Error(), "none of 7 images") {
		t.Errorf("predictions for other images gave %v", err)
	}
	if _, err := JudgeAttributes(ctx, AttributeOptions{Predictions: other}); err == nil || !strings.Contains(err.Error(), "labels are missing") {
		t.Errorf("no labels gave %v", err)
	}
}

// One image of each person, or one person alone: images are drawn anew, not identities.
func TestIntervalsOverImages(t *testing.T) {
	for _, keys := range []string{"a%d/0001_01", "a/%04d_01", "%d"} {
		text := "key,age,age_label\n"
		for i := range 9 {
			text += fmt.Sprintf(keys+",%d,30\n", i+1, 25+i)
		}
		r, err := JudgeAttributes(context.Background(), AttributeOptions{Predictions: write(t, filepath.Join(t.TempDir(), "p.csv"), text)})
		if err != nil {
			t.Fatal(err)
		}
		if r.IntervalOver != "images" || !(*r.AgeMAELow < *r.AgeMAEHigh) || r.GenderAccuracy != nil || r.AgeEpsilon != nil {
			t.Errorf("%s: intervals over %s, %v to %v", keys, r.IntervalOver, *r.AgeMAELow, *r.AgeMAEHigh)
		}
	}
}

func TestReadPredictions(t *testing.T) {
	p, err := ReadPredictions(strings.NewReader("\ufeffNAME_ID,DET_SCORE,AGE_PRED,GENDER_PRED,GENDER_PROB\n\"n2/0001_01.jpg\",0.9,44.16,f,0.871\nn1/0001_01,,NaN,,\n"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := p.List[0], p.List[1]
	if a.Key != "n1/0001_01" || !math.IsNaN(a.Age) || a.Gender != -1 || b.Key != "n2/0001_01" || b.Age != 44.16 || b.Gender != 1 || b.Probability != 0.871 {
		t.Errorf("ReadPredictions = %+v", p.List)
	}
	for text, want := range map[string]string{
		"":                                   "1: no head",
		"key\n":                              "1: columns key, want key and age or gender",
		"key,age,age_pred\n":                 "1: two columns for age",
		"key,age\na,1\na,2\n":                "3: a was in line 2 already",
		"key,age\na,1\na.jpg,2\n":            "3: a was in line 2 already",
		"key,age\na,old\n":                   `2: age: "old" is not a number`,
		"key,age\na,1e9\n":                   "2: age: 1e9, want -1000 to 1000",
		"key,age\na,+Inf\n":                  "2: age: +Inf, want",
		"key,age,age_label\na,1,-3\n":        "2: age_label: -3, want 0 to 150",
		"key,age,age_sigma\na,1,0\n":         "2: sigma: 0, want above 0",
		"key,gender\na,x\n":                  `2: gender: "x", want m or f`,
		"key,gender\na,m,m\n":                "2: wrong number of fields",
		"key,gender\n,m\n":                   "2: key: 0 bytes",
		"key,gender,inversions\na,m,-1\n":    `2: inversions: "-1" is no count`,
		"key,gender,gender_prob\na,m,1.01\n": "2: probability: 1.01, want 0 to 1",
	} {
		_, err := ReadPredictions(strings.NewReader(text))
		if !errors.Is(err, ErrPredictions) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("ReadPredictions(%q) = %v, want %s", text, err, want)
		}
	}
}

func FuzzReadPredictions(f *testing.F) {
	f.Add("key,age,gender\nn000001/0001_01,30,m\n")
	f.Add("NAME_ID,AGE_PRED,GENDER_PRED,age_label,gender_label,age_sigma,gender_prob,inversions\na,1,f,2,m,3,.5,4\n")
	f.Add("key,age\n\"a\nb\",1\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ReadPredictions(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrPredictions) {
				t.Fatalf("%v does not wrap ErrPredictions", err)
			}
			return
		}
		for i, e := range p.List {
			if e.Key == "" || i > 0 && p.List[i-1].Key == e.Key || math.IsInf(e.Age, 0) || e.Sigma <= 0 || e.Gender < -1 || e.Gender > 1 {
				t.Fatalf("estimate %+v", e)
			}
		}
		r := &Attributes{Estimates: p.List, heads: attributeHeads{age: true, gender: true}}
		if len(p.List) > 0 && len(p.List) < 50 {
			r.count(AttributeOptions{}) // no estimate that is read makes it panic
		}
	})
}

// What the README beside the predictions says of them.
func TestRealPredictions(t *testing.T) {
	data := realdata.Dir(t, "vf2real")
	genders := map[string]string{}
	meta, err := os.ReadFile(filepath.Join(data, "meta", "identity_meta.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(meta)) {
		f := strings.Split(strings.TrimSpace(line), ",")
		genders[f[0]] = strings.TrimSpace(f[len(f)-1])
	}
	ages := map[string]string{}
	list, err := os.ReadFile(filepath.Join(data, "meta", "image_age.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		key, age, _ := strings.Cut(strings.TrimSpace(line), ",")
		ages[strings.Trim(key, `"`)] = age
	}
	raw, err := os.ReadFile(filepath.Join(data, "baseline", "faceapi_age_gender.csv"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		key := strings.Trim(line[:strings.IndexByte(line, ',')], `"`)
		if key == "NAME_ID" {
			fmt.Fprintf(&b, "%s,age_label,gender_label\n", line)
			continue
		}
		fmt.Fprintf(&b, "%s,%s,%s\n", line, ages[key], genders[identityOf(key)])
	}
	r, err := JudgeAttributes(context.Background(), AttributeOptions{Predictions: write(t, filepath.Join(t.TempDir(), "p.csv"), b.String())})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("age MAE %.4f (%.2f to %.2f) of %d, gender %.4f of %d", *r.AgeMAE, *r.AgeMAELow, *r.AgeMAEHigh, r.AgeN, *r.GenderAccuracy, r.GenderN)
	if math.Abs(*r.AgeMAE-5.53) > 0.005 || math.Abs(*r.GenderAccuracy-0.981) > 0.0005 || r.GenderN != 2925 {
		t.Errorf("age MAE %v, gender %v of %d; want 5.53 and 0.981 of 2925", *r.AgeMAE, *r.GenderAccuracy, r.GenderN)
	}
}
