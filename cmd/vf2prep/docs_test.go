package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// commands returns the lines of a page's console blocks that begin with "$ vf2prep" or "$ cp", with lines
// that end in a backslash joined.
func pageCommands(t *testing.T, page string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	inside, more := false, false
	skip := false // the block shows what make prints
	for _, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inside, more, skip = line == "```console", false, false
		case inside && strings.HasPrefix(line, "$ make"):
			skip = true
		case inside && !skip && (more || strings.HasPrefix(line, "$ vf2prep") || strings.HasPrefix(line, "$ cp ")):
			part := strings.TrimPrefix(line, "$ ")
			body, goesOn := strings.CutSuffix(part, `\`)
			if more {
				lines[len(lines)-1] += strings.TrimSpace(body)
			} else {
				lines = append(lines, body)
			}
			more = goesOn
		}
	}
	return lines
}

// Every command that README.md and the tutorial show is run as it stands there, one after
// another, in one directory. Only these are changed: the real set's place becomes that of a drawn
// one, and training ends after one epoch.
func TestCommandsInDocs(t *testing.T) {
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "vf2prep")); err != nil {
		t.Skip(err)
	}
	drawn := filepath.Join(t.TempDir(), "vggface2")
	must(t, "synth", "--out", drawn, "--identities", "8", "--test-identities", "2", "--images", "22", "--quiet")
	change := strings.NewReplacer("/data/vggface2", drawn, "--epochs 9", "--epochs 1", "--epochs 4", "--epochs 1")
	for _, page := range []string{"../../README.md", "../../docs/tutorial.md", "../../docs/tutorial-curate.md"} {
		t.Run(filepath.Base(page), func(t *testing.T) {
			lines := pageCommands(t, page)
			if len(lines) < 8 {
				t.Fatalf("%d commands found, want at least 8", len(lines))
			}
			dir := t.TempDir()
			for _, line := range lines {
				cmd := exec.Command("sh", "-c", change.Replace(line))
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("$ %s\n%s%v", line, out, err)
				}
			}
		})
	}
}
