package export

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSafeName(t *testing.T) {
	for text, want := range map[string][2]string{ // safeName, plainName
		"n000002":     {"n000002", "n000002"},
		"0001_01":     {"0001_01", "0001_01"},
		"a.b":         {"a.b", "a%2Eb"},
		".a":          {"%2Ea", "%2Ea"},
		"a.":          {"a%2E", "a%2E"},
		"..":          {"%2E%2E", "%2E%2E"},
		"":            {"%", "%"},
		"%":           {"%25", "%25"},
		"Zoë":         {"Zoë", "Zo%C3%AB"},
		"a b":         {"a b", "a%20b"},
		"a/b\\c:d":    {"a%2Fb%5Cc%3Ad", "a%2Fb%5Cc%3Ad"},
		"CON":         {"%43ON", "%43ON"},
		"nul.txt":     {"%6Eul.txt", "nul%2Etxt"},
		"a\x00\n\xff": {"a%00%0A%FF", "a%00%0A%FF"},
	} {
		if have := [2]string{safeName(text), plainName(text)}; have != want {
			t.Errorf("names of %q: %q, want %q", text, have, want)
		}
	}
}

// Whatever a key or an identity is, its name is one plain element of a path, and two texts have two.
func FuzzSafeName(f *testing.F) {
	f.Add("n000002", "n000003")
	f.Add("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd")
	f.Add(strings.Repeat("ë", 200), strings.Repeat("ë", 201))
	f.Add("con", "%63on")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, name := range []func(string) string{safeName, plainName} {
			n := name(a)
			if !fs.ValidPath(n) || !filepath.IsLocal(n) || strings.ContainsAny(n, "/\\:\x00") || len(n) > maxName || !utf8.ValidString(n) || n[0] == '.' || localName(n) != nil {
				t.Fatalf("name of %q: %q", a, n)
			}
			if a != b && n == name(b) {
				t.Fatalf("%q and %q have the name %q", a, b, n)
			}
		}
		if strings.Contains(plainName(a), ".") {
			t.Fatalf("plain name of %q: %q", a, plainName(a))
		}
		record, err := appendMember(nil, tarName(a)+".json", []byte(b))
		if err != nil || len(record)%tarBlock != 0 {
			t.Fatalf("%q: %v", a, err)
		}
	})
}

func TestLocalName(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../a", "/a", "a/../b", "a//b", `a\b`, "a:b", ".a", "a\n", IndexName, RejectsName, journalName, lockName} {
		if localName(name) == nil {
			t.Errorf("%q was taken", name)
		}
	}
	for _, name := range []string{"a", "a/b", "train-000000.tar", "a b", "data/.hidden"} {
		if err := localName(name); err != nil {
			t.Error(err)
		}
	}
}
