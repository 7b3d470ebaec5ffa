package train

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
)

// losses is a history with these validation losses.
func losses(values ...float64) []point {
	var out []point
	for i, v := range values {
		out = append(out, point{Epoch: i + 1, Val: &validation{Loss: v}})
	}
	return out
}

func TestSchedulesAgreeWithPyTorch(t *testing.T) {
	for _, c := range readGolden(t).Schedules {
		s := newSchedule(c.Config, 1)
		for step, want := range c.Rates {
			// PyTorch's cosine goes from rate to rate, which rounds otherwise.
			if got := s.rate(int64(step), make([]point, step)); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s: rate of step %d = %v, want %v", c.Config.Schedule, step, got, want)
			}
		}
	}
}

func TestWarmup(t *testing.T) {
	s := newSchedule(Config{LearningRate: 0.8, Warmup: 4, Schedule: cosine, Epochs: 2, MinRate: 0.4}, 4)
	// A quarter more each step, then half a cosine over the other four steps.
	for step, want := range []float64{0.2, 0.4, 0.6, 0.8, 0.8, 0.6 + 0.2*math.Sqrt2/2, 0.6, 0.6 - 0.2*math.Sqrt2/2} {
		if got := s.rate(int64(step), nil); math.Abs(got-want) > 1e-15 {
			t.Errorf("rate of step %d = %v, want %v", step, got, want)
		}
	}
	s = newSchedule(Config{LearningRate: 0.8, Schedule: cosine, Epochs: 100, MaxSteps: 2}, 4)
	if got := s.rate(1, nil); math.Abs(got-0.4) > 1e-15 {
		t.Errorf("rate of the middle of a run of two steps = %v, want 0.4", got)
	}
}

func TestPlateau(t *testing.T) {
	s := newSchedule(Config{LearningRate: 1, Schedule: plateau, Gamma: 0.5, PlateauPatience: 2, PlateauDrops: 2, Epochs: 20}, 1)
	history := losses(3, 3, 2, 2, 2.5, 1, 1, 1, 1, 1, 1, 1)
	// The best of epoch 1 is not beaten in 2 alone, that of 3 not in 4 and 5, that of 6 not in 7 and
	// 8, and two falls are all.
	want := []float64{1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25}
	for n, w := range want {
		if got := s.rate(int64(n), history[:n]); got != w {
			t.Errorf("rate after %d epochs = %v, want %v", n, got, w)
		}
	}
	// The last fall was after epoch 8; before it nothing counts.
	for n, w := range map[int]int{5: 0, 7: 0, 8: 0, 9: 1, 12: 4} {
		if got := s.stalled(history[:n], 6); got != w {
			t.Errorf("stalled after %d epochs = %d, want %d", n, got, w)
		}
	}
}

// A run learns, logs and ends by the schedule.
func TestRunFollowsItsSchedule(t *testing.T) {
	o := five(t)
	o.Epochs, o.MaxSteps, o.Optimizer, o.LearningRate = 3, 13, sgd, 0.125
	o.Schedule, o.Milestones, o.Gamma, o.Warmup = stepped, "1,2", 0.5, 2
	mustRun(t, o)
	got := loggedRates(t, o.Out)
	a, b, c := 0.125, 0.0625, 0.03125
	if want := []float64{a / 2, a, a, a, a, b, b, b, b, b, c, c, c}; !slices.Equal(got, want) {
		t.Errorf("rates = %v, want %v", got, want)
	}

	// A rate this small changes no float32: no epoch is better than the first. It falls after 2
	// and 3, and then two epochs are waited for.
	p := five(t)
	p.Epochs, p.Optimizer, p.LearningRate, p.Patience = 9, sgd, 1e-30, 2
	p.Schedule, p.PlateauPatience = plateau, 1
	r := mustRun(t, p)
	if r.Epochs != 5 || r.Stopped != stoppedPatience {
		t.Errorf("%d epochs, stopped by %q, want 5 by patience", r.Epochs, r.Stopped)
	}
	got = loggedRates(t, p.Out)
	for epoch, want := range []float64{1e-30, 1e-30, 1e-31, 1e-32, 1e-32} {
		if g := got[5*epoch]; math.Abs(g/want-1) > 1e-12 {
			t.Errorf("rate of epoch %d = %v, want %v", epoch+1, g, want)
		}
	}
}

func loggedRates(t *testing.T, run string) (rates []float64) {
	t.Helper()
	for _, line := range metrics(t, run) {
		var l TrainLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Kind == "train" {
			rates = append(rates, l.Rate)
		}
	}
	return rates
}

// A cosine is stretched over all epochs, so more of them are another run.
func TestMoreEpochsOfACosineAreRefused(t *testing.T) {
	o := usual(t)
	o.Epochs, o.Schedule = 1, cosine
	mustRun(t, o)
	o.Epochs = 2
	refused(t, o, ErrOtherRun, "epochs: 1 there, 2 wanted")
}
