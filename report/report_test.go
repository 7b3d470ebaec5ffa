package report

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"image"
	"image/jpeg"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/shard"
	"github.com/vf2prep/vf2prep/train"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// drawnRun is a run directory of two epochs.
func drawnRun(t *testing.T, dir, split string) {
	t.Helper()
	rec := train.Record{Format: "vf2prep.run/1", Command: []string{"vf2prep", "train", "<b>"}, Config: train.Config{Arch: "resnet18", Heads: "identity,age", Batch: 8, Epochs: 2, Seed: 1},
		Inputs:  train.Inputs{Shards: "xxh3-128:shards-" + split, Recipe: "xxh3-128:recipe", Split: "xxh3-128:" + split, Manifest: "xxh3-128:manifest"},
		Input:   train.Input{Recipe: "arcface-112", Stored: [3]int{3, 8, 8}, Channels: 3, Height: 8, Width: 8, Order: "rgb", Divide: 127.5, Subtract: 1},
		Classes: []string{"n000001", "n000002"}, Parameters: 1234, TrainImages: 40, ValImages: 20}
	text, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "run.json"), string(text))
	put(t, filepath.Join(dir, "best.safetensors"), "weights of "+dir[len(dir)-1:])
	put(t, filepath.Join(dir, "metrics.jsonl"), `{"kind":"train","epoch":1,"step":5,"loss":3,"accuracy":0.1,"lr":0.1,"images_per_second":9}
{"kind":"epoch","epoch":1,"step":5,"train_loss":3,"train_accuracy":0.1,"val_loss":2.5,"val_top1":0.2,"val_top5":1,"val_age_mae":9,"best":true}
{"kind":"train","epoch":2,"step":10,"loss":2,"accuracy":0.4,"lr":0.05,"images_per_second":9}
{"kind":"epoch","epoch":2,"step":10,"train_loss":2,"train_accuracy":0.4,"val_loss":2.1,"val_top1":0.3,"val_top5":1,"val_age_mae":8,"best":true}
{"kind":"train","epo`)
}

// lfw is a result of eval verify; change says which fields are others.
func lfw(t *testing.T, dir string, change map[string]any) {
	t.Helper()
	m := map[string]any{"protocol": "lfw-pairs", "pairs": "xxh3-128:pairs", "auc": 0.98, "eer": 0.05, "eer_low": 0.04, "eer_high": 0.06, "accuracy": 0.9512, "accuracy_std": 0.011,
		"accuracy_kind": "plain", "folds": 10, "tar_at_far_1e-1": 0.97, "tar_at_far_1e-2": nil, "genuine_pairs": 3000, "impostor_pairs": 3000,
		"genuine_pairs_total": 3000, "impostor_pairs_total": 3000, "missing_pairs": 0, "images": 7701, "skipped": 3, "rejected": 0, "overlap_identities": 4, "identities": 4281,
		"run": filepath.Base(filepath.Dir(dir)), "metric": "squared-euclidean"}
	maps.Copy(m, change)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == "absent" })
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "result.json"), string(text))
	put(t, filepath.Join(dir, "roc.csv"), "threshold,far,tar\n0.1,0,0.2\n0.5,0.001,0.6\n1,0.05,0.95\n3,1,1\n")
	put(t, filepath.Join(dir, "hardest.csv"), "a,b,same,distance\nA/A_0001.jpg,A/A_0002.jpg,1,2.5\nA/A_0001.jpg,B/B_0001.jpg,0,0.25\n")
}

