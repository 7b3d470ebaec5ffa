package train

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/vf2prep/vf2prep/loader"
	"github.com/vf2prep/vf2prep/nn"
)

func (j *job) atMaxSteps() bool {
	return j.o.MaxSteps > 0 && j.state.TotalSteps >= int64(j.o.MaxSteps)
}

// turn is a batch on its way through a member of the crew.
type turn struct {
	batch  *loader.Batch
	labels int // images that some head can learn from
	out    nn.Output
	err    error
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
	var turns []*turn
	mark := time.Now()
	waited := 0.0
	for batch, err := range j.train.Epoch(ctx, s.Epoch, s.Step) {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		waited += time.Since(mark).Seconds()
		began := time.Now()
		if turns = append(turns, &turn{batch: batch}); len(turns) < len(j.crew) && !j.endsGroup(len(turns)) {
			turns[len(turns)-1].batch = batch.Clone()
			mark = time.Now()
			continue
		}
		j.learn(turns)
		done, err := j.account(turns, waited, time.Since(began).Seconds()+waited)
		if done || err != nil {
			return err
		}
		turns, waited = turns[:0], 0
		mark = time.Now()
	}
	return nil
}

// learn lets each member of the crew learn from a batch, all at once.
func (j *job) learn(turns []*turn) {
	var wg sync.WaitGroup
	for i, t := range turns {
		t.labels = j.targets(t.batch)
		if t.labels == 0 {
			continue
		}
		x, targets := j.padded(t.batch)
		net := j.crew[i].net
		net.At(j.state.TotalSteps + int64(i))
		learn := func() { t.out, t.err = net.Learn(x, targets) }
		if i+1 < len(turns) {
			wg.Go(learn)
		} else {
			learn()
		}
	}
	wg.Wait()
}

// account takes in what the crew learnt, batch after batch as if by one network alone, and says
// whether the epoch or the run is done.
func (j *job) account(turns []*turn, waited, seconds float64) (done bool, err error) {
	s := j.state
	share := 1 / float64(len(turns))
	for i, t := range turns {
		if err := j.step(t, j.crew[i]); err != nil {
			return false, err
		}
		s.TrainTime += seconds * share
		s.Window.Seconds += seconds * share
		s.Waited += waited * share
		done = s.Step == j.train.Steps() || j.atMaxSteps()
		if s.Step%j.o.LogEvery == 0 || done {
			if err := j.logs.train(s, j.rate); err != nil {
				return false, err
			}
			s.Window = sums{}
		}
		j.report.Add(int64(t.batch.N))
		j.note()
		if j.due() {
			if err := j.save(); err != nil {
				return false, err
			}
		}
	}
	return done, nil
}

// step counts what was learnt from one batch, and where a group of batches ends it updates the
// weights. A batch of which nothing has a target counts as a step and changes nothing.
func (j *job) step(t *turn, m member) error {
	s, b := j.state, t.batch
	j.rate = j.schedule.rate(s.TotalSteps, s.History)
	loss, correct := 0.0, 0
	if t.labels > 0 {
		if t.err != nil {
			return fmt.Errorf("%s: %w", j.where(b), t.err)
		}
		if !finite(t.out.Loss) {
			return fmt.Errorf("%s: loss is %v on %s: %w; %s", j.where(b), t.out.Loss, names(b.Keys[:b.N]), ErrDiverged, j.kept())
		}
		if m.net != j.net {
			j.net.Absorb(m.net)
		}
		classes := len(j.rec.Classes)
		for i, l := range b.Label[:b.N] {
			if l >= 0 && t.out.Logits != nil && rank(t.out.Logits[i*classes:(i+1)*classes], int(l)) == 0 {
				correct++
			}
		}
		loss = t.out.Loss
		j.grads.add(m.params, t.labels)
		s.Gathered += t.labels
	}
	s.EpochSums.add(loss, correct, t.labels, b.N)
	s.Window.add(loss, correct, t.labels, b.N)
	s.Images += int64(b.N)
	s.Step++
	s.TotalSteps++
	if j.endsGroup(0) && s.Gathered > 0 {
		j.update(s.Gathered, s.Updates, j.rate)
		s.Gathered = 0
		s.Updates++
	}
	return nil
}

// endsGroup says whether the weights change after so many steps more: they do after so many batches,
// and with the last one of an epoch or of the run.
func (j *job) endsGroup(more int) bool {
	step, total := j.state.Step+more, j.state.TotalSteps+int64(more)
	return step%max(j.o.Accumulate, 1) == 0 || step == j.train.Steps() || j.o.MaxSteps > 0 && total >= int64(j.o.MaxSteps)
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
	accuracy := ""
	if j.o.Config.named() { // ages and genders have no classes to be right about
		accuracy = fmt.Sprintf(", accuracy %.1f %%", 100*s.EpochSums.accuracy())
	}
	j.report.Note(fmt.Sprintf("loss %.3f%s, lr %g, run %s left", s.EpochSums.meanLoss(), accuracy, j.rate, left.Round(time.Second)))
}
