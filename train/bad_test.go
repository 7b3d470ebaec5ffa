package train

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vf2prep/vf2prep/internal/lockfile"
	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/nn"
	"github.com/vf2prep/vf2prep/shard"
)

// refused checks that a run fails with an error that wraps and says what is wanted.
func refused(t *testing.T, o Options, wraps error, says ...string) {
	t.Helper()
	_, err := Run(context.Background(), o)
	if err == nil || wraps != nil && !errors.Is(err, wraps) {
		t.Errorf("Run = %v, want an error that wraps %v", err, wraps)
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("Run = %v, want %q in it", err, s)
		}
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	good := usual(t)
	for says, spoil := range map[string]func(o *Options){
		`optimizer "lion"`:              func(o *Options) { o.Optimizer = "lion" },
		`no network "resnet-1000"`:      func(o *Options) { o.Arch = "resnet-1000" },
		"batch is 0":                    func(o *Options) { o.Batch = 0 },
		"epochs is -1":                  func(o *Options) { o.Epochs = -1 },
		"learning rate is NaN":          func(o *Options) { o.LearningRate = math.NaN() },
		"learning rate is +Inf":         func(o *Options) { o.LearningRate = math.Inf(1) },
		"momentum is 1":                 func(o *Options) { o.Optimizer, o.Momentum = sgd, 1 },
		"rho is 1.5":                    func(o *Options) { o.Rho = 1.5 },
		"weight decay is -1":            func(o *Options) { o.WeightDecay = -1 },
		"augment: ":                     func(o *Options) { o.Augment = "nonsense=1" },
		"batch of 11 images, part":      func(o *Options) { o.Batch = 11 },
		"only 10 with a label":          func(o *Options) { o.Batch = 1000 },
		"checkpoint every is -2, want ": func(o *Options) { o.CheckpointEvery = -2 },
	} {
		o := good
		spoil(&o)
		refused(t, o, ErrOption, says)
	}
	if _, err := os.Stat(good.Out); err == nil {
		t.Error("a refused run made its directory")
	}
}

func TestShardsThatCannotTrain(t *testing.T) {
	o := usual(t)
	unlabelled := faces("train", 3, 8)
	for i := range unlabelled.samples {
		unlabelled.samples[i].Label = -1
	}
	dir := t.TempDir()

	o.Shards = filepath.Join(dir, "none")
	refused(t, o, fs.ErrNotExist, "no finished shard set")

	o.Shards = makeShards(t, filepath.Join(dir, "classes"), 0, unlabelled)
	refused(t, o, nil, "no classes")

	o.Shards = makeShards(t, filepath.Join(dir, "labels"), 3, unlabelled)
	refused(t, o, nil, "part train: none of 8 images has a label")

	o.Shards = makeShards(t, filepath.Join(dir, "part"), 3, faces("val", 3, 8))
	refused(t, o, nil, `no part "train"`)

	o.Shards = makeShards(t, filepath.Join(dir, "range"), 2, faces("train", 3, 8))
	refused(t, o, shard.ErrCorrupt, "n000004/0002_01 has label 2, there are 2 classes")
}

// Without labels to validate on the newest weights are what a run is used with.
func TestNothingToValidate(t *testing.T) {
	for _, parts := range [][]part{
		{faces("train", 3, 10)},
		{faces("train", 3, 10), {name: "val"}},
	} {
		o := usual(t)
		o.Epochs = 1
		o.Shards = makeShards(t, filepath.Join(t.TempDir(), "s"), 3, parts...)
		r := mustRun(t, o)
		if r.ValTop1 != nil || r.BestEpoch != nil || !strings.HasSuffix(r.Checkpoint, weightsName) {
			t.Errorf("result %+v", r)
		}
		p, err := OpenRun(o.Out, 0)
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
	}
}

