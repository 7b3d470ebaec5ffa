package curate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/manifest"
)

func done(id int, path, before, after string, what ...string) []Entry {
	f := Touched{Path: path, Before: before, What: what}
	begin := Entry{Event: "begin", ID: id, Date: "2026-11-27", Files: []Touched{f}}
	f.After = after
	return []Entry{begin, {Event: "done", ID: id, Date: "2026-11-27", Files: []Touched{f}}}
}

// A training on an older state had seen what every later takedown took, one on a newer state only what is
// taken since; a state that nothing was taken from is clean.
func TestHistoryFollowsStates(t *testing.T) {
	var log []Entry
	log = append(log, done(1, "shards/index.json", "d0", "d1", "a", "b")...)
	log = append(log, done(2, "other/index.json", "x0", "x1", "a")...)
	log = append(log, done(3, "shards/index.json", "d1", "d2", "c")...)
	log = append(log, done(4, "m.parquet", "m0", "m1", "a")...)
	log = append(log, done(5, "shards/index.json", "d2", "d0", "z")[0]) // cut off
	h := newHistory(log)
	for sum, want := range map[string]string{"d0": "[a b c z] true", "d1": "[c z] true", "d2": "[z] true", "x0": "[a] true", "x1": "[] true", "m0": "[] false", "": "[] false", "y": "[] false"} {
		what, known := h.held("index.json", sum)
		if got := fmt.Sprint(what, known); got != want {
			t.Errorf("shards %s held %s, want %s", sum, got, want)
		}
	}
	if what, _ := h.held(manifestKind, "m0"); len(what) != 1 {
		t.Errorf("manifest m0 held %v", what)
	}
	if d := cmp.Diff([]string{"m0"}, h.before("m.parquet", "m1")); d != "" {
		t.Error(d)
	}
	if got := h.before("n.parquet", "m1"); len(got) != 0 {
		t.Errorf("another manifest came from %v", got)
	}
	// A circle, which only a forged record has, comes to an end.
	h = newHistory(append(done(1, "index.json", "p", "q", "a"), done(2, "index.json", "q", "p", "b")...))
	if what, _ := h.held("index.json", "p"); len(what) != 2 {
		t.Errorf("a circle held %v", what)
	}
}

// What a killed process left of the last line is cut off; any other damage is an error.
func TestAuditIsReadWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), AuditName)
	for _, e := range done(1, "a/index.json", "x", "y", "n000001") {
		if err := appendAudit(path, e); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(whole, `{"event":"beg`...), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, repair := range []bool{false, true} {
		log, err := readAudit(path, repair)
		if err != nil || len(log) != 2 || len(unfinished(log)) != 0 {
			t.Errorf("repair %v: %d entries, %v", repair, len(log), err)
		}
	}
	if text, _ := os.ReadFile(path); string(text) != string(whole) {
		t.Errorf("the record is %q", text)
	}
	for _, text := range []string{"x\n", `{"event":"begin"}` + "\n", `{"event":"end","id":1}` + "\n"} {
		if err := os.WriteFile(path, []byte(text+string(whole)), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readAudit(path, true); !errors.Is(err, ErrAudit) || !strings.Contains(err.Error(), ":1: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// An operation that is taken up with more to do keeps what was before, and adds the rest.
func TestEntryTakesUpAnother(t *testing.T) {
	was := Entry{ID: 4, Date: "2026-11-27", Requests: []Request{{"a", "2026-11-27", "x"}}, Files: []Touched{{Path: "s/index.json", Before: "d0", What: []string{"a"}}}, Photos: []string{"p"}}
	same := Entry{Date: "2026-11-28", Files: []Touched{{Path: "s/index.json", Before: "d1", What: []string{"a"}}}}
	if same.take(was) || same.ID != 4 || same.Files[0].Before != "d0" || len(same.Requests) != 1 || len(same.Photos) != 1 {
		t.Errorf("the same again: %+v", same)
	}
	more := Entry{Files: []Touched{{Path: "s/index.json", Before: "d1", What: []string{"b"}}, {Path: "m.parquet", Before: "m0"}}}
	if !more.take(was) || len(more.Files) != 2 || more.Files[0].Before != "d0" || len(more.Files[0].What) != 2 {
		t.Errorf("more: %+v", more)
	}
}

// Photos are looked for below the root alone, whatever the list and the links there say.
func TestPhotosStayBelowTheRoot(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) string {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	outside := write("outside/n000001/0001_01.jpg")
	write("set/train/n000002/0001_01.jpg")
	write("set/train/n000002/0001_01.JPG")
	keep := write("set/train/n000002/0002_01.jpg")
	write("set/test/n000003/anything.txt")
	if err := os.Symlink(filepath.Join(dir, "outside", "n000001"), filepath.Join(dir, "set", "train", "n000001")); err != nil {
		if runtime.GOOS == "windows" {
			t.Skip("links need a privilege")
		}
		t.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join(dir, "set"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	list := &manifest.Tombstones{}
	for _, what := range []string{"n000002/0001_01", "n000003", "n000004"} {
		list.Add(manifest.Tombstone{What: what})
	}
	h := &manifest.Holding{Layout: manifest.VGGFace2, Paths: []string{"train/n000002/0001_01.jpg"}}
	photos, err := findPhotos(root, h, list)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"test/n000003/anything.txt", "train/n000002/0001_01.JPG", "train/n000002/0001_01.jpg"}, photos); d != "" {
		t.Error(d)
	}
	for range 2 {
		if err := deletePhotos(root, photos, nil, list); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(keep); err != nil {
		t.Error(err)
	}
	if _, err := root.Stat("test/n000003"); err == nil {
		t.Error("the empty directory of a forgotten identity is there")
	}
	list.Add(manifest.Tombstone{What: "n000001"})
	if found, err := findPhotos(root, h, list); err == nil {
		t.Errorf("through a link out of the root: %v", found)
	}
	if err := deletePhotos(root, []string{"train/n000001/0001_01.jpg", "../outside/n000001/0001_01.jpg"}, nil, list); err == nil {
		t.Error("deleted outside the root")
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}
