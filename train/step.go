package train

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vf2prep/vf2prep/loader"
)

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
		waited := time.Since(mark).Seconds()
		if err := j.step(batch); err != nil {
			return err
		}
		d := time.Since(mark)
		s.TrainTime += d.Seconds()
		s.Window.Seconds += d.Seconds()
		s.Waited += waited
		last := s.Step == j.train.Steps() || j.atMaxSteps()
		if s.Step%j.o.LogEvery == 0 || last {
			if err := j.logs.train(s, j.rate); err != nil {
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

// step trains on one batch, and where a group of batches ends it updates the weights. A batch of
// which nothing has a target counts as a step and changes nothing.
func (j *job) step(b *loader.Batch) error {
	s := j.state
	j.rate = j.schedule.rate(s.TotalSteps, s.History)
	labels := j.targets(b)
	loss, correct := 0.0, 0
	if labels > 0 {
		x, targets := j.padded(b)
		j.net.At(s.TotalSteps)
		out, err := j.net.Learn(x, targets)
		if err != nil {
			return fmt.Errorf("%s: %w", j.where(b), err)
		}
		if !finite(out.Loss) {
			return fmt.Errorf("%s: loss is %v on %s: %w; %s", j.where(b), out.Loss, names(b.Keys[:b.N]), ErrDiverged, j.kept())
		}
		classes := len(j.rec.Classes)
		for i, l := range b.Label[:b.N] {
			if l >= 0 && out.Logits != nil && rank(out.Logits[i*classes:(i+1)*classes], int(l)) == 0 {
				correct++
			}
		}
		loss = out.Loss
		j.grads.add(labels)
		s.Gathered += labels
	}
	s.EpochSums.add(loss, correct, labels, b.N)
	s.Window.add(loss, correct, labels, b.N)
	s.Images += int64(b.N)
	s.Step++
	s.TotalSteps++
	if j.groupEnds() && s.Gathered > 0 {
		j.update(s.Gathered, s.Updates, j.rate)
		s.Gathered = 0
		s.Updates++
	}
	return nil
}

// groupEnds says whether the weights change now: after so many batches, and with the last one of
// an epoch or of the run.
func (j *job) groupEnds() bool {
	step := j.state.Step
	return step%max(j.o.Accumulate, 1) == 0 || step == j.train.Steps() || j.atMaxSteps()
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
		s.EpochSums.meanLoss(), 100*s.EpochSums.accuracy(), j.rate, left.Round(time.Second)))
}
