package train

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/safetensors"
)

// The files of a run directory; see the package's comment.
const (
	BestName      = "best.safetensors"
	weightsName   = "weights.safetensors"
	averageName   = "average.safetensors"
	optimizerName = "optimizer.safetensors"
	stateName     = "state.json"
	pendingName   = ".checkpoint-pending"

	maxState = 64 << 20 // bytes
)

var checkpointDir = regexp.MustCompile(`^checkpoint-(\d{4,9})-(\d{8,12})$`)

// place is a checkpoint's position, which its directory is named after.
type place struct{ epoch, step int }

func (p place) dir(run string) string {
	return filepath.Join(run, fmt.Sprintf("checkpoint-%04d-%08d", p.epoch, p.step))
}

func (p place) less(q place) bool { return p.epoch < q.epoch || p.epoch == q.epoch && p.step < q.step }

// checkpoints lists the complete checkpoints of a run, the newest last found in newest. Being
// under a final name is being complete.
func checkpoints(run string) (all []place, newest place, err error) {
	entries, err := os.ReadDir(run)
	if err != nil {
		return nil, place{}, err
	}
	for _, e := range entries {
		m := checkpointDir.FindStringSubmatch(e.Name())
		if m == nil || !e.IsDir() {
			continue
		}
		epoch, _ := strconv.Atoi(m[1])
		step, _ := strconv.Atoi(m[2])
		p := place{epoch, step}
		if len(all) == 0 || newest.less(p) {
			newest = p
		}
		all = append(all, p)
	}
	return all, newest, nil
}

// file is a named part of a checkpoint and what writes it.
type file struct {
	name string
	fill func(io.Writer) error
}

// writeCheckpoint makes the files of one checkpoint appear together: they are written to a
// directory of another name, synced, and renamed. Then older checkpoints go. After an error the
// older ones are as they were.
func writeCheckpoint(run string, at place, files []file) error {
	pending := filepath.Join(run, pendingName)
	if err := os.RemoveAll(pending); err != nil {
		return err
	}
	if err := os.Mkdir(pending, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(pending) // what is left of it after an error also fills the disk
	for _, f := range files {
		if err := writeSynced(filepath.Join(pending, f.name), f.fill); err != nil {
			return err
		}
	}
	if err := atomicfile.SyncDir(pending); err != nil {
		return err
	}
	if err := os.Rename(pending, at.dir(run)); err != nil {
		return err
	}
	if err := atomicfile.SyncDir(run); err != nil {
		return err
	}
	return removeOlder(run, at)
}

// removeOlder leaves one checkpoint of a run, and nothing half written.
func removeOlder(run string, keep place) error {
	all, _, err := checkpoints(run)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p == keep {
			continue
		}
		if err := os.RemoveAll(p.dir(run)); err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(run, pendingName))
}

func writeSynced(path string, fill func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<18)
	if err := fill(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// usableName is the file of a checkpoint with the weights to predict with.
func usableName(c Config) string {
	if c.EMA > 0 {
		return averageName
	}
	return weightsName
}

// save writes the state and the learner as a checkpoint.
func save(run string, s *state, l *learner, meta map[string]string) error {
	s.Format = stateFormat
	at := place{s.Epoch, s.Step}
	files := []file{
		{weightsName, digested(&s.Weights, func(w io.Writer) error { return l.net.Save(w, meta) })},
		{optimizerName, digested(&s.Optimizer, func(w io.Writer) error {
			return safetensors.WriteFloats(w, l.memory(), meta)
		})},
	}
	if l.average.means != nil {
		files = append(files, file{averageName, digested(&s.Average, func(w io.Writer) error {
			l.average.swap()
			defer l.average.swap()
			return l.net.Save(w, meta)
		})})
	}
	files = append(files, file{stateName, func(w io.Writer) error { return writeJSON(w, s) }}) // it has the digests
	if err := writeCheckpoint(run, at, files); err != nil {
		return fmt.Errorf("checkpoint of epoch %d, step %d: %w", s.Epoch+1, s.Step, err)
	}
	return nil
}

// digested stores the digest of what fill writes.
func digested(to *string, fill func(io.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error {
		h := digest.New()
		if err := fill(io.MultiWriter(w, h)); err != nil {
			return err
		}
		*to = h.String()
		return nil
	}
}

// load brings back the newest checkpoint of a run. It returns nil where there is none, and an
// error wrapping [ErrRecord] where its files are not those that were written.
func load(run string, l *learner) (*state, error) {
	all, at, err := checkpoints(run)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	dir := at.dir(run)
	s := &state{}
	if err := readJSON(filepath.Join(dir, stateName), maxState, s); err != nil {
		return nil, missing(err)
	}
	if s.Format != stateFormat || s.Epoch != at.epoch || s.Step != at.step {
		return nil, fmt.Errorf("%s: state of format %q at epoch %d, step %d: %w", dir, s.Format, s.Epoch, s.Step, ErrRecord)
	}
	weights, memory, average := filepath.Join(dir, weightsName), filepath.Join(dir, optimizerName), filepath.Join(dir, averageName)
	digests := map[string]string{weights: s.Weights, memory: s.Optimizer}
	if l.average.means != nil {
		digests[average] = s.Average
	}
	for path, want := range digests {
		got, err := digest.File(path)
		if err != nil {
			return nil, missing(err)
		}
		if got != want {
			return nil, fmt.Errorf("%s: digest %s, want %s: %w", path, got, want, ErrRecord)
		}
	}
	if l.average.means != nil {
		if _, err := l.net.Load(average); err != nil {
			return nil, err
		}
		l.average.reset()
	}
	if _, err := l.net.Load(weights); err != nil {
		return nil, err
	}
	saved, _, err := safetensors.ReadFloats(memory)
	if err != nil {
		return nil, err
	}
	if err := remember(l.memory(), l.needed(saved)); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", memory, err, ErrRecord)
	}
	return s, nil
}

// missing marks the absence of a file inside a complete checkpoint as damage.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", err, ErrRecord)
	}
	return err
}

// leftovers lists what of a run a directory holds, but for the record.
func leftovers(run string) ([]string, error) {
	all, _, err := checkpoints(run)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, n := range []string{MetricsName, eventsName, CurvesPNG, CurvesSVG, ConfusionsPNG, ConfusionsCSV, FiltersPNG, BestName, pendingName} {
		if _, err := os.Lstat(filepath.Join(run, n)); err == nil {
			out = append(out, n)
		}
	}
	for _, p := range all {
		out = append(out, filepath.Base(p.dir(run)))
	}
	return out, nil
}

// forget removes all that a run has left in its directory, and nothing else.
func forget(run string) error {
	rest, err := leftovers(run)
	if err != nil {
		return err
	}
	// The record goes last: a directory with leftovers alone is refused.
	for _, n := range append(rest, RecordName) {
		if err := os.RemoveAll(filepath.Join(run, n)); err != nil {
			return err
		}
	}
	return nil
}
