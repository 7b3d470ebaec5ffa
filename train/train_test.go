package train

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

// part is the samples of one part of a set made for a test.
type part struct {
	name    string
	samples []shard.Sample
}

const side = 28 // the smallest input that leaves the networks something to pool

// faces draws n samples: a class is a colour and a bright quarter, with noise on top.
func faces(name string, classes, n int) part {
	p := part{name: name}
	for i := range n {
		r := rng.Stream(3, name, i)
		label := i % classes
		s := shard.Sample{
			Key:   fmt.Sprintf("n%06d/%04d_01", label+2, i),
			Label: int32(label), Age: float32(math.NaN()), Gender: -1,
			Data: make([]uint8, 3*side*side),
		}
		for k := range s.Data {
			c, y, x := k/(side*side), k/side%side, k%side
			v := 60 + 40*((label+c)%3)
			if (2*y/side*2+2*x/side)%classes == label%4 {
				v += 60
			}
			s.Data[k] = uint8(max(0, min(255, float64(v)+float64(12*r.Norm()))))
		}
		p.samples = append(p.samples, s)
	}
	return p
}

// makeShards writes a set with some identities as classes, one shard a part.
func makeShards(t testing.TB, dir string, classes int, parts ...part) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	shape := shard.Shape{3, side, side}
	x := shard.Index{
		Shape: shape, Channels: "rgb", Recipe: "test-28", RecipeText: []byte("{}"), RecipeDigest: "r",
		Manifest: "m", Split: "s", Parts: map[string]shard.PartIndex{},
	}
	for i := range classes {
		x.Classes = append(x.Classes, fmt.Sprintf("n%06d", i+2))
	}
	for _, p := range parts {
		n := len(p.samples)
		w, err := shard.NewWriter(dir, p.name, 0, 1, shape, n, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range p.samples {
			copy(w.Buffer(i), s.Data)
			w.Put(i, s)
		}
		info, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		x.Parts[p.name] = shard.PartIndex{Planned: n, Samples: n, Shards: []shard.Info{info}}
	}
	if err := shard.WriteIndex(dir, x); err != nil {
		t.Fatal(err)
	}
	return dir
}

// usual is a small set and what to do with it: 10 images in steps of 4, so that the last of the
// three steps of an epoch is short.
func usual(t testing.TB) Options {
	t.Helper()
	dir := t.TempDir()
	return Options{
		Shards: makeShards(t, filepath.Join(dir, "shards"), 3, faces("train", 3, 10), faces("val", 3, 6)),
		Out:    filepath.Join(dir, "run"),
		Config: Config{
			Arch: "seed-resnet-relu", Optimizer: adadelta, Batch: 4, Epochs: 3, Seed: 1, LogEvery: 2,
		},
		CheckpointInterval: -1, Threads: 1,
	}
}

// in returns o with another run directory.
func (o Options) in(t testing.TB) Options {
	o.Out = filepath.Join(t.TempDir(), "run")
	return o
}

func mustRun(t testing.TB, o Options) *Result {
	t.Helper()
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// after is a Reporter that calls a function when some images were reported.
type after struct {
	left int64
	call func()
}

func (a *after) Start(int64, string) {}
func (a *after) Note(string)         {}
func (a *after) Done()               {}
func (a *after) Add(n int64) {
	if a.left -= n; a.left <= 0 && a.left+n > 0 {
		a.call()
	}
}

var _ progress.Reporter = (*after)(nil)

// outcome is all of a run that must not depend on how it was carried out: the weights, what the
// optimiser remembers, and the metrics without their times.
func outcome(t testing.TB, run string) map[string]string {
	t.Helper()
	out := map[string]string{}
	all, newest, err := checkpoints(run)
	if err != nil || len(all) != 1 {
		t.Fatalf("%s: checkpoints %v, %v, want one", run, all, err)
	}
	paths := []string{
		filepath.Join(run, BestName),
		filepath.Join(newest.dir(run), weightsName),
		filepath.Join(newest.dir(run), optimizerName),
	}
	if average := filepath.Join(newest.dir(run), averageName); exists(average) {
		paths = append(paths, average)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = string(b)
	}
	out["position"] = fmt.Sprint(newest)
	out["metrics"] = strings.Join(metrics(t, run), "\n")
	return out
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func metrics(t testing.TB, run string) (lines []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(run, MetricsName))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%s: %q: %v", MetricsName, line, err)
		}
		delete(fields, "images_per_second")
		b, _ := json.Marshal(fields) // sorts the keys
		lines = append(lines, string(b))
	}
	return lines
}

