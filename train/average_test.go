package train

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/nn"
)

func TestAverage(t *testing.T) {
	const n = 3*minRange + 5
	params := []nn.Param{{Data: make([]float32, n)}}
	a := newAverage(Config{EMA: 0.5}, params, 3)
	// In float64, by the other form of the same sum.
	want, decays := 0.0, []float64{0.1, 2. / 11, 0.25, 4. / 13, 5. / 14, 0.4, 7. / 16, 8. / 17, 0.5, 0.5, 0.5}
	for i, decay := range decays {
		w := float64(i*i + 1)
		for k := range params[0].Data {
			params[0].Data[k] = float32(w)
		}
		a.update(int64(i))
		want = decay*want + (1-decay)*w
	}
	last := params[0].Data[0]
	a.swap()
	for _, k := range []int{0, n / 2, n - 1} {
		if got := float64(params[0].Data[k]); math.Abs(got/want-1) > 1e-6 {
			t.Errorf("mean of weight %d = %v, want %v", k, got, want)
		}
	}
	a.swap()
	if got := params[0].Data[n-1]; got != last {
		t.Errorf("weight after two swaps = %v, want %v", got, last)
	}
}

// What is kept and used is the average; training itself goes on from the weights.
func TestAverageIsWhatIsKept(t *testing.T) {
	plain := usual(t)
	plain.Epochs = 1
	mustRun(t, plain)
	o := plain.in(t)
	o.EMA = 0.9
	mustRun(t, o)
	if outcome(t, o.Out)[optimizerName] != outcome(t, plain.Out)[optimizerName] {
		t.Error("averaging changed the training")
	}
	_, at, err := checkpoints(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	mean := filepath.Join(at.dir(o.Out), averageName)
	best, weights := values(t, filepath.Join(o.Out, BestName)), values(t, filepath.Join(at.dir(o.Out), weightsName))
	if best != values(t, mean) || best == weights {
		t.Errorf("the kept weights have digest %s, the average %s, the newest weights %s; want the average's", best, values(t, mean), weights)
	}

	// Where nothing can be validated the newest average is used.
	o = o.in(t)
	o.Shards = makeShards(t, filepath.Join(t.TempDir(), "s"), 3, faces("train", 3, 10))
	r := mustRun(t, o)
	p, err := OpenRun(o.Out, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if filepath.Base(p.Path()) != averageName || r.Checkpoint != p.Path() {
		t.Errorf("predicts with %s, the run names %s, want the average", p.Path(), r.Checkpoint)
	}
}

// values returns the digest that a file of weights has of their values alone.
func values(t *testing.T, path string) string {
	t.Helper()
	var all []byte
	arrays, _, err := safetensors.ReadFloats(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range arrays {
		for _, v := range a.Data {
			all = binary.LittleEndian.AppendUint32(all, math.Float32bits(v))
		}
	}
	return digest.Bytes(all)
}

// A checkpoint whose average was changed or lost is damaged.
func TestDamagedAverage(t *testing.T) {
	o := usual(t)
	o.Epochs, o.EMA = 1, 0.9
	mustRun(t, o)
	_, at, err := checkpoints(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(at.dir(o.Out), averageName)
	o.Epochs = 2
	damage(t, path)
	refused(t, o, ErrRecord, averageName, "digest")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refused(t, o, ErrRecord, averageName)
}
