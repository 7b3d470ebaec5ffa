package export

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/shard"
)

// node is any object of a JSON-LD file.
type node = map[string]any

func describe(t *testing.T, o DescribeOptions) (node, *Description) {
	t.Helper()
	d, err := Describe(o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(o.Dir, CroissantName))
	if err != nil {
		t.Fatal(err)
	}
	var x node
	if err := json.Unmarshal(b, &x); err != nil {
		t.Fatal(err)
	}
	return x, d
}

func list(v any) (out []node) {
	for _, x := range v.([]any) {
		out = append(out, x.(node))
	}
	return out
}

// walk calls see for every object below v.
func walk(v any, see func(node)) {
	switch v := v.(type) {
	case node:
		see(v)
		for _, x := range v {
			walk(x, see)
		}
	case []any:
		for _, x := range v {
			walk(x, see)
		}
	}
}

// A description has what the specification requires, names every file of export.json with its digest,
// and refers to nothing that it does not define.
func TestCroissant(t *testing.T) {
	d := draw(t, "rgb", shard.Raw, strange)
	for name := range readers {
		o := Options{To: name, Shards: d.dir, Out: t.TempDir()}
		if !wholeFormat(t, name) {
			o.MaxCount = 10
		}
		exported(t, o)
		x, said := describe(t, DescribeOptions{Dir: o.Out})
		for _, key := range []string{"name", "description", "license", "url", "version"} {
			if s, _ := x[key].(string); s == "" {
				t.Errorf("%s: no %s", name, key)
			}
		}
		if x["@type"] != "sc:Dataset" || x["conformsTo"] != "http://mlcommons.org/croissant/1.0" || said.License {
			t.Errorf("%s: %v %v %+v", name, x["@type"], x["conformsTo"], said)
		}
		context := x["@context"].(node)
		index, err := ReadIndex(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for _, f := range index.Files {
			want[f.Name] = f.SHA256
		}
		if want[IndexName], err = sumFile(filepath.Join(o.Out, IndexName)); err != nil {
			t.Fatal(err)
		}
		have, defined := map[string]string{}, map[string]bool{}
		for _, f := range list(x["distribution"]) {
			if f["@type"] == "cr:FileObject" {
				have[f["contentUrl"].(string)] = f["sha256"].(string)
			} else {
				for _, pattern := range f["includes"].([]any) { // a star stands for slashes too
					r := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern.(string)), `\*`, ".*") + "$")
					found := slices.ContainsFunc(slices.Collect(maps.Keys(files(t, o.Out))), r.MatchString)
					if !found && f["containedIn"] == nil {
						t.Errorf("%s: no file is %s", name, pattern)
					}
				}
			}
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s: files (-export.json +%s):\n%s", name, CroissantName, diff)
		}
		terms := map[string]bool{}
		walk(node{"d": x["distribution"], "r": x["recordSet"]}, func(n node) {
			if id, ok := n["@id"].(string); ok && len(n) > 1 {
				if defined[id] {
					t.Errorf("%s: %s is defined twice", name, id)
				}
				defined[id] = true
			}
			if n["@type"] != nil {
				for key := range n {
					terms[key] = true
				}
			}
		})
		walk(node{"d": x["distribution"], "r": x["recordSet"]}, func(n node) {
			if id, ok := n["@id"].(string); ok && len(n) == 1 && !defined[id] {
				t.Errorf("%s: %s is not defined", name, id)
			}
		})
		schema := []string{"@id", "@type", "name", "description", "contentUrl", "contentSize", "containedIn", "encodingFormat", "sha256"} // schema.org's own
		for term := range terms {
			if context[term] == nil && !slices.Contains(schema, term) {
				t.Errorf("%s: the context has no %s", name, term)
			}
		}
		sets := map[string]node{}
		for _, s := range list(x["recordSet"]) {
			sets[s["@id"].(string)] = s
		}
		if splits := list(sets["splits"]["data"]); len(splits) != 3 || splits[0]["splits/name"] != "train" || splits[0]["splits/samples"] != 41.0 {
			t.Errorf("%s: splits %v", name, splits)
		}
		classes := list(sets["classes"]["data"])
		for i, c := range classes {
			if c["classes/name"] != strange[i] || c["classes/label"] != float64(i) {
				t.Errorf("%s: class %d is %v", name, i, c)
			}
		}
		if len(classes) != len(strange) || said.Loadable != slices.Contains([]string{"webdataset", "imagefolder", "parquet-hf"}, name) {
			t.Errorf("%s: %d classes, %+v", name, len(classes), said)
		}
		if name == "parquet-hf" {
			source := list(sets["samples"]["field"])[0]["source"].(node)
			r := regexp.MustCompile(source["transform"].(node)["regex"].(string))
			for _, f := range index.Files {
				if m := r.FindStringSubmatch(f.Name); f.Part != "" && (m == nil || m[1] != f.Part || r.FindStringSubmatch(m[1])[1] != f.Part) {
					t.Errorf("%s: split %v, want %s", f.Name, m, f.Part)
				}
			}
		}

		// The same options, the same bytes; others are taken.
		before := files(t, o.Out)
		describe(t, DescribeOptions{Dir: o.Out})
		if diff := cmp.Diff(before, files(t, o.Out)); diff != "" {
			t.Errorf("%s: again (-first +second):\n%s", name, diff)
		}
		x, said = describe(t, DescribeOptions{Dir: o.Out, Name: "n", Description: "d", License: "l", URL: "u"})
		if x["name"] != "n" || x["description"] != "d" || x["license"] != "l" || x["url"] != "u" || !said.License {
			t.Errorf("%s: %v", name, x)
		}

		// It is the export's, and no other export inherits it.
		exported(t, o)
		if was, err := clean(o.Out); err != nil || !was || len(files(t, o.Out)) != 0 {
			t.Errorf("%s: left by clean: %v, %v", name, files(t, o.Out), err)
		}
	}
}

// What is not a whole export is not described.
func TestCroissantOfNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := Describe(DescribeOptions{Dir: dir}); !errors.Is(err, ErrOption) {
		t.Errorf("an empty directory: %v, want %v", err, ErrOption)
	}
	d := draw(t, "rgb", shard.Raw, strange)
	ctx, cancel := context.WithCancel(context.Background())
	o := Options{To: "webdataset", Shards: d.dir, Out: dir, Progress: &stopper{after: 1, cancel: cancel}}
	if _, err := try(ctx, o); err == nil {
		t.Fatal("the export was not stopped")
	}
	if _, err := Describe(DescribeOptions{Dir: dir}); !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), "not complete") {
		t.Errorf("an export that was stopped: %v, want %v", err, ErrOption)
	}
	o.Progress = nil
	exported(t, o)
	if err := os.Truncate(filepath.Join(dir, "val-000000.tar"), 100); err != nil {
		t.Fatal(err)
	}
	if _, err := Describe(DescribeOptions{Dir: dir}); err == nil || !strings.Contains(err.Error(), "val-000000.tar has 100 bytes") {
		t.Errorf("a short file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, CroissantName)); err == nil {
		t.Error("a damaged export is described")
	}
}