// Samples without a label take part in a step but count for nothing; a batch of nothing else
// changes no weight.
func TestPartlyLabelled(t *testing.T) {
	o := usual(t)
	o.Epochs, o.Batch = 1, 2
	some := faces("train", 3, 12)
	for i := range some.samples[:8] {
		some.samples[i].Label = -1
	}
	o.Shards = makeShards(t, filepath.Join(t.TempDir(), "s"), 3, some, faces("val", 3, 3))
	r := mustRun(t, o)
	if r.TrainImages != 4 || r.Steps != 6 || !finite(r.TrainLoss) || r.TrainLoss <= 0 {
		t.Errorf("result %+v", r)
	}
}

func TestAnotherRunInTheDirectory(t *testing.T) {
	o := usual(t)
	o.Epochs = 1
	mustRun(t, o)
	want := outcome(t, o.Out)

	p := o
	p.LearningRate, p.Batch = 0.5, 3
	refused(t, p, ErrOtherRun, "batch: 4 there, 3 wanted", "learning_rate: 1 there, 0.5 wanted", "--restart")
	p = o
	p.Optimizer, p.Momentum = sgd, 0.9
	refused(t, p, ErrOtherRun, `optimizer: "adadelta" there, "sgd" wanted`, "rho: 0.95 there, none wanted", "momentum: none there, 0.9 wanted")
	p = o
	p.Shards = makeShards(t, filepath.Join(t.TempDir(), "s"), 3, faces("train", 3, 11), faces("val", 3, 6))
	refused(t, p, ErrOtherRun, "digest of shards: ")
	equal(t, "after refusals", outcome(t, o.Out), want)

	keep := filepath.Join(o.Out, "notes.txt")
	if err := os.WriteFile(keep, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	p = o
	p.Seed, p.Restart = 9, true
	if r := mustRun(t, p); r.AlreadyFinished || r.ResumedAt != 0 {
		t.Errorf("restart: %+v", r)
	}
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("restart removed a file that is not ours: %v", err)
	}
}

func TestTwoAtOnce(t *testing.T) {
	o := usual(t)
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		t.Fatal(err)
	}
	release, err := lockfile.Acquire(filepath.Join(o.Out, lockName))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, o, lockfile.ErrHeld, "by process")
	release()
	o.Epochs = 1
	mustRun(t, o)
}

func TestOutThatIsAFile(t *testing.T) {
	o := usual(t)
	if err := os.WriteFile(o.Out, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, o, nil, o.Out)
}

// A rate far too high makes the loss infinite or NaN within a few steps. The checkpoint of the
// step before stays, is finite, and running again fails at the same step.
func TestDivergence(t *testing.T) {
	o := usual(t)
	o.Optimizer, o.LearningRate, o.CheckpointEvery, o.Epochs = sgd, 1e12, 1, 20
	_, err := Run(context.Background(), o)
	if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "epoch 1, step ") {
		t.Fatalf("Run = %v, want ErrDiverged and the step", err)
	}
	first := err.Error()
	all, newest, err := checkpoints(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("no checkpoint was kept: %s", first)
	}
	if !strings.Contains(first, "is kept") {
		t.Errorf("%s: does not say what is kept", first)
	}
	arrays, _, err := safetensors.ReadFloats(filepath.Join(newest.dir(o.Out), weightsName))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range arrays {
		for _, v := range a.Data {
			if v-v != 0 {
				t.Fatalf("the kept checkpoint holds %v in %s", v, a.Name)
			}
		}
	}
	if _, err := Run(context.Background(), o); err == nil || err.Error() != first {
		t.Errorf("again: %v, want %s", err, first)
	}
}

func TestLossErrorNamesTheImages(t *testing.T) {
	o := usual(t)
	o.Optimizer, o.LearningRate = sgd, 1e30 // the first update already overflows the second loss
	refused(t, o, ErrDiverged, "epoch 1, step 2 of 3: loss is ", "n00000", "/00", "_01", "there is no checkpoint yet")
}

