package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/vf2prep/vf2prep/internal/tfevents"
)

// MetricsName is the file with a run's numbers, one JSON object a line.
const MetricsName = "metrics.jsonl"

const eventsName = tfevents.Name

// TrainLine is a line of metrics.jsonl that sums up the steps since the line before it.
type TrainLine struct {
	Kind     string  `json:"kind"`  // "train"
	Epoch    int     `json:"epoch"` // from 1
	Step     int64   `json:"step"`  // steps done in all
	Loss     float64 `json:"loss"`  // mean over labelled images
	Accuracy float64 `json:"accuracy"`
	Rate     float64 `json:"lr"` // of the last of these steps
	Speed    float64 `json:"images_per_second"`
}

// EpochLine is a line of metrics.jsonl that sums up an epoch. The validation's fields are missing where nothing has a label.
type EpochLine struct {
	Kind          string   `json:"kind"` // "epoch"
	Epoch         int      `json:"epoch"`
	Step          int64    `json:"step"`
	TrainLoss     float64  `json:"train_loss"`
	TrainAccuracy float64  `json:"train_accuracy"`
	ValLoss       *float64 `json:"val_loss,omitempty"`
	ValTop1       *float64 `json:"val_top1,omitempty"`
	ValTop5       *float64 `json:"val_top5,omitempty"`
	ValGender     *float64 `json:"val_gender,omitempty"`
	ValAge        *float64 `json:"val_age_mae,omitempty"`
	ValTriplet    *float64 `json:"val_triplet,omitempty"`
	Best          bool     `json:"best"` // the smallest validation loss so far
}

// logs are the two files of numbers.
type logs struct {
	metrics *os.File
	size    int64
	events  *tfevents.Writer
}

// openLogs continues a run's logs at the lengths that belong to a checkpoint: what was written
// after it is about to be written again.
func openLogs(run string, metricsBytes, eventsBytes int64) (*logs, error) {
	path := filepath.Join(run, MetricsName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	size, err := wholeLines(f, metricsBytes)
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	events, err := tfevents.Open(filepath.Join(run, eventsName), max(eventsBytes, 0))
	if err != nil {
		f.Close()
		return nil, err
	}
	return &logs{f, size, events}, nil
}

// wholeLines returns the length of the whole lines among the first limit bytes of f. It is
// limit itself unless somebody has shortened the file since.
func wholeLines(f *os.File, limit int64) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	end := min(max(limit, 0), info.Size())
	buf := make([]byte, 4096) // a line takes some 200
	for end > 0 {
		from := max(end-int64(len(buf)), 0)
		b := buf[:end-from]
		if _, err := f.ReadAt(b, from); err != nil && err != io.EOF {
			return 0, err
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		end = from
	}
	return 0, nil
}

// line appends one object to metrics.jsonl and its numbers to the events.
func (l *logs) line(v any, step int64, scalars ...tfevents.Scalar) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", l.metrics.Name(), err)
	}
	b = append(b, '\n')
	if _, err := l.metrics.WriteAt(b, l.size); err != nil {
		_ = l.metrics.Truncate(l.size)
		return fmt.Errorf("%s: %w", l.metrics.Name(), err)
	}
	if err := l.events.Scalars(step, scalars...); err != nil {
		_ = l.metrics.Truncate(l.size) // both files say the same, or neither does
		return fmt.Errorf("%s: %w", eventsName, err)
	}
	l.size += int64(len(b))
	return nil
}

// sync makes the logs as durable as the checkpoint that names their lengths.
func (l *logs) sync() error {
	if err := l.metrics.Sync(); err != nil {
		return err
	}
	return l.events.Sync()
}

func (l *logs) close() {
	l.metrics.Close()
	l.events.Close()
}

// train writes the line of a window of steps.
func (l *logs) train(s *state, rate float64) error {
	w := &s.Window
	return l.line(TrainLine{"train", s.Epoch + 1, s.TotalSteps, w.meanLoss(), w.accuracy(), rate, w.rate()}, s.TotalSteps,
		tfevents.Scalar{Tag: "train/loss", Value: w.meanLoss()},
		tfevents.Scalar{Tag: "train/accuracy", Value: w.accuracy()},
		tfevents.Scalar{Tag: "train/learning_rate", Value: rate},
		tfevents.Scalar{Tag: "train/images_per_second", Value: w.rate()})
}

// epoch writes the line of a finished epoch.
func (l *logs) epoch(p *point, best bool) error {
	line := EpochLine{Kind: "epoch", Epoch: p.Epoch, Step: p.Step, TrainLoss: p.TrainLoss, TrainAccuracy: p.TrainAccuracy, Best: best}
	scalars := []tfevents.Scalar{
		{Tag: "epoch/train_loss", Value: p.TrainLoss},
		{Tag: "epoch/train_accuracy", Value: p.TrainAccuracy},
	}
	if v := p.Val; v != nil {
		line.ValLoss, line.ValTop1, line.ValTop5 = &v.Loss, &v.Top1, &v.Top5
		scalars = append(scalars,
			tfevents.Scalar{Tag: "epoch/val_loss", Value: v.Loss},
			tfevents.Scalar{Tag: "epoch/val_top1", Value: v.Top1},
			tfevents.Scalar{Tag: "epoch/val_top5", Value: v.Top5})
		line.ValGender, line.ValAge, line.ValTriplet = v.Gender, v.Age, v.Triplet
		for _, s := range []struct {
			tag   string
			value *float64
		}{{"epoch/val_gender", v.Gender}, {"epoch/val_age_mae", v.Age}, {"epoch/val_triplet", v.Triplet}} {
			if s.value != nil {
				scalars = append(scalars, tfevents.Scalar{Tag: s.tag, Value: *s.value})
			}
		}
	}
	return l.line(line, p.Step, scalars...)
}

// readRates reads the learning rates and their steps back from a run's metrics. Lines that can't
// be read are left out: they are only for a picture.
func readRates(run string) (steps, rates []float64, err error) {
	f, err := os.Open(filepath.Join(run, MetricsName))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var l TrainLine
		if json.Unmarshal(lines.Bytes(), &l) == nil && l.Kind == "train" {
			steps, rates = append(steps, float64(l.Step)), append(rates, l.Rate)
		}
	}
	return steps, rates, lines.Err()
}
