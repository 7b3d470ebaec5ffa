package cache

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

// Whatever a loss of power leaves of the journal's end, what came before is believed, and what is
// written next too.
func TestJournalLosesItsEndOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, journalName)
	shards := map[string]shard.Info{
		"a": {File: "a", Samples: 1, Bytes: 10, Digest: "x"},
		"b": {File: "b", Samples: 2, Bytes: 20, Digest: "y"},
	}
	j, was, err := openJournal(dir, "build")
	if err != nil || len(was.shards) != 0 {
		t.Fatal(was, err)
	}
	a, b := shards["a"], shards["b"]
	if err := j.add(entry{Shard: &a}, entry{Partial: "p", Bytes: 5}, entry{Partial: "p", Bytes: 7}); err != nil {
		t.Fatal(err)
	}
	j.close()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := rng.Stream(1, "journal")
	line := entryLine(entry{Shard: &b})
	for cut := range len(line) + 1 {
		end := append([]byte(nil), line[:cut]...)
		if cut%3 == 1 {
			end[r.IntN(cut)] ^= 4
		} else if cut%3 == 2 {
			end = append(end, make([]byte, 100)...) // blocks that were never written
		}
		if err := os.WriteFile(path, append(append([]byte(nil), good...), end...), 0o644); err != nil {
			t.Fatal(err)
		}
		j, was, err := openJournal(dir, "build")
		if err != nil {
			t.Fatal(err)
		}
		if cut < len(line) {
			if d := cmp.Diff(map[string]shard.Info{"a": a}, was.shards); d != "" {
				t.Fatalf("cut at %d (-want +got):\n%s", cut, d)
			}
		}
		if was.partials["p"] != 7 || was.read {
			t.Fatalf("cut at %d: %+v", cut, was)
		}
		if err := j.add(entry{Shard: &b}, entry{Read: true}); err != nil {
			t.Fatal(err)
		}
		j.close()
		if j, was, err = openJournal(dir, "build"); err != nil {
			t.Fatal(err)
		}
		j.close()
		if d := cmp.Diff(shards, was.shards); d != "" || !was.read {
			t.Fatalf("cut at %d, then written (-want +got):\n%s", cut, d)
		}
	}
	// Nothing is believed of another build's journal.
	j, was, err = openJournal(dir, "other")
	if err != nil || len(was.shards)+len(was.partials) != 0 || was.read {
		t.Errorf("another build's journal: %+v, %v", was, err)
	}
	j.close()
}

func FuzzJournal(f *testing.F) {
	f.Add(append(entryLine(entry{Build: "build"}), entryLine(entry{Partial: "p", Bytes: 3})...))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, journalName), text, 0o644); err != nil {
			t.Fatal(err)
		}
		j, _, err := openJournal(dir, "build")
		if err != nil {
			t.Fatal(err)
		}
		if err := j.add(entry{Partial: "q", Bytes: 9}); err != nil {
			t.Fatal(err)
		}
		j.close()
		j, was, err := openJournal(dir, "build")
		if err != nil || was.partials["q"] != 9 {
			t.Fatal(was, err)
		}
		j.close()
	})
}
