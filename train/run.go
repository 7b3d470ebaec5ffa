package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/lockfile"
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
	best, err := j.judge(ctx, &p)
	if err != nil {
		return err
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
	case j.o.Patience > 0 && b != nil && j.schedule.stalled(s.History, b.Epoch) >= j.o.Patience:
		s.Stopped = stoppedPatience
	}
	if err := drawCurves(j.o.Out, s.History, j.o.Config.named()); err != nil {
		return err
	}
	return j.save()
}

// judge validates an epoch's weights, or their average where there is one, keeps the best so far
// and draws what can be seen of them.
func (j *job) judge(ctx context.Context, p *point) (best bool, err error) {
	j.average.swap()
	defer j.average.swap()
	if j.val == nil { // the newest weights are those that are kept
		return false, drawFilters(j.o.Out, j.net.Params(), j.rec.Input.Order)
	}
	var taken confusions
	if p.Val, taken, err = j.validate(ctx); err != nil {
		return false, err
	}
	if before := j.state.best(); before != nil && p.Val.Loss >= before.Val.Loss {
		return false, nil
	}
	if err := j.saveBest(); err != nil {
		return false, err
	}
	if err := drawFilters(j.o.Out, j.net.Params(), j.rec.Input.Order); err != nil {
		return false, err
	}
	return true, drawConfusions(j.o.Out, j.rec, taken)
}

func (j *job) validate(ctx context.Context) (*validation, confusions, error) {
	s := j.state
	j.report.Start(int64(j.val.Len()), fmt.Sprintf("epoch %d of %d, validation", s.Epoch+1, j.o.Epochs))
	defer j.report.Done()
	v, taken, err := validate(ctx, j.net, j.val, len(j.rec.Classes), j.report)
	if err == nil && !finite(v.Loss) {
		err = fmt.Errorf("epoch %d, validation: loss is %v: %w; %s", s.Epoch+1, v.Loss, ErrDiverged, j.kept())
	}
	return v, taken, err
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

// checkWeights looks for weights and sums of gradients that are not finite: a gradient may
// overflow in a step whose loss was still fine.
func (j *job) checkWeights() error {
	check := func(what, name string, values []float32) error {
		for _, v := range values {
			if v-v != 0 { // NaN or infinite
				return fmt.Errorf("epoch %d, step %d: %s %s is %v: %w; %s",
					j.state.Epoch+1, j.state.Step, what, name, v, ErrDiverged, j.kept())
			}
		}
		return nil
	}
	for _, p := range j.net.Params() {
		if err := check("a weight of", p.Name, p.Data); err != nil {
			return err
		}
	}
	for _, s := range j.grads.sums {
		if err := check("a value of", s.Name, s.Data); err != nil {
			return err
		}
	}
	return nil
}
