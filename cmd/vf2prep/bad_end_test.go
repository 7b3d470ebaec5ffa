package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

// world is a small data set with all that is made from it.
type world struct{ dir, root, manifest, split, shards, run string }

// newWorld makes it up to the shards, of which there are several a part.
func newWorld(t *testing.T) world {
	t.Helper()
	root := smallSet(t)
	dir := filepath.Dir(root)
	w := world{dir, root, filepath.Join(dir, "m.parquet"), filepath.Join(dir, "split"), filepath.Join(dir, "shards"), filepath.Join(dir, "run")}
	must(t, "manifest", "build", "--root", root, "--out", w.manifest, "--quiet")
	must(t, "split", "make", "--manifest", w.manifest, "--out", w.split, "--val", "2", "--quiet")
	must(t, w.build(w.shards)...)
	return w
}

// build makes samples of 3x256x256 bytes, so that a shard of 1 MiB holds 5.
func (w world) build(out string, more ...string) []string {
	return append([]string{"cache", "build", "--manifest", w.manifest, "--split", w.split, "--root", w.root,
		"--recipe", "vggface2-256", "--shard-size", "1", "--out", out, "--quiet"}, more...)
}

// from is build with an archive in the place of the tree.
func (w world) from(archive, out string, more ...string) []string {
	return append([]string{"cache", "build", "--manifest", w.manifest, "--split", w.split, "--tar", archive,
		"--recipe", "vggface2-256", "--shard-size", "1", "--memory", "1MiB", "--out", out, "--quiet"}, more...)
}

func (w world) train(out string, more ...string) []string {
	return append([]string{"train", "--shards", w.shards, "--augment", "crop=48x48", "--batch", "4", "--epochs", "1", "--out", out, "--quiet"}, more...)
}

// start runs a command line in a process of its own.
func start(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"vf2prep"}, args...)
	var stderr bytes.Buffer
	cmd.Stderr, cmd.Stdout = &stderr, io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, &stderr
}

// appears waits until a file of the pattern is there.
func appears(t *testing.T, pattern string) {
	t.Helper()
	for range 2000 {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s did not appear", pattern)
}

// leftovers lists hidden and temporary files below dir, which no finished command leaves.
func leftovers(t *testing.T, dir string) (names []string) {
	t.Helper()
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			t.Error(err)
		} else if strings.HasPrefix(d.Name(), ".") || strings.HasSuffix(d.Name(), ".lock") || strings.HasSuffix(d.Name(), ".tmp") {
			names = append(names, path)
		}
		return nil
	})
	return names
}

