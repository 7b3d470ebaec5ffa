// Package doctor looks at the machine and the files of a user who is about to start, and says
// what will be in the way.
//
// It changes nothing and opens no network connection.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vf2prep/vf2prep/internal/diskspace"
	"github.com/vf2prep/vf2prep/pixel"
	"github.com/vf2prep/vf2prep/shard"
)

// The states of a check.
const (
	OK      = "ok"
	Warning = "warning"
	Failure = "failure"
)

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"`
}

// Options name what to look at; empty ones are passed over.
type Options struct {
	Root   string // of the data set
	Shards string // a finished shard set
	Out    string // where the shards or runs shall go
}

// Run looks at everything.
func Run(ctx context.Context, o Options) []Check {
	checks := []Check{system(), simd(), decoding(), filesOpen()}
	if o.Out == "" {
		o.Out = "."
	}
	checks = append(checks, room(o.Out))
	if o.Root != "" {
		checks = append(checks, layout(o.Root)...)
	}
	if o.Shards != "" && ctx.Err() == nil {
		checks = append(checks, shards(o.Shards))
	}
	return checks
}

func system() Check {
	return Check{Name: "system", State: OK, Found: fmt.Sprintf("%s/%s, %d CPUs, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())}
}

// simd says which instructions the pixel kernels use here.
func simd() Check {
	level, err := pixel.CPU()
	c := Check{Name: "vector units", State: OK, Found: level}
	if err != nil { // VF2PREP_CPU asks for what is not there
		c.State, c.Advice = Warning, err.Error()
	}
	return c
}

// The full set at 112x112 in bytes, and in photos: what a user is most likely to want.
const fullSet = 3_311_286 * 3 * 112 * 112

func room(dir string) Check {
	c := Check{Name: "disk", State: OK}
	at := diskspace.Existing(dir)
	if info, err := os.Stat(at); err == nil && !info.IsDir() {
		return Check{Name: "disk", State: Failure, Found: at + " is no directory", Advice: "give --out a directory"}
	}
	if err := writable(at); err != nil {
		return Check{Name: "disk", State: Failure, Found: fmt.Sprintf("%s can't be written: %v", at, err), Advice: "give --out a directory of your own"}
	}
	n, err := diskspace.Free(at)
	if err != nil {
		return Check{Name: "disk", State: Warning, Found: fmt.Sprintf("free space of %s is unknown: %v", dir, err)}
	}
	c.Found = fmt.Sprintf("%.0f GB free in %s", float64(n)/1e9, dir)
	if n < fullSet {
		c.State = Warning
		c.Advice = fmt.Sprintf("all of VGGFace2 at 112x112 takes %.0f GB; \"vf2prep cache plan\" says what yours takes", float64(fullSet)/1e9)
	}
	return c
}

// layout looks for the tree and its metadata where manifest build looks.
func layout(root string) []Check {
	if _, err := os.ReadDir(root); err != nil {
		return []Check{{Name: "data set", State: Failure, Found: text(err), Advice: "give --root the directory that holds train/ and test/"}}
	}
	var checks []Check
	missing := 0
	data := root
	if isDir(filepath.Join(root, "data", "train")) {
		data = filepath.Join(root, "data")
	}
	for _, subset := range []string{"train", "test"} {
		c := Check{Name: subset + "/", State: OK}
		names, err := os.ReadDir(filepath.Join(data, subset))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing++
			c.State, c.Found = Warning, text(err)
			c.Advice = "without it there are no " + subset + " images"
		case err != nil:
			c.State, c.Found, c.Advice = Failure, text(err), "its images would be missing"
		default:
			c = identities(c, filepath.Join(data, subset), names)
		}
		checks = append(checks, c)
	}
	if missing == 2 {
		checks = append(checks, Check{Name: "data set", State: Failure, Found: "neither train/ nor test/ is there", Advice: "give --root the directory that holds them"})
	}
	for _, f := range []struct{ name, advice string }{
		{"identity_meta.csv", "without it there are no names, genders and expected counts"},
		{"loose_bb_train.csv", "recipes that crop about the box need it"},
		{"loose_landmark_train.csv", "recipes that align need it"},
	} {
		c := Check{Name: f.name, State: Warning, Found: "not found", Advice: f.advice}
		for _, dir := range []string{"", "meta", "bb_landmark"} {
			if _, err := os.Stat(filepath.Join(root, dir, f.name)); err == nil {
				c = Check{Name: f.name, State: OK, Found: filepath.ToSlash(filepath.Join(dir, f.name))}
				break
			}
		}
		checks = append(checks, c)
	}
	return checks
}

// identities counts the directories of a subset, and those that can't be read.
func identities(c Check, dir string, names []fs.DirEntry) Check {
	n, closed := 0, 0
	for _, e := range names {
		path := filepath.Join(dir, e.Name())
		if !isDir(path) {
			continue
		}
		n++
		if f, err := os.Open(path); err != nil {
			closed++
		} else {
			f.Close()
		}
	}
	c.Found = fmt.Sprintf("%d identities", n)
	if closed > 0 {
		c.State, c.Advice = Failure, "the images in them would be missing"
		c.Found += fmt.Sprintf(", %d directories can't be read", closed)
	}
	return c
}

func shards(dir string) Check {
	set, err := shard.Open(dir)
	if err != nil {
		return Check{Name: "shards", State: Failure, Found: err.Error(), Advice: "run \"vf2prep cache build\" again, it makes what is missing"}
	}
	defer set.Close()
	x := set.Index()
	var parts []string
	for _, n := range set.Parts() {
		parts = append(parts, fmt.Sprintf("%s %d", n, x.Parts[n].Samples))
	}
	return Check{Name: "shards", State: OK, Found: fmt.Sprintf("%s, samples of %v bytes: %s", x.Recipe, x.Shape, strings.Join(parts, ", "))}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func text(err error) string {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
