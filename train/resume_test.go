package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An interruption anywhere, in an epoch, at its end or in its validation, must not show.
func TestInterruptedRunsEndAsIfTheyWereNot(t *testing.T) {
	// An epoch reports 10 images of training and 6 of validation.
	for optimizer, stops := range map[string][]int64{adadelta: {1, 10, 14, 20}, sgd: {5}, "sgd without momentum": {5}, adam: {5}} {
		o := usual(t)
		o.Optimizer, o.Epochs, o.Momentum, o.WeightDecay = optimizer, 2, 0.9, 1e-3
		if name, _, plain := strings.Cut(optimizer, " without momentum"); plain {
			o.Optimizer, o.Momentum = name, 0
		}
		mustRun(t, o)
		want := outcome(t, o.Out)
		for _, images := range stops {
			p := o.in(t)
			runInterrupted(t, p, images)
			equal(t, fmt.Sprintf("%s, stopped after %d images", optimizer, images), outcome(t, p.Out), want)
		}
	}
}

// runInterrupted runs to the end, stopping after so many images, and a little later each time,
// for a validation that is stopped begins anew.
func runInterrupted(t *testing.T, o Options, images int64) {
	t.Helper()
	for stops := 0; ; stops++ {
		ctx, cancel := context.WithCancel(context.Background())
		o.Progress = &after{left: images + int64(3*stops), call: cancel}
		_, err := Run(ctx, o)
		cancel()
		if err == nil {
			if stops == 0 {
				t.Errorf("stop after %d images: was never stopped", images)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if _, err := os.Lstat(filepath.Join(o.Out, lockName)); err == nil {
			t.Fatal("an interrupted run left its lock behind")
		}
	}
}

// TestMain lets this binary be a training that is killed.
func TestMain(m *testing.M) {
	if text := os.Getenv("TRAIN_TEST_RUN"); text != "" {
		var o Options
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if _, err := Run(context.Background(), o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestKilledRunsEndAsIfTheyWereNot(t *testing.T) {
	o := usual(t)
	o.Epochs, o.CheckpointEvery = 4, 1
	mustRun(t, o)
	want := outcome(t, o.Out)
	p := o.in(t)
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	// Each time the run is killed a little after its first sign of work, later in each round.
	kills := 0
	for round := 0; ; round++ {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "TRAIN_TEST_RUN="+string(text))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		exited := make(chan error, 1)
		go func() { exited <- cmd.Wait() }()
		waitForLock(t, p.Out)
		select {
		case err := <-exited:
			if err != nil {
				t.Fatal(err)
			}
			if kills == 0 {
				t.Error("the run was never killed")
			}
			equal(t, fmt.Sprintf("killed %d times", kills), outcome(t, p.Out), want)
			return
		case <-time.After(time.Duration(20+25*round) * time.Millisecond):
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := <-exited; err != nil {
				kills++
			}
		}
	}
}

func waitForLock(t *testing.T, run string) {
	t.Helper()
	for range 2000 {
		if _, err := os.Stat(filepath.Join(run, lockName)); err == nil {
			return
		}
		if all, newest, _ := checkpoints(run); len(all) > 0 && newest.epoch == 4 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the run never began")
}

// A run that is killed when its newest checkpoint has its name and the one before is not gone yet
// leaves nothing of that behind when it is run again, finished or not.
func TestOlderCheckpointsGo(t *testing.T) {
	o := usual(t)
	o.Epochs = 2
	mustRun(t, o)
	want := outcome(t, o.Out)
	all, newest, err := checkpoints(o.Out)
	if err != nil || len(all) != 1 {
		t.Fatalf("checkpoints %v, %v, want one", all, err)
	}
	for _, dir := range []string{place{newest.epoch - 1, 3}.dir(o.Out), filepath.Join(o.Out, pendingName)} {
		if err := os.CopyFS(dir, os.DirFS(newest.dir(o.Out))); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, o)
	equal(t, "with an older checkpoint", outcome(t, o.Out), want)
	if _, err := os.Lstat(filepath.Join(o.Out, pendingName)); err == nil {
		t.Error("a checkpoint that was not completed stays")
	}
}

func TestMoreEpochsGoOn(t *testing.T) {
	o := usual(t)
	mustRun(t, o)
	want := outcome(t, o.Out)
	p := o.in(t)
	p.Epochs = 1
	mustRun(t, p)
	p.Epochs = 3
	r := mustRun(t, p)
	if r.ResumedAt != 3 || r.AlreadyFinished {
		t.Errorf("resumed at step %d, finished %v; want 3, false", r.ResumedAt, r.AlreadyFinished)
	}
	equal(t, "1 epoch, then 3", outcome(t, p.Out), want)
	if rec, err := ReadRecord(p.Out); err != nil || rec.Config.Epochs != 3 {
		t.Errorf("record of %d epochs, %v, want 3", rec.Config.Epochs, err)
	}
}

func TestEarlyEnds(t *testing.T) {
	o := usual(t)
	o.MaxSteps = 4
	r := mustRun(t, o)
	if r.Steps != 4 || r.Epochs != 2 || r.Stopped != stoppedMaxSteps || r.ValTop1 == nil {
		t.Errorf("max steps 4: %+v", r)
	}
	if again := mustRun(t, o); !again.AlreadyFinished {
		t.Error("a run that ended at its last step went on")
	}

	// A rate this small changes no float32, so no epoch is better than the first.
	p := o.in(t)
	p.MaxSteps, p.Patience, p.Optimizer, p.LearningRate = 0, 1, sgd, 1e-30
	r = mustRun(t, p)
	if r.Epochs != 2 || r.Stopped != stoppedPatience || *r.BestEpoch != 1 {
		t.Errorf("patience 1: %+v", r)
	}
}
