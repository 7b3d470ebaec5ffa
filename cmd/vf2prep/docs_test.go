package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/internal/realdata"
)

// shown is a command of a page, and the lines that the page shows below it.
type shown struct {
	line   string
	output []string
}

// pageCommands returns what is behind "$ " in a page's console blocks, lines that end in a backslash
// joined. Blocks that show what make prints are left out.
func pageCommands(t *testing.T, page string) (list []shown) {
	t.Helper()
	inside, more := false, false
	skip := false // the block shows what make prints
	for _, line := range strings.Split(page, "\n") {
		command := strings.HasPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside, more, skip = line == "```console", false, false
		case inside && strings.HasPrefix(line, "$ make"):
			skip = true
		case !inside || skip:
		case more || command:
			body, goesOn := strings.CutSuffix(strings.TrimPrefix(line, "$ "), `\`)
			if more {
				list[len(list)-1].line += strings.TrimLeft(body, " ")
			} else {
				list = append(list, shown{line: body})
			}
			more = goesOn
		case len(list) > 0:
			list[len(list)-1].output = append(list[len(list)-1].output, line)
		}
	}
	return list
}

// Every command that README.md and the tutorials show is run as it stands there, one after
// another, in one directory. Only these are changed: the real set's place becomes that of a drawn
// one, and training ends after one epoch. What tutorial-curate.md does with real photos is run where
// they are, and must print what the page says.
func TestCommandsInDocs(t *testing.T) {
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "vf2prep")); err != nil {
		if runtime.GOOS == "windows" {
			t.Skip("links need a privilege")
		}
		t.Fatal(err)
	}
	drawn := filepath.Join(t.TempDir(), "vggface2")
	must(t, "synth", "--out", drawn, "--identities", "8", "--test-identities", "2", "--images", "22", "--quiet")
	change := strings.NewReplacer("/data/vggface2", drawn, "--epochs 9", "--epochs 1", "--epochs 4", "--epochs 1")
	run := func(t *testing.T, page string, change *strings.Replacer, compare bool) {
		t.Helper()
		list := pageCommands(t, page)
		if len(list) < 8 {
			t.Fatalf("%d commands found, want at least 8", len(list))
		}
		dir := t.TempDir()
		for _, c := range list {
			cmd := exec.Command("sh", "-c", change.Replace(c.line))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("$ %s\n%s%s%v", c.line, out, stderr.String(), err)
			}
			if diff := cmp.Diff(strings.Join(c.output, "\n"), strings.TrimSuffix(string(out), "\n")); compare && diff != "" {
				t.Errorf("$ %s\n(-page +printed)\n%s", c.line, diff)
			}
		}
	}
	for _, name := range []string{"../../README.md", "../../docs/tutorial.md", "../../docs/tutorial-curate.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		page, real, both := strings.Cut(string(text), "\n## The same on 2,930 real photos")
		t.Run(filepath.Base(name), func(t *testing.T) { run(t, page, change, false) })
		if both {
			t.Run(filepath.Base(name)+", real photos", func(t *testing.T) {
				realdata.Dir(t, "lfw_folds1-5") // the page has both
				data, err := filepath.Abs(filepath.Dir(realdata.Dir(t, "vf2real")))
				if err != nil {
					t.Fatal(err)
				}
				run(t, real, strings.NewReplacer("/data/", data+"/"), true)
			})
		}
	}
}
