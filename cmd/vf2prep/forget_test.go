package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
	"github.com/vf2prep/vf2prep/split"
)

// forgetWorld is a data set with everything that is made of it.
type forgetWorld struct {
	dir            string
	whole, one, no string // an identity to forget, an image of another one, an identity that nobody has
	before         string // a copy of all of it
}

func newForgetWorld(t *testing.T) *forgetWorld {
	t.Helper()
	w := &forgetWorld{dir: t.TempDir(), before: filepath.Join(t.TempDir(), "before"), no: "n999998"}
	in := w.in
	must(t, "synth", "--out", in("set"), "--identities", "8", "--test-identities", "2", "--images", "12", "--seed", "3", "--quiet")
	// One image that can't be made, of the identity that is to go: its name is among the rejects.
	dirs, err := os.ReadDir(in("set/train"))
	if err != nil {
		t.Fatal(err)
	}
	w.whole, w.one = dirs[1].Name(), dirs[4].Name()+"/0007_01"
	if err := os.WriteFile(in("set/train/"+w.whole+"/0005_01.jpg"), []byte("no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "manifest", "build", "--root", in("set"), "--out", in("m.parquet"), "--quiet")
	must(t, "split", "make", "--manifest", in("m.parquet"), "--out", in("split"), "--val", "3", "--quiet")
	for out, args := range forgetSets {
		must(t, w.build("m.parquet", "split", out, args...)...)
	}
	if err := os.CopyFS(w.before, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	return w
}

var forgetSets = map[string][]string{
	"raw":  {"--recipe", "arcface-112"},
	"jpeg": {"--recipe", "vggface2-256", "--encoding", "jpeg"},
}

func (w *forgetWorld) in(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

func (w *forgetWorld) build(manifest, split, out string, more ...string) []string {
	return append([]string{"cache", "build", "--manifest", w.in(manifest), "--split", w.in(split), "--root", w.in("set"), "--shard-size", "1", "--max-rejects", "5", "--out", w.in(out), "--quiet"}, more...)
}

func (w *forgetWorld) forget(more ...string) []string {
	return append([]string{
		"curate", "forget", w.whole, w.one, "--why", "request 17", "--date", "2026-11-27", "--tombstones", w.in("t.csv"),
		"--manifest", w.in("m.parquet"), "--split", w.in("split"), "--shards", w.in("raw"), "--shards", w.in("jpeg"), "--quiet",
	}, more...)
}

// files returns the digest of every file below dir, by its path.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		out[filepath.ToSlash(rel)], err = digest.File(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// samples returns all samples of a set by key, and the bytes that the shards hold of them.
func samples(t *testing.T, dir string) (map[string]shard.Sample, map[string][]byte) {
	t.Helper()
	all, stored := map[string]shard.Sample{}, map[string][]byte{}
	names, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := shard.OpenFile(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for i := range f.Len() {
			s, err := f.Sample(i)
			if err != nil {
				t.Fatal(err)
			}
			b, err := f.Stored(i)
			if err != nil {
				t.Fatal(err)
			}
			s.Data = bytes.Clone(s.Data)
			all[s.Key], stored[s.Key] = s, bytes.Clone(b)
		}
	}
	return all, stored
}

// What is forgotten is in no file any more, not a byte of it; every other sample, row and line is what it
// was; files that held nothing of it are as they were. A set, a manifest and a split without somebody
// are what their commands make with the list.
func TestForgetTakesThatAndNothingElse(t *testing.T) {
	w := newForgetWorld(t)
	list := &manifest.Tombstones{}
	list.Add(manifest.Tombstone{What: w.whole})
	list.Add(manifest.Tombstone{What: w.one})
	must(t, w.forget()...)
	was, is := files(t, w.before), files(t, w.dir)
	for out, args := range forgetSets {
		before, stored := samples(t, filepath.Join(w.before, out))
		after, _ := samples(t, w.in(out))
		var traces [][]byte
		for key, s := range before {
			if !list.Covers(key) {
				if d := cmp.Diff(s, after[key], cmp.Comparer(func(a, b float32) bool { return a == b || a != a && b != b }), cmp.Comparer(bytes.Equal)); d != "" {
					t.Errorf("%s: %s changed:\n%s", out, key, d)
				}
				continue
			}
			traces = append(traces, stored[key], []byte(key))
		}
		if len(traces) != 2*12 || len(after) != len(before)-12 { // one of the identity's 12 was a reject
			t.Errorf("%s: %d traces to look for, %d samples of %d left", out, len(traces), len(after), len(before))
		}
		traces = append(traces, []byte(w.whole))
		touched := 0
		for name := range files(t, w.in(out)) {
			text := readFile(t, w.in(out+"/"+name))
			for _, trace := range traces {
				if bytes.Contains(text, trace) {
					t.Errorf("%s: %s holds %.40q", out, name, trace)
				}
			}
			name = out + "/" + name
			if was[name] == is[name] {
				continue
			}
			touched++
			if strings.HasSuffix(name, ".safetensors") && !holdsAny(t, filepath.Join(w.before, name), list) {
				t.Errorf("%s changed and held nothing of it", name)
			}
		}
		if untouched := len(files(t, w.in(out))) - touched; untouched == 0 {
			t.Errorf("%s: every file changed", out)
		}
		a, b := classes(t, filepath.Join(w.before, out)), classes(t, w.in(out))
		if len(a) != 6 || a[1] != w.whole || b[1] != ".forgotten-1" || !cmp.Equal(append(a[:1:1], a[2:]...), append(b[:1:1], b[2:]...)) {
			t.Errorf("%s: classes %v became %v", out, a, b)
		}
		if text := must(t, "cache", "verify", "--shards", w.in(out), "--tombstones", w.in("t.csv"), "--quiet"); !strings.Contains(text, "nothing is left of 2 tombstones") {
			t.Errorf("%s: %s", out, text)
		}
		// What was made before, held against the list.
		if code, text := failing(t, "cache", "verify", "--shards", filepath.Join(w.before, out), "--tombstones", w.in("t.csv"), "--quiet"); code != 1 || !strings.Contains(text, "holds what is to be forgotten") {
			t.Errorf("%s, the copy: exit code %d, %s", out, code, text)
		}

		old := *w
		old.dir = w.before
		must(t, old.build("m.parquet", "split", "twin-"+out, append(args, "--tombstones", w.in("t.csv"))...)...)
		if d := cmp.Diff(tree(t, old.in("twin-"+out)), tree(t, w.in(out))); d != "" {
			t.Errorf("%s (-built without +forgotten):\n%s", out, d)
		}
		// Nobody comes back by a build or a repair that does not know the list.
		if code, text := failing(t, old.build("m.parquet", "split", "twin-"+out, args...)...); code != 1 || !strings.Contains(text, "was made to forget") {
			t.Errorf("%s without the list: exit code %d, %s", out, code, text)
		}
		must(t, w.build("m.parquet", "split", "new-"+out, args...)...)
	}
	must(t, "manifest", "build", "--root", w.in("set"), "--out", w.in("twin.parquet"), "--tombstones", w.in("t.csv"), "--quiet")
	if !bytes.Equal(readFile(t, w.in("m.parquet")), readFile(t, w.in("twin.parquet"))) {
		t.Error("the manifest is not the one that is built with the list")
	}
	must(t, "split", "check", "--split", w.in("split"), "--manifest", w.in("m.parquet"))
	old, err := split.Read(filepath.Join(w.before, "split"))
	if err != nil {
		t.Fatal(err)
	}
	now, err := split.Read(w.in("split"))
	if err != nil {
		t.Fatal(err)
	}
	if now.Counts.Train+now.Counts.Val+now.Counts.Test != 96-13 || now.Forgotten != 13 || now.Options != old.Options {
		t.Errorf("split %+v became %+v", old.Counts, now.Counts)
	}
	for name := range was {
		if strings.HasPrefix(name, "set/") && was[name] != is[name] {
			t.Errorf("%s changed", name)
		}
	}
	// Once more: nothing happens.
	if text := must(t, w.forget()...); !strings.Contains(text, w.whole+": in the list already") || !strings.Contains(text, "nothing that was given holds any of it") {
		t.Errorf("asked twice: %s", text)
	}
	after := files(t, w.dir)
	for name, sum := range is {
		if after[name] != sum {
			t.Errorf("asked twice: %s changed", name)
		}
	}
}

func holdsAny(t *testing.T, path string, list *manifest.Tombstones) bool {
	t.Helper()
	f, err := shard.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return f.Holds(list.Covers)
}

func classes(t *testing.T, dir string) []string {
	t.Helper()
	set, err := shard.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	return set.Index().Classes
}

// failing runs a command line that is to fail, and returns its exit code and what it said.
func failing(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), append([]string{"vf2prep"}, args...), nil, &stdout, &stderr)
	return code, stderr.String()
}

// A takedown is killed at random moments, again and again, until it comes to its end: every file, its
// record included, is that of one that was left in peace.
func TestForgetSurvivesKills(t *testing.T) {
	w := newForgetWorld(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rng.Stream(seed, "kills")
	work := func() *forgetWorld {
		c := *w
		c.dir = filepath.Join(t.TempDir(), "w")
		if err := os.CopyFS(c.dir, os.DirFS(w.before)); err != nil {
			t.Fatal(err)
		}
		return &c
	}
	command := func(c *forgetWorld) *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Args = append([]string{"vf2prep"}, c.forget("--root", c.in("set"), "--delete-photos")...)
		return cmd
	}
	straight := work()
	began := time.Now()
	if out, err := command(straight).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole := time.Since(began)
	want := files(t, straight.dir)
	if _, err := os.Stat(straight.in("set/train/" + w.whole)); err == nil {
		t.Error("the photos of a forgotten identity are there")
	}
	kills, halfway := 0, 0
	for round := 0; round < 200 && (kills < 60 || halfway < 5); round++ {
		c := work()
		for n := 0; ; n++ {
			cmd := command(c)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(time.Duration(r.Float64()*1.2*float64(whole)), func() { cmd.Process.Kill() })
			err := cmd.Wait()
			timer.Stop()
			if err == nil {
				break
			}
			if kills++; n > 100 {
				t.Fatalf("no end: %v", err)
			}
			if text, err := os.ReadFile(c.in("audit.jsonl")); err == nil && bytes.Count(text, []byte("\n")) == 1 {
				halfway++
			}
		}
		if d := cmp.Diff(want, files(t, c.dir)); d != "" {
			t.Fatalf("after %d kills in all (-straight +killed):\n%s", kills, d)
		}
	}
	t.Logf("%d kills, %d of them between begin and done", kills, halfway)
}

// A build that was cut off holds samples in files that do not say whose they are: they go, and the build
// comes to the end that it would have had with the list.
func TestForgetInABuildUnderWay(t *testing.T) {
	w := newForgetWorld(t)
	archive := packed(t, w.in("set"))
	args := w.build("m.parquet", "split", "under", "--recipe", "arcface-112")
	for i, a := range args {
		if a == "--root" {
			args[i], args[i+1] = "--tar", archive
		}
	}
	must(t, args...)
	// As a build leaves it that is killed between two shards.
	if err := os.Remove(w.in("under/index.json")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"build.json":    "{}",
		"build.journal": "x", "train-00000-of-00002.safetensors.partial": w.one,
		".train-00000-of-00002.safetensors123456789012": w.whole, "build.items": w.one,
	} {
		if err := os.WriteFile(w.in("under/"+name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "curate", "forget", w.whole, w.one, "--why", "x", "--tombstones", w.in("t.csv"), "--shards", w.in("under"), "--quiet")
	if text := must(t, "curate", "forget", "--tombstones", w.in("t.csv"), "--shards", w.in("under"), "--quiet"); !strings.Contains(text, "nothing that was given") {
		t.Errorf("again: %s", text)
	}
	for name := range files(t, w.in("under")) {
		if text := readFile(t, w.in("under/"+name)); bytes.Contains(text, []byte(w.whole)) || bytes.Contains(text, []byte(w.one)) {
			t.Errorf("%s names them", name)
		}
	}
	if err := os.Remove(w.in("under/build.json")); err != nil { // which was none of this plan's
		t.Fatal(err)
	}
	if code, text := failing(t, args...); code != 1 && code != 0 {
		t.Errorf("exit code %d: %s", code, text)
	}
	must(t, append(args, "--tombstones", w.in("t.csv"))...)
	must(t, w.build("m.parquet", "split", "straight", "--recipe", "arcface-112", "--tombstones", w.in("t.csv"))...)
	if d := cmp.Diff(tree(t, w.in("straight")), tree(t, w.in("under"))); d != "" {
		t.Errorf("(-straight +gone on with):\n%s", d)
	}
}

// A shard with a damaged sample is not written anew, which would call the damage sound. Once it is repaired, with
// the list, the takedown goes on and ends as it would have.
func TestForgetStopsAtDamage(t *testing.T) {
	w := newForgetWorld(t)
	straight := *w
	straight.dir = filepath.Join(t.TempDir(), "straight")
	if err := os.CopyFS(straight.dir, os.DirFS(w.before)); err != nil {
		t.Fatal(err)
	}
	must(t, straight.forget()...)
	set, err := shard.Open(w.in("raw"))
	if err != nil {
		t.Fatal(err)
	}
	list := set.Index().Parts["train"].Shards
	set.Close()
	forget := &manifest.Tombstones{}
	forget.Add(manifest.Tombstone{What: w.whole})
	forget.Add(manifest.Tombstone{What: w.one})
	path, from := "", 0
	for _, info := range list {
		f, err := shard.OpenFile(w.in("raw/" + info.File))
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.Len() {
			if f.Holds(forget.Covers) && !forget.Covers(f.Key(i)) { // samples end the file
				path = w.in("raw/" + info.File)
				from = len(readFile(t, path)) - (f.Len()-i)*f.Shape().Bytes()
			}
		}
		f.Close()
	}
	text := readFile(t, path)
	text[from] ^= 1
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, text := failing(t, w.forget()...); code != 1 || !strings.Contains(text, "CRC") {
		t.Errorf("exit code %d: %s", code, text)
	}
	if !bytes.Equal(readFile(t, path), text) || !bytes.Equal(readFile(t, w.in("m.parquet")), readFile(t, filepath.Join(w.before, "m.parquet"))) {
		t.Error("the damaged shard or the manifest changed")
	}
	if code, text := failing(t, "cache", "repair", "--shards", w.in("raw"), "--manifest", w.in("m.parquet"), "--split", w.in("split"), "--root", w.in("set"), "--max-rejects", "5", "--tombstones", w.in("t.csv"), "--quiet"); code != 3 {
		t.Errorf("repair: exit code %d: %s", code, text)
	}
	must(t, w.forget()...)
	if d := cmp.Diff(files(t, straight.dir), files(t, w.dir)); d != "" {
		t.Errorf("(-straight +repaired):\n%s", d)
	}
}
