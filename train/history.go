package train

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// History is what metrics.jsonl holds.
type History struct {
	Lines  []TrainLine
	Epochs []EpochLine
}

const (
	maxMetrics     = 1 << 30 // bytes of metrics.jsonl
	maxMetricsLine = 1 << 20
)

// ReadHistory reads a run's numbers; a run that has written none yet has an empty one. A last line
// that is cut short, of a training at work, is passed over; another that can't be read is an error
// that wraps [ErrRecord].
func ReadHistory(run string) (*History, error) {
	path := filepath.Join(run, MetricsName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &History{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.Size() > maxMetrics {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read: %w", path, info.Size(), maxMetrics, ErrRecord)
	}
	h := &History{}
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 0, 4096), maxMetricsLine)
	var broken error
	for n := 1; lines.Scan(); n++ {
		if broken != nil {
			return nil, broken
		}
		if err := h.add(lines.Bytes()); err != nil {
			broken = fmt.Errorf("%s:%d: %w: %w", path, n, err, ErrRecord)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, err, ErrRecord)
	}
	return h, nil
}

func (h *History) add(line []byte) error {
	var kind struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return err
	}
	switch kind.Kind {
	case "train":
		var l TrainLine
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		h.Lines = append(h.Lines, l)
	case "epoch":
		var l EpochLine
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		h.Epochs = append(h.Epochs, l)
	}
	return nil
}
