package train

import (
	"encoding/json"
	"errors"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	o := usual(t)
	dir := filepath.Dir(o.Out)
	o.Out, o.Epochs = filepath.Join(dir, "first"), 2
	first := mustRun(t, o)
	fast := o
	fast.Out, fast.Optimizer, fast.MaxSteps = filepath.Join(dir, "sgd"), sgd, 4
	mustRun(t, fast)
	other := o
	other.Out = filepath.Join(dir, "other")
	other.Shards = makeShards(t, filepath.Join(dir, "others"), 3, faces("train", 3, 11), faces("val", 3, 6))
	mustRun(t, other)
	begun := filepath.Join(dir, "begun") // a training that has made no checkpoint yet
	rec, err := ReadRecord(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	rec.Inputs.Split = "another"
	if err := os.Mkdir(begun, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := rec.write(begun); err != nil {
		t.Fatal(err)
	}

	c, err := Compare(o.Out, fast.Out, other.Out, begun)
	if err != nil {
		t.Fatal(err)
	}
	if a := c.Runs[0]; *a.ValLoss != *first.ValLoss || *a.ValTop1 != *first.ValTop1 || *a.BestEpoch != *first.BestEpoch ||
		a.State != finished || a.Epochs != 2 || a.Seconds != first.Seconds || a.ValGender != nil {
		t.Errorf("first run %+v, want what training it gave: %+v", a, first)
	}
	for i, want := range []struct{ state, data string }{
		{finished, ""}, {stoppedMaxSteps, ""}, {finished, otherShards}, {unfinished, otherSplit},
	} {
		if got := c.Runs[i]; got.State != want.state || got.Data != want.data {
			t.Errorf("%s: state %q, data %q, want %q, %q", got.Run, got.State, got.Data, want.state, want.data)
		}
	}
	if c.Comparable {
		t.Error("runs on other shards pass as comparable")
	}
	b, err := json.Marshal(c.Differing)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"name":"epsilon","values":[1e-7,null,1e-7,1e-7]},{"name":"learning_rate","values":[1,0.01,1,1]},` +
		`{"name":"max_steps","values":[0,4,0,0]},{"name":"optimizer","values":["adadelta","sgd","adadelta","adadelta"]},` +
		`{"name":"rho","values":[0.95,null,0.95,0.95]}]`
	if string(b) != want {
		t.Errorf("differing %s\nwant %s", b, want)
	}
	var text strings.Builder
	if err := c.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"run            first         sgd           other         begun",
		"as the first", "OTHER SHARDS  OTHER SPLIT", "Not comparable: ",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("table without %q:\n%s", want, &text)
		}
	}
	picture := filepath.Join(dir, "compare.png")
	if err := c.WritePNG(picture); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if img, err := png.Decode(f); err != nil || img.Bounds().Dy() != 2*panelHeight {
		t.Errorf("%s: %v, want two panels", picture, err)
	}
}

func TestCompareRefuses(t *testing.T) {
	o := usual(t)
	if _, err := Compare(filepath.Dir(o.Out)); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "is no run directory") {
		t.Errorf("a directory without a run: %v", err)
	}
	if _, err := Compare(filepath.Join(o.Shards, "index.json")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "but a file") {
		t.Errorf("a file: %v", err)
	}
	o.Epochs = 1
	mustRun(t, o)
	_, at, err := checkpoints(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(at.dir(o.Out), stateName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Compare(o.Out); !errors.Is(err, ErrRecord) {
		t.Errorf("a checkpoint without its state: %v, want ErrRecord", err)
	}
}

// Two runs may have one name in different directories.
func TestCompareLabels(t *testing.T) {
	for _, c := range []struct{ runs, want string }{
		{"runs/a runs/b/", "a b"},
		{"old/a new/a", "old/a new/a"},
	} {
		var x Comparison
		for _, r := range strings.Fields(c.runs) {
			x.Runs = append(x.Runs, Summary{Run: r})
		}
		if got := strings.Join(x.labels(), " "); got != c.want {
			t.Errorf("labels of %s = %s, want %s", c.runs, got, c.want)
		}
	}
}
