package export

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

// Exports of every format are killed at random moments, again and again, until they come to their end;
// the files are those of an export that was left in peace, and before the end nothing says that it
// is complete.
func TestExportSurvivesKills(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d := drawMany(t, "bgr", shard.Raw, strange, []int{400, 300}, labelled)
	photos := photographed(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rng.Stream(seed, "kills")
	kills := 0
	for _, name := range append(Formats(), "photos") {
		o := Options{To: name, Shards: d.dir, Workers: 3}
		if name == "photos" {
			o = photos
			o.To, o.Workers = "webdataset", 3
		}
		if o.To == "insightface-bin" {
			o.Pairs, _, _ = pairsOf(t, d, 700)
		}
		if !wholeFormat(t, o.To) {
			o.MaxCount = 20
		}
		o.Out = t.TempDir()
		start := time.Now()
		exported(t, o)
		life := 3*time.Since(start) + 30*time.Millisecond // of a process
		want := files(t, o.Out)
		for ends := 0; ends < 2; ends++ {
			o.Out = t.TempDir()
			text, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			for {
				cmd := exec.Command(self)
				cmd.Env = append(os.Environ(), optionsVariable+"="+string(text))
				cmd.Stderr = io.Discard
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				timer := time.AfterFunc(time.Duration(r.Float64()*float64(life)), func() { _ = cmd.Process.Kill() })
				err := cmd.Wait()
				timer.Stop()
				if err == nil {
					break
				}
				kills++
				if x, err := ReadIndex(o.Out); err == nil && x.Complete {
					continue // killed behind the end
				} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatalf("%s: after a kill: %v", name, err)
				}
				if len(files(t, o.Out)) > 2*len(want)+20 {
					t.Fatalf("%s: %d files after kills", name, len(files(t, o.Out)))
				}
			}
			have := files(t, o.Out)
			for file := range have { // a lock that nobody holds, a half file that was behind the end
				if file == lockName || isTemporary(file) {
					delete(have, file)
				}
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("%s: after %d kills in all (-straight +killed):\n%s", name, kills, diff)
			}
		}
	}
	t.Logf("%d kills", kills)
}
