package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/synth"
)

func TestReadPairListOfEachFormat(t *testing.T) {
	for name, c := range map[string]struct {
		text, protocol string
		want           []ListedPair
		folds          int
	}{
		"LFW View 2": {"1\t1\nAnn\t1\t2\nAnn\t1\tBo\t3\n", ProtocolLFW, []ListedPair{
			{"Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg", "Ann", "Ann", true, 0, 2}, {"Ann/Ann_0001.jpg", "Bo/Bo_0003.jpg", "Ann", "Bo", false, 0, 3}}, 1},
		"LFW View 1": {"1\nAnn\t1\t2\nAnn\t1\tBo\t3\n", ProtocolLFW1, []ListedPair{
			{"Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg", "Ann", "Ann", true, 0, 2}, {"Ann/Ann_0001.jpg", "Bo/Bo_0003.jpg", "Ann", "Bo", false, 0, 3}}, 1},
		"YTF": {"split number, pair number, first name , second name, is same, is same name\r\n1           , 1          , Ann/0      , Ann/2      , 1      , 1\r\n3           , 1          , Ann/0      , Bo/1       , 0      , 0\r\n",
			ProtocolYTF, []ListedPair{{"Ann/0", "Ann/2", "Ann", "Ann", true, 0, 2}, {"Ann/0", "Bo/1", "Ann", "Bo", false, 2, 3}}, 3},
		"YTF, bare": {"1,1,Ann/0,Ann/2,1\n", ProtocolYTF, []ListedPair{{"Ann/0", "Ann/2", "Ann", "Ann", true, 0, 1}}, 1},
		"CSV": {"path1,path2,same,fold\nn1/1_1,n1/2_1,1,7\nn1/1_1,n2/1_1,0,-3\n", ProtocolPairs, []ListedPair{
			{"n1/1_1", "n1/2_1", "n1", "n1", true, 1, 2}, {"n1/1_1", "n2/1_1", "n1", "n2", false, 0, 3}}, 2},
		"CSV, one folder": {"\xef\xbb\xbfa.jpg,b.jpg,true\n\nb.jpg,c.jpg,1\na.jpg,d.jpg,false\n", ProtocolPairs, []ListedPair{
			{"a.jpg", "b.jpg", "a.jpg", "a.jpg", true, 0, 1}, {"b.jpg", "c.jpg", "a.jpg", "a.jpg", true, 0, 3}, {"a.jpg", "d.jpg", "a.jpg", "d.jpg", false, 0, 4}}, 1},
	} {
		l, err := ReadPairList(strings.NewReader(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if l.Protocol != c.protocol || l.Folds != c.folds || !slices.Equal(l.Pairs, c.want) {
			t.Errorf("%s: %s, %d folds, %+v; want %s, %d, %+v", name, l.Protocol, l.Folds, l.Pairs, c.protocol, c.folds, c.want)
		}
	}
}

func TestReadPairListRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"a,b\n":                       "1: 2 fields, want path1,path2,same",
		"a,b,2\n":                     `1: same: "2" is neither 0 nor 1`,
		"a,b,1\na,b\n":                "2: 2 fields, want 3",
		"a,b,1,x\n":                   `1: fold "x" is not a whole number`,
		"../a,b,1\n":                  `path "../a" is not below`,
		"/etc/passwd,b,1\n":           "not below",
		"a,,1\n":                      "an empty path",
		"path1,path2,same\n":          "1: no pairs",
		"1,1,Ann/0,Ann/1,1,1,1\n":     "1: 7 fields, want split",
		"0,1,Ann/0,Ann/1,1,1\n":       `split: "0" is not a number from 1`,
		"1,x,Ann/0,Ann/1,1,1\n":       `pair "x" is not a number`,
		"1,1,Ann,Ann/1,1,1\n":         `"Ann" is no Person/video`,
		"1,1,Ann/0/1,Ann/1,1,1\n":     "no Person/video",
		"1,1,Ann/..,Ann/1,1,1\n":      "no Person/video",
		"1,1,Ann/0,Ann/1,yes,1\n":     `is same: "yes" is neither`,
		strings.Repeat("x", 20) + ",": "1: 2 fields",
	} {
		_, err := ReadPairList(strings.NewReader(in))
		if !errors.Is(err, ErrPairs) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want ErrPairs with %q", in, err, want)
		}
	}
}