// Ctrl-C ends every long command with exit code 130. No file has a final name before it is whole,
// and the next run goes on and leaves nothing else behind.
func TestInterrupt(t *testing.T) {
	w := newWorld(t)
	in := func(name string) string { return filepath.Join(w.dir, name) }
	big := []string{"synth", "--identities", "8", "--images", "24", "--quiet", "--out"}
	for _, c := range []struct {
		name, begun string
		args        []string
		out         string
	}{
		{"synth", "train/*/*.jpg", append(big, in("big")), in("big")},
		{"cache build", "train-00000-*", w.build(in("b"), "--workers", "1", "--recipe", "seed-190x170", "--size", "590x590"), in("b")},
		{"train", "run.json", w.train(in("r"), "--epochs", "40"), in("r")},
	} {
		cmd, stderr := start(t, c.args...)
		appears(t, filepath.Join(c.out, c.begun))
		interrupt(t, cmd)
		err := cmd.Wait()
		if err == nil {
			t.Logf("%s: finished before it could be interrupted", c.name)
			continue
		}
		if got := cmd.ProcessState.ExitCode(); got != exitInterrupted {
			t.Errorf("%s: exit code %d (%v), want %d\n%s", c.name, got, err, exitInterrupted, stderr)
		}
		if !strings.Contains(stderr.String(), "run the same command again to go on") {
			t.Errorf("%s: stderr lacks the hint:\n%s", c.name, stderr)
		}
		if left := leftovers(t, c.out); len(left) > 0 {
			t.Errorf("%s: left behind %v", c.name, left)
		}
	}
	must(t, append(big, in("big"))...)
	must(t, append(big, in("big again"))...)
	if d := cmp.Diff(deepTree(t, in("big again")), deepTree(t, in("big"))); d != "" {
		t.Errorf("synth interrupted and run again (-straight +interrupted):\n%s", d)
	}
	must(t, w.build(in("b"), "--recipe", "seed-190x170", "--size", "590x590")...)
	must(t, "cache", "verify", "--shards", in("b"), "--quiet")
	must(t, w.train(in("done"))...)

	// The short ones are told before they begin: not even then is a file left.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range [][]string{
		{"synth", "--out", in("c1/x")},
		{"synth", "--out", in("c1/y"), "--metadata-only"},
		{"manifest", "build", "--root", w.root, "--out", in("c2")},
		{"manifest", "verify", "--root", w.root, "--manifest", w.manifest},
		w.build(in("c3")),
		{"cache", "verify", "--shards", w.shards},
		w.train(in("c4")),
		{"eval", "identify", "--run", in("done"), "--shards", w.shards, "--out", in("c5")},
		{"eval", "verify", "--run", in("done"), "--shards", w.shards, "--out", in("c6")},
		{"demo", "--out", in("c7")},
	} {
		var out, stderr bytes.Buffer
		if code := run(ctx, append([]string{"vf2prep"}, args...), nil, &out, &stderr); code != exitInterrupted {
			t.Errorf("%v: exit code %d, want %d\n%s", args, code, exitInterrupted, &stderr)
		}
		if out.Len() > 0 {
			t.Errorf("%v: interrupted, printed %s", args, &out)
		}
	}
	for _, c := range []string{"c2", "c5/*", "c6/*"} {
		if found, _ := filepath.Glob(in(c)); found != nil {
			t.Errorf("interrupted commands left %v", found)
		}
	}
	if left := leftovers(t, w.dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// deepTree is tree with folders.
func deepTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel, _ := filepath.Rel(dir, path)
			out[rel] = string(readFile(t, path))
		}
		return err
	})
	return out
}

// Two builds, two trainings or two splits on one directory refuse each other; one that was killed
// blocks nobody, and what it left is gone after the next.
func TestTwoAtOnce(t *testing.T) {
	w := newWorld(t)
	in := func(name string) string { return filepath.Join(w.dir, name) }
	build := w.build(in("b"), "--workers", "1", "--recipe", "seed-190x170", "--size", "590x590")
	one, _ := start(t, build...)
	appears(t, filepath.Join(in("b"), "train-00000-*"))
	if !freeze(one) {
		t.Skip("a process can't be stopped here")
	}
	fails(t, exitFailed, []string{"another build is under way", "by process"}, build...)
	if err := one.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	one.Wait()
	finished := tree(t, in("b"))
	must(t, append(w.build(in("straight")), "--recipe", "seed-190x170", "--size", "590x590")...)
	whole := tree(t, in("straight"))
	for name := range whole { // as if it had been killed while it wrote these
		if finished[name] == "" {
			writeFile(t, filepath.Join(in("b"), "."+name+"1234567890123456789"), []byte("half a file"))
		}
	}
	must(t, build...)
	if d := cmp.Diff(whole, tree(t, in("b"))); d != "" {
		t.Errorf("killed and built again (-straight +killed):\n%s", d)
	}
	for name, sum := range finished {
		if strings.HasPrefix(name, "train") && whole[name] != sum {
			t.Errorf("%s had its name before it was whole", name)
		}
	}

	two, _ := start(t, w.train(in("r"), "--epochs", "40")...)
	appears(t, in("r/run.json"))
	freeze(two)
	fails(t, exitFailed, []string{"in use"}, w.train(in("r"), "--epochs", "40")...)
}

