//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pipe puts a named pipe in the place of a file.
func pipe(path string) bool {
	os.Remove(path)
	return syscall.Mkfifo(path, 0o644) == nil
}

func interrupt(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
}

// freeze stops a process where it stands.
func freeze(cmd *exec.Cmd) bool { return cmd.Process.Signal(syscall.SIGSTOP) == nil }

// A user without permission is told so, by every command, and nothing is lost. As root the
// commands run as nobody.
func TestNoPermission(t *testing.T) {
	w := newWorld(t)
	in := func(name string) string { return filepath.Join(w.dir, name) }
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := in("vf2prep")
	if err := os.WriteFile(program, readFile(t, self), 0o755); err != nil {
		t.Fatal(err)
	}
	user := func(args ...string) (int, string, string) {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Args[0], cmd.Dir = "vf2prep", "/"
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if os.Geteuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		if err := cmd.Run(); cmd.ProcessState == nil {
			t.Skip(err)
		}
		return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
	}
	chmod := func(path string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for dir := w.dir; filepath.Dir(dir) != filepath.Clean(os.TempDir()) && filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		chmod(filepath.Dir(dir), 0o755)
	}
	free, closed := in("free"), in("closed")
	for _, d := range []string{free, closed} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	chmod(free, 0o777)
	chmod(closed, 0o555)
	if code, _, stderr := user("model", "list"); code != 0 {
		t.Skipf("the test program can't be run by another user: %s", stderr)
	}
	denied := func(want int, word string, args ...string) {
		t.Helper()
		code, stdout, stderr := user(args...)
		if code != want || !strings.Contains(stdout+stderr, word) {
			t.Errorf("vf2prep %v: exit code %d, want %d and %q\n%s%s", args, code, want, word, stdout, stderr)
		}
	}
	const no = "permission denied"
	denied(1, no, "synth", "--out", closed+"/s", "--identities", "2", "--images", "1")
	denied(1, no, "manifest", "build", "--root", w.root, "--out", closed+"/m.parquet")
	denied(1, no, "split", "make", "--manifest", w.manifest, "--out", closed)
	denied(1, no, w.build(closed)...)
	denied(1, no, w.train(closed)...)
	denied(1, "can't be written", "doctor", "--out", closed)
	_, _, stderr := user(w.build(closed)...)
	if strings.Contains(stderr, "another build") {
		t.Errorf("a directory without permission is called another build: %s", stderr)
	}

	// One identity's directory is closed: its photos are missing from the manifest, and rejects of
	// a build from a manifest that saw them.
	person := filepath.Dir(filepath.Join(w.root, "train", trainPhotos(t, w.root)[0]))
	chmod(person, 0)
	defer os.Chmod(person, 0o755)
	denied(3, "1 directories can't be read", "manifest", "build", "--root", w.root, "--out", free+"/m.parquet")
	denied(3, "6 of 30 images were rejected", w.build(free+"/shards", "--max-rejects", "5")...)
	for id, reason := range rejectsOf(t, free+"/shards") {
		if reason != "read: no permission" {
			t.Errorf("%s: %s, want read: no permission", id, reason)
		}
	}
	denied(1, "can't be read", "doctor", "--root", w.root, "--out", free)
	chmod(w.manifest, 0)
	denied(1, no, "split", "make", "--manifest", w.manifest, "--out", free+"/split")
	chmod(w.shards+"/index.json", 0)
	denied(1, no, "cache", "verify", "--shards", w.shards)
}

// On a full disk a command says so; finished shards stay, and when there is room again the same
// command goes on and gives the same bytes.
func TestFullDisk(t *testing.T) {
	w := newWorld(t)
	disk := filepath.Join(w.dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=12m", "none", disk).CombinedOutput(); err != nil {
		t.Skipf("no small disk can be had here: %s", out)
	}
	defer exec.Command("umount", disk).Run()
	in := func(name string) string { return filepath.Join(disk, name) }
	filler := in("filler")
	fill := func(leave int) {
		t.Helper()
		var s syscall.Statfs_t
		if err := syscall.Statfs(disk, &s); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filler, make([]byte, max(0, int(s.Bavail)*int(s.Bsize)-leave)))
	}
	full := []string{"no space left on device", "hint: what is finished stays"}

	fill(2 << 20) // room for one or two of seven shards
	fails(t, exitFailed, []string{"free, the shards take"}, "cache", "plan", "--manifest", w.manifest, "--split", w.split, "--recipe", "vggface2-256", "--out", in("shards"))
	fails(t, exitFailed, full, w.build(in("shards"))...)
	finished := tree(t, in("shards"))
	if left := leftovers(t, in("shards")); len(left) > 0 {
		t.Errorf("left behind %v", left)
	}
	if found, _ := filepath.Glob(in("shards/*.safetensors")); len(found) == 0 {
		t.Fatalf("no shard was finished: %v", finished)
	}
	archive := packed(t, w.root)
	fails(t, exitFailed, full, w.from(archive, in("packed"))...)
	os.Remove(filler)
	must(t, w.from(archive, in("packed"))...)
	if d := cmp.Diff(tree(t, w.shards), tree(t, in("packed"))); d != "" {
		t.Errorf("from an archive, on a disk that was full (-straight +full):\n%s", d)
	}
	if err := os.RemoveAll(in("packed")); err != nil {
		t.Fatal(err)
	}
	stdout := must(t, w.build(in("shards"))...)
	if strings.Contains(stdout, " 0 shards were there already") {
		t.Errorf("finished shards were made again: %s", stdout)
	}
	if d := cmp.Diff(tree(t, w.shards), tree(t, in("shards"))); d != "" {
		t.Errorf("on a disk that was full (-straight +full):\n%s", d)
	}
	if err := os.RemoveAll(in("shards")); err != nil {
		t.Fatal(err)
	}

	// What is finished survives a full disk: a split, a manifest, a run.
	must(t, "split", "make", "--manifest", w.manifest, "--out", in("split"), "--val", "2", "--quiet")
	must(t, "manifest", "build", "--root", w.root, "--out", in("m.parquet"), "--quiet")
	before := deepTree(t, disk)
	fill(0)
	delete(before, "filler")
	fails(t, exitFailed, full, "split", "make", "--manifest", w.manifest, "--out", in("split"), "--val", "3", "--quiet")
	fails(t, exitFailed, full, "manifest", "build", "--root", w.root, "--out", in("m.parquet"), "--quiet")
	fails(t, exitFailed, full, "synth", "--out", in("set"), "--identities", "2", "--images", "2")
	fails(t, exitFailed, full, w.train(in("run"))...)
	after := deepTree(t, disk)
	delete(after, "filler")
	for name, text := range before {
		if after[name] != text {
			t.Errorf("%s was lost on a full disk", name)
		}
	}
	os.Remove(filler)
	must(t, "manifest", "verify", "--root", w.root, "--manifest", in("m.parquet"))
	must(t, "split", "check", "--manifest", w.manifest, "--split", in("split"))
	must(t, w.train(in("run"))...)
}
