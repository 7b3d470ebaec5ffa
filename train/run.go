package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/lockfile"
	"github.com/vf2prep/vf2prep/loader"
	"github.com/vf2prep/vf2prep/shard"
)

// ErrDiverged says that a loss or a weight is NaN or infinite.
var ErrDiverged = errors.New("training diverged")

const lockName = "lock"

// The reasons to end before the last epoch, as [Result] names them.
const (
	stoppedPatience = "patience"
	stoppedMaxSteps = "max-steps"
)

// Run trains, or goes on with a run that was stopped, until the last epoch is validated. See
// the package's comment for what it leaves in o.Out.
//
// Where ctx is cancelled it makes a checkpoint and returns an error wrapping ctx.Err(). Other
// errors wrap [ErrOption], [ErrOtherRun], [ErrRecord], [ErrDiverged], lockfile.ErrHeld or what
// packages shard, loader and nn name; they too leave the newest position behind where they can.
func Run(ctx context.Context, o Options) (*Result, error) {
	began := time.Now()
	if err := o.complete(); err != nil {
		return nil, err
	}
	// Package nn takes as many threads as the scheduler gives.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(o.Threads))
	set, err := shard.Open(o.Shards)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	j, err := newJob(&o, set)
	if err != nil {
		return nil, err
	}
	defer j.close()
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	release, err := lockfile.Acquire(filepath.Join(o.Out, lockName))
	if err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	defer release()
	if err := j.open(); err != nil {
		return nil, err
	}
	j.began, j.savedAt = began, time.Now()
	resumed := j.state.TotalSteps
	already := j.state.finished(o.Config)
	if !already {
		if err := j.run(ctx); err != nil {
			return nil, err
		}
	}
	result := newResult(&o, j.rec, j.state)
	result.AlreadyFinished, result.ResumedAt = already, resumed
	return result, nil
}

// run trains to the end, and on an error saves where it stands.
func (j *job) run(ctx context.Context) error {
	for !j.state.finished(j.o.Config) {
		if err := j.epoch(ctx); err != nil {
			if errors.Is(err, ErrDiverged) || j.failed {
				return err
			}
			if saveErr := j.save(); saveErr != nil {
				return fmt.Errorf("%w (after: %v)", saveErr, err)
			}
			return err
		}
	}
	return nil
}

// epoch trains what is left of an epoch, validates, and moves on to the next one.
func (j *job) epoch(ctx context.Context) error {
	s := j.state
	if err := j.steps(ctx); err != nil {
		return err
	}
	p := point{
		Epoch: s.Epoch + 1, Step: s.TotalSteps,
		TrainLoss: s.EpochSums.meanLoss(), TrainAccuracy: s.EpochSums.accuracy(),
	}
	if j.val != nil {
		v, err := j.validate(ctx)
		if err != nil {
			return err
		}
		p.Val = v
	}
	before := s.best()
	best := p.Val != nil && (before == nil || p.Val.Loss < before.Val.Loss)
	if best {
		if err := j.saveBest(); err != nil {
			return err
		}
	}
	// From here on nothing waits for ctx: the epoch is done or it is not.
	if err := j.logs.epoch(&p, best); err != nil {
		return err
	}
	s.History = append(s.History, p)
	s.Epoch, s.Step, s.EpochSums = s.Epoch+1, 0, sums{}
	switch b := s.best(); {
	case j.atMaxSteps():
		s.Stopped = stoppedMaxSteps
	case j.o.Patience > 0 && b != nil && p.Epoch-b.Epoch >= j.o.Patience:
		s.Stopped = stoppedPatience
	}
	if err := drawCurves(j.o.Out, s.History); err != nil {
		return err
	}
	return j.save()
}

func (j *job) atMaxSteps() bool {
	return j.o.MaxSteps > 0 && j.state.TotalSteps >= int64(j.o.MaxSteps)
}

// steps takes the steps that are left of an epoch.
func (j *job) steps(ctx context.Context) error {
	s := j.state
	if s.Step >= j.train.Steps() || j.atMaxSteps() {
		return ctx.Err()
	}
	left := j.train.Len() - s.Step*j.o.Batch
	j.report.Start(int64(left), fmt.Sprintf("epoch %d of %d", s.Epoch+1, j.o.Epochs))
	defer j.report.Done()
	mark := time.Now()
	for batch, err := range j.train.Epoch(ctx, s.Epoch, s.Step) {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := j.step(batch); err != nil {
			return err
		}
		d := time.Since(mark)
		s.TrainTime += d.Seconds()
		s.Window.Seconds += d.Seconds()
		last := s.Step == j.train.Steps() || j.atMaxSteps()
		if s.Step%j.o.LogEvery == 0 || last {
			if err := j.logs.train(s, j.o.LearningRate); err != nil {
				return err
			}
			s.Window = sums{}
		}
		j.report.Add(int64(batch.N))
		j.note()
		if j.due() {
			if err := j.save(); err != nil {
				return err
			}
		}
		if last {
			break
		}
		mark = time.Now()
	}
	return nil
}