// A disk that fills up in the middle of a checkpoint leaves the one before, and no rest.
func TestFullDiskKeepsTheOldCheckpoint(t *testing.T) {
	run := t.TempDir()
	good := func(w io.Writer) error { _, err := io.WriteString(w, "whole"); return err }
	full := func(w io.Writer) error {
		_, _ = w.Write(make([]byte, 1<<20))
		return &os.PathError{Op: "write", Path: optimizerName, Err: syscall.ENOSPC}
	}
	if err := writeCheckpoint(run, place{0, 5}, []file{{weightsName, good}, {stateName, good}}); err != nil {
		t.Fatal(err)
	}
	err := writeCheckpoint(run, place{0, 9}, []file{{weightsName, good}, {optimizerName, full}, {stateName, good}})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("writeCheckpoint = %v, want ENOSPC", err)
	}
	all, newest, err := checkpoints(run)
	if err != nil || len(all) != 1 || newest != (place{0, 5}) {
		t.Errorf("checkpoints = %v, %v; want the one at step 5", all, err)
	}
	if entries, _ := os.ReadDir(run); len(entries) != 1 {
		t.Errorf("%d entries are left, want 1", len(entries))
	}
}

// damage changes one byte of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-3] ^= 0x10
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedCheckpoint(t *testing.T) {
	o := usual(t)
	o.Epochs = 1
	mustRun(t, o)
	_, newest, err := checkpoints(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	dir := newest.dir(o.Out)
	o.Epochs = 2
	for _, name := range []string{weightsName, optimizerName} {
		path := filepath.Join(dir, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		damage(t, path)
		refused(t, o, ErrRecord, name, "digest")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		refused(t, o, ErrRecord, name)
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, stateName), []byte(`{"epoch": "x"`), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, o, ErrRecord, stateName)

	if err := os.WriteFile(filepath.Join(o.Out, RecordName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, o, ErrRecord, RecordName)
	if err := os.Remove(filepath.Join(o.Out, RecordName)); err != nil {
		t.Fatal(err)
	}
	refused(t, o, ErrRecord, "but no run.json", BestName)
	o.Restart = true
	mustRun(t, o)
}

func TestOpenRunRefuses(t *testing.T) {
	o := usual(t)
	o.Epochs = 1
	mustRun(t, o)
	best := filepath.Join(o.Out, BestName)
	whole, err := os.ReadFile(best)
	if err != nil {
		t.Fatal(err)
	}
	opens := func(wraps error, says ...string) {
		t.Helper()
		p, err := OpenRun(o.Out, 0)
		if err == nil {
			p.Close()
		}
		if !errors.Is(err, wraps) {
			t.Errorf("OpenRun = %v, want an error that wraps %v", err, wraps)
			return
		}
		for _, s := range says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("OpenRun = %v, want %q in it", err, s)
			}
		}
	}
	if err := os.WriteFile(best, whole[:len(whole)-100], 0o644); err != nil {
		t.Fatal(err)
	}
	opens(safetensors.ErrFormat, BestName)

	flipped := bytes.Clone(whole)
	flipped[len(flipped)-100] ^= 1 // a bit of a weight
	if err := os.WriteFile(best, flipped, 0o644); err != nil {
		t.Fatal(err)
	}
	opens(nn.ErrMismatch, BestName, "damaged")

	foreign := bytes.Replace(whole, []byte(`"shards":"xxh3-128:`), []byte(`"shards":"xxh3-129:`), 1)
	if err := os.WriteFile(best, foreign, 0o644); err != nil {
		t.Fatal(err)
	}
	opens(nn.ErrMismatch, BestName, "xxh3-129")

	if err := os.Remove(best); err != nil {
		t.Fatal(err)
	}
	opens(fs.ErrNotExist, "best epoch")

	other, err := nn.New(nn.Config{Arch: o.Arch, Channels: 3, Height: side, Width: side, Classes: 5, Batch: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	f, err := os.Create(best)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(other.Save(f, nil), f.Close()); err != nil {
		t.Fatal(err)
	}
	opens(nn.ErrMismatch, BestName, "classes", "weight", "bias")

	if err := forget(o.Out); err != nil {
		t.Fatal(err)
	}
	opens(fs.ErrNotExist, "no run directory")
}
