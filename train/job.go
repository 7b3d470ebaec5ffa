package train

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/vf2prep/vf2prep/augment"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/loader"
	"github.com/vf2prep/vf2prep/nn"
	"github.com/vf2prep/vf2prep/shard"
)

// job is a run at work.
type job struct {
	o      *Options
	rec    *Record
	train  *loader.Loader
	val    *loader.Loader // nil where nothing has a label
	report progress.Reporter

	*learner
	schedule *schedule
	rate     float64 // of the newest step
	logs     *logs
	state    *state

	began   time.Time // this command
	spent   float64   // seconds of the commands before it
	saved   place     // the newest checkpoint
	isSaved bool
	savedAt time.Time
	failed  bool      // the last attempt at a checkpoint
	noted   time.Time // when the progress was last put in words
}

// newJob checks the data against the options and makes all that needs no run directory, so
// that a mistake leaves nothing behind.
func newJob(o *Options, set *shard.Set) (*job, error) {
	x := set.Index()
	if len(x.Classes) == 0 && o.Config.named() {
		return nil, fmt.Errorf("%s: no classes: the split has no identity to train on (--heads without identity and triplet need none)", o.Shards)
	}
	pipeline, err := augment.Parse(o.Augment)
	if err != nil {
		return nil, fmt.Errorf("%w: augment: %w", ErrOption, err)
	}
	j := &job{o: o, report: progress.Or(o.Progress)}
	j.train, err = loader.New(set, "train", loader.Options{
		Batch: o.Batch, Seed: o.Seed, Sampler: loader.Sampler(o.Sampler), Identities: o.Identities, Images: o.Images,
		Augment: pipeline, Train: true, Workers: o.Threads,
	})
	if errors.Is(err, loader.ErrOption) {
		err = fmt.Errorf("%w: %w", ErrOption, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Shards, err)
	}
	c, h, w := j.train.Shape()
	j.rec = newRecord(o, x, set.Digest(), c, h, w)
	cfg, err := o.Config.network(c, h, w, len(x.Classes), o.Batch)
	if err != nil {
		return nil, err
	}
	if err := j.count(set, cfg.Heads); err != nil {
		return nil, err
	}
	if j.rec.ValImages > 0 {
		j.val, err = loader.New(set, "val", loader.Options{Batch: o.Batch, Seed: o.Seed, Augment: pipeline, Workers: o.Threads})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Shards, err)
		}
	}
	if o.Schedule == plateau && j.val == nil {
		return nil, fmt.Errorf("%w: schedule %s, %s has no labelled part val to go by", ErrOption, plateau, o.Shards)
	}
	j.schedule = newSchedule(o.Config, j.train.Steps())
	net, err := nn.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOption, err)
	}
	for _, p := range net.Params() {
		j.rec.Parameters += len(p.Data)
	}
	if o.Init != "" {
		if j.rec.Inputs.Init, err = digest.File(o.Init); err != nil {
			return nil, err
		}
		if j.rec.Fresh, err = net.Init(o.Init); err != nil {
			return nil, err
		}
	}
	j.learner, err = newLearner(o.Config, net, o.Replicas, o.Threads)
	return j, err
}

// count looks for what the heads are to learn in both parts.
func (j *job) count(set *shard.Set, heads []nn.Head) error {
	o := j.o
	byHead, any, err := known(set, "train", heads)
	if err != nil {
		return err
	}
	for _, h := range heads {
		if byHead[h.Kind] == 0 {
			return fmt.Errorf("%s: part train: none of %d images has a label for head %s", o.Shards, j.train.Len(), h.Kind)
		}
	}
	if j.rec.TrainImages = any; o.Batch > any {
		return fmt.Errorf("%w: batch of %d images, part train of %s has only %d with a label", ErrOption, o.Batch, o.Shards, any)
	}
	if _, there := set.Index().Parts["val"]; there {
		_, j.rec.ValImages, err = known(set, "val", heads)
	}
	return err
}

// open prepares the run directory, which is locked: it begins a run or finds the place where one
// stopped.
func (j *job) open() error {
	old, err := j.claim()
	if err != nil {
		return err
	}
	c := j.rec.Config
	j.state = &state{}
	if old != nil {
		s, err := load(j.o.Out, j.learner)
		if err != nil {
			return err
		}
		if s != nil {
			j.state, j.spent = s, s.AllTime
			j.saved, j.isSaved = place{s.Epoch, s.Step}, true
			// A kill between a checkpoint's last name and the end of the one before leaves both.
			if err := removeOlder(j.o.Out, j.saved); err != nil {
				return err
			}
		}
	}
	if old == nil || old.Config.Epochs != c.Epochs {
		if err := j.rec.write(j.o.Out); err != nil {
			return err
		}
	}
	j.logs, err = openLogs(j.o.Out, j.state.MetricsBytes, j.state.EventsBytes)
	return err
}

// claim looks at what the run directory holds: nil for nothing, else the record of the same run.
func (j *job) claim() (*Record, error) {
	out := j.o.Out
	if j.o.Restart {
		return nil, forget(out)
	}
	old, err := ReadRecord(out)
	if errors.Is(err, fs.ErrNotExist) {
		rest, err := leftovers(out)
		if err != nil || len(rest) == 0 {
			return nil, err
		}
		return nil, fmt.Errorf("%s: %s but no %s: %w; --restart throws it away", out, strings.Join(rest, ", "), RecordName, ErrRecord)
	}
	if err != nil {
		return nil, err
	}
	if diff := old.differences(j.rec); len(diff) > 0 {
		return nil, fmt.Errorf("%s %w: %s; take another --out, or --restart to throw it away", out, ErrOtherRun, strings.Join(diff, "; "))
	}
	j.rec.Command = old.Command
	return old, nil
}

func (j *job) close() {
	if j.logs != nil {
		j.logs.close()
	}
	for _, m := range j.crew {
		m.net.Close()
	}
}

// save makes a checkpoint of the present position, unless there is one. Weights that are not
// finite are never saved.
func (j *job) save() error {
	s := j.state
	at := place{s.Epoch, s.Step}
	if j.isSaved && j.saved == at {
		return nil
	}
	j.failed = true
	if err := j.checkWeights(); err != nil {
		return err
	}
	if err := j.logs.sync(); err != nil {
		return err
	}
	s.MetricsBytes, s.EventsBytes = j.logs.size, j.logs.events.Size()
	s.AllTime = j.spent + time.Since(j.began).Seconds()
	if err := save(j.o.Out, s, j.learner, j.meta()); err != nil {
		return fmt.Errorf("%w; %s", err, j.kept())
	}
	j.saved, j.isSaved, j.savedAt, j.failed = at, true, time.Now(), false
	return nil
}

// kept says which checkpoint is there to go on from.
func (j *job) kept() string {
	if !j.isSaved {
		return "there is no checkpoint yet"
	}
	return fmt.Sprintf("the checkpoint of epoch %d, step %d is kept", j.saved.epoch+1, j.saved.step)
}

// meta is what a file of weights says of itself.
func (j *job) meta() map[string]string {
	return map[string]string{
		"run":      recordFormat,
		"shards":   j.rec.Inputs.Shards,
		"recipe":   j.rec.Input.Recipe,
		"channels": j.rec.Input.Order,
		"seed":     strconv.FormatUint(j.rec.Config.Seed, 10),
		"epoch":    strconv.Itoa(j.state.Epoch),
		"step":     strconv.FormatInt(j.state.TotalSteps, 10),
	}
}