func FuzzReadPairList(f *testing.F) {
	for _, s := range []string{"1\t1\nAnn\t1\t2\nAnn\t1\tBo\t3\n", "split number, pair\n1,1,Ann/0,Ann/2,1,1\n", "path1,path2,same,fold\na/1,a/2,1,0\na/1,b/2,0,1\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ReadPairList(strings.NewReader(s))
		if err != nil {
			if !errors.Is(err, ErrPairs) {
				t.Errorf("error %v does not wrap ErrPairs", err)
			}
			return
		}
		for _, p := range l.Pairs {
			if p.Fold < 0 || p.Fold >= l.Folds || p.PersonA == "" || localPath(p.A) != nil && l.Protocol != ProtocolLFW && l.Protocol != ProtocolLFW1 {
				t.Errorf("pair %+v of %d folds", p, l.Folds)
			}
		}
	})
}

func FuzzReadIdentityList(f *testing.F) {
	f.Add("# people\nn000001\nAaron_Eckhart # both\n\"A. B\"\n")
	f.Fuzz(func(t *testing.T, s string) {
		out, err := readIdentityList(strings.NewReader(s))
		for _, x := range out {
			if err == nil && (x == "" || len(x) > maxIdentityLine) {
				t.Errorf("entry %q", x)
			}
		}
	})
}

func TestPeopleAreTheSameUnderIdAndName(t *testing.T) {
	p := people{map[string]string{"n000009": "Abdullah_Gül", "n000010": "Vivica_A._Fox"}}
	set := p.set([]string{"n000009", "vivica a. fox"})
	for who, want := range map[string]bool{"n000009": true, "Abdullah_Gul": true, "ABDULLAH GÜL": true, "n000010": true, "Vivica_A._Fox": true, "n000011": false, "Abdullah": false} {
		if got := p.in(set, who); got != want {
			t.Errorf("%s among the set: %v, want %v", who, got, want)
		}
	}
	got, err := readIdentityList(strings.NewReader("\xef\xbb\xbfn000001\r\n# all\n\n  Ann B #x\nC#D\n"))
	if err != nil || !slices.Equal(got, []string{"n000001", "Ann B", "C#D"}) {
		t.Errorf("list %q, %v", got, err)
	}
}