// A byte that is flipped anywhere in a shard is named by cache verify, keeps train and eval from
// reading it, and is healed by the command that made it.
func TestFlippedByte(t *testing.T) {
	w := newWorld(t)
	must(t, w.train(w.run)...)
	good := tree(t, w.shards)
	flip := func(name string, at int64) string {
		found, _ := filepath.Glob(filepath.Join(w.shards, name))
		path := found[len(found)-1]
		b := readFile(t, path)
		if at < 0 {
			at += int64(len(b))
		}
		b[at] ^= 0x04
		writeFile(t, path, b)
		return filepath.Base(path)
	}
	for _, c := range []struct {
		name    string
		at      int64
		section string
	}{{"train-*", -100, "image"}, {"train-*", 300, "header"}, {"val-*", -100, "image"}, {"val-*", 300, "header"}} {
		file := flip(c.name, c.at)
		code, stdout, stderr := typed(t, "cache", "verify", "--shards", w.shards)
		if code != exitFailed || !strings.Contains(stdout, file+": section "+c.section) || !strings.Contains(stderr, "cache repair") {
			t.Errorf("cache verify: exit code %d, want 1, and %s with section %s\n%s%s", code, file, c.section, stdout, stderr)
		}
		fails(t, exitFailed, []string{file, "corrupt"}, w.train(filepath.Join(w.dir, "r"+file+c.section))...)
		if strings.HasPrefix(file, "val") {
			fails(t, exitFailed, []string{file, "corrupt"}, "eval", "identify", "--run", w.run, "--shards", w.shards, "--quiet")
		}
		must(t, w.build(w.shards)...)
		if d := cmp.Diff(good, tree(t, w.shards)); d != "" {
			t.Errorf("%s byte %d: healed (-good +healed):\n%s", file, c.at, d)
		}
	}
	// A shard that is cut off, empty or gone, and a damaged index.
	for _, c := range []struct{ name, text string }{{"train-*", "short"}, {"val-*", ""}, {"index.json", `{"format": "vf2prep.shards/1", `}} {
		found, _ := filepath.Glob(filepath.Join(w.shards, c.name))
		writeFile(t, found[0], []byte(c.text))
		fails(t, exitFailed, []string{filepath.Base(found[0])}, w.train(filepath.Join(w.dir, "r"+c.name[:3]))...)
		if c.name == "train-*" {
			must(t, w.build(w.shards)...)
		}
	}
	test, _ := filepath.Glob(filepath.Join(w.shards, "test-*"))
	os.Remove(test[0])
	must(t, w.build(w.shards)...)
	if d := cmp.Diff(good, tree(t, w.shards)); d != "" {
		t.Errorf("healed (-good +healed):\n%s", d)
	}
	// Another recipe's build takes none of them, with or without the index.
	other := []string{"--recipe", "arcface-112"}
	fails(t, exitFailed, []string{"holds shards of another"}, w.build(w.shards, other...)...)
	os.Remove(filepath.Join(w.shards, "index.json"))
	fails(t, exitFailed, []string{"holds shards of another"}, w.build(w.shards, other...)...)
	fails(t, exitFailed, []string{"no finished shard set"}, w.train(filepath.Join(w.dir, "none"))...)
	must(t, w.build(w.shards)...)
	if d := cmp.Diff(good, tree(t, w.shards)); d != "" {
		t.Errorf("index made anew (-good +made):\n%s", d)
	}
	// An index of another build over these shards.
	must(t, w.build(filepath.Join(w.dir, "b"), "--seed", "2")...)
	writeFile(t, filepath.Join(w.shards, "index.json"), readFile(t, filepath.Join(w.dir, "b", "index.json")))
	fails(t, exitFailed, []string{"the index is of build"}, w.train(filepath.Join(w.dir, "foreign"))...)
}

