package train

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The learning-rate schedules.
const (
	constant = "constant"
	stepped  = "step"
	cosine   = "cosine"
	plateau  = "plateau"
)

// schedule says how fast to learn. The rate is a function of a step's place and of the epochs
// that are finished, so a run that goes on takes the rates of one that was never stopped.
type schedule struct {
	kind        string
	first, last float64 // the learning rate, and where cosine ends
	gamma       float64 // factor of each fall
	warmup      int64   // steps
	total       int64   // steps of the whole run
	milestones  []int   // epochs
	patience    int     // epochs
	falls       int     // of plateau, at most
}

// newSchedule takes a complete configuration and the steps of an epoch.
func newSchedule(c Config, steps int) *schedule {
	s := &schedule{
		kind: c.Schedule, first: c.LearningRate, last: c.MinRate, gamma: c.Gamma,
		warmup: int64(c.Warmup), total: int64(c.Epochs) * int64(steps),
		patience: c.PlateauPatience, falls: c.PlateauDrops,
	}
	if c.MaxSteps > 0 {
		s.total = min(s.total, int64(c.MaxSteps))
	}
	s.milestones, _ = parseMilestones(c.Milestones) // complete has read them before
	return s
}

// rate returns the learning rate of a step, counted over all epochs from 0, in an epoch that
// comes after those of history.
//
// step and cosine are PyTorch's MultiStepLR and CosineAnnealingLR, the latter by steps. While it
// warms up the rate grows in equal parts to what the schedule wants; cosine begins after that.
func (s *schedule) rate(step int64, history []point) float64 {
	rate := s.first
	switch s.kind {
	case stepped:
		for _, m := range s.milestones {
			if len(history) >= m {
				rate *= s.gamma
			}
		}
	case cosine:
		if past := step - s.warmup; past > 0 {
			angle := math.Pi * float64(past) / float64(s.total-s.warmup)
			rate = s.last + float64((s.first-s.last)*(1+math.Cos(angle))/2)
		}
	case plateau:
		fallen, _ := s.fallen(history)
		for range fallen {
			rate *= s.gamma
		}
	}
	if step < s.warmup {
		rate = rate * float64(step+1) / float64(s.warmup)
	}
	return rate
}

// fallen replays the validations under plateau: how often the rate has fallen, and at the end of
// which epoch for the last time, from 1.
func (s *schedule) fallen(history []point) (falls, epoch int) {
	best, waited := math.Inf(1), 0
	for _, p := range history {
		if p.Val.Loss < best {
			best, waited = p.Val.Loss, 0
			continue
		}
		if waited++; waited == s.patience && falls < s.falls {
			falls, epoch, waited = falls+1, p.Epoch, 0
		}
	}
	return falls, epoch
}

// stalled returns how many epochs have passed without a smaller validation loss. Under plateau
// they count from the last fall of the rate, and not before it: each new rate gets its chance.
func (s *schedule) stalled(history []point, best int) int {
	if s.kind == plateau {
		falls, epoch := s.fallen(history)
		if falls < s.falls {
			return 0
		}
		best = max(best, epoch)
	}
	return len(history) - best
}

// completeSchedule fills in what was left at zero. What the schedule has no use for was meant for
// another one.
func (c *Config) completeSchedule() error {
	switch c.Schedule {
	case constant:
		c.Schedule = "" // as in the records of before there were others
	case "", stepped, cosine, plateau:
	default:
		return fmt.Errorf("%w: schedule %q, want %s, %s, %s or %s", ErrOption, c.Schedule, constant, stepped, cosine, plateau)
	}
	c.Milestones = strings.Join(list(c.Milestones), ",")
	for _, o := range []struct {
		name string
		set  bool
		of   string
		used bool
	}{
		{"milestones", c.Milestones != "", stepped, c.Schedule == stepped},
		{"gamma", c.Gamma != 0, stepped + " or " + plateau, c.Schedule == stepped || c.Schedule == plateau},
		{"min lr", c.MinRate != 0, cosine, c.Schedule == cosine},
		{"plateau patience", c.PlateauPatience != 0, plateau, c.Schedule == plateau},
		{"plateau drops", c.PlateauDrops != 0, plateau, c.Schedule == plateau},
	} {
		if o.set && !o.used {
			kind := c.Schedule
			if kind == "" {
				kind = constant
			}
			return fmt.Errorf("%w: %s: only for schedule %s, this one is %s", ErrOption, o.name, o.of, kind)
		}
	}
	settle(&c.Gamma, c.Schedule == stepped || c.Schedule == plateau, 0.1)
	// VGGFace2's own training divided the rate twice.
	settle(&c.PlateauDrops, c.Schedule == plateau, 2)
	settle(&c.PlateauPatience, c.Schedule == plateau, 3)
	marks, err := parseMilestones(c.Milestones)
	if err != nil {
		return err
	}
	if c.Schedule == stepped && len(marks) == 0 {
		return fmt.Errorf("%w: schedule %s without milestones", ErrOption, stepped)
	}
	return nil
}

// parseMilestones reads epochs such as "3,6": the rate falls after each of them.
func parseMilestones(text string) ([]int, error) {
	var out []int
	for _, word := range list(text) {
		m, err := strconv.Atoi(word)
		if err != nil || m < 1 || len(out) > 0 && m <= out[len(out)-1] {
			return nil, fmt.Errorf("%w: milestones %q, want epochs from 1 in rising order such as 3,6", ErrOption, text)
		}
		out = append(out, m)
	}
	return out, nil
}
