package train

import "math"

const stateFormat = "vf2prep.checkpoint/1"

// state is where a run stands, complete enough that going on from it is the same as never
// having stopped. Random numbers need no place here: they are keyed by epoch and image.
type state struct {
	Format     string  `json:"format"`
	Epoch      int     `json:"epoch"`              // epochs that are done, validation included
	Step       int     `json:"step"`               // steps that are done of the next epoch
	TotalSteps int64   `json:"total_steps"`        // of all epochs
	EpochSums  sums    `json:"epoch_sums"`         // over the epoch so far
	Window     sums    `json:"window"`             // since the last line of metrics
	Gathered   int     `json:"gathered,omitempty"` // labelled images whose gradients the next update has so far
	Updates    int64   `json:"updates,omitempty"`  // of the weights so far; 0 in checkpoints older than Config.EMA, which alone asks for it
	Images     int64   `json:"images"`             // trained on in all epochs
	TrainTime  float64 `json:"train_seconds"`
	Waited     float64 `json:"waited_seconds"` // of TrainTime, for batches
	AllTime    float64 `json:"seconds"`        // with validation and checkpoints
	History    []point `json:"history"`
	Stopped    string  `json:"stopped,omitempty"` // why the run ended before its last epoch

	MetricsBytes int64 `json:"metrics_bytes"` // how much of the logs belongs to this position
	EventsBytes  int64 `json:"events_bytes"`

	Weights   string `json:"weights"` // digests of the files beside this one
	Optimizer string `json:"optimizer"`
	Average   string `json:"average,omitempty"`
}

// sums are running sums of the training's loss and accuracy.
type sums struct {
	Loss    float64 `json:"loss"` // summed over labelled images
	Correct int     `json:"correct"`
	Labels  int     `json:"labels"`
	Images  int     `json:"images"`
	Steps   int     `json:"steps"`
	Seconds float64 `json:"seconds"`
}

func (s *sums) add(loss float64, correct, labels, images int) {
	s.Loss += float64(loss * float64(labels))
	s.Correct += correct
	s.Labels += labels
	s.Images += images
	s.Steps++
}

func (s *sums) meanLoss() float64 { return share(s.Loss, float64(s.Labels)) }
func (s *sums) accuracy() float64 { return share(float64(s.Correct), float64(s.Labels)) }
func (s *sums) rate() float64     { return share(float64(s.Images), s.Seconds) }

// share is a/b, and 0 where there is nothing to share.
func share(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// point is one finished epoch. Epoch counts from 1.
type point struct {
	Epoch         int         `json:"epoch"`
	Step          int64       `json:"step"` // steps in all at its end
	TrainLoss     float64     `json:"train_loss"`
	TrainAccuracy float64     `json:"train_accuracy"`
	Val           *validation `json:"val,omitempty"` // nil where nothing has a label
}

// best returns the finished epoch with the smallest validation loss, the first of equals; nil
// where nothing was validated.
func (s *state) best() *point {
	var best *point
	for i := range s.History {
		p := &s.History[i]
		if p.Val != nil && (best == nil || p.Val.Loss < best.Val.Loss) {
			best = p
		}
	}
	return best
}

// finished says whether nothing is left to do for a configuration.
func (s *state) finished(c Config) bool { return s.Stopped != "" || s.Epoch >= c.Epochs }

// finite says whether a loss can be trusted.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