func files(t *testing.T, o Options) (page, jsonText string) {
	t.Helper()
	if _, err := Write(o); err != nil {
		t.Fatal(err)
	}
	a, err := os.ReadFile(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(strings.TrimSuffix(o.Out, ".html") + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(a), "\u00a0", " "), string(b)
}

var outside = regexp.MustCompile(`(?:src|href|url)\s*[=(]\s*["']?([^"')> ]*)`)

func TestReportOfTwoRuns(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	drawnRun(t, a, "split")
	drawnRun(t, b, "split")
	weights, err := digest.File(filepath.Join(a, "best.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	lfw(t, filepath.Join(a, "eval-verify-pairs"), map[string]any{"weights": weights})
	lfw(t, filepath.Join(b, "eval-verify-pairs"), map[string]any{"weights": "xxh3-128:old", "eer": 0.04})
	o := Options{Paths: []string{a, b, filepath.Join(a, "eval-verify-pairs")}, Out: filepath.Join(dir, "out", "r.html"), Title: "Two <runs>"}
	page, text := files(t, o)
	for _, m := range outside.FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "data:") && !strings.HasPrefix(m[1], "#") {
			t.Errorf("the page refers to %q", m[1])
		}
	}
	for _, want := range []string{
		"Two &lt;runs&gt;", "2 training runs and 2 evaluations", "5.00 % (4.00 to 6.00 %)", "95.12 % ± 1.10 %", "4 of 4281 identities", "98.95 %", // published beside LFW
		"YouTube Faces by VGG-Face", "Verification: LFW of b was made with other weights than the run keeps now", "&lt;b&gt;", "xxh3-128:manifest",
		"Learning rate", "Validation loss", "DET", "left out: images",
	} {
		if !strings.Contains(page, want) && !strings.Contains(decoded(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"97.3 %", "3.09", "<script", dir, "http-equiv=\"refresh\""} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
	var r Report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Runs) != 2 || len(r.Runs[0].Epochs) != 2 || len(r.Questions) != 1 || len(r.Questions[0].Results) != 2 || r.Questions[0].Results[0].Stale || !r.Questions[0].Results[1].Stale {
		t.Errorf("report.json holds %+v", r)
	}
	if strings.Contains(text, dir) {
		t.Error("report.json names a folder of this machine")
	}
	o.Out = filepath.Join(dir, "again", "r.html")
	if again, text2 := files(t, o); again != page || text2 != text {
		t.Error("the same inputs gave other bytes")
	}
}

// decoded adds the text of the SVGs inside a page.
func decoded(page string) string {
	var b strings.Builder
	page = html.UnescapeString(page)
	for _, m := range regexp.MustCompile(`alt="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		b.WriteString(m[1] + "\n")
	}
	for _, m := range regexp.MustCompile(`data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)`).FindAllStringSubmatch(page, -1) {
		svg, _ := base64.StdEncoding.DecodeString(m[1])
		b.Write(svg)
	}
	return b.String()
}

// Results that answer different questions never share a table.
func TestResultsOfOtherProtocolsAreRefused(t *testing.T) {
	for field, value := range map[string]any{
		"pairs": "xxh3-128:others", "metric": "cosine", "missing_pairs": 7, "genuine_pairs": 2999, "excluded_identities": "xxh3-128:people", "accuracy_kind": "balanced",
		"folds": 9, "normalized": false, "max_frames": 5, "threshold_from": "xxh3-128:view1",
	} {
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a", "e"), filepath.Join(dir, "b", "e")
		lfw(t, a, nil)
		lfw(t, b, map[string]any{field: value})
		o := Options{Paths: []string{a, b}, Out: filepath.Join(dir, "r.html")}
		_, err := Write(o)
		if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), "a (lfw-pairs) and b (lfw-pairs) differ in "+field+": ") {
			t.Errorf("%s: %v", field, err)
		}
		if _, err := os.Stat(o.Out); err == nil {
			t.Errorf("%s: a page was written all the same", field)
		}
		o.Separate = true
		r, err := Write(o)
		if err != nil || len(r.Questions) != 2 || r.Questions[0].Title != "Verification: LFW: a" {
			t.Errorf("%s, separate: %+v, %v", field, r, err)
		}
	}
	// Other protocols have sections of their own, unless they are to be compared.
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a", "e"), filepath.Join(dir, "b", "e")
	lfw(t, a, nil)
	lfw(t, b, map[string]any{"protocol": "all-pairs", "part": "test"})
	o := Options{Paths: []string{a, b}, Out: filepath.Join(dir, "r.html")}
	if r, err := Write(o); err != nil || len(r.Questions) != 2 {
		t.Errorf("two protocols: %+v, %v", r, err)
	}
	o.Compare = true
	if _, err := Write(o); !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), "differ in protocol: lfw-pairs and all-pairs") {
		t.Errorf("two protocols compared: %v", err)
	}
	drawnRun(t, filepath.Join(dir, "x"), "split")
	drawnRun(t, filepath.Join(dir, "y"), "other")
	o.Paths = []string{filepath.Join(dir, "x"), filepath.Join(dir, "y")}
	if _, err := Write(o); !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), "differ in split") {
		t.Errorf("runs on other splits compared: %v", err)
	}
	o.Compare = false
	if page, _ := files(t, o); !strings.Contains(page, "Training, other data") {
		t.Error("runs on other splits share a section")
	}
}

// A system that says no ages stands beside any, but two that judged other ages do not stand beside one another.
func TestAllOfAGroupAgree(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for name, n := range map[string]int{"a": 0, "b": 100, "c": 90} {
		path := filepath.Join(dir, name)
		put(t, filepath.Join(path, "result.json"), fmt.Sprintf(`{"protocol":"attributes","label_digest":"x","age_mae":5,"age_n":%d,"gender_n":7}`, n))
		paths = append(paths, path)
	}
	slices.Sort(paths)
	o := Options{Paths: paths, Out: filepath.Join(dir, "r.html")}
	if _, err := Write(o); !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), "b (attributes) and c (attributes) differ in age_n: 100 and 90") {
		t.Errorf("three systems: %v", err)
	}
	o.Separate = true
	if r, err := Write(o); err != nil || len(r.Questions) != 2 || len(r.Questions[0].Results) != 2 {
		t.Errorf("three systems, separate: %+v, %v", r, err)
	}
}

// Splits and galleries are drawn as their mean.
func TestMeanOfSplits(t *testing.T) {
	r := &result{}
	if err := parseTable(strings.NewReader("split,threshold,far,tar\n1,0.1,0,0.5\n2,0.1,0.1,0.2\n1,0.9,1,1\n2,0.9,1,0.8\n"), r.readROC); err != nil {
		t.Fatal(err)
	}
	x, y := r.drawn(0.01)
	for i := range x {
		want := 0.25 // (0.5 + 0) / 2
		switch {
		case x[i] == 1:
			want = 0.9
		case x[i]*(1+1e-12) >= 0.1:
			want = 0.35
		}
		if math.Abs(y[i]-want) > 1e-12 {
			t.Errorf("mean TAR at FAR %v = %v, want %v", x[i], y[i], want)
		}
	}
	if len(x) != 2*meanSteps+1 || x[0] != 0.01 || x[len(x)-1] != 1 {
		t.Errorf("%d points from %v to %v", len(x), x[0], x[len(x)-1])
	}
	if err := parseTable(strings.NewReader("gallery,rank,share\na,1,0.5\na,2,1\nb,1,0.7\n"), r.readCMC); err != nil {
		t.Fatal(err)
	}
	if x, y := r.meanCMC(); len(x) != 1 || math.Abs(y[0]-0.6) > 1e-12 {
		t.Errorf("mean CMC %v, %v; want 0.6 at rank 1 alone", x, y)
	}
}

// A published figure needs the whole of its protocol.
func TestPublishedFiguresNeedTheirProtocol(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"folds":   {"folds": 5, "genuine_pairs": 1500, "impostor_pairs": 1500, "genuine_pairs_total": 1500, "impostor_pairs_total": 1500},
		"missing": {"missing_pairs": 2, "genuine_pairs": 2998},
		"other":   {"protocol": "pairs"},
		"people":  {"identities": 90}, // another data set in LFW's format
		"drawn":   {"protocol": "ijba-compare", "splits": 10, "splits_missing": 0, "pairs_total": 4800, "pairs_left_out": 0, "templates_left_out": 0, "faces_missing_embedding": 0},
	} {
		dir := t.TempDir()
		lfw(t, filepath.Join(dir, "a"), change)
		page, _ := files(t, Options{Paths: []string{filepath.Join(dir, "a")}, Out: filepath.Join(dir, "r.html")})
		if strings.Contains(page, "98.95") || strings.Contains(page, "89.5 %") || !strings.Contains(page, "Not comparable with anything here") {
			t.Errorf("%s: a published figure stands beside it", name)
		}
	}
}

// A result on image files may name shards for their recipe alone; its faces are the files.
func TestFacesOfImageFiles(t *testing.T) {
	dir := t.TempDir()
	set := filepath.Join(dir, "shards")
	const key = "A/A_0001"
	if err := os.Mkdir(set, 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := shard.NewWriter(set, "test", 0, 1, shard.Shape{3, 4, 4}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Put(0, shard.Sample{Key: key, Label: -1, Age: float32(math.NaN()), Gender: -1})
	info, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	x := shard.Index{Shape: shard.Shape{3, 4, 4}, Channels: "bgr", Recipe: "r", RecipeText: []byte("{}"), RecipeDigest: "d", Manifest: "m", Split: "s", Classes: []string{"a"},
		Parts: map[string]shard.PartIndex{"test": {Planned: 1, Samples: 1, Shards: []shard.Info{info}}}}
	if err := shard.WriteIndex(set, x); err != nil {
		t.Fatal(err)
	}
	s, err := shard.Open(set)
	if err != nil {
		t.Fatal(err)
	}
	digest := s.Digest()
	s.Close()
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 300, 200)), nil); err != nil {
		t.Fatal(err)
	}
	images := filepath.Join(dir, "images")
	for _, name := range []string{"A/A_0001.jpg", "A/A_0002.jpg"} {
		put(t, filepath.Join(images, name), photo.String())
	}
	put(t, filepath.Join(images, "B", "B_0001.jpg"), "no JPEG")
	e := filepath.Join(dir, "e")
	lfw(t, e, map[string]any{"shards": digest})
	page, _ := files(t, Options{Paths: []string{e}, Shards: set, Images: images, Out: filepath.Join(dir, "r.html")})
	if n := strings.Count(page, "data:image/jpeg"); n != 2 || !strings.Contains(page, "Of 1 pairs the images are not in the shards or folder given") {
		t.Errorf("%d faces, want the two that can be read", n)
	}
	// With its part, or its parts, the same keys are samples.
	for _, part := range []string{"test", "train,test"} {
		lfw(t, e, map[string]any{"shards": digest, "part": part})
		put(t, filepath.Join(e, "hardest.csv"), "a,b,same,distance\n"+key+","+key+",1,0\n")
		page, _ = files(t, Options{Paths: []string{e}, Shards: set, Out: filepath.Join(dir, "r.html")})
		if n := strings.Count(page, "data:image/jpeg"); n != 2 {
			t.Errorf("part %s: %d faces of samples, want 2", part, n)
		}
	}
}

func TestWhatIsNoReport(t *testing.T) {
	dir := t.TempDir()
	if _, err := Write(Options{Paths: []string{dir}, Out: filepath.Join(dir, "r.html")}); err == nil || !strings.Contains(err.Error(), "neither a run (run.json) nor an evaluation (result.json)") {
		t.Errorf("an empty folder: %v", err)
	}
	for file, text := range map[string]string{"result.json": `{"eer":`, "roc.csv": "threshold,far,tar\n1,0.5,0.5\n2,0.4,1\n", "cmc.csv": "rank,share\n1,0.5\n3,1\n", "hardest.csv": "x\n"} {
		e := filepath.Join(dir, strings.TrimSuffix(file, filepath.Ext(file)))
		lfw(t, e, nil)
		put(t, filepath.Join(e, file), text)
		_, err := Write(Options{Paths: []string{e}, Images: dir, Out: filepath.Join(dir, "r.html")})
		if file == "hardest.csv" && err == nil {
			continue // a head alone is an empty list
		}
		if !errors.Is(err, ErrResult) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", file, err)
		}
	}
	drawnRun(t, filepath.Join(dir, "a"), "split")
	put(t, filepath.Join(dir, "a", "metrics.jsonl"), "{\"kind\":\nx\n")
	if _, err := Write(Options{Paths: []string{filepath.Join(dir, "a")}, Out: filepath.Join(dir, "r.html")}); !errors.Is(err, train.ErrRecord) || !strings.Contains(err.Error(), "metrics.jsonl:1") {
		t.Errorf("damaged metrics: %v", err)
	}
	if _, err := Write(Options{Paths: []string{"none"}, Out: filepath.Join(dir, "r.html")}); err == nil || errors.Is(err, fs.ErrExist) {
		t.Errorf("no path: %v", err)
	}
}

func FuzzParseResult(f *testing.F) {
	f.Add(`{"protocol":"all-pairs","eer":0.1,"eer_low":null,"far_not_reachable":["1e-5"],"sampled":true}`)
	f.Add(`{"age_mae":5,"age_n":0,"label_digest":"x"}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseResult([]byte(text))
		if err != nil {
			if !errors.Is(err, ErrResult) {
				t.Fatalf("%v does not wrap ErrResult", err)
			}
			return
		}
		r := &result{name: "x", field: m, raw: json.RawMessage(text)}
		other := &result{name: "y", field: m}
		if name := differs(r, other); name != "" {
			t.Fatalf("a result differs from itself in %s", name)
		}
		groups, err := grouped([]*result{r, other}, true, false)
		if err != nil || len(groups) != 1 {
			t.Fatalf("a result can't stand beside itself: %v", err)
		}
		_ = groups[0].table()
		_, _ = beside(groups[0].results)
		if !json.Valid(compact(r.raw)) {
			t.Fatal("not JSON any more")
		}
	})
}

func FuzzParseTable(f *testing.F) {
	f.Add("threshold,far,tar\n0.5,0.1,0.9\n")
	f.Add("rank,share\n1,0.5\n2,1\n")
	f.Add("split,threshold,far,tar\n1,0.5,0,0.9\n2,0.1,0.2,0.3\n1,0.6,1,1\n")
	f.Add("gallery,threshold,fpir,tpir\n1,0.5,0,0.9\n")
	f.Add("gallery,rank,share\n1,1,0.5\n2,1,0.5\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := &result{name: "x"}
		for _, read := range []func(head, row []string) error{r.readROC, r.readCMC} {
			if err := parseTable(strings.NewReader(text), read); err != nil && !errors.Is(err, ErrResult) {
				t.Fatalf("%v does not wrap ErrResult", err)
			}
		}
		if len(text) > 4000 {
			return
		}
		r.meanCMC()
		p := &pictures{}
		(&group{results: []*result{r}}).roc(p)
		r.scores(p)
		if p.err != nil {
			t.Fatalf("a curve that was read can't be drawn: %v", p.err)
		}
	})
}

// The figure stood beside an accuracy whose threshold came from another file.
func TestPublishedFiguresNeedTheirOwnThreshold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x", "eval")
	lfw(t, dir, map[string]any{"threshold_from": "xxh3-128:other"})
	r, err := readResult(dir)
	if err != nil {
		t.Fatal(err)
	}
	if table, _ := beside([]*result{r}); len(table.Rows) != 0 {
		t.Errorf("published figures beside it: %v, want none", table.Rows)
	}
}