// step trains on one batch. A batch of which nothing has a label counts as a step and changes
// nothing.
func (j *job) step(b *loader.Batch) error {
	s := j.state
	labels := 0
	for _, l := range b.Label[:b.N] {
		if l >= 0 {
			labels++
		}
	}
	loss, correct := 0.0, 0
	if labels > 0 {
		x, label := j.padded(b)
		out, err := j.net.Step(x, label)
		if err != nil {
			return fmt.Errorf("%s: %w", j.where(b), err)
		}
		if !finite(out.Loss) {
			return fmt.Errorf("%s: loss is %v on %s: %w; %s", j.where(b), out.Loss, names(b.Keys[:b.N]), ErrDiverged, j.kept())
		}
		classes := len(j.rec.Classes)
		for i, l := range b.Label[:b.N] {
			if l >= 0 && rank(out.Logits[i*classes:(i+1)*classes], int(l)) == 0 {
				correct++
			}
		}
		loss = out.Loss
		j.opt.step(j.net.Params())
	}
	s.EpochSums.add(loss, correct, labels, b.N)
	s.Window.add(loss, correct, labels, b.N)
	s.Images += int64(b.N)
	s.Step++
	s.TotalSteps++
	return nil
}

// padded returns a batch of full size: the last one of an epoch is filled up with images of
// zeros and without a label, which the loss leaves out.
func (j *job) padded(b *loader.Batch) ([]float32, []int32) {
	if b.N == j.o.Batch {
		return b.X, b.Label
	}
	c, h, w := j.train.Shape()
	x := make([]float32, j.o.Batch*c*h*w)
	copy(x, b.X)
	label := make([]int32, j.o.Batch)
	for i := range label {
		label[i] = -1
	}
	copy(label, b.Label[:b.N])
	return x, label
}

// where names the step of a batch, counted from 1.
func (j *job) where(b *loader.Batch) string {
	return fmt.Sprintf("epoch %d, step %d of %d", b.Epoch+1, b.Step+1, j.train.Steps())
}

// names lists keys; of a large batch the first ones.
func names(keys []string) string {
	const most = 16
	if len(keys) <= most {
		return strings.Join(keys, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(keys[:most], ", "), len(keys)-most)
}

// due says whether it is time for a checkpoint.
func (j *job) due() bool {
	every, interval := j.o.CheckpointEvery, j.o.CheckpointInterval
	return every > 0 && j.state.Step%every == 0 || interval > 0 && time.Since(j.savedAt) >= interval
}

func (j *job) validate(ctx context.Context) (*validation, error) {
	s := j.state
	j.report.Start(int64(j.val.Len()), fmt.Sprintf("epoch %d of %d, validation", s.Epoch+1, j.o.Epochs))
	defer j.report.Done()
	v, err := validate(ctx, j.net, j.val, len(j.rec.Classes), j.report)
	if err == nil && !finite(v.Loss) {
		err = fmt.Errorf("epoch %d, validation: loss is %v: %w; %s", s.Epoch+1, v.Loss, ErrDiverged, j.kept())
	}
	return v, err
}

// saveBest keeps the weights as those of the smallest validation loss so far. It comes before
// the checkpoint that knows of it: a run that is killed in between writes the same bytes again.
func (j *job) saveBest() error {
	if err := j.checkWeights(); err != nil {
		return err
	}
	meta := j.meta()
	meta["epoch"] = fmt.Sprint(j.state.Epoch + 1)
	err := atomicfile.Write(filepath.Join(j.o.Out, BestName), func(w io.Writer) error { return j.net.Save(w, meta) })
	if err != nil {
		return fmt.Errorf("%s of epoch %d: %w; %s", BestName, j.state.Epoch+1, err, j.kept())
	}
	return nil
}

// checkWeights looks for weights that are not finite: a gradient may overflow in a step whose
// loss was still fine.
func (j *job) checkWeights() error {
	for _, p := range j.net.Params() {
		for _, v := range p.Data {
			if v-v != 0 { // NaN or infinite
				return fmt.Errorf("epoch %d, step %d: a weight of %s is %v: %w; %s",
					j.state.Epoch+1, j.state.Step, p.Name, v, ErrDiverged, j.kept())
			}
		}
	}
	return nil
}

// note puts the progress in words, a few times a second.
func (j *job) note() {
	if time.Since(j.noted) < 200*time.Millisecond {
		return
	}
	j.noted = time.Now()
	s := j.state
	steps := j.o.Epochs * j.train.Steps()
	if j.o.MaxSteps > 0 {
		steps = min(steps, j.o.MaxSteps)
	}
	left := time.Duration(share(s.TrainTime, float64(s.TotalSteps)) * float64(int64(steps)-s.TotalSteps) * 1e9)
	j.report.Note(fmt.Sprintf("loss %.3f, accuracy %.1f %%, lr %g, run %s left",
		s.EpochSums.meanLoss(), 100*s.EpochSums.accuracy(), j.o.LearningRate, left.Round(time.Second)))
}