// --json prints one object and nothing else, for every verb; hints and progress are on stderr.
func TestJSON(t *testing.T) {
	w := newWorld(t)
	in := func(name string) string { return filepath.Join(w.dir, name) }
	for _, args := range [][]string{
		{"synth", "--out", in("s"), "--identities", "2", "--images", "2"},
		{"manifest", "build", "--root", w.root, "--out", in("m2")},
		{"manifest", "verify", "--root", w.root, "--manifest", w.manifest},
		{"manifest", "stats", "--manifest", w.manifest},
		{"split", "make", "--manifest", w.manifest, "--out", in("split2"), "--val", "2"},
		{"split", "check", "--manifest", w.manifest, "--split", w.split},
		{"cache", "plan", "--manifest", w.manifest, "--split", w.split, "--out", in("b")},
		{"cache", "build", "--manifest", w.manifest, "--split", w.split, "--root", w.root, "--out", in("b")},
		{"cache", "verify", "--shards", w.shards},
		{"cache", "info", "--shards", w.shards},
		{"augment", "preview", "--shards", w.shards, "--out", in("sheet.png")},
		{"train", "--shards", w.shards, "--out", w.run, "--epochs", "1", "--augment", "crop=48x48"},
		{"eval", "identify", "--run", w.run, "--shards", w.shards},
		{"eval", "verify", "--run", w.run, "--shards", w.shards},
		{"model", "summary"},
		{"model", "list"},
		{"demo", "--out", in("demo"), "--identities", "12", "--images", "4", "--val", "1", "--size", "32x32", "--epochs", "1"},
		{"doctor", "--root", w.root, "--shards", w.shards, "--out", w.dir},
		{"completion", "bash"},
	} {
		code, stdout, stderr := typed(t, append(args, "--json")...)
		if code != exitDone {
			t.Errorf("%v: exit code %d\n%s", args, code, stderr)
			continue
		}
		d := json.NewDecoder(strings.NewReader(stdout))
		var object map[string]any
		if err := d.Decode(&object); err != nil || len(object) == 0 {
			t.Errorf("%v --json: %v\n%s", args, err, stdout)
		}
		if rest, err := io.ReadAll(io.MultiReader(d.Buffered(), strings.NewReader(""))); err != nil || strings.TrimSpace(string(rest)) != "" {
			t.Errorf("%v --json prints more than an object: %q", args, rest)
		}
		for name := range object {
			if name != strings.ToLower(name) || strings.ContainsAny(strings.ReplaceAll(name, "1e-", ""), "- ") {
				t.Errorf("%v --json: name %q, want snake_case", args, name)
			}
		}
	}
}

// The help of every command has examples that the command understands, and exit codes.
func TestHelp(t *testing.T) {
	var visit func(path []string, cmds []*cli.Command)
	visit = func(path []string, cmds []*cli.Command) {
		for _, c := range cmds {
			if c.Name == "help" {
				continue
			}
			at := append(path[:len(path):len(path)], c.Name)
			name := strings.Join(at, " ")
			code, stdout, stderr := typed(t, append(at, "--help")...)
			if code != 0 || stderr != "" {
				t.Errorf("%s --help: exit code %d, %s", name, code, stderr)
			}
			for _, want := range []string{"Examples:\n", "vf2prep " + name, "EXIT CODES:", "130  interrupted"} {
				if !strings.Contains(stdout, want) {
					t.Errorf("%s --help lacks %q", name, want)
				}
			}
			for line := range strings.Lines(c.Description) {
				if text, ok := strings.CutPrefix(line, "  vf2prep "); ok {
					for _, word := range strings.Fields(text) {
						if flag, ok := strings.CutPrefix(word, "--"); ok && len(c.Subcommands) == 0 && findFlag(c, flag) == nil {
							t.Errorf("%s: the example %q has a flag that is not there: --%s", name, strings.TrimSpace(line), flag)
						}
					}
				}
			}
			visit(at, c.Subcommands)
		}
	}
	visit(nil, (&env{stdout: io.Discard, stderr: io.Discard}).commands())
}

var errClosed = errors.New("closed")

type closedWriter struct{}

func (closedWriter) Write([]byte) (int, error) { return 0, errClosed }

// A result that nobody could read is a failure.
func TestStdoutFails(t *testing.T) {
	var stderr bytes.Buffer
	if code := run(context.Background(), []string{"vf2prep", "model", "list"}, nil, closedWriter{}, &stderr); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
}