func equal(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d files and facts, want %d", what, len(got), len(want))
	}
	for name := range want {
		if got[name] == want[name] {
			continue
		}
		if name == "metrics" || name == "position" {
			t.Errorf("%s: %s =\n%s\nwant\n%s", what, name, got[name], want[name])
			continue
		}
		t.Errorf("%s: %s: %d bytes, other ones than the %d wanted", what, name, len(got[name]), len(want[name]))
	}
}

func TestRunLearnsAndLeavesAllItPromises(t *testing.T) {
	o := usual(t)
	o.Shards = makeShards(t, filepath.Join(t.TempDir(), "shards"), 3, faces("train", 3, 18), faces("val", 3, 6))
	o.Epochs = 6
	o.Command = []string{"train", "--shards", o.Shards, "--out=" + o.Out, "--batch", "4"}
	r := mustRun(t, o)
	if r.ValTop1 == nil || *r.ValTop1 < 0.9 {
		t.Errorf("val_top1 = %v on classes that differ in colour, want at least 0.9", r.ValTop1)
	}
	if r.Epochs != 6 || r.Steps != 30 || r.TrainImages != 18 || r.ValImages != 6 || r.Classes != 3 {
		t.Errorf("result %+v", r)
	}
	for _, name := range []string{RecordName, MetricsName, eventsName, CurvesPNG, CurvesSVG, BestName} {
		if info, err := os.Stat(filepath.Join(o.Out, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, want a file with something in it", name, err)
		}
	}
	for _, name := range []string{lockName, pendingName} {
		if _, err := os.Lstat(filepath.Join(o.Out, name)); err == nil {
			t.Errorf("%s was left behind", name)
		}
	}
	rec, err := ReadRecord(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"train", "--shards", "shards", "--out=run", "--batch", "4"}; !slices.Equal(rec.Command, want) {
		t.Errorf("command = %q, want %q: no absolute paths", rec.Command, want)
	}
	if rec.Inputs.Manifest != "m" || rec.Inputs.Split != "s" || rec.Inputs.Recipe != "r" || rec.Parameters != r.Parameters {
		t.Errorf("record %+v", rec)
	}
	// 5 steps an epoch, a line for every second one and the last, and a line for the epoch.
	if got := len(metrics(t, o.Out)); got != 6*4 {
		t.Errorf("%d lines of metrics, want %d", got, 6*4)
	}

	again := mustRun(t, o)
	if !again.AlreadyFinished || again.Steps != r.Steps || *again.ValLoss != *r.ValLoss {
		t.Errorf("a finished run ran again: %+v", again)
	}
}

func TestThreadsAndRepetitionDoNotChangeTheOutcome(t *testing.T) {
	o := usual(t)
	o.Epochs = 2
	mustRun(t, o)
	want := outcome(t, o.Out)
	for _, threads := range []int{2, 8} {
		p := o.in(t)
		p.Threads = threads
		mustRun(t, p)
		equal(t, fmt.Sprintf("%d threads", threads), outcome(t, p.Out), want)
	}
	p := o.in(t)
	p.Seed = 2
	mustRun(t, p)
	if outcome(t, p.Out)["metrics"] == want["metrics"] {
		t.Error("another seed gave the same metrics")
	}
}