// listed writes pairs and embeddings of the people P0, P1, .. with three images each.
func listed(t *testing.T, people int) (pairs string, e *Embeddings) {
	t.Helper()
	e = &Embeddings{Width: 8}
	var text strings.Builder
	text.WriteString("path1,path2,same,fold\n")
	for k := range people {
		own := rng.Stream(3, "person", k)
		centre := make([]float32, 8)
		for j := range centre {
			centre[j] = float32(own.Norm())
		}
		for n := range 3 {
			v := slices.Clone(centre)
			r := rng.Stream(3, "image", k, n)
			for j := range v {
				v[j] += 0.8 * float32(r.Norm())
			}
			if _, err := e.add(fmt.Sprintf("P%d/%d", k, n), v); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintf(&text, "P%d/0.jpg,P%d/1.jpg,1,%d\nP%d/1,P%d/2,1,%d\nP%d/0,P%d/0,0,%d\n", k, k, k%5, k, k, k%5, k, (k+5)%people, k%5)
	}
	return writeFile(t, filepath.Join(t.TempDir(), "pairs.csv"), []byte(text.String())), e
}

func TestVerifyEmbeddingsOfAnySystem(t *testing.T) {
	pairs, e := listed(t, 40)
	run := func(o VerifyOptions) *Verification {
		t.Helper()
		o.Embeddings, o.Pairs = e, pairs
		v, err := Verify(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := run(VerifyOptions{Bootstrap: 50, Out: t.TempDir()})
	if v.Protocol.Name != ProtocolPairs || v.GenuinePairs != 80 || v.ImpostorPairs != 40 || v.Folds != 5 || v.AccuracyKind != "balanced" || v.Identities != 40 || v.Images != 120 {
		t.Errorf("%s, %d + %d pairs, %d folds, %s, %d people, %d images", v.Protocol.Name, v.GenuinePairs, v.ImpostorPairs, v.Folds, v.AccuracyKind, v.Identities, v.Images)
	}
	if v.Used != 50 || v.AUCLow == nil || !(*v.AUCLow <= v.AUC && v.AUC <= *v.AUCHigh) {
		t.Errorf("intervals %+v around AUC %v", v.Intervals, v.AUC)
	}
	// 2 - 2c of unit vectors: the same order, so the same rates; thresholds of the grids agree.
	c := run(VerifyOptions{Metric: Cosine})
	if math.Abs(c.EER-v.EER) > 1e-9 || math.Abs(c.AUC-v.AUC) > 1e-9 || c.Accuracy != v.Accuracy || math.Abs(c.Threshold-v.Threshold/2) > 1e-9 || math.Abs(c.EERThreshold-v.EERThreshold/2) > 1e-6 {
		t.Errorf("cosine: EER %v, AUC %v, accuracy %v at %v; squared: %v, %v, %v at %v", c.EER, c.AUC, c.Accuracy, c.Threshold, v.EER, v.AUC, v.Accuracy, v.Threshold)
	}

	x := run(VerifyOptions{Exclude: []string{"p3", "Nobody"}, Classes: []string{"n000007", "n000008"}, Names: map[string]string{"n000007": "P7", "n000008": "Else"}})
	// P3 is in 2 genuine pairs and in the impostor pairs of itself and of P38.
	if x.ExcludedPairs != 4 || x.OverlapPairs != 0 || x.Overlap != 1 || x.OverlapBy != "id-and-name" || x.ExcludedIdentities != 1 || x.MissingPairs != 0 || x.Skipped != 0 {
		t.Errorf("excluded %d pairs, overlap %d pairs and %d people by %s, left out %d people", x.ExcludedPairs, x.OverlapPairs, x.Overlap, x.OverlapBy, x.ExcludedIdentities)
	}
	y := run(VerifyOptions{WithoutOverlap: true, Classes: []string{"n000007"}, Names: map[string]string{"n000007": "P7"}})
	if y.OverlapPairs != 4 || y.GenuinePairs != 78 || y.ImpostorPairs != 38 {
		t.Errorf("without overlap: %d pairs left out, %d + %d used", y.OverlapPairs, y.GenuinePairs, y.ImpostorPairs)
	}
	for field, other := range map[string]*Verification{"metric": c, "excluded_identities": x} {
		if other.ProtocolDigest == v.ProtocolDigest {
			t.Errorf("%s differs, the protocol's digest does not", field)
		}
	}
	if same := run(VerifyOptions{Seed: 9, From: Provenance{Run: "other"}}); same.ProtocolDigest != v.ProtocolDigest {
		t.Error("the same question has another digest")
	}

	all, err := Verify(context.Background(), VerifyOptions{Embeddings: e, Bootstrap: 20, Exclude: []string{"P0"}})
	if err != nil {
		t.Fatal(err)
	}
	if all.GenuinePairs != 39*3 || all.ImpostorPairs != 117*116/2-117 || all.ExcludedIdentities != 1 || all.Protocol.Name != ProtocolAllPairs {
		t.Errorf("all pairs: %d + %d, %d people left out", all.GenuinePairs, all.ImpostorPairs, all.ExcludedIdentities)
	}
	if all.ProtocolDigest == v.ProtocolDigest {
		t.Error("another protocol has the same digest")
	}
}

// View 1: the threshold comes from one file, the accuracy from another.
func TestThresholdFromOtherPairs(t *testing.T) {
	dir := t.TempDir()
	test := writeFile(t, filepath.Join(dir, "pairsDevTest.txt"), []byte("2\nAnn\t1\t2\nAnn\t1\t3\nAnn\t1\tBo\t1\nAnn\t2\tBo\t1\n"))
	dev := writeFile(t, filepath.Join(dir, "pairsDevTrain.txt"), []byte("1\nCy\t1\t2\nCy\t1\tDi\t1\n"))
	e := &Embeddings{Width: 2}
	at := func(key string, degrees float64) {
		s, c := math.Sincos(degrees * math.Pi / 180)
		if _, err := e.add(key, []float32{float32(c), float32(s)}); err != nil {
			t.Fatal(err)
		}
	}
	at("Ann/Ann_0001", 0)
	at("Ann/Ann_0002", 20) // 0.1206 from the first
	at("Ann/Ann_0003", 50) // 0.7144
	at("Bo/Bo_0001", 80)   // 1.6527 and 1
	at("Cy/Cy_0001", 180)
	at("Cy/Cy_0002", 150) // 0.2679
	at("Di/Di_0001", 240) // 1
	v, err := Verify(context.Background(), VerifyOptions{Embeddings: e, Pairs: test, ThresholdFrom: dev})
	if err != nil {
		t.Fatal(err)
	}
	if v.Protocol.Name != ProtocolLFW1 || v.Threshold != 0.27 || v.Accuracy != 0.75 || v.AccuracyStd != nil || v.ThresholdFrom == "" || v.GenuinePairs != 2 || v.AUC != 1 {
		t.Errorf("%s: threshold %v, accuracy %v, %d genuine pairs, AUC %v; want 0.27, 0.75, 2, 1", v.Protocol.Name, v.Threshold, v.Accuracy, v.GenuinePairs, v.AUC)
	}
}

func TestVideosAreTheMeanOfTheirFrames(t *testing.T) {
	dir := t.TempDir()
	if _, err := synth.DrawYTF(context.Background(), synth.YTFOptions{Out: filepath.Join(dir, "ytf"), People: 6, Videos: 2, Frames: 3, Splits: 3, Pairs: 4, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	splits := filepath.Join(dir, "ytf", "splits.txt")
	list, err := OpenPairList(splits)
	if err != nil {
		t.Fatal(err)
	}
	if g, i := list.count(); g != 12 || i != 12 || list.Folds != 3 || !list.Videos {
		t.Fatalf("%d + %d pairs, %d splits", g, i, list.Folds)
	}
	recipe, err := cache.LoadRecipe("seed-190x170", "6x5")
	if err != nil {
		t.Fatal(err)
	}
	images, err := OpenAligned(filepath.Join(dir, "ytf"), recipe, LFWBox, LFWPoints)
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	w := newWorld(t, 3, 1, 1, 0)
	victim := list.Pairs[0].A
	gone := list.Pairs[1].B
	writeFile(t, filepath.Join(dir, "ytf", "frame_images_DB", filepath.FromSlash(victim), "0.jpg"), []byte("no JPEG"))
	direct, err := Verify(context.Background(), VerifyOptions{Model: w.model(4), Pairs: splits, Crop: images, Bootstrap: 10, Out: filepath.Join(dir, "out")})
	if err != nil {
		t.Fatal(err)
	}
	if direct.Protocol.Name != ProtocolYTF || direct.MissingPairs != 0 || direct.SkippedUnreadable != 1 || direct.AccuracyKind != "plain" || direct.GenuinePairs != 12 {
		t.Errorf("%s: %d pairs missing, %d frames unreadable, %d genuine", direct.Protocol.Name, direct.MissingPairs, direct.SkippedUnreadable, direct.GenuinePairs)
	}

	// The same from a file of the frames' embeddings, and by hand.
	paths, err := ListImages(filepath.Join(dir, "ytf"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Embed(context.Background(), EmbedOptions{Model: w.model(5), Crop: images, Paths: paths, Out: filepath.Join(dir, "emb"), NPY: true, Tensors: true})
	if err != nil {
		t.Fatal(err)
	}
	if got.Images != 36 || got.Skipped != 1 || len(got.Files) != 2 {
		t.Errorf("embedded %d, skipped %d into %v", got.Images, got.Skipped, got.Files)
	}
	for _, f := range got.Files {
		e, err := OpenEmbeddings(f)
		if err != nil {
			t.Fatal(err)
		}
		file, err := Verify(context.Background(), VerifyOptions{Embeddings: e, Pairs: splits})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(file.EER-direct.EER) > 1e-9 || math.Abs(file.AUC-direct.AUC) > 1e-9 || file.Accuracy != direct.Accuracy {
			t.Errorf("%s: EER %v, AUC %v; from pixels %v, %v", f, file.EER, file.AUC, direct.EER, direct.AUC)
		}
		for i, p := range list.Pairs {
			mean := func(video string) []float64 {
				sum := make([]float64, e.Width)
				for r, k := range e.Keys {
					if strings.HasPrefix(k, "frame_images_DB/"+video+"/") {
						for j, x := range e.Vector(r) {
							sum[j] += float64(x)
						}
					}
				}
				length := 0.0
				for _, x := range sum {
					length += x * x
				}
				for j := range sum {
					sum[j] /= math.Sqrt(length)
				}
				return sum
			}
			a, b, want := mean(p.A), mean(p.B), 0.0
			for j := range a {
				want += (a[j] - b[j]) * (a[j] - b[j])
			}
			if d := file.judgements[i].distance; math.Abs(d-want) > 1e-6 {
				t.Errorf("pair %d: distance %v, want %v", i, d, want)
			}
		}
	}

	if err := os.RemoveAll(filepath.Join(dir, "ytf", "frame_images_DB", filepath.FromSlash(gone))); err != nil {
		t.Fatal(err)
	}
	v, err := Verify(context.Background(), VerifyOptions{Model: w.model(4), Pairs: splits, Crop: images, MaxFrames: 2})
	if err != nil {
		t.Fatal(err)
	}
	if v.MissingPairs == 0 || v.SkippedMissing != 1 || v.Frames != 2 {
		t.Errorf("a video without frames: %d pairs missing, %d videos, at most %d frames", v.MissingPairs, v.SkippedMissing, v.Frames)
	}
}

func TestFlipSumAddsTheMirror(t *testing.T) {
	w := newWorld(t, 3, 1, 2, 50)
	m := w.model(4)
	c, h, width := m.Shape()
	x := make([]float32, 2*c*h*width)
	for i := range x {
		x[i] = float32(i % 17)
	}
	logits, v, err := FlipSum(m).Infer(x, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range v {
		row := i / width * width
		if want := x[i] + x[row+width-1-i%width]; v[i] != want {
			t.Fatalf("value %d = %v, want %v", i, v[i], want)
		}
	}
	plain, _, _ := m.Infer(x, 2)
	if !slices.Equal(logits, plain) {
		t.Error("scores are not those of the image")
	}
}

func TestEmbedGivesTheSameBytesWithAnyBatch(t *testing.T) {
	w := newWorld(t, 3, 2, 5, 100)
	var dirs []string
	for _, batch := range []int{1, 7} {
		dir := t.TempDir()
		dirs = append(dirs, dir)
		m := w.model(batch)
		m.change = func(i int, _, v []float32) {
			if i == 3 {
				clear(v)
			}
		}
		got, err := Embed(context.Background(), EmbedOptions{Model: m, Set: w.set, Out: dir, NPY: true, Tensors: true, From: Provenance{Run: "r"}})
		if err != nil {
			t.Fatal(err)
		}
		if got.Skipped != 1 || got.Images != 7+15-1 || got.Part != "test,val" {
			t.Errorf("%d images, %d skipped, part %s", got.Images, got.Skipped, got.Part)
		}
	}
	sameFiles(t, dirs[0], dirs[1], "embeddings.json", "embeddings.keys.txt", "embeddings.npy", "embeddings.safetensors", "skipped.csv")
	e, err := OpenEmbeddings(filepath.Join(dirs[0], "embeddings.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	direct, err := Verify(context.Background(), VerifyOptions{Model: w.model(3), Set: w.set, Bootstrap: 5})
	if err != nil {
		t.Fatal(err)
	}
	file, err := Verify(context.Background(), VerifyOptions{Embeddings: e.keep(func(k string) bool { return k >= "n0005" && k < "n0009" }), Bootstrap: 5})
	if err != nil {
		t.Fatal(err)
	}
	if e.Origin.Run != "r" || file.Images+1 != direct.Images {
		t.Errorf("origin %+v; %d images from the file, %d from the shards", e.Origin, file.Images, direct.Images)
	}
}

// A folder of both kinds of frames gave a video the mean of both, and frames without a direction
// were not counted.
func TestVideosOfEmbeddingsTakeTheAlignedFrames(t *testing.T) {
	e := &Embeddings{Width: 2, Skips: []Skip{{"aligned_images_DB/A/0/2", zeroEmbedding, "a vector of zeros"}, {"C/0/1", zeroEmbedding, "a vector of zeros"}}}
	for _, x := range []struct {
		key string
		v   []float32
	}{{"aligned_images_DB/A/0/1", []float32{1, 0}}, {"frame_images_DB/A/0/1", []float32{0, 1}}, {"frame_images_DB/A/1/1", []float32{0, 1}}, {"B/0/1", []float32{1, 0}}} {
		if _, err := e.add(x.key, x.v); err != nil {
			t.Fatal(err)
		}
	}
	s := newSides(2, false)
	if err := s.fromEmbeddings(e, []string{"A/0", "A/1", "B/0", "C/0", "D/0"}, true, 0); err != nil {
		t.Fatal(err)
	}
	for video, want := range map[string][]float32{"A/0": {1, 0}, "A/1": {0, 1}, "B/0": {1, 0}} {
		if row, ok := s.row[video]; !ok || !slices.Equal(s.Vector(row), want) {
			t.Errorf("%s: row %d, %v, want %v", video, row, ok, want)
		}
	}
	if len(s.frames) != 2 || s.frames[0].Item != "aligned_images_DB/A/0/2" {
		t.Errorf("frames skipped: %v, want 2", s.frames)
	}
	if s.why["C/0"].Reason != zeroEmbedding || s.why["D/0"].Reason != missingImage {
		t.Errorf("videos skipped: %v, want C/0 zero and D/0 missing", s.why)
	}
}

// Values near float32's largest have infinite distances, which had no bin: a panic.
func TestInfiniteDistancesAreAnError(t *testing.T) {
	const most = 3e38
	e := &Embeddings{Width: 1, Raw: true, Keys: []string{"A/1", "A/2", "B/1", "B/2"}, Data: []float32{most, most, -most, -most}}
	if _, err := Verify(context.Background(), VerifyOptions{Embeddings: e, NoNormalize: true, Bootstrap: 5}); !errors.Is(err, ErrEmbeddings) {
		t.Errorf("error %v, want ErrEmbeddings", err)
	}
}
