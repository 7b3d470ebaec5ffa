package train

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// eventTags are the names of metrics.jsonl's numbers in the event file, by kind of line.
var eventTags = map[string]map[string]string{
	"train": {
		"loss": "train/loss", "accuracy": "train/accuracy", "lr": "train/learning_rate", "images_per_second": "train/images_per_second",
	},
	"epoch": {
		"train_loss": "epoch/train_loss", "train_accuracy": "epoch/train_accuracy",
		"val_loss": "epoch/val_loss", "val_top1": "epoch/val_top1", "val_top5": "epoch/val_top5",
		"val_gender": "epoch/val_gender", "val_age_mae": "epoch/val_age_mae", "val_triplet": "epoch/val_triplet",
	},
}

// TensorBoard's own reader finds in the event file what metrics.jsonl says, also of a run that
// was interrupted.
func TestTensorBoardReadsTheEvents(t *testing.T) {
	python := os.Getenv("VF2PREP_TENSORBOARD_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.Command(python, "-c", "import tensorboard").CombinedOutput(); err != nil {
		t.Skipf("no TensorBoard: %s -c 'import tensorboard': %v\n%s"+
			"pip install tensorboard, or name a Python that has it in VF2PREP_TENSORBOARD_PYTHON", python, err, out)
	}
	o := usual(t)
	o.Schedule, o.Warmup, o.LogEvery = cosine, 2, 1
	runInterrupted(t, o, 5)

	want := map[string][][2]float64{}
	for line := range strings.Lines(string(read(t, filepath.Join(o.Out, MetricsName)))) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		for name, tag := range eventTags[fields["kind"].(string)] {
			if v, ok := fields[name].(float64); ok {
				want[tag] = append(want[tag], [2]float64{fields["step"].(float64), float64(float32(v))})
			}
		}
	}
	if len(want) < 9 || len(want["train/loss"]) != 9 || len(want["epoch/val_loss"]) != 3 {
		t.Fatalf("%s of 3 epochs of 3 steps has %d numbers: %v", MetricsName, len(want), want)
	}

	var stderr bytes.Buffer
	cmd := exec.Command(python, filepath.Join("testdata", "read_events.py"), filepath.Join(o.Out, eventsName))
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	got := map[string][][2]float64{}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The events hold float32.
	near := cmp.Comparer(func(a, b float64) bool { return a == b || math.Abs(a-b) <= 1e-7*math.Abs(b) })
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Errorf("scalars (-metrics.jsonl +TensorBoard):\n%s", diff)
	}
}
